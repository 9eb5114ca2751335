"""Recall and nDCG by hand and by loops; what chance finds, over all orders."""

import itertools

import numpy as np
import pytest

from tinya2i import metrics
from tinya2i.metrics import distances
from tinya2i.metrics.retrieval import smallest


def test_the_nearest_are_those_of_a_sort(monkeypatch, rng):
    monkeypatch.setattr(distances, "BLOCK", 64)  # many blocks for a few points
    Q, X = rng.standard_normal((40, 2)), rng.standard_normal((25, 2))
    D = np.array([[np.square(q - x).sum() for x in X] for q in Q])
    for k in (1, 7, 25):
        np.testing.assert_array_equal(metrics.nearest_k(Q, X, k), D.argsort(axis=1)[:, :k])


def test_within_one_set_nothing_finds_itself(monkeypatch, rng):
    monkeypatch.setattr(distances, "BLOCK", 64)
    X = rng.standard_normal((30, 3))
    X[17] = X[4]  # its twin it may find
    found = metrics.nearest_k(X, X, 29, own=True)
    assert all(set(row) == set(range(30)) - {i} for i, row in enumerate(found))
    assert (found[17, 0], found[4, 0]) == (4, 17)
    assert metrics.nearest_k(X, X, 30)[17, 0] == 4  # of two at distance 0 the first


def test_smallest_is_a_partial_stable_sort(rng):
    D = rng.integers(6, size=(200, 30)).astype(float)
    D[0] = 1
    D[1, 5] = np.inf
    for k in (1, 3, 30):
        np.testing.assert_array_equal(smallest(D, k), D.argsort(axis=1, kind="stable")[:, :k])


@pytest.mark.parametrize(("k", "own"), [(0, False), (6, False), (5, True)])
def test_there_are_not_so_many_to_find(k, own):
    with pytest.raises(ValueError, match="nearest of"):
        metrics.nearest_k(np.eye(5), np.eye(5), k, own)


# Recall, nDCG


def test_recall_by_hand():
    R = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0]], bool)
    assert [metrics.recall_at(R, k).tolist() for k in (1, 2, 3)] == [
        [True, False, False], [True, False, False], [True, True, False],
    ]  # fmt: skip


def test_ndcg_by_hand():
    R = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]])
    log3 = np.log2(3)
    full = 1 + 1 / log3 + 1 / 2
    found = metrics.ndcg_at(R, np.array([2, 9, 2, 1]), 3)
    expected = [1.5 / (1 + 1 / log3), (1 / log3 + 1 / 2) / full, 1, 0]
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(metrics.ndcg_at(R, np.array([2, 9, 2, 1]), 1), [1, 0, 1, 0])


def test_ndcg_against_scikit_learn(rng):
    ranking = pytest.importorskip("sklearn.metrics")
    D, relevant = rng.random((20, 50)), rng.random((20, 50)) < 0.2
    relevant[:, 0] = True
    R = np.take_along_axis(relevant, D.argsort(axis=1), axis=1)
    for k in (1, 5, 30, 50):
        found = metrics.ndcg_at(R, relevant.sum(axis=1), k).mean()
        assert found == pytest.approx(ranking.ndcg_score(relevant, -D, k=k))


def test_ndcg_falls_with_every_step_down_and_ignores_what_comes_after_k(rng):
    one = np.eye(10)
    found = metrics.ndcg_at(one, np.full(10, 3), 10)
    assert (np.diff(found) < 0).all()
    long = np.concatenate([one, rng.random((10, 5)) < 0.5], axis=1)
    np.testing.assert_array_equal(metrics.ndcg_at(long, np.full(10, 3), 10), found)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda R, t: metrics.recall_at(R, 0),
        lambda R, t: metrics.recall_at(R, 4),
        lambda R, t: metrics.recall_at(R[0], 1),
        lambda R, t: metrics.ndcg_at(R, t, 4),
        lambda R, t: metrics.ndcg_at(R, 0 * t, 3),
        lambda R, t: metrics.ndcg_chance(0 * t, 9, 3),
        lambda R, t: metrics.recall_chance(t, 9, 10),
        lambda R, t: metrics.recall_chance(t, 9, 0),
    ],
)
def test_what_cannot_be_counted(wrong):
    with pytest.raises(ValueError, match=r"first|nearest|nothing relevant"):
        wrong(np.ones((2, 3)), np.array([1, 2]))


# Chance


@pytest.mark.parametrize("t", [1, 2, 4])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_chance_is_the_mean_over_all_orders(t, k):
    m, relevant = 5, np.array([t])
    orders = np.array(list(itertools.permutations(range(m))))
    R, of_each = orders < t, np.full(len(orders), t)
    recall = metrics.recall_at(R, k).mean()
    assert metrics.recall_chance(relevant, m, k) == pytest.approx(recall)
    gain = metrics.ndcg_at(R, of_each, k).mean()
    assert metrics.ndcg_chance(relevant, m, k) == pytest.approx(gain)


def test_chance_in_the_talk_s_numbers():
    # A tenth of all is relevant: one draw finds it with 1/10, ten draws with 1 - 0.9^10.
    tenth = np.array([1000])
    assert metrics.recall_chance(tenth, 10_000, 1) == pytest.approx(0.1)
    assert metrics.recall_chance(tenth, 10_000, 10) == pytest.approx(1 - 0.9**10, abs=1e-3)
    assert metrics.ndcg_chance(tenth, 10_000, 30) == pytest.approx(0.1)
    assert metrics.ndcg_chance(np.array([3]), 30, 30) > 0.1  # where few are to be found
    assert metrics.recall_chance(np.array([8]), 10, 3) == pytest.approx(1)


def test_embeddings_that_say_nothing_find_as_much_as_chance(rng):
    digits, found = np.arange(2000) % 10, rng.standard_normal((2000, 64))
    R = digits[metrics.nearest_k(found, found, 30, own=True)] == digits[:, None]
    relevant = np.full(2000, 199)
    for k in (1, 5, 10):
        chance = metrics.recall_chance(relevant, 1999, k).mean()
        assert metrics.recall_at(R, k).mean() == pytest.approx(chance, abs=0.04)
    chance = metrics.ndcg_chance(relevant, 1999, 30).mean()
    assert metrics.ndcg_at(R, relevant, 30).mean() == pytest.approx(chance, abs=0.01)


def test_ranks_by_hand_and_of_what_is_all_equal():
    D = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [5.0, 5.0, 1.0], [2.0, 2.0, 2.0]])
    assert metrics.rank_of(D, np.array([1, 0, 0, 2])).tolist() == [1, 3, 2.5, 2]
