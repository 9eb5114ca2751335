"""The benchmark's numbers, with the machine they are from, as JSON and as a table."""

import datetime
import os
from types import ModuleType
from typing import Any

import numpy as np
import threadpoolctl

from tinya2i.benchmark import convolutions, features, growth
from tinya2i.benchmark.compare import pytorch_side
from tinya2i.environment import environment

WITHOUT_PYTORCH = (
    "PyTorch is not installed, so there is nothing to compare with: "
    "pip install -e '.[parity]'  and run this again"
)


def surroundings(rate: float, xp: ModuleType = np) -> dict[str, Any]:
    """{"date", "machine", "versions"}: all that the times depend on beside the settings."""
    known = environment(xp)
    blas = [lib for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]
    pytorch = pytorch_side()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "device": known["device"],
            "system": known["system"],
            "cores": os.cpu_count(),
            "threads": known["threads"],
            "sgemm_flops_per_second": rate,
        },
        "versions": {
            **{name: known[name] for name in ("tinya2i", "commit", "python", "numpy", "cupy")},
            "blas": ", ".join(f"{lib['internal_api']} {lib['version']}" for lib in blas),
            "pytorch": pytorch and pytorch.torch.__version__,
        },
    }


def table(results: dict[str, Any]) -> str:
    """All of it for a person: the machine, then what was measured, a line for each contender."""
    machine, versions, settings = (results[key] for key in ("machine", "versions", "settings"))
    pytorch = f"PyTorch {versions['pytorch']}" if versions["pytorch"] else "no PyTorch"
    threads = (
        "our threads" if {"features", "convolutions"} & set(results) else "threads on both sides"
    )
    numbers = "TF32" if settings.get("tf32") else "float32"
    size = f"batch {settings['batch_size']}, {numbers}, " if "batch_size" in settings else ""
    blas = "cuBLAS" if versions.get("cupy") else "NumPy"
    ours = f"CuPy {versions['cupy']}, " if versions.get("cupy") else ""
    lines = [
        f"{results['date']}  {machine['device']}, {machine['cores']} cores, "
        f"{threads}: {machine['threads']}, {machine['system']}",
        f"tinya2i {versions['tinya2i']}, {pytorch}, {ours}NumPy {versions['numpy']} "
        f"({versions['blas']}), Python {versions['python']}",
        f"sgemm {machine['sgemm_flops_per_second'] / 1e9:.0f} GFLOP/s with {blas}; "
        f"{size}{settings['rounds']} rounds",
    ]
    for name, step in results.get("steps", {}).items():
        lines += ["", *_step_lines(name, step)]
    if "features" in results:
        return "\n".join([*lines, "", *features.lines(results["features"])])
    if "convolutions" in results:
        return "\n".join([*lines, "", *convolutions.lines(results["convolutions"])])
    lines += growth.lines(results.get("growth", {}))
    if not versions["pytorch"]:
        lines += ["", WITHOUT_PYTORCH]
    return "\n".join(lines)


def _step_lines(name: str, step: dict[str, Any]) -> list[str]:
    head = f"{name}, {step['flops'] / 1e9:.3g} GFLOP a step"
    lines = [f"{head:36}{'median':>10}{'minimum':>10}{'of sgemm':>10}{'memory':>10}"]
    rate = step["sgemm_fraction"] * step["ours"]  # a contender's fraction is this / its seconds
    lines.append(_row("ours", step["ours"], step["minimum"]["ours"], rate, _peak(step, "ours")))
    for side, seconds in step["pytorch"].items():
        peak = _peak(step, "pytorch") if side == step["best_pytorch"] else ""
        least = step["minimum"]["pytorch"][side]
        lines.append(_row(f"PyTorch {side}", seconds, least, rate, peak))
    lines += [f"  PyTorch {side}: {why}" for side, why in step.get("left_out", {}).items()]
    if step["ratio"]:
        lines.append(
            f"  ours / best PyTorch{step['ratio']:25.2f}{step['minimum']['ratio']:10.2f}"
            f"      (losses agree to {step['loss_difference']:.0e})"
        )
    return lines


def _row(name: str, median: float, minimum: float, rate: float, peak: str) -> str:
    times = f"{median * 1e3:7.2f} ms{minimum * 1e3:7.2f} ms"
    return f"  {name:34}{times}{rate / median:10.0%}{peak:>10}".rstrip()


def _peak(step: dict[str, Any], side: str) -> str:
    peak = step["peak_memory"][side]
    return "" if peak is None else f"{peak / 1e6:.0f} MB"
