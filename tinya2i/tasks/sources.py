"""Where pictures for test clips can come from: the generator, and what it has to beat."""

from collections.abc import Callable

import numpy as np

from tinya2i import metrics, ops
from tinya2i.backend import array_module, to_numpy
from tinya2i.data import Mix, Pairs
from tinya2i.layer import Layer
from tinya2i.streams import stream
from tinya2i.tasks.base import batches, pixels
from tinya2i.tasks.evaluation import Latents

# (clips `which` (n,), rng) -> one picture of each, (n, 28, 28, 1) float32 in 0..1
Source = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Pool:
    """Real pictures to be drawn by digit: no picture twice before all of its digit have come."""

    def __init__(self, images: np.ndarray, digits: np.ndarray):
        self.images, self.digits = images, digits

    def __call__(self, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A random picture of each digit wanted (n,). ValueError for one that is not there."""
        chosen = np.zeros(len(wanted), np.int64)
        for digit in np.unique(wanted):
            places, found = np.flatnonzero(wanted == digit), np.flatnonzero(self.digits == digit)
            if not len(found):
                raise ValueError(f"there is no real picture of digit {digit}")
            chosen[places] = np.resize(rng.permutation(found), len(places))
        return pixels(self.images[chosen])

    def least(self, wanted: np.ndarray) -> int:
        """How many pictures there are of that digit among `wanted` which has fewest."""
        return min(int((self.digits == digit).sum()) for digit in np.unique(wanted))


def halves(digits: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint random halves of the indices of digits (n,), each digit's split evenly."""
    order = rng.permutation(len(digits))
    order = order[np.argsort(digits[order], kind="stable")]
    return order[::2], order[1::2]


def sources(model: Layer, mix: Mix, pool: Pool, heard: np.ndarray, *, seed: int) -> dict:
    """name -> Source, for the clips of mix.test; heard: digits (m,) that a classifier hears there.

    "generated"   the model's, z drawn
    "class_mean"  the mean training picture of the digit said: consistent, and always the same
    "real"        a real picture of the digit said, from `pool`: the most that can be had
    "shuffled"    the model's for another clip: the least, agreement by chance
    "classifier"  a real picture of the digit heard: what a lookup with ears would do
    """
    test = mix.test
    said, means = test.clip_digits, class_means(mix.train)
    generated = generator(model, test.clips)
    other = stream(seed, "quality", "shuffled").permutation(len(said))
    return {
        "generated": generated,
        "class_mean": lambda which, rng: means[said[which]],
        "real": lambda which, rng: pool(said[which], rng),
        "shuffled": lambda which, rng: generated(other[which], rng),
        "classifier": lambda which, rng: pool(heard[which], rng),
    }


def generator(
    model: Layer, clips: np.ndarray
) -> Callable[[np.ndarray, np.random.Generator | None], np.ndarray]:
    """The model's pictures of clips (m, 48, 48, 1), z drawn where the model draws one.

    Given None for rng, with z = mu.
    """
    latents = Latents(model, array_module(next(model.params()).data).asarray(clips))

    def draw(which: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        parts = (latents.logits(which[part], rng) for part in batches(len(which)))
        pictures = [to_numpy(ops.sigmoid(Z)) for Z in parts]
        return np.concatenate(pictures).astype(np.float32, copy=False)

    return draw


def class_means(pairs: Pairs) -> np.ndarray:
    """(10, 28, 28, 1) float32 in 0..1: the mean picture of each digit, zeros where there is none.

    Raises ValueError for a digit that is said and has no picture.
    """
    M = np.zeros((10, *pairs.images.shape[1:]), np.float32)
    for digit in np.unique(pairs.clip_digits):
        if not (pairs.digits == digit).any():
            raise ValueError(f"there is no training picture of digit {digit}")
        M[digit] = pairs.images[pairs.digits == digit].mean(axis=0) / 255
    return M


def nearest_centroid(model: Layer, mix: Mix) -> np.ndarray:
    """argmin_d |mu(x) - c_d|,  c_d the mean of mu over the training clips of digit d

    The digits (m,) that the plainest classifier on the model's own ear hears in mix.test.clips.
    """
    xp = array_module(next(model.params()).data)
    mu, test_mu = (
        to_numpy(Latents(model, xp.asarray(side.clips)).mu) for side in (mix.train, mix.test)
    )
    digits = np.unique(mix.train.clip_digits)
    centres = np.stack([mu[mix.train.clip_digits == digit].mean(axis=0) for digit in digits])
    return digits[metrics.nearest(test_mu, centres)[0]]
