"""The linear probe: its gradient, its optimum, and that it sees what a plane can part."""

import numpy as np
import pytest

from tinya2i import metrics
from tinya2i.metrics.probe import L2, logistic_regression, penalised_loss

pytest.importorskip("scipy.optimize")


def clusters(rng, n, d=20, apart=2.0, noise=1.0):
    """n points around ten centres, and which."""
    digits = np.arange(n) % 10
    centres = apart * np.random.default_rng(1).standard_normal((10, d))
    return centres[digits] + noise * rng.standard_normal((n, d)), digits


def test_the_gradient_against_differences(rng):
    S, Y = rng.standard_normal((15, 4)), np.eye(3)[rng.integers(3, size=15)]
    theta = rng.standard_normal(5 * 3)
    for l2 in (0.0, 0.3):
        _, gradient = penalised_loss(theta, S, Y, l2)
        for i, step in enumerate(1e-6 * np.eye(15)):
            high, low = (penalised_loss(theta + s * step, S, Y, l2)[0] for s in (1, -1))
            assert gradient[i] == pytest.approx((high - low) / 2e-6, abs=1e-8)


def test_the_loss_of_large_logits_is_finite():
    value, gradient = penalised_loss(np.array([1e4, -1e4, 0.0, 0.0]), np.eye(1), np.eye(2)[:1], 0.0)
    assert value == 0
    assert np.isfinite(gradient).all()


def test_it_ends_where_the_gradient_vanishes_and_nothing_is_lower(rng):
    F, digits = clusters(rng, 200, apart=0.4)
    W, b = logistic_regression(F, digits)
    mean, std = F.mean(axis=0), F.std(axis=0)
    S, Y = (F - mean) / std, np.eye(10)[digits]
    theta = np.concatenate([W * std[:, None], (b + mean @ W)[None]]).ravel()
    value, gradient = penalised_loss(theta, S, Y, L2)
    assert np.abs(gradient).max() < 1e-4
    for _ in range(5):
        assert penalised_loss(theta + 0.05 * rng.standard_normal(theta.shape), S, Y, L2)[0] > value


def test_against_scikit_learn(rng):
    linear = pytest.importorskip("sklearn.linear_model")
    F, digits = clusters(rng, 300, apart=0.5)
    S = (F - F.mean(axis=0)) / F.std(axis=0)
    theirs = linear.LogisticRegression(C=1 / (L2 * len(S)), tol=1e-8, max_iter=2000)
    Z = theirs.fit(S, digits).decision_function(S)
    W, b = logistic_regression(F, digits)
    found = F @ W + b
    centred = [logits - logits.mean(axis=1, keepdims=True) for logits in (Z, found)]
    np.testing.assert_allclose(*centred, atol=0.02)


def test_it_reads_what_a_plane_can_part_and_not_what_is_not_there(rng):
    F, digits = clusters(rng, 500)
    test_F, test_digits = clusters(rng, 300)
    result = metrics.linear_probe(F, digits, test_F, test_digits)
    assert result["rate"] > 0.98
    assert (result["count"], len(result["per_digit"])) == (300, 10)
    assert result["interval"] == list(metrics.wilson(result["correct"], 300))
    noise = metrics.linear_probe(F, rng.permutation(digits), test_F, test_digits)
    assert noise["rate"] < 0.25


def test_scale_offset_and_dead_features_do_not_matter(rng):
    F, digits = clusters(rng, 300, apart=0.5)
    test_F, test_digits = clusters(rng, 300, apart=0.5)
    plain = metrics.linear_probe(F, digits, test_F, test_digits)

    def changed(X):
        dead = np.repeat([[0.0, 7.1]], len(X), axis=0)
        return np.concatenate([1e3 * X[:, :5] - 77, X[:, 5:] / 1e3, dead], axis=1)

    again = metrics.linear_probe(changed(F), digits, changed(test_F), test_digits)
    assert abs(again["correct"] - plain["correct"]) <= 2
    W, _ = logistic_regression(changed(F), digits)
    assert (W[-2:] == 0).all()


@pytest.mark.parametrize(
    ("F", "labels"),
    [
        (np.ones((3, 2)), [0, 1]),
        (np.ones((3, 2)), [0, 1, 10]),
        (np.ones((3, 2)), [0, 1, -1]),
        (np.ones((3, 2)), [0.0, 1.0, 2.0]),
        (np.full((3, 2), np.nan), [0, 1, 2]),
    ],
)
def test_what_is_no_training_set(F, labels):
    with pytest.raises(ValueError, match=r"fit|labels must|finite"):
        logistic_regression(F, np.array(labels))
