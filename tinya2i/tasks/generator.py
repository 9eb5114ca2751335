"""Audio in, picture out: the autoencoder and both VAEs as tasks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinya2i import plot
from tinya2i.backend import Array, array_module, to_numpy
from tinya2i.data import Mix
from tinya2i.layer import Layer
from tinya2i.models import LeNet5, autoencoder, cvae, vae
from tinya2i.models.networks import LATENT
from tinya2i.streams import stream
from tinya2i.tasks.evaluation import brief, evaluate
from tinya2i.tasks.pairs import PairsTask

COLLAPSED = 1.0  # nats: saying which of ten digits it is takes log 10 = 2.3
HEARD = 0.2  # of the pictures for unseen sounds show the digit; chance is a tenth
SAMPLES = 8  # pictures of each clip in a grid of samples


class GeneratorTask(PairsTask):
    """Pictures from the clips of their digit. judge: reads them after each epoch.

    objective: what is minimised, as text, with its weights.
    """

    reconstructed = "reconstruction"

    @property
    def objective(self) -> str:
        return self.reconstructed

    def __init__(self, model: Layer, mix: Mix, judge: LeNet5 | None, *given, **options):
        super().__init__(model, mix, *given, **options)
        self.judge = judge

    def evaluate(self) -> dict[str, float]:
        return brief(evaluate(self.model, self.judge, self.mix.test, seed=self.seed, quick=True))

    def draw(self, path: Path) -> None:
        draw_samples(self.model, self.mix, path, seed=self.seed)


class AutoencoderTask(GeneratorTask):
    """Reconstruction alone."""

    def learn(self, index: int) -> dict[str, Array]:
        return autoencoder.train_step(self.model, self.adam, *self.batch(index))


class VAETask(GeneratorTask):
    """Reconstruction + weight * KL, the weight rising from 0 to kl_weight over kl_warmup epochs."""

    draws = LATENT  # random numbers for each example

    def __init__(self, *given, kl_weight: float = 1.0, kl_warmup: float = 0.0, **options):
        super().__init__(*given, **options)
        self.kl_weight, self.kl_warmup = kl_weight, kl_warmup

    @property
    def objective(self) -> str:
        rising = f" (its weight rising over {self.kl_warmup:g} epochs)" if self.kl_warmup else ""
        return f"{self.reconstructed} + {self.kl_weight:g} * KL{rising}"

    def begin_epoch(self, epoch: int) -> int:
        noise = stream(self.seed, "noise", epoch).standard_normal((self.n, self.draws), np.float32)
        self.noise = self.resident(noise)
        return super().begin_epoch(epoch)

    def ramp(self, index: int, epochs: float) -> float:
        """min(1, steps done / steps of `epochs`), before step `index`; 1 for no epochs."""
        done, all_steps = self.epoch * self.steps + index, epochs * self.steps
        return min(1.0, done / all_steps) if all_steps > 0 else 1.0

    def kl_weight_at(self, index: int) -> float:
        """kl_weight * ramp over kl_warmup, before step `index`."""
        return self.kl_weight * self.ramp(index, self.kl_warmup)

    def learn(self, index: int) -> dict[str, Array]:
        X, T = self.batch(index)
        noise = self.noise[self.part(index)]
        return vae.train_step(self.model, self.adam, X, T, noise, self.kl_weight_at(index))

    def health(self, metrics: Mapping[str, float]) -> list[str]:
        """Warns of posterior collapse: a latent that says less than one nat about the sound."""
        kl = metrics.get("test_kl", metrics.get("kl", COLLAPSED))
        if kl >= COLLAPSED:
            return []
        return [
            f"posterior collapse: KL is {kl:.2g} nats (which digit it is takes 2.3): the pictures "
            "do not depend on the sound. Try --kl-warmup 2, --init he, --normalise global"
        ]


class CVAETask(VAETask):
    """models.cvae: `hybrid` falls from 1 to its value over hybrid_fall epochs."""

    draws = 2 * LATENT

    def __init__(self, *given, hybrid: float = 0.035, hybrid_fall: float = 1.0, **options):
        super().__init__(*given, **options)
        self.hybrid, self.hybrid_fall = hybrid, hybrid_fall

    @property
    def objective(self) -> str:
        falling = f" (falling from 1 over {self.hybrid_fall:g} epochs)" if self.hybrid_fall else ""
        return (
            f"(1 - h) * ({super().objective}) + h * reconstruction with noise from N(0, 1), "
            f"h = {self.hybrid:g}{falling}"
        )

    def hybrid_at(self, index: int) -> float:
        """1 - (1 - hybrid) * ramp over hybrid_fall, before step `index`."""
        return 1 - (1 - self.hybrid) * self.ramp(index, self.hybrid_fall)

    def learn(self, index: int) -> dict[str, Array]:
        X, T = self.batch(index)
        noise, weight = self.noise[self.part(index)], self.kl_weight_at(index)
        return cvae.train_step(self.model, self.adam, X, T, noise, weight, self.hybrid_at(index))

    def health(self, metrics: Mapping[str, float]) -> list[str]:
        """Warns, once hybrid has fallen, of a network that does not listen or draws archetypes."""
        if self.epoch < self.hybrid_fall:
            return []
        warnings = []
        if metrics.get("agreement_unique", 1.0) < HEARD:
            warnings.append(
                "the pictures do not follow the sound: the noise says the digit. Try a longer "
                "--hybrid-fall or a higher --hybrid"
            )
        if self.hybrid < 1 and metrics.get("kl_q", COLLAPSED) < COLLAPSED:
            warnings.append(
                f"posterior collapse: KL is {metrics['kl_q']:.2g} nats: the noise says nothing "
                "about the picture, and all pictures of a sound will be alike. Try a lower "
                "--kl-weight, a lower --hybrid or more epochs"
            )
        return warnings


def draw_samples(model: Layer, mix: Mix, path: Path, *, seed: int) -> None:
    """One test clip of each digit: its spectrogram, z = mu, samples, and real pictures beside."""
    xp, test = array_module(next(model.params()).data), mix.test
    digits, chosen = np.unique(test.clip_digits, return_index=True)
    X = xp.asarray(test.clips[chosen])
    noise = stream(seed, "samples").standard_normal((SAMPLES, len(digits), LATENT), np.float32)
    drawn = [model.generate(X), *(model.generate(X, xp.asarray(part)) for part in noise)]
    drawn = [to_numpy(Y) for Y in drawn]
    rows = []
    for i, digit in enumerate(digits):
        real = list(test.images[test.digits == digit][:2])
        rows.append([*(Y[i] for Y in drawn), *real, *[None] * (2 - len(real))])
    plot.grid(
        rows,
        path,
        rows=[str(digit) for digit in digits],
        columns=["z=μ", *["z drawn"] * SAMPLES, "real", "real"],
        spectrograms=list(to_scale(test.clips[chosen])),
    )


def to_scale(clips: np.ndarray) -> np.ndarray:
    """Standardised spectrograms (n, 48, 48, 1) back in 0..1, each by its own extremes."""
    low = clips.min(axis=(1, 2, 3), keepdims=True)
    high = clips.max(axis=(1, 2, 3), keepdims=True)
    return ((clips - low) / (high - low + 1e-9))[..., 0]
