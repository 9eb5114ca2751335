"""Right and wrong pairs: who is drawn how often, and the ceiling that accidents leave."""

import itertools

import numpy as np
import pytest

from tinya2i.data import negatives
from tinya2i.data.mix import pair
from tinya2i.errors import DataError
from tinya2i.streams import stream


def frequencies(draw, n, times=40_000):
    """How often each of 0..n-1 is drawn."""
    return np.bincount(draw(times), minlength=n) / times


def test_every_second_pair_is_right_and_keeps_its_own_clip(rng):
    chosen, clip_of = rng.permutation(100), rng.integers(30, size=100)
    clips, same = negatives.correspond(chosen, clip_of, rng)
    assert clips.dtype == same.dtype == np.int64
    assert same.tolist() == [1, 0] * 50
    np.testing.assert_array_equal(clips[::2], clip_of[chosen[::2]])
    for batch in range(0, 100, 10):
        assert same[batch : batch + 10].mean() == 0.5
    assert negatives.correspond(chosen[:7], clip_of, rng)[1].sum() == 4


def test_the_streams_decide(rng):
    chosen, clip_of = rng.permutation(50), np.arange(50)
    first, same, other = (
        negatives.correspond(chosen, clip_of, stream(0, "negatives", epoch))[0]
        for epoch in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert chosen.tolist() != sorted(chosen)  # and what was given is as it was
    np.testing.assert_array_equal(np.sort(chosen), np.arange(50))


def test_another_is_never_oneself_and_all_others_are_equally_frequent(rng):
    found = frequencies(lambda times: negatives.others(np.full(times, 3), 8, rng), 8)
    assert found[3] == 0
    np.testing.assert_allclose(np.delete(found, 3), 1 / 7, atol=0.01)


def test_a_stranger_shows_another_digit_and_all_strangers_are_equally_frequent(rng):
    digits = np.array([2, 0, 2, 5, 5, 2, 9])
    for index, own in itertools.product(range(7), [None]):
        own = digits == digits[index]
        found = frequencies(
            lambda times, i=index: negatives.strangers(np.full(times, i), digits, rng), 7
        )
        assert (found[own] == 0).all()
        np.testing.assert_allclose(found[~own], 1 / (~own).sum(), atol=0.015)


def test_clips_are_as_frequent_among_wrong_pairs_as_among_right_ones(rng):
    # A clip that is heard more often than others must not say by that that a pair is right.
    clip_of = np.array([0] * 60 + [1] * 30 + [2] * 10)
    chosen = np.tile(np.arange(100), 400)[rng.permutation(40_000)]
    clips, same = negatives.correspond(chosen, clip_of, rng)
    for which in (0, 1):
        np.testing.assert_allclose(
            np.bincount(clips[same == which]) / 20_000, [0.6, 0.3, 0.1], atol=0.015
        )


def test_no_other_and_no_stranger():
    one, rng = np.zeros(1, np.int64), stream(0, "x")
    with pytest.raises(DataError, match="one picture alone"):
        negatives.others(one, 1, rng)
    with pytest.raises(DataError, match="all pictures show one digit"):
        negatives.strangers(one, np.zeros(5, np.int64), rng)
    clips, same = negatives.correspond(one, np.array([7]), rng)  # nobody needs a stranger
    assert (clips.tolist(), same.tolist()) == ([7], [1])


# The ceiling


def test_the_accident_is_what_one_counts_over_all_pairs():
    digits = np.array([0, 0, 0, 1, 1, 7])
    ordered = list(itertools.permutations(range(6), 2))
    counted = np.mean([digits[i] == digits[j] for i, j in ordered])
    assert negatives.accident(digits) == pytest.approx(counted)
    assert negatives.ceiling(digits) == pytest.approx(1 - counted / 2)


def test_ten_equally_frequent_digits_leave_95_of_100():
    for n, ceiling in ((10, 1.0), (1000, 1 - 99 / 999 / 2), (60_000, 0.95)):
        assert negatives.ceiling(np.arange(n) % 10) == pytest.approx(ceiling, abs=1e-4)


@pytest.mark.parametrize("aware", [False, True])
def test_who_knows_the_digits_reaches_the_ceiling_and_no_more(rng, aware):
    counts = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)  # MNIST's test pictures
    digits, clip_digits = np.repeat(np.arange(10), counts), np.arange(200) % 10
    clip_of = pair(digits, clip_digits, rng)
    chosen = rng.permutation(np.tile(np.arange(10_000), 2))
    clips, same = negatives.correspond(chosen, clip_of, rng, digits if aware else None)
    answers = clip_digits[clips] == digits[chosen]
    expected = 1.0 if aware else negatives.ceiling(digits)
    assert (answers == same).mean() == pytest.approx(expected, abs=0 if aware else 0.004)
    assert answers[same == 1].all()
