"""How many of a generator's pictures the judge reads as the digit that was said."""

from typing import Any

import numpy as np

from tinya2i import losses, metrics, ops
from tinya2i.backend import Array, array_module, to_numpy
from tinya2i.data import Pairs
from tinya2i.errors import RunError
from tinya2i.layer import Layer
from tinya2i.models import CVAE, VAE, LeNet5
from tinya2i.models.networks import LATENT
from tinya2i.streams import stream
from tinya2i.tasks.base import batches, pixels

DRAWS = 16  # samples of z for each clip
QUICK_PAIRS = 1000


def evaluate(
    model: Layer, judge: LeNet5 | None, pairs: Pairs, *, seed: int, quick: bool = False
) -> dict[str, Any]:
    """Agreement with the judge, and the loss, on pairs that were not trained on.

    For z = mu ("agreement") and z drawn ("agreement_sampled"), each over the pairs and, as
    ..._unique, over the different clips (DRAWS samples each): tables of `metrics.agreement`, whose
    intervals count clips, because pictures of one clip are not independent. "reconstruction" and
    "kl" are in nats, with sampled z. An autoencoder has the same pictures in both columns, no kl.
    quick: only the unique clips, one sample of each, and the loss on the first QUICK_PAIRS pairs.
    """
    xp = array_module(next(model.params()).data)
    clips = xp.asarray(pairs.clips)
    latents = Latents(model, clips)
    result: dict[str, Any] = _reconstruction(latents, pairs, seed, QUICK_PAIRS if quick else None)
    if isinstance(model, VAE) and not isinstance(model, CVAE):  # its objective has another KL
        result["kl"] = float(losses.gaussian_kl(latents.mu, latents.logvar)[0])
    if judge is None:
        return result
    each = np.arange(len(clips))
    at_mu = _read(judge, latents, each)
    result["agreement_unique"] = table(pairs, at_mu, each)
    sampled = {"agreement_sampled_unique": np.repeat(each, 1 if quick else DRAWS)}
    if not quick:
        result["agreement"] = table(pairs, at_mu[pairs.clip_of], pairs.clip_of)
        sampled["agreement_sampled"] = pairs.clip_of
    for name, which in sampled.items():
        rng = stream(seed, "evaluation", name)
        result[name] = table(pairs, _read(judge, latents, which, rng), which)
    return result


def brief(result: dict[str, Any]) -> dict[str, float]:
    """The numbers of `evaluate` that go into a row of metrics.jsonl."""
    rates = {k: v["rate"] for k, v in result.items() if k.startswith("agreement")}
    return rates | {f"test_{k}": result[k] for k in ("reconstruction", "kl") if k in result}


def headline(result: dict[str, Any]) -> dict[str, Any]:
    """The entries of `evaluate` for summary.json: rates with their intervals."""
    lines: dict[str, Any] = {k: v for k, v in result.items() if not isinstance(v, dict)}
    for name, table in result.items():
        if isinstance(table, dict):
            lines |= {name: table["rate"], f"{name}_interval": table["interval"]}
    return lines


class Latents:
    """What the encoder says of each clip, once, however many pictures are drawn from it."""

    def __init__(self, model: Layer, clips: Array):
        xp = array_module(clips)
        self.decoder = model.decoder
        H = xp.concatenate([model.encoder(clips[part]) for part in batches(len(clips))])
        self.mu, self.logvar = (
            (H[:, :LATENT], H[:, LATENT:]) if isinstance(model, VAE) else (H, None)
        )

    def logits(self, which: np.ndarray, rng: np.random.Generator | None = None) -> Array:
        """Pictures' logits for clips `which`, with z = mu or, given rng, drawn."""
        xp = array_module(self.mu)
        chosen = xp.asarray(which)
        z = self.mu[chosen]
        if rng is not None and self.logvar is not None:
            noise = xp.asarray(rng.standard_normal(z.shape, np.float32))
            z = z + xp.exp(self.logvar[chosen] / 2) * noise
        return self.decoder(z)


def _read(
    judge: LeNet5, latents: Latents, which: np.ndarray, rng: np.random.Generator | None = None
) -> np.ndarray:
    parts = (latents.logits(which[part], rng) for part in batches(len(which)))
    digits = np.concatenate([to_numpy(judge.predict(ops.sigmoid(Z))) for Z in parts])
    if bad := int((digits < 0).sum()):
        raise RunError(
            f"{bad} of {len(digits)} pictures are not numbers: the model (or its judge) is broken; "
            "train it again, with a lower learning rate if it diverged"
        )
    return digits


def _reconstruction(
    latents: Latents, pairs: Pairs, seed: int, limit: int | None
) -> dict[str, float]:
    xp, rng = array_module(latents.mu), stream(seed, "evaluation", "reconstruction")
    n = len(pairs.images[:limit])
    total = 0.0
    for part in batches(n):
        T = pixels(xp.asarray(pairs.images[:n][part]))
        value, _ = losses.bce_with_logits(latents.logits(pairs.clip_of[:n][part], rng), T)
        total += float(value) * len(T)
    return {"reconstruction": total / n}


def table(pairs: Pairs, predicted: np.ndarray, which: np.ndarray) -> dict[str, Any]:
    """`metrics.agreement` of what was read in pictures of clips `which`, its intervals by clips."""
    digits, speakers = pairs.clip_digits[which], pairs.speakers[which]
    result = metrics.agreement(digits, predicted, {"speaker": speakers})
    for name, values in (("per_digit", digits.astype(str)), ("per_speaker", speakers)):
        result[name] = {v: _by_clips(r, which[values == v]) for v, r in result[name].items()}
    return _by_clips(result, which)


def _by_clips(row: dict[str, Any], which: np.ndarray) -> dict[str, Any]:
    """The row with an interval that counts clips."""
    clips = len(np.unique(which))
    interval = list(metrics.wilson(row["rate"] * clips, clips))
    return {**row, "clips": clips, "interval": interval}
