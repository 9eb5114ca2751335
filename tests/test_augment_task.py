"""Fresh versions of the clips in a training: who hears which, from the seed and the epoch alone."""

from dataclasses import replace

import numpy as np
import pytest
from test_tasks import mix as plain_mix  # noqa: F401
from test_tasks import vae_task

from tinya2i import audio, checkpoint, data
from tinya2i.audio import Augment
from tinya2i.data import toy
from tinya2i.errors import DataError
from tinya2i.files import read_rows
from tinya2i.runs import Run
from tinya2i.tasks import program
from tinya2i.tasks.augmented import FreshClips
from tinya2i.training import train


@pytest.fixture
def mix(plain_mix, rng):  # noqa: F811
    waves = tuple(rng.standard_normal(n).astype(np.float32) for n in range(400, 420))
    return replace(plain_mix, train=replace(plain_mix.train, waves=waves))


def fresh(mix, count=3, seed=0, **settings):
    return FreshClips(mix, count, seed=seed, settings=Augment(**settings))


def heard(task, epoch=0):
    """All that an epoch hears, in its order: (sounds, pictures)."""
    batches = [task.batch(i) for i in range(task.begin_epoch(epoch))]
    return [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]


def test_versions_are_of_their_own_clip(mix):
    """Without any change each version is the clip: so r * m + i is a version of clip i."""
    own = audio.log_mel(mix.train.waves)[..., None]
    clips = fresh(mix, kinds=()).clips(0)
    np.testing.assert_array_equal(clips, np.concatenate([own] * 3))
    changed = fresh(mix, kinds=("tilt",), tilt=4).clips(0).reshape(3, 20, 48, 48, 1)
    assert len({clip.tobytes() for clip in changed.reshape(60, -1)}) == 60
    away = np.abs(changed[:, :, None] - own).mean(axis=(3, 4, 5))  # (version, of, clip)
    np.testing.assert_array_equal(away.argmin(axis=2), [np.arange(20)] * 3)


def test_they_have_the_scale_of_the_clips_as_they_are(mix):
    scaled = replace(mix, mean=np.float32(0.4), std=np.float32(0.2))
    plain = (audio.log_mel(mix.train.waves)[..., None] - scaled.mean) / scaled.std
    np.testing.assert_array_equal(fresh(scaled, 1, kinds=()).clips(0), plain)


def test_versions_follow_seed_and_epoch_alone(mix):
    clips = fresh(mix)
    first, second = clips.clips(0), clips.clips(1)
    np.testing.assert_array_equal(fresh(mix).clips(1), second)
    assert first.shape == (60, 48, 48, 1)
    assert first.dtype == np.float32
    for other in (second, fresh(mix, seed=1).clips(0)):
        assert (first != other).any(axis=(1, 2, 3)).all()
    of, choose = np.arange(20), clips.version
    np.testing.assert_array_equal(choose(of, 1), fresh(mix).version(of, 1))
    assert (choose(of, 0) != choose(of, 1)).any()


def test_every_use_hears_a_version_of_its_clip_drawn_evenly(mix):
    clip_of = np.repeat(np.arange(20), 300)
    entries = fresh(mix).version(clip_of, 0)
    np.testing.assert_array_equal(entries % 20, clip_of)
    count = np.bincount(entries // 20)
    assert len(count) == 3
    assert (np.abs(count - 2000) < 150).all()  # four standard deviations
    assert len(set(entries[:300])) == 3  # and one clip all of them


def test_a_task_hears_what_was_drawn_and_draws_what_it_drew_before(mix):
    task, plain = vae_task(mix, fresh=fresh(mix)), vae_task(mix)
    for epoch in (0, 1):
        (X, T), (X_plain, T_plain) = heard(task, epoch), heard(plain, epoch)
        np.testing.assert_array_equal(T, T_plain)  # pictures, their order and the noise stay
        np.testing.assert_array_equal(task.noise, plain.noise)
        entries = fresh(mix).version(mix.train.clip_of, epoch)[task.order]
        np.testing.assert_array_equal(X, fresh(mix).clips(epoch)[entries])
        np.testing.assert_array_equal(X_plain, mix.train.clips[mix.train.clip_of[task.order]])
    assert task.mix.test is mix.test


def test_repair_keeps_the_digits_of_versions(mix):
    task = vae_task(mix, fresh=fresh(mix), repair=True)
    pairings = set()
    for epoch in range(3):
        task.begin_epoch(epoch)
        clip_of = task.clip_of % 20
        np.testing.assert_array_equal(mix.train.clip_digits[clip_of], mix.train.digits)
        pairings.add(tuple(clip_of))
    assert len(pairings) == 3


def finished(folder, mix, **options):
    """(weights, metrics without times) of two epochs, `options` to train."""
    task = vae_task(mix, fresh=fresh(mix, 2))
    place = Run(folder, {}, resume=folder.exists())
    train(task, place, quiet=True, samples_every=0, **options)
    arrays, _ = checkpoint.load(folder / checkpoint.NAME)
    rows = read_rows(folder / "metrics.jsonl")
    return {k: A.tobytes() for k, A in arrays.items()}, [row["loss"] for row in rows]


def test_a_resumed_run_hears_what_it_would_have_heard(mix, tmp_path):
    whole = finished(tmp_path / "whole", mix, epochs=2)
    finished(tmp_path / "torn", mix, epochs=1)
    assert finished(tmp_path / "torn", mix, epochs=2) == whole
    train(vae_task(mix), Run(tmp_path / "plain", {}), epochs=2, quiet=True, samples_every=0)
    assert [row["loss"] for row in read_rows(tmp_path / "plain/metrics.jsonl")] != whole[1]


def test_what_cannot_be_augmented(plain_mix, mix):  # noqa: F811
    with pytest.raises(DataError, match="no waves"):
        fresh(plain_mix)
    with pytest.raises(DataError, match="at least 1"):
        fresh(mix, 0)


def test_data_sets_bring_the_waves_of_their_clips(monkeypatch):
    small = {name: getattr(toy, name) for name in ("images", "clips")}
    monkeypatch.setattr(toy, "images", lambda seed: small["images"](seed, train=40, test=20))
    monkeypatch.setattr(toy, "clips", lambda seed: small["clips"](seed, train=2, test=1))
    found = data.load("toy")
    for side in (found.train, found.test):
        assert len(side.waves) == len(side.clips)
        X = (audio.log_mel(side.waves) - found.mean) / found.std
        np.testing.assert_array_equal(X[..., None], side.clips)


def flags(**given):
    return program.argparse.Namespace(**{"augment": None, "augment_kinds": None, **given})


def test_what_the_flags_ask_for(mix):
    for off in (None, 0):
        given = flags(augment=off, seed=0)
        program.name_augmentation(given)
        assert given == flags(augment=off, seed=0)  # config.json is what it was
        assert program.fresh_clips(given, mix) is None
    given = flags(augment=2, seed=3, augment_kinds="mask=4,speed")
    program.name_augmentation(given)
    assert given.augment_kinds == "speed=1.25,mask=4"
    made = program.fresh_clips(given, mix)
    assert (made.count, made.seed) == (2, 3)
    assert made.settings == Augment(("speed", "mask"), mask=4)
    every = flags(augment=1)
    program.name_augmentation(every)
    assert Augment.of(every.augment_kinds) == Augment()
