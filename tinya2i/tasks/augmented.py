"""The training clips in new versions each epoch, for any task that hears them."""

import numpy as np

from tinya2i.audio import Augment, augmented
from tinya2i.data import Mix
from tinya2i.errors import DataError
from tinya2i.streams import stream


class FreshClips:
    """`count` fresh versions of each of the m training clips of a mix, anew each epoch.

    They depend on seed and epoch alone, so that a resumed run hears what it would have heard.
    Raises DataError for a mix without waves.
    """

    def __init__(self, mix: Mix, count: int, *, seed: int, settings: Augment | None = None):
        if count < 1:
            raise DataError(f"{count} versions of each clip: at least 1 is needed.")
        if len(mix.train.waves) != len(mix.train.clips):
            raise DataError("this mix has no waves to augment: take one from data.load.")
        self.mix, self.count, self.seed = mix, count, seed
        self.settings = settings or Augment()

    def clips(self, epoch: int) -> np.ndarray:
        """(count * m, 48, 48, 1) float32: version r of clip i is entry r * m + i."""
        mix = self.mix
        waves, scale = mix.train.waves, (mix.features, mix.mean, mix.std)
        X = np.empty((self.count, *mix.train.clips.shape), np.float32)
        for r in range(self.count):
            rng = stream(self.seed, "augment", epoch, r)
            X[r, ..., 0] = augmented(waves, rng, self.settings, *scale)
        return X.reshape(-1, *X.shape[2:])

    def version(self, clip_of: np.ndarray, epoch: int) -> np.ndarray:
        """Entries of `clips` for uses of the clips clip_of (n,), a random version each time."""
        rng = stream(self.seed, "version", epoch)
        return len(self.mix.train.clips) * rng.integers(self.count, size=len(clip_of)) + clip_of
