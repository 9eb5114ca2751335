"""A judge for free: what leads back to its sound, what does not, and whose sounds they are."""

import dataclasses
import json

import numpy as np
import pytest
from test_belonging_tasks import marked
from test_tasks import Draws

from tinya2i import metrics
from tinya2i.data import Mix
from tinya2i.errors import DataError
from tinya2i.files import plain
from tinya2i.layer import Layer, Param
from tinya2i.tasks import ranking
from tinya2i.tasks.evaluation import DRAWS

LEVELS = 10  # pictures are uniform: the digit in a tenth of the brightness


class Draws10(Draws):
    """A generator that draws the digit in a clip's corner as brightness; `wrong` draws another."""

    def __init__(self, shift=0, scale=1):
        super().__init__()
        self.shift, self.scale = shift, scale

    def encoder(self, X):
        return (super().encoder(X) * self.scale + self.shift) % 10

    def decoder(self, z):
        P = (np.rint(z[:, :1]) + 0.5) / LEVELS
        return np.broadcast_to(np.log(P / (1 - P))[..., None, None], (len(z), 28, 28, 1))


def brightness(T):
    return (T[:, 0, 0, 0] * LEVELS).astype(int) % 10


class Searcher(Layer):
    """Puts pictures of a digit and clips of it in one place, each clip a little beside it."""

    def __init__(self):
        self.any = Param(np.zeros(1, np.float32))

    def eye(self, T):
        return np.eye(10)[brightness(T)]

    def ear(self, X):
        return np.eye(10)[np.rint(X[:, 0, 0, 0]).astype(int)] + 0.01 * X[:, 1, 1, :1]


class Reads10:
    """A judge that reads the brightness."""

    def __init__(self):
        self.any = Param(np.zeros(1, np.float32))

    def params(self):
        return iter((self.any,))

    def predict(self, T):
        return brightness(T)


@pytest.fixture
def mix():
    """30 clips, 100 uniform test pictures."""
    test = marked(100, 30)
    test.images[...] = ((test.digits + 0.5) / LEVELS * 255).astype(np.uint8)[:, None, None, None]
    info = {"name": "mix", "clips": {"clips": 30, "source": "here"}, "seed": 0}
    return Mix(marked(100, 30, 1), test, None, None, None, info)


def rows(mix, model):
    return ranking.rank_back(model, Reads10(), mix, Searcher(), mix, seed=0)


def test_pictures_of_the_right_digit_lead_back_as_far_as_a_digit_can(mix):
    found = rows(mix, Draws10())
    assert list(found) == ["mu", "drawn", "real", "shuffled"]
    for name in ("mu", "drawn", "real"):
        row = found[name]
        assert row["own"]["digit"] == 2  # of the three clips of each digit
        assert row["own"]["rank"] == pytest.approx(2)
        assert row["own"]["chance"] == 15.5
        for measure in ("recall_1", "recall_5", "recall_10", "lenet5"):
            assert row[measure]["rate"] == 1
        assert row["same"] == 1
    assert found["mu"]["recall_1"]["count"] == 30
    assert found["drawn"]["recall_1"]["count"] == 30 * DRAWS
    assert found["drawn"]["recall_1"]["interval"] == list(metrics.wilson(30, 30))  # by clips
    assert found["mu"]["recall_5"]["chance"] == pytest.approx(
        float(metrics.recall_chance(np.array([3]), 30, 5)[0])
    )
    shuffled = found["shuffled"]
    assert shuffled["own"]["rank"] > 8
    assert shuffled["recall_1"]["rate"] < 0.4
    assert shuffled["same"] == 1
    assert json.loads(json.dumps(plain(found))) == plain(found)
    text = ranking.report(found)
    assert "2.0 where the digit is all that it shows, 15.5 by chance" in text
    assert len(text.splitlines()) == 6


def test_wrong_pictures_and_one_picture_for_all(mix):
    wrong = rows(mix, Draws10(shift=1))["mu"]
    assert wrong["recall_1"]["rate"] == wrong["lenet5"]["rate"] == 0
    assert wrong["own"]["rank"] > wrong["own"]["digit"] + 1
    assert wrong["same"] == 1  # both judges see what is there
    constant = rows(mix, Draws10(scale=0))["mu"]
    assert constant["recall_1"]["rate"] == constant["lenet5"]["rate"] == 0.1
    # Each clip has its own rank in the order that the one picture gives: all ranks, once each.
    assert constant["own"]["rank"] == pytest.approx(15.5)


def test_it_is_the_same_every_time_and_depends_on_the_seed(mix):
    one, again, other = (
        ranking.rank_back(Draws10(), Reads10(), mix, Searcher(), mix, seed=seed)
        for seed in (0, 0, 1)
    )
    assert one == again
    assert one["shuffled"] != other["shuffled"]


@pytest.mark.parametrize(
    "changes",
    [
        {"info": {"name": "mix", "clips": {"clips": 31}, "seed": 0}},
        {"test": marked(100, 20)},
    ],
)
def test_other_test_clips_are_refused(mix, changes):
    ranking.same_clips(mix, mix)
    with pytest.raises(DataError, match="other test clips"):
        ranking.same_clips(mix, dataclasses.replace(mix, **changes))


def test_what_may_differ(mix):
    moved = {"name": "mix", "clips": {"clips": 30, "source": "there"}, "seed": 5}
    ranking.same_clips(mix, dataclasses.replace(mix, info=moved, mean=3, train=None))
    spoken = {"name": "toy", "clips": {"clips": 30}, "seed": 0}  # toy words are made from the seed
    one = dataclasses.replace(mix, info=spoken)
    other = dataclasses.replace(mix, info=spoken | {"seed": 1})
    ranking.same_clips(one, one)
    with pytest.raises(DataError, match="other test clips"):
        ranking.same_clips(one, other)
