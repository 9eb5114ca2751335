"""Diversity, distances between distributions, calibration: closed cases, loops, invariances."""

import tracemalloc

import numpy as np
import pytest

from tinya2i import metrics
from tinya2i.metrics import distances


def gaussian(rng, n, mean, cov):
    """n points whose sample mean and covariance (n - 1) are exactly these."""
    X = rng.standard_normal((n, len(mean)))
    X -= X.mean(axis=0)
    X = X @ np.linalg.inv(np.linalg.cholesky(np.cov(X.T).reshape(len(mean), -1))).T
    return X @ np.linalg.cholesky(np.array(cov)).T + mean


def turned(rng, d):
    """A random rotation of d dimensions."""
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


@pytest.fixture
def small_blocks(monkeypatch):
    """Many blocks for a few points."""
    monkeypatch.setattr(distances, "BLOCK", 64)


# Distances


def test_squared_distances_are_those_of_a_loop(rng):
    X, T = rng.standard_normal((7, 2, 3)), rng.standard_normal((5, 2, 3))
    expected = [[np.square(x - t).sum() for t in T] for x in X]
    np.testing.assert_allclose(metrics.squared_distances(X, T), expected, rtol=1e-12)


def test_distances_do_not_drown_in_a_common_offset(rng):
    X, T = rng.random((7, 4)), rng.random((5, 4))
    found = metrics.squared_distances(X + 1e6, T + 1e6)
    np.testing.assert_allclose(found, metrics.squared_distances(X, T), rtol=1e-7)


def test_equal_points_are_at_no_distance_wherever_they_are(rng):
    X = rng.random((50, 84)) * 10 + 1e4
    D = metrics.squared_distances(X, X)
    assert (np.diag(D) == 0).all()
    assert (D[~np.eye(50, dtype=bool)] > 1).all()
    assert (metrics.squared_distances(X[:1].repeat(9, axis=0), X[:1]) == 0).all()


def test_nearest_finds_the_first_of_the_nearest(small_blocks, rng):
    T = rng.integers(0, 256, (300, 28, 28, 1), np.uint8)
    T[250] = T[17]
    X = T[[250, 3, 299]].astype(np.float32)
    X[1, 0, 0] += 3
    index, found = metrics.nearest(X, T)
    assert index.tolist() == [17, 3, 299]
    np.testing.assert_allclose(found, [0, 3, 0])


def test_nearest_does_not_depend_on_the_blocks(monkeypatch, rng):
    X, T = rng.standard_normal((30, 4)), rng.standard_normal((200, 4))
    index, found = metrics.nearest(X, T)
    monkeypatch.setattr(distances, "BLOCK", 30)
    again = metrics.nearest(X, T)
    np.testing.assert_array_equal(again[0], index)
    np.testing.assert_allclose(again[1], found, rtol=1e-9)
    D = np.sqrt([[np.square(x - t).sum() for t in T] for x in X])
    np.testing.assert_allclose(found, D.min(axis=1), rtol=1e-9)


def test_blocks_cover_every_row_once_and_hold_no_more_than_they_may():
    parts = list(distances.blocks(10_000, 10_000))
    assert np.concatenate([np.arange(10_000)[part] for part in parts]).tolist() == [*range(10_000)]
    assert max(part.stop - part.start for part in parts) * 10_000 <= distances.BLOCK
    assert [part.stop for part in distances.blocks(3, 10**9)] == [1, 2, 3]


# Diversity


def test_the_diversity_of_two_points_is_their_distance():
    X = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert metrics.pairwise(X) == pytest.approx(5)
    assert metrics.pairwise(X, squared=True) == pytest.approx(25)
    assert metrics.deviation(X) == pytest.approx((1.5 + 2) / 2)
    assert metrics.diversity([X, X[::-1], 3 * X]) == pytest.approx(25 / 3)


def test_squared_distance_is_twice_the_sum_of_variances(rng):
    X = rng.standard_normal((20, 6)) * [1, 2, 3, 4, 5, 6]
    found = metrics.pairwise(X, squared=True)
    assert found == pytest.approx(2 * X.var(axis=0, ddof=1).sum())


@pytest.mark.parametrize("measure", [metrics.pairwise, metrics.deviation])
def test_diversity_of_equal_pictures_is_zero_and_scales_with_differences(measure, rng):
    X = rng.random((16, 28, 28, 1)).astype(np.float32)
    assert measure(X[:1].repeat(16, axis=0)) == 0
    found = measure(X)
    assert measure(X[::-1] + 7) == pytest.approx(found, rel=1e-5)
    assert measure(3 * X) == pytest.approx(3 * found)


def test_pairwise_does_not_depend_on_the_count_and_deviation_does(rng):
    def mean(measure, n):
        return np.mean([measure(rng.standard_normal((n, 20))) for _ in range(300)])

    for measure, bias in ((metrics.pairwise, False), (metrics.deviation, True)):
        few, many = mean(measure, 2), mean(measure, 32)
        assert (abs(few / many - 1) > 0.1) == bias


def test_the_share_of_the_real_diversity(rng):
    real = rng.standard_normal((40, 16, 50))
    result = metrics.share(0.3 * real, real)
    assert result["share"] == pytest.approx(0.3)
    assert result["interval"] == pytest.approx([0.3, 0.3])
    assert result["generated"] == pytest.approx(0.3 * result["real"])
    none = metrics.share(np.zeros_like(real), real, metrics.deviation)
    assert (none["share"], none["interval"]) == (0, [0, 0])
    assert metrics.share(real[:1], real[:1])["interval"] is None


def test_the_interval_of_a_share_holds_it_in_95_of_100(rng):
    hits = []
    for _ in range(300):
        sizes = rng.uniform(0.5, 1.5, (2, 40)) * [[0.4], [1.0]]
        groups = [[np.array([[0.0], [size]]) for size in side] for side in sizes]
        low, high = metrics.share(*groups)["interval"]
        hits.append(low <= 0.4 <= high)
    assert 0.91 <= np.mean(hits) <= 0.98


def test_a_share_needs_equal_counts_and_real_differences():
    X = [np.eye(3)]
    with pytest.raises(ValueError, match="same counts"):
        metrics.share([np.eye(2)], X)
    with pytest.raises(ValueError, match="same counts"):
        metrics.share(X * 2, X)
    with pytest.raises(ValueError, match="do not differ"):
        metrics.share(X, [np.ones((3, 3))])
    for nothing in (lambda: metrics.diversity([]), lambda: metrics.share([], [])):
        with pytest.raises(ValueError, match="no groups"):
            nothing()


# Vendi


def test_vendi_counts_what_is_different():
    for n in (1, 3, 8):
        assert metrics.vendi(np.eye(8)[:n]) == pytest.approx(n)
        assert metrics.vendi(1e3 * np.eye(8)[:n], "rbf", 1.0) == pytest.approx(n)
        assert metrics.vendi(np.ones((n, 8))) == pytest.approx(1)
        assert metrics.vendi(np.ones((n, 8)), "rbf", 1.0) == pytest.approx(1)
    assert metrics.vendi(np.eye(4).repeat(25, axis=0)) == pytest.approx(4)


def test_vendi_of_two_points_by_hand():
    # K / 2 has the eigenvalues (1 ± c) / 2.
    c = 0.6
    w = np.array([1 + c, 1 - c]) / 2
    expected = np.exp(-(w * np.log(w)).sum())
    assert metrics.vendi(np.array([[1.0, 0.0], [c, 0.8]])) == pytest.approx(expected)
    apart = np.sqrt(-2 * np.log(c)) * 5
    assert metrics.vendi(np.array([[0.0], [apart]]), "rbf", 5.0) == pytest.approx(expected)


def test_vendi_of_many_points_in_few_dimensions_is_that_of_the_large_matrix(rng):
    X = rng.random((60, 5))
    wide = np.concatenate([X, np.zeros((60, 100))], axis=1)  # the same angles, K of 60 x 60
    assert metrics.vendi(X) == pytest.approx(metrics.vendi(wide), rel=1e-9)
    assert metrics.vendi(X * rng.uniform(1, 9, (60, 1))) == pytest.approx(metrics.vendi(X))


@pytest.mark.parametrize(
    ("kernel", "scale", "says"),
    [("cosine", None, "origin"), ("rbf", None, "scale"), ("rbf", 0.0, "scale"), ("x", 1, "kernel")],
)
def test_vendi_refuses(kernel, scale, says):
    with pytest.raises(ValueError, match=says):
        metrics.vendi(np.array([[0.0, 0.0], [1.0, 0.0]]), kernel, scale)


# The Frechet distance


def test_frechet_of_known_gaussians(rng):
    # Commuting covariances: |a - b|^2 + sum (sqrt s - sqrt r)^2.
    A = gaussian(rng, 50, [0, 0, 0], np.diag([1, 4, 9]))
    B = gaussian(rng, 80, [1, 2, 3], np.diag([4, 1, 9]))
    assert metrics.frechet(A, B) == pytest.approx(14 + 1 + 1)
    turn = turned(rng, 3)
    assert metrics.frechet(A @ turn + 9, B @ turn + 9) == pytest.approx(16)
    assert metrics.frechet(B, A) == pytest.approx(16)


def test_frechet_of_covariances_that_do_not_commute(rng):
    linalg = pytest.importorskip("scipy.linalg")
    A, B = (rng.standard_normal((60, 5)) @ rng.standard_normal((5, 5)) for _ in range(2))
    S, R = np.cov(A.T), np.cov(B.T)
    expected = np.square(A.mean(axis=0) - B.mean(axis=0)).sum()
    expected += np.trace(S + R - 2 * linalg.sqrtm(S @ R).real)
    assert metrics.frechet(A, B) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_singular_covariances(rng):
    # Fewer points than dimensions, dead features, points that are all one.
    A = np.maximum(rng.standard_normal((40, 84)), 0) * 30
    A[:, :20] = 0
    assert metrics.frechet(A, A) < 1e-9
    assert metrics.frechet(A, A + 2) == pytest.approx(4 * 84)
    lines = np.zeros((2, 11, 84))
    lines[0, :, 3] = lines[1, :, 7] = np.arange(11)  # on lines at a right angle: SR = 0
    far = 2 * 25 + 2 * np.arange(11).var(ddof=1)
    assert metrics.frechet(*lines) == pytest.approx(far)
    one = np.ones((30, 84))
    assert metrics.frechet(one, 3 * one) == pytest.approx(4 * 84)


def test_frechet_notices_the_mean_and_the_spread(rng):
    A, B = rng.standard_normal((2, 500, 10))
    near = metrics.frechet(A, B)
    assert near < 0.3
    assert metrics.frechet(A, B + 1) > 8
    assert metrics.frechet(A, B / 2) > 2


# Precision, recall, density, coverage


def prdc_by_loops(real, fake, k):
    """Naeem et al. 2020, section 3, and Kynkaanniemi et al. 2019, eq. 1 and 2, word for word."""

    def radius(X, i):
        return sorted(np.linalg.norm(X[i] - X[j]) for j in range(len(X)) if j != i)[k - 1]

    def ball(X):
        radii = [radius(X, i) for i in range(len(X))]
        return lambda i, y: np.linalg.norm(X[i] - y) <= radii[i]

    in_real, in_fake = ball(real), ball(fake)
    n, m = range(len(real)), range(len(fake))
    return {
        "precision": np.mean([any(in_real(i, fake[j]) for i in n) for j in m]),
        "recall": np.mean([any(in_fake(j, real[i]) for j in m) for i in n]),
        "density": np.sum([in_real(i, fake[j]) for i in n for j in m]) / (k * len(fake)),
        "coverage": np.mean([any(in_real(i, fake[j]) for j in m) for i in n]),
    }


@pytest.mark.parametrize(("n", "m", "k", "shift"), [(40, 40, 5, 1), (30, 50, 3, 1), (50, 30, 1, 2)])
def test_prdc_against_loops(small_blocks, n, m, k, shift):
    rng = np.random.default_rng([n, k])
    real, fake = rng.standard_normal((n, 3)), 0.7 * rng.standard_normal((m, 3)) + shift / 2
    found = metrics.prdc(real, fake, k)
    assert found == pytest.approx(prdc_by_loops(real, fake, k), abs=1e-12)
    assert len(set(found.values())) == 4  # no two of the four are the same thing by another name


def test_prdc_of_one_distribution_has_the_expected_density_and_coverage(rng):
    results = [metrics.prdc(*rng.standard_normal((2, 300, 8))) for _ in range(10)]
    mean = {name: np.mean([result[name] for result in results]) for name in results[0]}
    assert mean["density"] == pytest.approx(1, abs=0.03)
    assert mean["coverage"] == pytest.approx(1 - 2**-5, abs=0.01)


def test_prdc_does_not_depend_on_place_turn_scale_order_or_blocks(monkeypatch, rng):
    real, fake = rng.standard_normal((2, 120, 6))
    expected = metrics.prdc(real, fake)
    turn = 7 * turned(rng, 6)
    moved = metrics.prdc((real @ turn + 100)[::-1], fake @ turn + 100)
    assert moved == pytest.approx(expected)
    monkeypatch.setattr(distances, "BLOCK", 500)
    assert metrics.prdc(real, fake) == pytest.approx(expected)


def test_prdc_never_holds_all_distances(monkeypatch, rng):
    monkeypatch.setattr(distances, "BLOCK", 1 << 16)
    real, fake = rng.standard_normal((2, 2000, 2))
    tracemalloc.start()
    metrics.prdc(real, fake)
    metrics.nearest(real, fake)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * 2000 * 8 / 4


def test_prdc_tells_collapse_from_invention(rng):
    real = rng.standard_normal((200, 4))
    collapsed = metrics.prdc(real, real[:1].repeat(200, axis=0))
    assert (collapsed["precision"], collapsed["recall"] < 0.02) == (1, True)
    assert collapsed["coverage"] < 0.1
    elsewhere = metrics.prdc(real, real + 50)
    assert set(elsewhere.values()) == {0}
    wide = metrics.prdc(real, 5 * rng.standard_normal((200, 4)))
    assert wide["recall"] > 0.9 > 0.3 > wide["precision"]
    one = np.ones((9, 4))
    assert metrics.prdc(one, one) == {"precision": 1, "recall": 1, "density": 9 / 5, "coverage": 1}


@pytest.mark.parametrize(("n", "m", "k"), [(5, 9, 5), (9, 5, 5), (9, 9, 0)])
def test_prdc_needs_more_points_than_neighbours(n, m, k):
    with pytest.raises(ValueError, match="at least"):
        metrics.prdc(np.eye(9)[:n], np.eye(9)[:m], k)


# Calibration


def logits(*rows):
    return np.log(np.array(rows))


def test_ece_of_an_example_by_hand():
    # Five bins. 0.75 and 0.65 in (0.6, 0.8]: one of two right; 0.9 and 0.95 in (0.8, 1]: both.
    Z = logits([0.75, 0.25], [0.35, 0.65], [0.9, 0.1], [0.05, 0.95])
    expected = 2 / 4 * abs(0.5 - 0.7) + 2 / 4 * abs(1 - 0.925)
    assert metrics.ece(Z, np.array([0, 0, 0, 1]), bins=5) == pytest.approx(expected)
    assert metrics.ece(Z, np.array([0, 0, 0, 1]), bins=1) == pytest.approx(abs(0.75 - 0.8125))
    expected = -np.log([0.75, 0.35, 0.9, 0.95]).mean()
    assert metrics.nll(Z, np.array([0, 0, 0, 1])) == pytest.approx(expected)


def test_a_bin_holds_its_upper_end():
    Z = logits([0.5, 0.5], [0.75, 0.25])  # (0.25, 0.5] and (0.5, 0.75] of four
    found = metrics.ece(Z, np.array([0, 1]), bins=4)
    assert found == pytest.approx((0.5 + 0.75) / 2)  # together it would be 0.125


def test_calibrated_confident_and_doubting_classifiers(rng):
    Z = 3 * rng.standard_normal((20_000, 10))
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    labels = (rng.random((len(P), 1)) > P.cumsum(axis=1)).sum(axis=1).clip(max=9)
    assert metrics.ece(Z, labels) < 0.02
    for factor in (3, 1 / 3):
        assert metrics.ece(factor * Z, labels) > 0.1
        assert metrics.nll(factor * Z, labels) > metrics.nll(Z, labels) + 0.1
    assert metrics.nll(Z + 500, labels) == pytest.approx(metrics.nll(Z, labels))


def test_calibration_does_not_overflow():
    Z = np.array([[1e4, 0.0], [0.0, 1e4]], np.float32)
    assert metrics.ece(Z, np.array([0, 0])) == pytest.approx(0.5)
    assert metrics.nll(Z, np.array([0, 0])) == pytest.approx(5e3)


@pytest.mark.parametrize("function", [metrics.ece, metrics.nll])
@pytest.mark.parametrize(
    ("Z", "labels", "says"),
    [
        (np.ones((2, 3)), np.array([0]), "not"),
        (np.ones(3), np.array([0, 1, 2]), "not"),
        (np.ones((0, 3)), np.zeros(0, int), "not"),
        (np.array([["a", "b"]]), np.array([0]), "not"),
        (np.array([[0.0, np.nan]]), np.array([0]), "finite"),
        (np.ones((1, 3)), np.array([3]), "labels"),
        (np.ones((1, 3)), np.array([-1]), "labels"),
        (np.ones((1, 3)), np.array([1.0]), "labels"),
    ],
)
def test_calibration_refuses(function, Z, labels, says):
    with pytest.raises(ValueError, match=says):
        function(Z, labels)


def test_ece_needs_a_bin():
    with pytest.raises(ValueError, match="bins"):
        metrics.ece(np.ones((1, 2)), np.array([0]), bins=0)


# What are no points


@pytest.mark.parametrize(
    "function",
    [
        metrics.pairwise,
        metrics.deviation,
        metrics.vendi,
        lambda X: metrics.frechet(X, np.eye(6)),
        lambda X: metrics.frechet(np.eye(6), X),
        lambda X: metrics.prdc(X, np.eye(6)),
        lambda X: metrics.prdc(np.eye(6), X),
        lambda X: metrics.nearest(X, np.eye(6)),
        lambda X: metrics.nearest(np.eye(6), X),
        lambda X: metrics.squared_distances(X, np.eye(6)),
    ],
)
@pytest.mark.parametrize(
    "X",
    [
        np.ones(6),
        np.ones((0, 6)),
        np.ones((6, 0)),
        np.full((6, 6), np.nan),
        np.diag([np.inf, 1, 1, 1, 1, 1]),
        np.eye(6) * 1j,
        np.array([["a"] * 6] * 6),
    ],
    ids=["flat", "none", "no size", "nan", "inf", "complex", "text"],
)
def test_what_are_no_points_is_refused(function, X):
    with pytest.raises(ValueError, match=r"point|coordinate"):
        function(X)


def test_points_of_other_dimensions_are_refused():
    for function in (metrics.frechet, metrics.prdc, metrics.nearest, metrics.squared_distances):
        with pytest.raises(ValueError, match="coordinates"):
            function(np.ones((7, 3)), np.ones((7, 4)))
