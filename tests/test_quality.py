"""The table of quality: generators that are known to be perfect, deaf, mute of noise or copying."""

import copy
import json

import numpy as np
import pytest
import strict_cupy

from tinya2i import backend, metrics
from tinya2i.audio import LogMel
from tinya2i.data import Mix, Pairs, mix, toy
from tinya2i.layer import Param
from tinya2i.models import VAE, Autoencoder, LeNet5
from tinya2i.models.lenet5 import train_step
from tinya2i.models.networks import LATENT
from tinya2i.optim import Adam
from tinya2i.tasks.archetypes import archetypes
from tinya2i.tasks.base import pixels
from tinya2i.tasks.cas import cas
from tinya2i.tasks.quality import look, quality, report
from tinya2i.tasks.sources import Pool, class_means, generator, halves, nearest_centroid, sources

ROWS = ["generated", "class_mean", "real", "shuffled", "classifier"]
SIZES = {"noises": 4, "count": 150, "neighbours": 40}


def side(images, digits, clips, seed):
    """Clips that say their digit in one corner, and noise in all other places."""
    rng = np.random.default_rng(seed)
    clip_digits = np.arange(clips) % 10
    X = rng.standard_normal((clips, 48, 48, 1)).astype(np.float32)
    X[:, 0, 0, 0] = clip_digits
    names = tuple(f"{digit}_x_{i}.wav" for i, digit in enumerate(clip_digits))
    speakers = np.array(["ann", "bob"])[np.arange(clips) // 10 % 2]
    return Pairs(
        images, digits, X, clip_digits, speakers, names, mix.pair(digits, clip_digits, rng)
    )


@pytest.fixture(scope="module")
def data():
    X, digits, test_X, test_digits = toy.images(0, 600, 400)
    one = np.ones((), np.float32)
    train, test = side(X, digits, 50, 0), side(test_X, test_digits, 40, 1)
    return Mix(train, test, 0 * one, one, LogMel(), {"name": "toy"})


@pytest.fixture(scope="module")
def judge():
    X, digits, _, _ = toy.images(5, 1000, 10)
    judge, rng = LeNet5(), np.random.default_rng(0)
    adam = Adam(judge.params(), 2e-3)
    for _ in range(150):
        chosen = rng.integers(len(X), size=64)
        train_step(judge, adam, pixels(X[chosen]), digits[chosen])
    return judge


class Draws(VAE):
    """Draws one of the pictures of the digit that it hears in the corner; z's noise says which."""

    def __init__(self, pairs, hears=True, noise=True):
        self.any = Param(np.zeros(1, np.float32))
        self.hears, self.noise = hears, noise
        self.bank = [pixels(pairs.images[pairs.digits == digit]) for digit in range(10)]

    def encoder(self, X):
        H = np.full((len(X), 2 * LATENT), -80, np.float32)  # no variance
        H[:, 0] = X[:, 0, 0, 0]
        H[:, 1:LATENT] = 0
        H[:, LATENT + 1 : LATENT + 3] = 0 if self.noise else -80
        return H

    def decoder(self, z):
        draw = np.floor(np.abs(z[:, 1:3]) * 1e4).astype(np.int64)
        digits = np.round(z[:, 0]).astype(np.int64) if self.hears else draw[:, 1] % 10
        Y = [self.bank[digit][i % len(self.bank[digit])] for digit, i in zip(digits, draw[:, 0])]  # noqa: B905
        P = np.clip(Y, 1e-4, 1 - 1e-4)
        return np.log(P / (1 - P)).astype(np.float32)


@pytest.fixture(scope="module")
def copying(data, judge):
    return quality(Draws(data.train), judge, data, seed=0, **SIZES)


@pytest.fixture(scope="module")
def untrained(data, judge):
    return quality(VAE(), judge, data, seed=0, **SIZES)


def numbers(value):
    """Every number in nested dicts and lists."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value]


# The table


def test_an_untrained_vae_gets_a_whole_table(untrained):
    assert json.loads(json.dumps(untrained, allow_nan=False)) == untrained
    assert [*untrained["rows"]] == ROWS
    assert untrained["counts"] == {"clips": 40, "noises": 4, "pictures": 150}
    assert all(number >= 0 for number in numbers(untrained))
    row = untrained["rows"]["generated"]
    assert row["agreement"]["rate"] < 0.4
    assert (row["agreement"]["count"], row["agreement"]["clips"]) == (160, 40)
    assert row["precision"] == row["coverage"] == 0
    assert row["lenet_fid"] > 5 * untrained["rows"]["real"]["lenet_fid"]
    assert (
        row["within_digit"]["pixel_distance"]["share"] > 1
    )  # noise is diverse: alone it is no aim


def test_real_pictures_get_full_marks(untrained, copying):
    for result in (untrained, copying):
        row = result["rows"]["real"]
        assert row["agreement"]["rate"] > 0.8
        for place in ("per_clip", "within_digit"):
            for name in ("pixel_std", "pixel_distance", "feature_distance"):
                assert row[place][name]["share"] == pytest.approx(1, abs=0.15)
        assert min(row[name] for name in ("precision", "recall", "coverage")) > 0.8
        assert row["density"] == pytest.approx(1, abs=0.25)
        assert row["neighbour"]["closer"] < 0.3
        assert row["neighbour"]["median"] == pytest.approx(row["neighbour"]["real_median"], rel=0.1)


def test_the_class_mean_is_consistent_and_all_alike(copying):
    row = copying["rows"]["class_mean"]
    assert row["agreement"]["rate"] > 0.6
    for place in ("per_clip", "within_digit"):
        for name in ("pixel_std", "pixel_distance", "feature_distance"):
            assert row[place][name] == {
                **{"generated": 0, "real": row[place][name]["real"]},
                **{"share": 0, "interval": [0, 0]},
            }
        assert row[place]["vendi"]["generated"] == pytest.approx(1)
        assert row[place]["vendi"]["real"] > 1.5
    assert row["recall"] < 0.1


def test_a_generator_that_copies_is_perfect_but_for_its_neighbours(copying):
    row, real = copying["rows"]["generated"], copying["rows"]["real"]
    assert row["agreement"]["rate"] == pytest.approx(real["agreement"]["rate"], abs=0.1)
    assert row["per_clip"]["pixel_distance"]["share"] == pytest.approx(1, abs=0.15)
    assert row["lenet_fid"] < 4 * real["lenet_fid"]
    assert row["neighbour"]["closer"] == 1
    assert row["neighbour"]["median"] < 0.01 < real["neighbour"]["median"]


def test_shuffled_sounds_lose_the_agreement_and_nothing_else(copying):
    shuffled, generated = copying["rows"]["shuffled"], copying["rows"]["generated"]
    assert shuffled["agreement"]["rate"] < 0.35 < 0.8 < generated["agreement"]["rate"]
    share = shuffled["per_clip"]["pixel_distance"]["generated"]
    assert share == pytest.approx(generated["per_clip"]["pixel_distance"]["generated"], rel=0.15)
    assert shuffled["within_digit"]["feature_distance"]["share"] > 1.1  # of several digits


def test_a_deaf_generator_agrees_by_chance_and_is_too_diverse(data, judge):
    row = quality(Draws(data.train, hears=False), judge, data, seed=0, **SIZES)["rows"]["generated"]
    assert row["agreement"]["rate"] < 0.25
    assert row["per_clip"]["feature_distance"]["share"] > 1.1
    assert row["precision"] > 0.8


@pytest.mark.parametrize("mute", ["one picture a digit", "autoencoder"])
def test_without_noise_a_clip_has_no_diversity(data, judge, mute):
    model = Autoencoder() if mute == "autoencoder" else Draws(data.train, noise=False)
    row = quality(model, judge, data, seed=0, **SIZES)["rows"]["generated"]
    assert row["per_clip"]["pixel_std"]["share"] < 1e-6
    assert row["per_clip"]["feature_distance"]["share"] < 1e-6
    assert row["per_clip"]["vendi"]["generated"] == pytest.approx(1, abs=1e-6)


def test_the_seed_decides_what_is_drawn(data, judge, copying):
    again, other = (quality(Draws(data.train), judge, data, seed=seed, **SIZES) for seed in (0, 1))
    assert again == copying
    first, second = (result["rows"]["generated"] for result in (copying, other))
    assert first["lenet_fid"] != second["lenet_fid"]
    drawn = [row["per_clip"]["pixel_std"]["generated"] for row in (first, second)]
    assert drawn[0] != drawn[1]  # the same clips, other noise
    assert other["judge"] == copying["judge"]


def test_the_judge_is_reported_on_all_real_pictures(data, judge, copying):
    X = pixels(data.test.images)
    Z = judge(X)
    found = copying["judge"]
    assert found["accuracy"] == (judge.predict(X) == data.test.digits).mean() > 0.8
    assert found["count"] == 400
    assert found["ece"] == pytest.approx(metrics.ece(Z, data.test.digits), abs=1e-6)
    assert found["nll"] == pytest.approx(metrics.nll(Z, data.test.digits), rel=1e-4)


def test_the_classifier_can_be_given(data, judge, copying):
    assert copying["classifier"]["rate"] == 1  # the corner says it
    zeros = np.zeros(40, np.int64)
    result = quality(Draws(data.train), judge, data, seed=0, heard=zeros, **SIZES)
    assert result["classifier"]["rate"] == 0.1
    assert result["rows"]["classifier"]["agreement"]["rate"] == pytest.approx(0.1, abs=0.05)
    with pytest.raises(ValueError, match="heard has shape"):
        quality(Draws(data.train), judge, data, seed=0, heard=zeros[:3], **SIZES)


@pytest.mark.parametrize("noises", [0, 1, 21])
def test_too_few_pictures_are_refused(data, judge, noises):
    with pytest.raises(ValueError, match="real test"):
        quality(Draws(data.train), judge, data, seed=0, noises=noises)


def test_the_report_has_a_line_for_each_row(copying):
    head, *lines = report(copying).splitlines()
    assert [line.split()[0] for line in lines] == ROWS
    assert {len(line) for line in (head, *lines)} == {len(head)}
    assert float(lines[1].split()[2]) == 0


def test_a_model_on_a_gpu_is_measured_alike(data, judge, untrained, monkeypatch):
    strict_cupy.install(monkeypatch)
    xp = backend.get("cupy")
    model, there = VAE().to(xp), copy.deepcopy(judge).to(xp)
    result = quality(model, there, data, seed=0, **SIZES)
    assert numbers(result) == pytest.approx(numbers(untrained), rel=1e-3, abs=1e-3)
    for real in (False, True):
        assert cas(model, data, seed=0, steps=1, batch_size=2, real=real)["count"] == 400


# Sources


def test_halves_are_disjoint_and_share_every_digit(rng):
    digits = rng.integers(0, 10, 501)
    first, second = halves(digits, np.random.default_rng(3))
    assert sorted([*first, *second]) == list(range(501))
    counts = [np.bincount(digits[half], minlength=10) for half in (first, second)]
    assert np.abs(counts[0] - counts[1]).max() <= 1
    assert tuple(first) != tuple(halves(digits, np.random.default_rng(4))[0])


def test_a_pool_repeats_nothing_before_all_have_come(data, rng):
    images = np.arange(30, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((28, 28, 1), np.uint8)
    pool = Pool(images, np.arange(30) % 3)
    wanted = rng.permutation(np.repeat([0, 1, 2], [10, 5, 20]))
    numbers = np.round(pool(wanted, rng)[:, 0, 0, 0] * 255).astype(int)
    np.testing.assert_array_equal(numbers % 3, wanted)
    assert np.bincount(numbers, minlength=30)[::3].tolist() == [1] * 10
    assert np.bincount(numbers, minlength=30)[2::3].tolist() == [2] * 10
    assert pool.least(wanted) == 10
    with pytest.raises(ValueError, match="no real picture of digit 7"):
        pool(np.array([7]), rng)


def test_each_source_draws_what_its_name_says(data, rng):
    pool, heard = Pool(data.test.images, data.test.digits), (data.test.clip_digits + 1) % 10
    found = sources(Draws(data.train), data, pool, heard, seed=0)
    which = np.arange(40)
    pictures = {name: source(which, np.random.default_rng(0)) for name, source in found.items()}
    for name, Y in pictures.items():
        assert (Y.shape, Y.dtype, Y.min() >= 0, Y.max() <= 1) == ((40, 28, 28, 1), "f4", True, True)
        bank = data.train if name in ("generated", "shuffled") else data.test
        if name != "class_mean":
            index, distance = metrics.nearest(Y, pixels(bank.images))
            digits = bank.digits[index]
            assert distance.max() < 0.01
            said = heard if name == "classifier" else data.test.clip_digits
            assert (digits == said).mean() < 0.4 if name == "shuffled" else (digits == said).all()
    threes = pixels(data.train.images[data.train.digits == 3])
    np.testing.assert_allclose(pictures["class_mean"][3], threes.mean(axis=0), atol=1e-5)


def test_class_means_need_a_picture_of_what_is_said(data):
    train = data.train
    some = train.digits != 4
    lacking = Pairs(
        train.images[some], train.digits[some], train.clips, train.clip_digits,
        train.speakers, train.names, train.clip_of[some],
    )  # fmt: skip
    with pytest.raises(ValueError, match="no training picture of digit 4"):
        class_means(lacking)


def test_the_nearest_centroid_hears_as_well_as_the_ear_it_uses(data):
    hearing = nearest_centroid(Draws(data.train), data)
    np.testing.assert_array_equal(hearing, data.test.clip_digits)
    assert (nearest_centroid(VAE(), data) == data.test.clip_digits).mean() < 0.5


def test_many_pictures_are_drawn_by_batches_alike(data, monkeypatch):
    which = np.arange(40).repeat(3)
    model = VAE()
    whole = generator(model, data.test.clips)(which, np.random.default_rng(0))
    monkeypatch.setattr("tinya2i.tasks.base.BATCH", 7)
    parts = generator(model, data.test.clips)(which, np.random.default_rng(0))
    # Seven at a time are convolved in another way than forty.
    np.testing.assert_allclose(parts, whole, atol=1e-4)


def test_features_are_what_the_last_layer_decides_by(data, judge):
    X = pixels(data.test.images[:20])
    F = judge.features(X)
    assert (F.shape, F.min()) == ((20, 84), 0)
    np.testing.assert_array_equal(judge[-1](F), judge(X))
    seen = look(judge, X, np.arange(20))
    np.testing.assert_allclose(seen.Z, judge(X), rtol=1e-6)
    np.testing.assert_array_equal(seen.P, X.reshape(20, -1))


# Archetypes


class Archetypes(Draws):
    """Draws the mean picture of the digit that it hears, whatever the noise."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.bank = [pictures.mean(axis=0, keepdims=True) for pictures in self.bank]


def test_archetypes_are_told_from_real_pictures(data, tmp_path):
    pytest.importorskip("matplotlib")
    mean = archetypes(Archetypes(data.train), data, tmp_path / "mean.png", seed=0)
    assert mean == pytest.approx({"mu": 0, "drawn": 0, "mean_drawn": 0}, abs=1e-2)
    real = archetypes(Draws(data.train), data, tmp_path / "real.png", seed=0)
    assert real["drawn"] == pytest.approx(1, abs=0.15)
    assert real["mean_drawn"] == pytest.approx(0.25, abs=0.1)  # the root of 16 draws nearer
    deaf = archetypes(Draws(data.train, hears=False), data, tmp_path / "deaf.png", seed=0)
    assert deaf["drawn"] > 1.1
    for name in ("mean", "real"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert archetypes(Draws(data.train), data, tmp_path / "again.png", seed=0) == real


def test_the_mean_is_the_best_single_picture(data):
    """Of both pixel losses: any other picture costs more on the pictures that it stands for."""
    T = pixels(data.train.images[data.train.digits == 7]).astype(np.float64)
    M, rng = np.clip(T.mean(axis=0), 1e-6, 1 - 1e-6), np.random.default_rng(0)

    def cross_entropy(Y):
        return -(T * np.log(Y) + (1 - T) * np.log(1 - Y)).sum() / len(T)

    def squares(Y):
        return ((Y - T) ** 2).sum() / len(T)

    for loss in (cross_entropy, squares):
        for size in (1e-3, 0.1, 0.5):
            other = np.clip(M + size * rng.standard_normal(M.shape), 1e-6, 1 - 1e-6)
            assert loss(other) > loss(M)


# The classification accuracy score


def test_one_learns_from_good_pictures_and_not_from_a_deaf_generator(data):
    options = {"seed": 0, "steps": 60, "batch_size": 64, "lr": 2e-3}
    good = cas(Draws(data.train), data, **options)
    deaf = cas(Draws(data.train, hears=False), data, **options)
    real = cas(Draws(data.train, hears=False), data, real=True, **options)
    assert good["rate"] > 0.6
    assert deaf["rate"] < 0.3
    assert real["rate"] == pytest.approx(good["rate"], abs=0.15)
    assert (good["count"], good["steps"]) == (400, 60)
    assert json.loads(json.dumps(good, allow_nan=False)) == good
    assert cas(Draws(data.train), data, **options) == good


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 0}])
def test_cas_needs_something_to_learn_from(data, wrong):
    with pytest.raises(ValueError, match="at least one"):
        cas(Draws(data.train), data, seed=0, **wrong)
