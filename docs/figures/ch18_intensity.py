"""Chapter 18: operations a byte of the VAE's products, and what it does to a step on a CPU."""

import json

import numpy as np
from figure import BLUE, GREEN, GREY, RED, RESULTS, main

BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
SHOWN = {
    "first fully connected": (12800, 1024, 1),
    "second convolution": (1024, 128, 100),
    "first convolution": (16, 64, 529),
}  # name: (k, n, rows of the product for each example)


def intensity(m: int, k: int, n: int) -> float:
    """Operations for each byte of A, B and C, in float32, each moved once."""
    return 2 * m * k * n / (4 * (m * k + k * n + m * n))


def numbers() -> dict:
    """Intensities over the batch size; milliseconds an example, measured and fitted."""
    found = {"batch": BATCHES, "products": {}}
    for name, (k, n, rows) in SHOWN.items():
        found["products"][name] = [intensity(batch * rows, k, n) for batch in BATCHES]
    growth = json.loads((RESULTS / "growth.json").read_text(encoding="utf-8"))["growth"]["vae"]
    batch = np.array([each["batch_size"] for each in growth["batch"]], float)
    seconds = np.array([each["ours"] for each in growth["batch"]])
    # least squares of 1 = (a + b n) / t: relative errors count
    A = np.stack([1 / seconds, batch / seconds], axis=1)
    a, b = np.linalg.lstsq(A, np.ones(len(batch)), rcond=None)[0]
    found["measured"] = {"batch": batch, "ms": 1000 * seconds / batch}
    found["fixed_ms"], found["each_ms"] = 1000 * a, 1000 * b
    return found


def draw(found: dict, plt) -> None:
    _, (left, right) = plt.subplots(1, 2, figsize=(8, 3.1))
    for (name, values), colour in zip(found["products"].items(), (RED, BLUE, GREEN), strict=True):
        left.loglog(found["batch"], values, "o-", color=colour, ms=3, label=name)
    left.set(xlabel="batch", ylabel="operations a byte", title="products of the VAE's encoder")
    left.set_ylim(0.3, 1000)
    left.legend(frameon=False, fontsize=8, loc="upper left")
    measured, n = found["measured"], np.array(found["batch"], float)
    right.loglog(measured["batch"], measured["ms"], "o", color=BLUE, label="measured, 2 CPU cores")
    right.loglog(
        n, found["fixed_ms"] / n + found["each_ms"], "--", color=GREY, lw=1,
        label=f"{found['fixed_ms']:.0f} ms / n + {found['each_ms']:.2f} ms",
    )  # fmt: skip
    right.set(xlabel="batch n", ylabel="ms an example", title="a training step of the VAE")
    right.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    right.minorticks_off()
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
