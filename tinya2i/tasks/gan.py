"""Audio in, picture out, and a discriminator that looks at the picture: the VAE-GAN as a task."""

from collections.abc import Mapping

from tinya2i.backend import Array
from tinya2i.layers import BatchNorm2d
from tinya2i.models import vaegan
from tinya2i.optim import Optimiser
from tinya2i.tasks.generator import HEARD, VAETask

WON = 0.9  # of the verdicts "real" on real pictures, and "fake" on fakes: a run at 0.95 was lost
UNDECIDED = 0.01  # a difference between the verdicts on real pictures and on fakes


class VAEGANTask(VAETask):
    """adversarial + alpha * reconstruction + beta * KL, against a discriminator; see models.vaegan.

    alpha = beta = 0 is the plain GAN. The weight of reconstruction goes from alpha_start to alpha
    over alpha_ramp epochs, by the same factor each step. betas: of both Adams, DCGAN's unless
    given.
    """

    least = 2  # for BatchNorm

    def __init__(
        self,
        *given,
        alpha: float = 0.2,
        alpha_start: float = 0.002,
        alpha_ramp: float = 0.0,
        beta: float = 0.5,
        adversarial: str = "non-saturating",
        reconstruction: str = "pixels",
        betas: tuple[float, float] = (0.5, 0.999),
        **options,
    ):
        if alpha_ramp and not (alpha > 0 and alpha_start > 0):
            raise ValueError("no factor leads to or from 0: alpha and alpha_start must be positive")
        self.alpha, self.alpha_start, self.alpha_ramp = alpha, alpha_start, alpha_ramp
        self.betas = betas
        self.adversarial, self.reconstruction = adversarial, reconstruction
        self.reconstructed = f"reconstruction of {reconstruction}"
        if alpha_ramp:
            self.reconstructed += f" (from {alpha_start:g} over {alpha_ramp:g} epochs)"
        super().__init__(*given, kl_weight=beta, **options)

    @property
    def objective(self) -> str:
        return f"adversarial + {self.alpha:g} * {super().objective}"

    def alpha_at(self, index: int) -> float:
        """alpha_start * (alpha / alpha_start)^ramp, before step `index`."""
        if not self.alpha_ramp:
            return self.alpha
        done = self.ramp(index, self.alpha_ramp)
        return self.alpha_start * (self.alpha / self.alpha_start) ** done

    def make_optimisers(self) -> dict[str, Optimiser]:
        discriminator, generator = vaegan.optimisers(self.model, self.lr, self.betas)
        return {"adam_d": discriminator, "adam_g": generator}

    def learn(self, index: int) -> dict[str, Array]:
        X, T = self.batch(index)
        noise, beta = self.noise[self.part(index)], self.kl_weight_at(index)
        return vaegan.train_step(
            self.model,
            self.optimisers["adam_d"],
            self.optimisers["adam_g"],
            X,
            T,
            noise,
            alpha=self.alpha_at(index),
            beta=beta,
            adversarial=self.adversarial,
            reconstruction=self.reconstruction,
        )

    def health(self, metrics: Mapping[str, float]) -> list[str]:
        """Warns of a collapsed latent, of pictures that do not follow the sound, and of a
        discriminator that nobody learns from any more.

        The latter only where the verdicts' means tell: a BatchNorm behind them gives those on real
        pictures and those on fakes the same mean, whatever D thinks of either.
        """
        warnings = super().health(metrics) if self.kl_weight else []
        agreement = metrics.get("agreement_unique", 1.0)
        still_rising = self.alpha_ramp and self.epoch + 1 < self.alpha_ramp  # not to listen yet
        if self.alpha and agreement < HEARD and not still_rising:
            warnings.append(
                f"the pictures do not follow the sound: {agreement:.1%} are read as what was said. "
                "If they did before, reconstruction is too loud for strokes: try a lower --alpha; "
                "else a higher one, or more epochs"
            )
        if isinstance(self.model.discriminator[-1], BatchNorm2d):
            return warnings
        real, fake = metrics.get("d_real", 0.5), metrics.get("d_fake", 0.0)
        if real > WON and fake < 1 - WON:
            warnings.append(
                f"the discriminator has won: it calls {real:.1%} of the real pictures real and "
                f"{fake:.1%} of the fakes: what it says no longer depends on how good a fake is. "
                "Try a lower --lr or a larger --alpha"
            )
        if abs(real - fake) < UNDECIDED:
            warnings.append(
                f"the discriminator cannot tell: {real:.1%} of the real pictures are real to it, "
                f"and {fake:.1%} of the fakes: it has collapsed, or the fakes are perfect. "
                "Look at the samples, and try a larger --lr or another --seed"
            )
        return warnings
