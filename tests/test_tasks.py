"""What the examples train: orders, pairings, warm-up, collapse, agreement, and back from disk."""

import functools
import json

import numpy as np
import pytest

from tinya2i import checkpoint, data, metrics, tasks
from tinya2i.audio import LogMel
from tinya2i.data import Mix, Pairs, toy
from tinya2i.errors import CheckpointError, DataError, RunError
from tinya2i.files import plain, read_rows
from tinya2i.layer import Layer, Param, Sequential
from tinya2i.layers import Flatten, Linear, Reshape
from tinya2i.models import VAE, Autoencoder, LeNet5
from tinya2i.models.networks import LATENT
from tinya2i.runs import Run
from tinya2i.streams import stream
from tinya2i.tasks import judge as judging
from tinya2i.tasks import program, saved
from tinya2i.tasks.evaluation import DRAWS, brief, headline
from tinya2i.training import train


class Small(VAE):
    """A VAE of two linear layers; `size` is that of the encoder's weights."""

    def __init__(self, size=1.0):
        rng = np.random.default_rng(0)
        self.encoder = Sequential(Flatten(), Linear(48 * 48, 2 * LATENT, rng=rng))
        self.decoder = Sequential(Linear(LATENT, 28 * 28, rng=rng), Reshape(28, 28, 1))
        self.encoder[1].W.data *= np.float32(size)


def pairs(images=40, clips=20, seed=0):
    """Noise for pictures, and for clips noise with a mean that says the digit."""
    rng = np.random.default_rng(seed)
    digits, clip_digits = np.arange(images) % 10, np.arange(clips) % 10
    X = rng.standard_normal((clips, 48, 48, 1)).astype(np.float32)
    return Pairs(
        rng.integers(0, 256, (images, 28, 28, 1), np.uint8),
        digits,
        X + clip_digits[:, None, None, None].astype(np.float32),
        clip_digits,
        np.array(["ann", "bob"])[np.arange(clips) % 2],
        tuple(f"{digit}_x_{i}.wav" for i, digit in enumerate(clip_digits)),
        data.mix.pair(digits, clip_digits, rng),
    )


@pytest.fixture
def mix():
    one = np.ones((), np.float32)
    return Mix(pairs(), pairs(20, 10, 1), 0 * one, one, LogMel(), {"name": "noise"})


def vae_task(mix, model=None, judge=None, **options):
    options = {"lr": 1e-3, "batch_size": 16, "seed": 0, "xp": np, **options}
    return tasks.VAETask(model or Small(), mix, judge, **options)


# Orders and pairings


def test_the_order_is_a_permutation_of_its_own_for_each_epoch_and_seed(mix):
    orders = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            task = vae_task(mix, seed=seed)
            assert task.begin_epoch(epoch) == 3  # 16 + 16 + 8
            assert sorted(task.order) == list(range(40))
            orders[seed, epoch] = tuple(task.order)
    assert len(set(orders.values())) == 4
    again = vae_task(mix, seed=1)
    again.begin_epoch(0)  # what was drawn before does not matter
    again.begin_epoch(1)
    assert tuple(again.order) == orders[1, 1]


def test_the_learning_rate_falls_to_zero_or_stays(mix):
    task = vae_task(mix, lr=0.3, decay=2)  # two epochs of three steps
    rates = []
    for epoch in range(2):
        rates += [task.lr_at(i) for i in range(task.begin_epoch(epoch))]
    np.testing.assert_allclose(rates, [0.3, 0.25, 0.2, 0.15, 0.1, 0.05])
    task.begin_epoch(5)
    assert task.lr_at(0) == 0.0  # resumed for more epochs than it was planned for
    constant = vae_task(mix, lr=0.3)
    constant.begin_epoch(7)
    assert constant.lr_at(2) == 0.3


def test_a_step_uses_the_rate_of_its_place(mix):
    task = vae_task(mix, lr=0.3, decay=2)
    task.begin_epoch(1)
    task.step(1)
    assert task.adam.lr == pytest.approx(0.1)


def test_batches_visit_every_example_once_with_its_own_clip(mix):
    task = vae_task(mix)
    batches = [task.batch(i) for i in range(task.begin_epoch(0))]
    assert [len(X) for X, _ in batches] == [16, 16, 8]
    X, T = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    np.testing.assert_array_equal(T * 255, mix.train.images[task.order].astype(np.float32))
    np.testing.assert_array_equal(X, mix.train.clips[mix.train.clip_of[task.order]])
    assert T.dtype == np.float32


def test_repair_draws_the_pairing_anew_and_keeps_the_digits(mix):
    fixed, anew = vae_task(mix), vae_task(mix, repair=True)
    seen = {"fixed": set(), "anew": set()}
    for epoch in range(3):
        for name, task in (("fixed", fixed), ("anew", anew)):
            task.begin_epoch(epoch)
            seen[name].add(tuple(task.clip_of))
            said = mix.train.clip_digits[task.clip_of]
            np.testing.assert_array_equal(said, mix.train.digits)
    assert len(seen["fixed"]) == 1
    assert len(seen["anew"]) == 3
    again = vae_task(mix, repair=True)
    again.begin_epoch(2)  # a resumed run pairs as the uninterrupted one did
    np.testing.assert_array_equal(again.clip_of, anew.clip_of)


# KL: warm-up and collapse


@pytest.mark.parametrize(
    ("epoch", "index", "weight"),
    [(0, 0, 0.0), (0, 1, 0.25), (0, 2, 0.5), (1, 0, 0.75), (1, 1, 1.0), (1, 2, 1.0), (9, 0, 1.0)],
)
def test_the_weight_of_kl_rises_linearly(mix, epoch, index, weight):
    task = vae_task(mix, kl_weight=3.0, kl_warmup=4 / 3)  # of 3 steps an epoch: 4 steps
    task.begin_epoch(epoch)
    assert task.kl_weight_at(index) == pytest.approx(3 * weight)


def test_without_warm_up_the_weight_is_there_at_once(mix):
    task = vae_task(mix, kl_weight=0.5, kl_warmup=0.0)
    task.begin_epoch(0)
    assert task.kl_weight_at(0) == 0.5


def test_the_loss_has_the_weight_of_its_step(mix):
    task = vae_task(mix, kl_warmup=1.0)
    for epoch, weights in ((0, (0, 1 / 3, 2 / 3)), (1, (1, 1, 1))):
        task.begin_epoch(epoch)
        for index, weight in enumerate(weights):
            found = {name: float(value) for name, value in task.step(index).items()}
            expected = found["reconstruction"] + weight * found["kl"]
            assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_health_reports_collapse_and_nothing_else(mix):
    task = vae_task(mix)
    (warning,) = task.health({"kl": 5.0, "test_kl": 0.3})
    assert "posterior collapse: KL is 0.3" in warning
    assert "--kl-warmup" in warning
    assert task.health({"kl": 0.3})
    assert not task.health({"kl": 0.3, "test_kl": 8.0})
    assert not task.health({"kl": 8.0})


@pytest.mark.parametrize(("size", "collapsed"), [(0.0, True), (1.0, False)])
def test_a_collapsed_vae_is_reported_in_the_metrics_and_on_the_screen(
    mix, tmp_path, capsys, size, collapsed
):
    task = vae_task(mix, Small(size), lr=1e-12)  # a rate that leaves it where it is
    train(task, Run(tmp_path, {}), epochs=1, quiet=True, samples_every=0)
    (row,) = read_rows(tmp_path / "metrics.jsonl")
    assert (row["test_kl"] < 0.01) == collapsed
    assert any("posterior collapse" in text for text in row.get("warnings", [])) == collapsed
    assert ("posterior collapse" in capsys.readouterr().err) == collapsed


# Agreement with the judge


class Draws(Layer):
    """A generator whose pictures' logits are all equal to the number in the clip's corner."""

    def __init__(self):
        self.any = Param(np.zeros(1, np.float32))

    def encoder(self, X):
        return np.repeat(X[:, 0, 0], LATENT, axis=1)

    def decoder(self, z):
        return np.broadcast_to(z[:, :1, None, None], (len(z), 28, 28, 1))


class DrawsNoisily(Draws, VAE):
    """The same as a VAE, the logarithm of its variance in another corner."""

    def __init__(self):
        Draws.__init__(self)

    def encoder(self, X):
        return np.concatenate([np.repeat(X[:, i, i], LATENT, axis=1) for i in (0, -1)], axis=1)


class Reads:
    """A judge that reads from a picture the logit that it was drawn with."""

    def predict(self, X):
        P = X[:, 0, 0, 0].astype(np.float64)
        return np.clip(np.round(np.log(P / (1 - P))), 0, 9).astype(np.int64)


def drawn_as(numbers, logvar=-80.0):
    """Five clips, drawn as `numbers`; ten pairs, none with clip 4."""
    X = np.zeros((5, 48, 48, 1), np.float32)
    X[:, 0, 0, 0], X[:, -1, -1, 0] = numbers, logvar
    clip_digits, clip_of = np.array([0, 1, 1, 2, 3]), np.array([0, 1, 1, 1, 2, 2, 2, 2, 3, 3])
    speakers = np.array(["ann", "ann", "bob", "bob", "bob"])
    images = np.zeros((10, 28, 28, 1), np.uint8)
    return Pairs(images, clip_digits[clip_of], X, clip_digits, speakers, ("",) * 5, clip_of)


@pytest.mark.parametrize("model", [Draws(), DrawsNoisily()])
def test_agreement_is_what_one_counts_by_hand(model):
    result = tasks.evaluate(model, Reads(), drawn_as([0, 1, 7, 2, 3]), seed=0)
    for sampled, draws in (("", 1), ("_sampled", DRAWS)):
        by_pairs, unique = result[f"agreement{sampled}"], result[f"agreement{sampled}_unique"]
        assert (by_pairs["correct"], by_pairs["count"], by_pairs["clips"]) == (6, 10, 4)
        assert (unique["correct"], unique["count"], unique["clips"]) == (4 * draws, 5 * draws, 5)
        assert by_pairs["rate"] == 0.6
        assert unique["rate"] == 0.8
        assert tuple(by_pairs["interval"]) == pytest.approx(metrics.wilson(2.4, 4))
        assert tuple(unique["interval"]) == pytest.approx(metrics.wilson(4, 5))
        assert by_pairs["confusion"][1][7] == 4
        rates = {name: row["rate"] for name, row in by_pairs["per_digit"].items()}
        assert rates == {"0": 1.0, "1": pytest.approx(3 / 7), "2": 1.0}


def test_intervals_of_digits_and_speakers_count_clips_too():
    result = tasks.evaluate(DrawsNoisily(), Reads(), drawn_as([0, 1, 7, 2, 3]), seed=0)
    for name, share in (("agreement", 1 / 3), ("agreement_sampled_unique", 2 / 3)):
        bob = result[name]["per_speaker"]["bob"]
        clips = 2 if name == "agreement" else 3  # clip 4 is in no pair
        assert bob["clips"] == clips
        assert bob["rate"] == pytest.approx(share)
        assert tuple(bob["interval"]) == pytest.approx(metrics.wilson(share * clips, clips))
    one = result["agreement"]["per_digit"]["1"]
    assert (one["count"], one["clips"]) == (7, 2)


def test_a_perfect_and_a_constant_generator():
    perfect = tasks.evaluate(Draws(), Reads(), drawn_as([0, 1, 1, 2, 3]), seed=0)
    constant = tasks.evaluate(Draws(), Reads(), drawn_as([1] * 5), seed=0)
    for name in ("agreement", "agreement_unique", "agreement_sampled"):
        assert perfect[name]["rate"] == 1
    assert constant["agreement"]["rate"] == 0.7
    assert constant["agreement_unique"]["rate"] == 0.4
    assert np.array(constant["agreement"]["confusion"])[:, 1].sum() == 10


def test_pictures_that_are_no_numbers_are_reported_not_read_as_zeros():
    broken = drawn_as([np.nan, 0, 0, 0, 0])
    with np.errstate(invalid="ignore"), pytest.raises(RunError, match="1 of 5 pictures"):
        tasks.evaluate(Draws(), LeNet5(), broken, seed=0)


def test_sampled_z_is_drawn_by_the_seed_and_differs_from_mu():
    wide = drawn_as([0, 1, 1, 2, 3], logvar=2.0)
    first, same, other = (
        tasks.evaluate(DrawsNoisily(), Reads(), wide, seed=seed) for seed in (0, 0, 1)
    )
    assert first == same
    assert first["agreement"]["rate"] == other["agreement"]["rate"] == 1
    assert first["agreement_sampled_unique"]["rate"] < 0.6
    assert first["agreement_sampled_unique"] != other["agreement_sampled_unique"]


def test_sampled_z_has_the_variance_that_the_encoder_says():
    class Notes(Reads):
        logits = ()

        def predict(self, X):
            P = X[:, 0, 0, 0].astype(np.float64)
            self.logits = np.append(self.logits, np.log(P / (1 - P)))
            return super().predict(X)

    judge = Notes()
    tasks.evaluate(DrawsNoisily(), judge, drawn_as([0] * 5, logvar=1.5), seed=0)
    drawn = judge.logits[judge.logits != 0]
    assert len(drawn) == DRAWS * 5 + 10
    assert drawn.std() == pytest.approx(np.exp(0.75), rel=0.25)
    assert abs(drawn.mean()) < 0.8


def test_the_losses_of_an_evaluation():
    zero = drawn_as([0] * 5, logvar=0.0)
    result = tasks.evaluate(Draws(), None, zero, seed=0)
    assert result == {"reconstruction": pytest.approx(28 * 28 * np.log(2))}
    assert tasks.evaluate(DrawsNoisily(), None, zero, seed=0)["kl"] == 0
    one = tasks.evaluate(DrawsNoisily(), None, drawn_as([1] * 5, logvar=0.0), seed=0)
    assert one["kl"] == pytest.approx(LATENT / 2)


def test_what_goes_into_the_metrics_and_into_the_summary():
    result = tasks.evaluate(DrawsNoisily(), Reads(), drawn_as([0, 1, 7, 2, 3]), seed=0)
    row, lines = brief(result), headline(result)
    assert row.keys() >= {"agreement", "agreement_sampled_unique", "test_kl", "test_reconstruction"}
    assert (row["agreement"], row["agreement_unique"]) == (0.6, 0.8)
    assert (lines["agreement"], lines["agreement_unique"]) == (0.6, 0.8)
    assert lines["agreement_interval"] == result["agreement"]["interval"]
    assert json.loads(json.dumps(plain(lines))) == plain(lines)


# The judge


def test_find_judge_trains_one_once_and_then_loads_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(judging.EPOCHS, "toy", 1)
    X, digits = np.zeros((20, 28, 28, 1), np.uint8), np.arange(20) % 10
    first = tasks.find_judge(None, "toy", lambda: (X, digits, X, digits), np)
    assert "no judge in runs/lenet5-toy yet" in capsys.readouterr().out
    again = tasks.find_judge(None, "toy", lambda: pytest.fail("it is there"), np)
    named = tasks.find_judge("runs/lenet5-toy", "mix", lambda: pytest.fail("it is there"), np)
    for other in (again, named):
        for name, array in first.state().items():
            np.testing.assert_array_equal(other.state()[name], array)
    summary = json.loads((tmp_path / "runs/lenet5-toy/summary.json").read_text())
    assert {"test_accuracy", "seconds_per_step", "epochs", "seed"} <= summary.keys()


@pytest.mark.parametrize("name", ["curves.png", "confusion.png", "summary.json"])
def test_a_judge_whose_results_cannot_be_written(name, tmp_path):
    run = Run(tmp_path, {})
    (tmp_path / name).mkdir()
    images = np.zeros((10, 28, 28, 1), np.uint8), np.arange(10)
    options = {"lr": 1e-3, "batch_size": 10, "seed": 0, "xp": np}
    with pytest.raises(RunError, match=rf"cannot write .*{name}"):
        judging.train_judge((*images, *images), run, options, epochs=1, quiet=True)
    assert (tmp_path / checkpoint.NAME).exists()


def test_a_dry_run_trains_no_judge_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tasks.find_judge(None, "toy", lambda: pytest.fail("no data"), np, dry=True)
    assert not list(tmp_path.iterdir())


def test_a_judge_that_is_none(tmp_path):
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(CheckpointError, match=r"no checkpoint|no such file"):
            tasks.find_judge(str(folder), "toy", lambda: pytest.fail("no data"), np)
    save(tmp_path, Small())
    with pytest.raises(CheckpointError, match="of another model"):
        tasks.load_judge(tmp_path)


# Back from disk


def save(folder, model, **config):
    """The model and config.json as a run leaves them."""
    arrays = {f"model.{name}": array for name, array in model.state().items()}
    checkpoint.save(folder / checkpoint.NAME, arrays | {"adam.t": np.zeros(())}, {})
    (folder / "config.json").write_text(json.dumps(config))


def info(**changes):
    return {"mean": 0.4, "std": 0.2, "features": {"framing": "fixed"}, **changes}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    model = Autoencoder(stream(3, "init"))
    save(folder, model, flags={"model": "autoencoder"}, data=info())
    yield folder, model
    (folder / checkpoint.NAME).unlink()


def test_a_generator_comes_back_as_it_was(run_folder):
    folder, model = run_folder
    loaded, config = tasks.load_generator(folder)
    assert isinstance(loaded, Autoencoder)
    for name, array in model.state().items():
        np.testing.assert_array_equal(loaded.state()[name], array)
    settings, mean, std = saved.input_scale(config)
    assert (settings, mean, std) == (LogMel(framing="fixed"), np.float32(0.4), np.float32(0.2))


def test_a_checkpoint_of_another_model_is_refused(run_folder, tmp_path):
    (tmp_path / checkpoint.NAME).symlink_to(run_folder[0] / checkpoint.NAME)
    flags = {"model": "vae"}
    (tmp_path / "config.json").write_text(json.dumps({"flags": flags, "data": {}}))
    with pytest.raises(CheckpointError, match=r"of another model: .*encoder\.9"):
        tasks.load_generator(tmp_path)
    with pytest.raises(CheckpointError, match="of another model"):
        tasks.load_judge(run_folder[0])


@pytest.mark.parametrize(("latent_relu", "least"), [(False, -np.inf), (True, 0.0)])
def test_the_slide_s_relu_comes_back_too(latent_relu, least, tmp_path, monkeypatch):
    flags = {"model": "vae", "latent_relu": latent_relu}
    (tmp_path / "config.json").write_text(json.dumps({"flags": flags, "data": {}}))
    monkeypatch.setattr(saved, "_fill", lambda model, folder, xp: model)
    model, _ = tasks.load_generator(tmp_path)
    X = np.random.default_rng(0).standard_normal((2, 48, 48, 1)).astype(np.float32)
    assert (min(part.min() for part in model.encode(X)) >= 0) == (least == 0)


def test_a_judge_comes_back_as_it_was(tmp_path):
    model = LeNet5(stream(5, "init"))
    save(tmp_path, model)
    for name, array in tasks.load_judge(tmp_path).state().items():
        np.testing.assert_array_equal(array, model.state()[name])
    tasks.load_judge(tmp_path / checkpoint.NAME)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "not the folder of a run"),
        ("", "damaged"),
        ("{", "damaged"),
        ("[1]", "damaged"),
        ("3", "damaged"),
        ("{}", "damaged"),
        ('{"flags": [], "data": {}}', "no objects"),
        ('{"flags": {}, "data": {}}', "a run of None"),
        ('{"flags": {"model": "lenet5"}, "data": {}}', "a run of 'lenet5', not of a generator"),
        ('{"flags": {"model": "vae"}, "data": {}}', "no checkpoint"),
        ('{"flags": {"model": ["vae"]}, "data": {}}', "not of a generator"),
        (b"\xff\xfe", "damaged"),
    ],
)
def test_a_folder_that_is_no_run_or_a_damaged_one(text, message, tmp_path):
    if text is not None:
        (tmp_path / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CheckpointError, match=message):
        tasks.load_generator(tmp_path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(CheckpointError, match="not the folder of a run"):
        tasks.load_generator(tmp_path / "missing")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        info(mean=None),
        info(mean="much"),
        info(mean=[1, 2, 3]),
        info(mean=[[1.0]] * 47),
        info(std=0),
        info(std=-1),
        info(std=float("nan")),
        info(mean=float("inf")),
        info(features=None),
        info(features={"colour": 1}),
        info(features={"n_mels": 40}),
        info(features={"framing": "loose"}),
    ],
)
def test_a_scale_that_cannot_be(wrong):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        saved.input_scale({"data": wrong, "flags": {}})


def test_a_scale_of_each_band():
    wrong = info(mean=[[0.5]] * 48, std=[[0.1]] * 48)
    assert saved.input_scale({"data": wrong})[1].shape == (48, 1)


@pytest.fixture(scope="module")
def toy_once():
    """The toy words are spoken once for each seed; it takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toy, "clips", functools.cache(toy.clips))
        yield


@pytest.fixture(scope="module")
def toy_config(toy_once):
    flags = {"data": "toy", "speakers": "talk", "split": "random", "seed": 0}
    flags |= {"normalise": "band", "limit_train": 30}
    given = {name: value for name, value in flags.items() if name != "data"}
    mix = data.load("toy", features=LogMel(framing="fixed"), **given)
    return mix, json.loads(json.dumps(plain({"flags": flags, "data": mix.info})))


def test_the_data_of_a_run_come_back(toy_config):
    mix, config = toy_config
    again = saved.rebuild_mix(config)
    for side, other in ((mix.train, again.train), (mix.test, again.test)):
        for name in ("images", "clips", "clip_of", "clip_digits", "speakers"):
            np.testing.assert_array_equal(getattr(side, name), getattr(other, name))


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("flags", {"seed": 1}, "seed, mean"),
        ("flags", {"normalise": "global"}, "normalise, mean"),
        ("data", {"mean": [[0.3]] * 48}, "mean differ"),
        ("data", {"clips": {"source": "toy", "clips": 631}}, "clips differ"),
        ("data", {"speakers": ["theo"]}, "speakers differ"),
    ],
)
def test_other_data_are_refused(toy_config, part, changes, message, monkeypatch):
    if part == "data":  # what is loaded stays as it was
        monkeypatch.setattr(saved.data, "load", lambda *given, **options: toy_config[0])
    config = toy_config[1] | {part: toy_config[1][part] | changes}
    with pytest.raises(DataError, match=f"not the data of the run: {message}.* --data-dir"):
        saved.rebuild_mix(config)


def test_data_in_another_folder_are_the_same_data(toy_config, monkeypatch):
    monkeypatch.setattr(saved.data, "load", lambda *given, **options: toy_config[0])
    moved = {"clips": {"source": "elsewhere", "clips": 630}}
    config = toy_config[1] | {"data": toy_config[1]["data"] | moved}
    saved.rebuild_mix(config)


def test_a_config_without_flags_for_the_data(toy_config):
    with pytest.raises(CheckpointError, match="its flags lack 'data'"):
        saved.rebuild_mix({"flags": {}, "data": toy_config[1]["data"]})


def test_writing_says_what_could_not_be_written(tmp_path):
    with pytest.raises(RunError, match=r"cannot write x\.png: .* --out"), program.writing("x.png"):
        (tmp_path / "no" / "x.png").touch()
