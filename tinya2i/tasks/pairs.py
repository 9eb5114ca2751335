"""What all learn that see pictures and hear the clips that go with them."""

from tinya2i.backend import Array
from tinya2i.data import Mix
from tinya2i.data.mix import pair
from tinya2i.layer import Layer
from tinya2i.streams import stream
from tinya2i.tasks.augmented import FreshClips
from tinya2i.tasks.base import ModelTask, pixels


class PairsTask(ModelTask):
    """Pictures, each with a clip of its digit.

    repair: draw the pairing anew each epoch, instead of once for the run. fresh: hear other
    versions of the clips each epoch.
    """

    def __init__(
        self,
        model: Layer,
        mix: Mix,
        repair: bool = False,
        fresh: FreshClips | None = None,
        **options,
    ):
        super().__init__(model, len(mix.train.images), **options)
        self.mix, self.repair, self.fresh = mix, repair, fresh
        self.images = self.resident(mix.train.images)
        self.clips = self.resident(mix.train.clips)
        self.clip_of = self.resident(mix.train.clip_of)

    def begin_epoch(self, epoch: int) -> int:
        train, clip_of = self.mix.train, self.mix.train.clip_of
        if self.repair:
            rng = stream(self.seed, "pairing", epoch)
            clip_of = pair(train.digits, train.clip_digits, rng)
        if self.fresh:
            self.clips = self.resident(self.fresh.clips(epoch))
            clip_of = self.fresh.version(clip_of, epoch)
        self.clip_of = self.resident(clip_of)
        return super().begin_epoch(epoch)

    def batch(self, index: int) -> tuple[Array, Array]:
        """(X, T): standardised log-mel (n, 48, 48, 1) and pictures (n, 28, 28, 1) in 0..1."""
        chosen = self.order[self.part(index)]
        return self.clips[self.clip_of[chosen]], pixels(self.images[chosen])
