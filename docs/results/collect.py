"""Copy what a run claims from its folder into a result file: command, data, versions, numbers.

python docs/results/collect.py runs/vae-mix docs/results/vae-mix.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tinya2i.audio import Augment
from tinya2i.files import read_rows
from tinya2i.runs import without_sources

# Flags whose values go into the command only where they differ.
DEFAULTS = {
    "lr": 1e-3, "batch_size": 128, "split": "random", "speakers": "talk", "limit_train": None,
    "framing": "stretched", "normalise": "global", "init": "he", "repair": False,
    "schedule": "linear", "kl_weight": 1.0, "kl_warmup": 2.0, "latent_relu": False,
    "augment": None, "augment_kinds": None, "ear_from": None,
}  # fmt: skip
TOWERS = {"objective": "correspondence", "negatives": "random", "ear": "tower"}
OTHER_DEFAULTS = {
    "vaegan": {
        "lr": 2e-4, "init": "dcgan", "kl_warmup": 0.0, "alpha": 0.2, "beta": 0.5,
        "adversarial": "non-saturating", "reconstruction": "pixels", "alpha_start": 0.002,
        "alpha_ramp": 0.0, "arch": None,  # always said: what was the default has changed
    },
    "cvae": {"kl_warmup": 0.0, "hybrid": 0.035, "hybrid_fall": 1.0},
    **dict.fromkeys(("correspondence", "retrieval", "labelled"), TOWERS),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    config = json.loads((args.run / "config.json").read_text(encoding="utf-8"))
    result = {
        "command": command(config["flags"]),
        "date": config["started"][:10],
        "environment": config["environment"],
        "data": without_sources(config["data"]),
        "summary": json.loads((args.run / "summary.json").read_text(encoding="utf-8")),
        "epochs": read_rows(args.run / "metrics.jsonl"),
        **measured(args.run),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rounded(result), indent=1) + "\n", encoding="utf-8")


def measured(run: Path) -> dict[str, Any]:
    """{"measured": ...}: what `examples/evaluate.py RUN --quality --cas STEPS` left, if it ran.

    With --retrieval, too; and what `examples/retrieve.py RUN` left of a run that it searched with.
    """
    names = ("quality", "cas", "evaluation", "retrieval")
    found = {name: _json(run / f"{name}.json") for name in names}
    taken = {}
    if row := found["quality"].get("rows", {}).get("generated"):
        names = ("agreement", "per_clip", "precision", "recall", "lenet_fid")
        taken |= {name: row[name] for name in names}
    if near := found["evaluation"].get("archetypes"):
        taken["archetypes"] = near
    if found["cas"]:
        taken["cas"] = {name: found["cas"][name] for name in ("generated", "real")}
    if tables := found["retrieval"].get("tables"):
        taken["search"] = {way: _without_digits(table) for way, table in tables.items()}
    if rows := found["retrieval"].get("rows"):
        taken["led_back"] = {name: _without_digits(row) for name, row in rows.items()}
    return {"measured": taken} if taken else {}


def _without_digits(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: _without_digits(v) for k, v in value.items() if k != "per_digit"}


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def command(flags: dict[str, Any]) -> str:
    """The command line that these flags come from, without what does not change the numbers."""
    program = "correspondence" if "objective" in flags else flags["model"]
    words = ["python", f"examples/train_{program}.py"]
    words += [f"--{name} {flags[name]}" for name in ("data", "seed", "epochs")]
    flags = {**flags, **_as_given(flags)}
    for name, default in (DEFAULTS | OTHER_DEFAULTS.get(flags["model"], {})).items():
        value = flags.get(name, default)
        if value != default:
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {value:g}"
                         if isinstance(value, float) else f" {value}"))  # fmt: skip
    return " ".join(words)


def _as_given(flags: dict[str, Any]) -> dict[str, Any]:
    """Kinds of augmentation only where they are not the usual ones; runs without their place."""
    usual = flags.get("augment_kinds") == str(Augment())
    ear = flags.get("ear_from")
    return {
        "augment_kinds": None if usual else flags.get("augment_kinds"),
        "ear_from": f"runs/{Path(ear).name}" if ear else None,
    }


def rounded(value: Any) -> Any:
    """Six significant digits are more than any of these numbers deserves."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
