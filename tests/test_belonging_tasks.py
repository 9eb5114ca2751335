"""Towers as tasks: which pairs they see, that no label is looked at, and what is said of them."""

import dataclasses
import json

import numpy as np
import pytest
from test_tasks import mix, pairs, save  # noqa: F401

from tinya2i import metrics
from tinya2i.data import Mix
from tinya2i.data.negatives import ceiling
from tinya2i.errors import CheckpointError, RunError
from tinya2i.files import plain
from tinya2i.layer import Layer, Param
from tinya2i.models import Correspondence, Retrieval
from tinya2i.models.labelled import Labelled
from tinya2i.streams import stream
from tinya2i.tasks import belonging, saved, search
from tinya2i.tasks.correspondence import OBJECTIVES, report
from tinya2i.tasks.evaluation import headline

MODELS = (Correspondence, Retrieval, Labelled)


def tower_task(mix, objective="correspondence", **options):  # noqa: F811
    options = {"lr": 1e-3, "batch_size": 16, "seed": 0, "xp": np, **options}
    kind, model = OBJECTIVES[objective]
    return kind(model(stream(0, "init")), mix, **options)


def play(task, steps, epoch=0):
    task.begin_epoch(epoch)
    return [task.step(i) for i in steps]


# Pairs


def test_half_of_each_batch_is_right_and_the_pictures_are_the_epoch_s(mix):  # noqa: F811
    task, train = tower_task(mix), mix.train
    batches = [task.pairs(i) for i in range(task.begin_epoch(0))]
    assert [len(same) for _, _, same in batches] == [16, 16, 8]
    assert all(same.mean() == 0.5 for _, _, same in batches)
    T, X, same = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    np.testing.assert_array_equal(T * 255, train.images[task.order].astype(np.float32))
    own = train.clips[train.clip_of[task.order]]
    right = (own == X).all(axis=(1, 2, 3))
    assert right[same == 1].all()
    assert not right[same == 0].all()


@pytest.mark.parametrize("negatives", ["random", "class-aware"])
def test_wrong_pairs_share_a_digit_by_accident_or_never(mix, negatives):  # noqa: F811
    task, shared = tower_task(mix, negatives=negatives), []
    for epoch in range(20):
        task.begin_epoch(epoch)
        wrong = task.same == 0
        said = mix.train.clip_digits[task.heard[wrong]]
        shared += list(said == mix.train.digits[task.order[wrong]])
    assert (np.mean(shared) > 0.02) == (negatives == "random")
    assert np.mean(shared) < 0.2


def test_strangers_are_drawn_anew_each_epoch_and_a_resumed_epoch_draws_the_same(mix):  # noqa: F811
    task, again, other = tower_task(mix), tower_task(mix), tower_task(mix, seed=1)
    drawn = {}
    for epoch in range(2):
        task.begin_epoch(epoch)
        other.begin_epoch(epoch)
        drawn[epoch] = dict(zip(task.order, task.heard, strict=True))
        assert drawn[epoch] != dict(zip(other.order, other.heard, strict=True))
    again.begin_epoch(1)
    assert drawn[1] == dict(zip(again.order, again.heard, strict=True)) != drawn[0]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_labels_are_looked_at_by_nobody_but_who_says_so(mix, objective):  # noqa: F811
    other = dataclasses.replace(mix.train, digits=mix.train.digits[::-1] * 0 + 3)
    blind = Mix(other, mix.test, mix.mean, mix.std, mix.features, mix.info)
    states = []
    for side in (mix, blind):
        task = tower_task(side, objective)
        play(task, range(2))
        states.append(task.model.state())
    equal = all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert equal == (objective != "labels")


def test_class_aware_strangers_do_look_at_them(mix):  # noqa: F811
    other = dataclasses.replace(mix.train, digits=np.roll(mix.train.digits, 1) // 2)
    blind = Mix(other, mix.test, mix.mean, mix.std, mix.features, mix.info)
    found = []
    for side in (mix, blind):
        task = tower_task(side, negatives="class-aware")
        task.begin_epoch(0)
        found.append(task.heard)
    assert (found[0] != found[1]).any()


# Learning


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_both_towers_learn_and_a_saved_task_goes_on_in_every_bit(mix, objective):  # noqa: F811
    whole, first, second = (tower_task(mix, objective) for _ in range(3))
    before = whole.model.state()
    losses = play(whole, range(3))[-1]
    assert np.isfinite([float(value) for value in losses.values()]).all()
    assert "loss" in losses
    moved = {
        name.split(".")[0]
        for name, array in whole.model.state().items()
        if not np.array_equal(array, before[name])
    }
    assert moved >= {"eye", "ear"}
    play(first, range(2))
    second.load_arrays({name: array.copy() for name, array in first.arrays().items()})
    play(second, [2])
    ours, theirs = second.arrays(), whole.arrays()
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    play(first, [2], epoch=1)  # other pairs, other weights: the comparison can fail
    assert not all(np.array_equal(first.arrays()[name], theirs[name]) for name in theirs)


def test_a_labelled_pair_of_towers_starts_as_the_correspondence_does(mix):  # noqa: F811
    ruler, model = Labelled(stream(0, "init")), Correspondence(stream(0, "init"))
    for name, array in model.state().items():
        if not name.startswith("head"):
            np.testing.assert_array_equal(ruler.state()[name], array)
    task = tower_task(mix, "labels", decay=1, lr=0.3)
    counts = [sum(p.data.size for p in adam.params) for adam in task.optimisers.values()]
    assert sum(counts) == task.model.count()
    task.begin_epoch(0)
    losses = task.step(1)
    assert losses["loss"] == pytest.approx(losses["loss_eye"] + losses["loss_ear"])
    assert [adam.lr for adam in task.optimisers.values()] == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize(("images", "steps"), [(33, 2), (32, 2), (34, 3)])
def test_a_last_batch_of_one_is_left_out(mix, images, steps):  # noqa: F811
    small = Mix(pairs(images), mix.test, mix.mean, mix.std, mix.features, mix.info)
    assert tower_task(small).begin_epoch(0) == steps


def test_batches_of_one_are_refused(mix):  # noqa: F811
    one = Mix(pairs(1, 10), mix.test, mix.mean, mix.std, mix.features, mix.info)
    for given, options in ((mix, {"batch_size": 1}), (one, {})):
        with pytest.raises(RunError, match="a batch of 1 is too small"):
            tower_task(given, **options)


def test_who_still_guesses_is_told(mix):  # noqa: F811
    task = tower_task(mix)
    (warning,) = task.health({"test_correct": 0.51})
    assert "51.0%" in warning
    assert "--epochs" in warning
    assert task.health({"test_correct": 0.6}) == task.health({}) == []


def test_an_evaluation_between_epochs(mix, tmp_path):  # noqa: F811
    pytest.importorskip("matplotlib")
    for objective in OBJECTIVES:
        task = tower_task(mix, objective)
        row = task.evaluate()
        assert row == task.evaluate()
        assert ("test_correct" in row) == (objective != "contrastive")
        assert all(0 <= rate <= 1 for rate in row.values())
        task.draw(tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


# What is measured


@pytest.mark.parametrize("ear", ["tower", "vae"])
@pytest.mark.parametrize("kind", [Correspondence, Retrieval])
def test_a_verdict_on_features_is_that_on_pictures_and_sounds(mix, kind, ear):  # noqa: F811
    model, test = kind(stream(1, "init"), ear=ear), mix.test
    F, G = belonging.seen(model, test.images), belonging.heard(model, test.clips)
    pictures, clips = np.arange(20), np.arange(20)[::-1] % 10
    T = test.images[pictures].astype(np.float32) / 255
    Z, _ = model.forward(T, test.clips[clips], train=False)
    found = belonging.verdicts(model, F[pictures], G[clips])
    np.testing.assert_allclose(found, Z[:, 1] - Z[:, 0], rtol=1e-4, atol=1e-5)


def test_the_verdict_of_labels_is_how_probable_it_is_that_both_are_one_digit(mix):  # noqa: F811
    model, test = Labelled(stream(1, "init")), mix.test
    T = test.images[:10].astype(np.float32) / 255
    P, Q = (
        np.exp(Z - Z.max(axis=1, keepdims=True))
        for Z in (model.reader(T), model.listener(test.clips))
    )
    P, Q = P / P.sum(axis=1, keepdims=True), Q / Q.sum(axis=1, keepdims=True)
    F, G = belonging.seen(model, test.images[:10]), belonging.heard(model, test.clips)
    expected = [p @ q - 0.5 for p, q in zip(P, Q, strict=True)]
    np.testing.assert_allclose(belonging.verdicts(model, F, G), expected, atol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_the_best_pictures_are_those_with_the_highest_verdicts(mix, kind):  # noqa: F811
    model, test = kind(stream(1, "init")), mix.test
    F, G = belonging.seen(model, test.images), belonging.heard(model, test.clips)
    found = belonging.best_pictures(model, F, G, 5)
    assert found.shape == (10, 5)
    for row, g in zip(found, G, strict=True):
        scores = belonging.verdicts(model, F, np.repeat(g[None], 20, axis=0))
        np.testing.assert_allclose(scores[row], np.sort(scores)[::-1][:5], atol=1e-5)


class Knows(Layer):
    """An eye, an ear and a head that know the digits, which stand in a corner of what they get."""

    def __init__(self):
        self.any = Param(np.zeros(1, np.float32))

    def eye(self, T):
        return np.eye(10, dtype=np.float32)[np.rint(T[:, 0, 0, 0] * 255).astype(int)]

    def ear(self, X):
        return np.eye(10, dtype=np.float32)[np.rint(X[:, 0, 0, 0]).astype(int)]

    def head(self, H):
        s = (H[:, :10] * H[:, 10:]).sum(axis=1) - 0.5
        return np.stack([-s, s], axis=1)


def marked(images, clips, seed=0):
    """Pairs with the digits in the corners, 0 to 9 in pixels of 0..255 and in the clips."""
    side = pairs(images, clips, seed)
    side.images[:, 0, 0, 0] = side.digits
    side.clips[:, 0, 0, 0] = side.clip_digits
    return side


def test_who_knows_the_digits_is_right_as_often_as_the_oracle():
    test = marked(400, 30)
    F, G = belonging.seen(Knows(), test.images), belonging.heard(Knows(), test.clips)
    found = belonging.accuracy(Knows(), test, F, G, seed=0)
    assert found["rate"] == found["oracle"] < 1
    assert found["rate"] == pytest.approx(ceiling(test.digits), abs=0.03)
    assert (found["count"], found["clips"]) == (800, 30)
    assert tuple(found["interval"]) == pytest.approx(metrics.wilson(found["rate"] * 30, 30))
    aware = belonging.accuracy(Knows(), test, F, G, seed=0, aware=True)
    assert aware["rate"] == aware["oracle"] == 1
    assert belonging.accuracy(Knows(), test, F[::-1], G, seed=0)["rate"] < 0.7
    again = belonging.balanced(test, seed=0)
    for one, other in zip(again, belonging.balanced(test, seed=0), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (belonging.balanced(test, seed=1)[1] != again[1]).any()


def test_what_is_assessed_and_said():
    sides = marked(200, 40), marked(100, 20, 1)
    mix = Mix(*sides, None, None, None, {})  # noqa: F811
    result = belonging.assess(Knows(), Labelled(stream(0, "init")), mix, seed=0)
    for name in ("probe_eye", "probe_ear", "recall_1", "accuracy_class_aware"):
        assert result[name]["rate"] == 1
    assert result["ndcg_30"] == pytest.approx(1)
    assert result["accuracy"]["rate"] == result["ceiling_measured"]
    assert result["ceiling"] == ceiling(sides[1].digits)
    assert {"probe_eye_untrained", "probe_ear_untrained"} <= result.keys()
    lines = headline(result)
    assert lines["recall_1_interval"] == result["recall_1"]["interval"]
    assert json.loads(json.dumps(plain(lines))) == plain(lines)
    text = report(result)
    assert f"{100 * result['ceiling']:6.2f} %  at the most" in text
    assert "before training" in text
    undecided = belonging.assess(Knows(), Knows(), mix, seed=0, decides=False)
    assert "accuracy" not in undecided
    assert "at the most" not in report(undecided)


# Search


def test_a_perfect_search_and_a_blind_one(rng):
    digits, said = np.arange(1000) % 10, np.arange(200) % 10
    perfect = search.directions(np.eye(10)[digits], np.eye(10)[said], digits, said)
    assert list(perfect) == ["audio_to_image", "image_to_audio", "image_to_image", "audio_to_audio"]
    blind = search.directions(*(rng.standard_normal((n, 8)) for n in (1000, 200)), digits, said)
    for name, row in perfect.items():
        for measure in ("ndcg_30", "recall_1", "recall_5", "recall_10"):
            assert row[measure]["rate"] == pytest.approx(1)
            chance = row[measure]["chance"]
            assert blind[name][measure]["chance"] == chance
            assert blind[name][measure]["rate"] == pytest.approx(chance, abs=0.1)
    sizes = {name: (row["queries"], row["database"]) for name, row in perfect.items()}
    assert sizes == {
        "audio_to_image": (200, 1000), "image_to_audio": (1000, 200),
        "image_to_image": (1000, 999), "audio_to_audio": (200, 199),
    }  # fmt: skip
    found = perfect["audio_to_image"]["recall_1"]
    assert found["interval"] == list(metrics.wilson(200, 200))
    assert found["per_digit"]["3"]["count"] == 20
    text = search.report(blind)
    assert len(text.splitlines()) == 5
    assert "recall@10" in text


def test_recall_of_each_digit_is_of_its_own_queries():
    P, S = np.eye(2)[[0, 0, 1, 1]], np.array([[1.0, 0], [0, 1], [0, 1], [0.9, 0]])
    digits = said = np.array([0, 0, 1, 1])
    row = search.directions(P, S, digits, said)["audio_to_image"]
    rates = {digit: found["rate"] for digit, found in row["recall_1"]["per_digit"].items()}
    assert rates == {"0": 0.5, "1": 0.5}  # the second sound of 0 is near 1, the second of 1 near 0
    assert row["recall_5"]["rate"] == 1


def test_towers_of_different_width_have_no_way_across(rng):
    digits = np.arange(20) % 10
    found = search.directions(rng.random((20, 3)), rng.random((20, 4)), digits, digits)
    assert list(found) == ["image_to_image", "audio_to_audio"]


def test_a_query_with_nothing_to_find_is_left_out(rng):
    digits, said = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 7])
    found = search.directions(rng.random((5, 3)), rng.random((4, 3)), digits, said)
    assert {name: row["queries"] for name, row in found.items()} == {
        "audio_to_image": 3, "image_to_audio": 4, "image_to_image": 4, "audio_to_audio": 2,
    }  # fmt: skip


def test_unit_vectors():
    F = search.unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(F, [[0.6, 0.8], [0, 0]])


# Back from disk


@pytest.mark.parametrize("ear", ["tower", "vae"])
@pytest.mark.parametrize("kind", MODELS)
def test_towers_come_back_as_they_were(kind, ear, tmp_path):
    model, name = kind(stream(3, "init"), ear=ear), kind.__name__.lower()
    save(tmp_path, model, flags={"model": name, "ear": ear}, data={})
    loaded, config = saved.load_towers(tmp_path)
    assert type(loaded) is kind
    assert config["flags"]["ear"] == ear
    for key, array in model.state().items():
        np.testing.assert_array_equal(loaded.state()[key], array)
    if kind is Retrieval:
        saved.load_retrieval(tmp_path)
    else:
        with pytest.raises(CheckpointError, match=f"a run of '{name}', not of a retrieval"):
            saved.load_retrieval(tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"model": "vae"}, "a run of 'vae', not of an eye and an ear"),
        ({}, "a run of None"),
        ({"model": "retrieval"}, "names no model"),
        ({"model": "retrieval", "ear": "nose"}, "names no model"),
        ({"model": "correspondence", "ear": ["vae"]}, "names no model"),
        ({"model": "labelled", "ear": None}, "names no model"),
        ({"model": "retrieval", "ear": "tower"}, "no checkpoint"),
    ],
)
def test_what_is_no_run_of_towers(flags, message, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"flags": flags, "data": {}}))
    with pytest.raises(CheckpointError, match=message):
        saved.load_towers(tmp_path)
