"""The classification accuracy score: how much of the real pictures one learns from drawn ones."""

from typing import Any

import numpy as np

from tinya2i import metrics, ops
from tinya2i.backend import array_module, to_device
from tinya2i.data import Mix
from tinya2i.layer import Layer
from tinya2i.models.lenet5 import LeNet5, train_step
from tinya2i.optim import Adam
from tinya2i.streams import stream
from tinya2i.tasks.base import pixels
from tinya2i.tasks.evaluation import Latents
from tinya2i.tasks.judge import read


def cas(
    model: Layer,
    mix: Mix,
    *,
    seed: int,
    steps: int = 1000,
    batch_size: int = 128,
    lr: float = 1e-3,
    real: bool = False,
) -> dict[str, Any]:
    """The accuracy on real test pictures of a LeNet5 that has learned from generated ones only

    `steps` steps of Adam, lr falling linearly to 0, each on new pictures of random training clips,
    z drawn, labelled with the digit said. real=True takes real training pictures instead: the
    ceiling at equal steps. What the drawn pictures lack, or show under the wrong digit, the score
    lacks. Returns a table of `metrics.agreement`, and "steps". ValueError for steps or batch < 1.
    Source: Ravuri and Vinyals 2019; "GAN-train" of Shmelkov et al. 2018.
    """
    if steps < 1 or batch_size < 1:
        raise ValueError(f"{steps} steps of {batch_size}: at least one of one is needed")
    xp, train = array_module(next(model.params()).data), mix.train
    latents = None if real else Latents(model, xp.asarray(train.clips))
    pupil = LeNet5(stream(seed, "cas", "init")).to(xp)
    adam = Adam(pupil.params(), lr)
    for step in range(steps):
        rng = stream(seed, "cas", step)
        chosen = rng.integers(len(train.images), size=batch_size)
        if latents is None:
            X = pixels(xp.asarray(train.images[chosen]))
        else:
            X = ops.sigmoid(latents.logits(train.clip_of[chosen], rng))
        adam.lr = lr * (1 - step / steps)
        train_step(pupil, adam, X, xp.asarray(train.digits[chosen]))
    digits = read(pupil, to_device(mix.test.images, xp))
    return {**metrics.agreement(np.asarray(mix.test.digits), digits), "steps": steps}
