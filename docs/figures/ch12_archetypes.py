"""Chapter 12: a small VAE hears the toy words; its pictures beside the mean of each digit's."""

import numpy as np
from figure import main

from tinya2i import losses, optim
from tinya2i.audio import log_mel
from tinya2i.data import mix, toy
from tinya2i.layer import Sequential
from tinya2i.layers import Flatten, Linear, ReLU, Reshape
from tinya2i.models import VAE
from tinya2i.models.vae import train_step

STEPS, BATCH, RATE = 800, 50, 5e-3
UNHEARD = ("maple", "olive", "willow")


class Small(VAE):
    """The talk's VAE with two small networks in the place of its two large ones."""

    def __init__(self, rng: np.random.Generator):
        self.encoder = Sequential(Flatten(), Linear(144, 64, rng), ReLU(), Linear(64, 128, rng))
        self.decoder = Sequential(
            Linear(64, 64, rng), ReLU(), Linear(64, 784, rng), Reshape(28, 28, 1)
        )


def heard(waves: list[np.ndarray]) -> np.ndarray:
    """(n, 144) the log-mel picture, seen from afar: 12 x 12 means of 4 x 4 cells."""
    return log_mel(waves).reshape(-1, 12, 4, 12, 4).mean(axis=(2, 4), dtype=float).reshape(-1, 144)


def toy_set() -> dict:
    """1,000 pictures, 120 words of six voices, 30 of three others; M the ten mean pictures."""
    images, digits, test_images, test_digits = toy.images(0, train=1000, test=200)
    train, test = toy.clips(0, train=2, test=1)
    X, U = heard(train.waves), heard(test.waves)
    mean, std = X.mean(), X.std()
    T = images / 255
    M = np.stack([T[digits == digit].mean(axis=0) for digit in range(10)])
    real = distance(test_images / 255, M[test_digits])
    return {
        "T": T, "digits": digits, "M": M, "real": test_images / 255, "real_digits": test_digits,
        "unit": real, "X": (X - mean) / std, "said": train.digits, "U": (U - mean) / std,
        "said_unheard": test.digits, "voices": test.speakers,
    }  # fmt: skip


def distance(Y: np.ndarray, M: np.ndarray) -> float:
    """Mean over pictures of |Y - M|."""
    return float(np.sqrt(((Y - M) ** 2).sum(axis=(1, 2, 3))).mean())


def trained(found: dict) -> tuple[VAE, np.ndarray]:
    """Small after STEPS steps of the library's own training step, and its pairing."""
    rng = np.random.default_rng(0)
    model = Small(rng).astype(np.float64)
    adam = optim.Adam(model.params(), RATE)
    clip_of = mix.pair(found["digits"], found["said"], rng)
    for step in range(STEPS):
        i = rng.integers(len(clip_of), size=BATCH)
        noise = rng.standard_normal((BATCH, 64))
        adam.lr = RATE * (1 - step / STEPS)
        weight = min(1, 4 * step / STEPS)
        train_step(model, adam, found["X"][clip_of[i]], found["T"][i], noise, weight)
    return model, clip_of


def numbers() -> dict:
    """Seven rows of ten pictures, as hexadecimal bytes; each row's |Y - M| / |T - M|; losses."""
    found = toy_set()
    (model, clip_of), M, each = trained(found), found["M"], np.arange(10)
    rng = np.random.default_rng(1)
    first = np.array([np.flatnonzero(found["said"] == digit)[0] for digit in each])
    rows = {
        "real": np.stack([found["real"][found["real_digits"] == digit][0] for digit in each]),
        "mean of the digit": M,
        "heard voice, z = μ": model.generate(found["X"][first]),
        "heard voice, z drawn": model.generate(
            found["X"][first], rng.standard_normal((len(first), 64))
        ),
    }
    for voice in UNHEARD:
        of = found["voices"] == voice
        rows[f"unheard: {voice}"] = model.generate(found["U"][of])
    return {
        "rows": {name: [_hex(picture) for picture in row] for name, row in rows.items()},
        "share": {name: distance(row, M) / found["unit"] for name, row in rows.items()},
        "nats": nats(model, found, clip_of),
    }


def nats(model: VAE, found: dict, clip_of: np.ndarray) -> dict:
    """Cross-entropy of the training pairs: with one picture for all, with archetypes, at z = mu."""
    T = found["T"]
    Z = model.decoder(model.encode(found["X"])[0])
    return {
        "one for all": floor(T.mean(axis=0)),
        "archetypes": np.mean([floor(M) for M in found["M"]]),
        "small VAE": losses.bce_with_logits(Z[clip_of], T)[0],
    }


def floor(M: np.ndarray) -> float:
    """H(M) = sum -M log M - (1 - M) log(1 - M)."""
    inside = np.clip(M, 1e-12, 1 - 1e-12)
    return float(-(inside * np.log(inside) + (1 - inside) * np.log(1 - inside)).sum())


def _hex(picture: np.ndarray) -> str:
    return np.rint(255 * picture).astype(np.uint8).tobytes().hex()


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(figsize=(7.6, 5.2))
    sheet = np.full((7 * 30, 10 * 30), 255, np.uint8)
    for r, row in enumerate(found["rows"].values()):
        for c, picture in enumerate(row):
            pixels = np.frombuffer(bytes.fromhex(picture), np.uint8).reshape(28, 28)
            sheet[30 * r + 1 : 30 * r + 29, 30 * c + 1 : 30 * c + 29] = pixels
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    shares = found["share"].values()
    names = [f"{name}   {share:.2f}" for name, share in zip(found["rows"], shares, strict=True)]
    axes.set_yticks(15 + 30 * np.arange(7), names)
    axes.set_xticks(15 + 30 * np.arange(10), [str(digit) for digit in range(10)])
    axes.xaxis.tick_top()
    axes.text(-3, -8, "distance", ha="right", fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


if __name__ == "__main__":
    main(__file__, numbers, draw)
