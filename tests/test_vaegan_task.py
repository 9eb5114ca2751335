"""The VAE-GAN as a task: two optimisers, saved and resumed, and what is said when it is sick."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_tasks import mix, pairs  # noqa: F401

from tinya2i import models, tasks
from tinya2i.checkpoint import find
from tinya2i.data import Mix
from tinya2i.streams import stream

ROOT = Path(__file__).resolve().parents[1]


def gan_task(mix, arch="talk", **options):  # noqa: F811
    options = {"lr": 2e-4, "batch_size": 8, "seed": 0, "xp": np, **options}
    model = models.VAEGAN(arch, stream(0, "init"))
    return tasks.VAEGANTask(model, mix, None, **options)


def play(task, steps, epoch=0):
    task.begin_epoch(epoch)
    return [task.step(i) for i in steps]


def test_both_players_learn_at_the_rate_of_the_step(mix):  # noqa: F811
    task = gan_task(mix, decay=2)
    assert set(task.optimisers) == {"adam_d", "adam_g"}
    before = {name: optimiser.data.copy() for name, optimiser in task.optimisers.items()}
    (losses,) = play(task, [2])
    assert set(losses) == {
        "discriminator", "generator", "adversarial", "reconstruction", "kl", "d_real", "d_fake",
    }  # fmt: skip
    for name, optimiser in task.optimisers.items():
        assert optimiser.betas == (0.5, 0.999)
        assert optimiser.lr == pytest.approx(2e-4 * (1 - 2 / 10))
        moved = np.abs(optimiser.data - before[name]).max()
        assert 0 < moved <= 1.1 * optimiser.lr
    count = sum(
        param.data.size for optimiser in task.optimisers.values() for param in optimiser.params
    )
    assert count == task.model.count() == 7_909_382


def test_the_weights_of_the_objective_reach_the_loss(mix):  # noqa: F811
    task = gan_task(mix, alpha=0.25, beta=0.5, kl_warmup=1.0)
    assert task.objective == (
        "adversarial + 0.25 * reconstruction of pixels + 0.5 * KL (its weight rising over 1 epochs)"
    )
    (losses,) = play(task, [3])
    beta = 0.5 * 3 / 5  # after three of the five steps over which it rises
    expected = losses["adversarial"] + 0.25 * losses["reconstruction"] + beta * losses["kl"]
    assert losses["generator"] == pytest.approx(expected, rel=1e-5)
    (saturating,) = play(gan_task(mix, adversarial="saturating"), [3])
    assert saturating["adversarial"] < 0 < losses["adversarial"]


def test_the_weight_of_reconstruction_rises_by_the_same_factor_each_step(mix):  # noqa: F811
    rises = {"alpha": 0.16, "alpha_start": 0.01, "alpha_ramp": 0.8}  # 4 of the 5 steps of an epoch
    task = gan_task(mix, beta=0.0, reconstruction="mse", **rises)
    assert task.objective.startswith(
        "adversarial + 0.16 * reconstruction of mse (from 0.01 over 0.8 epochs)"
    )
    steps = play(task, range(5)) + play(task, [0], epoch=1)
    weights = [
        (step["generator"] - step["adversarial"]) / step["reconstruction_mse"] for step in steps
    ]
    assert weights == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16, 0.16], rel=1e-4)
    assert gan_task(mix, alpha=0.01).alpha_at(0) == 0.01  # it stays unless told to go
    with pytest.raises(ValueError, match="no factor leads to or from 0"):
        gan_task(mix, **{**rises, "alpha": 0.0})


def test_a_saved_task_goes_on_in_every_bit(mix):  # noqa: F811
    whole, first, second = gan_task(mix), gan_task(mix), gan_task(mix, arch="talk", seed=0)
    play(whole, range(3))
    play(first, range(2))
    second.load_arrays({name: array.copy() for name, array in first.arrays().items()})
    play(second, [2])
    ours, theirs = second.arrays(), whole.arrays()
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    play(first, [2], epoch=1)  # another noise, so other weights: the comparison can fail
    other = first.arrays()
    assert not all(np.array_equal(other[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(("images", "steps"), [(17, 2), (16, 2), (18, 3)])
def test_a_last_batch_of_one_is_left_out(mix, images, steps):  # noqa: F811
    small = Mix(pairs(images), mix.test, mix.mean, mix.std, mix.features, mix.info)
    task = gan_task(small)
    assert task.begin_epoch(0) == steps
    assert np.isfinite(play(task, [steps - 1])[0]["generator"])


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"kl": 6.0, "d_real": 0.7, "d_fake": 0.3}, []),
        ({"kl": 6.0, "d_real": 0.995, "d_fake": 0.005}, ["has won"]),
        ({"kl": 6.0, "d_real": 0.949, "d_fake": 0.058}, ["has won"]),  # alpha-0.02-long
        ({"kl": 6.0, "d_real": 0.78, "d_fake": 0.22}, []),
        ({"kl": 6.0, "d_real": 0.995, "d_fake": 0.2}, []),
        ({"kl": 6.0, "d_real": 0.5, "d_fake": 0.495}, ["cannot tell"]),
        ({"kl": 6.0, "d_real": 0.83, "d_fake": 0.17, "agreement_unique": 0.11}, ["do not follow"]),
        ({"kl": 6.0, "d_real": 0.66, "d_fake": 0.34, "agreement_unique": 0.96}, []),
        ({"kl": 0.1, "d_real": 0.7, "d_fake": 0.3}, ["posterior collapse"]),
        ({"kl": 0.1, "d_real": 0.999, "d_fake": 0.0}, ["posterior collapse", "has won"]),
    ],
)
def test_health(mix, metrics, words):  # noqa: F811
    warnings = gan_task(mix, arch="bare").health(metrics)
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))
    # Where BatchNorm stands behind the verdicts, their means say nothing.
    others = [word for word in words if word in ("posterior collapse", "do not follow")]
    assert len(gan_task(mix).health(metrics)) == len(others)


def test_while_alpha_rises_nobody_need_listen(mix):  # noqa: F811
    task = gan_task(mix, alpha=0.05, alpha_ramp=3.0)
    said = []
    for epoch in range(4):
        task.begin_epoch(epoch)
        said.append(len(task.health({"kl": 6.0, "agreement_unique": 0.1})))
    assert said == [0, 0, 1, 1]


def test_a_plain_gan_has_no_latent_to_collapse(mix):  # noqa: F811
    deaf = {"kl": 0.0, "d_real": 0.7, "d_fake": 0.3, "agreement_unique": 0.1}
    assert gan_task(mix, alpha=0.0, beta=0.0).health(deaf) == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, output) of a dry run of the example."""
    pytest.importorskip("matplotlib")
    if importlib.util.find_spec("soundfile") is None:
        pytest.skip("soundfile is not installed")
    place = tmp_path_factory.mktemp("gan")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    words = ["--dry-run", "--arch", "bare", "--alpha", "0.01", "--out", "run"]
    words += ["--reconstruction", "features"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "train_vaegan.py"), *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return place / "run", done.stdout


def test_the_example_says_what_it_minimises_and_comes_back(run):
    folder, output = run
    assert "objective: adversarial + 0.01 * reconstruction of features + 0.5 * KL" in output
    model, config = tasks.load_generator(folder)
    assert isinstance(model, models.VAEGAN)
    assert model.count() == 7_909_378
    flags = config["flags"]
    assert (flags["model"], flags["lr"], flags["init"], flags["alpha"]) == (
        "vaegan", 2e-4, "dcgan", 0.01,
    )  # fmt: skip
    assert find(folder).name == "checkpoint.npz"
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {"d_real", "d_fake", "adversarial", "test_kl"} <= rows[0].keys()
