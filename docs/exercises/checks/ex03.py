"""Checkers of chapter 3."""

import math
import warnings

import numpy as np
from checking import Wrong, compare


def _pair(name, found) -> tuple:
    if not isinstance(found, tuple) or len(found) != 2:
        raise Wrong(f"{name}: return two things, the value and the gradient")
    return found


def _extreme(name, answer, Z, *rest) -> tuple:
    """answer for huge logits, where a warning is a mistake."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return _pair(name, answer(Z, *rest))
        except RuntimeWarning as error:
            hint = "what is exp of that? (np.where computes both of its branches)"
            raise Wrong(f"{name}: {error}, for logits of 10000; {hint}") from error


def check_bce(answer) -> None:
    rng = np.random.default_rng(1)
    Z, T = 2 * rng.standard_normal((5, 4, 3)), rng.random((5, 4, 3))
    L, dZ = _pair("bce", answer(Z.copy(), T.copy()))
    Y = 1 / (1 + np.exp(-Z))
    right = -(T * np.log(Y) + (1 - T) * np.log(1 - Y)).sum() / 5
    soft = np.exp(Z) / np.exp(Z).sum(axis=-1, keepdims=True)
    twice = 1 / (1 + np.exp(-Y))
    mistakes = {
        "a mean over the pixels; sum over them, mean over the batch only": right / 12,
        "a sum over the batch; take the mean over the first axis": right * 5,
        "the part of the blank pixels, (1 - T) log(1 - Y), is missing": -(T * np.log(Y)).sum() / 5,
        "the targets are turned round": -(T * np.log(1 - Y) + (1 - T) * np.log(Y)).sum() / 5,
        "that is the loss of a softmax; pixels do not compete": -(T * np.log(soft)).sum() / 5,
        "the sigmoid is applied twice; the formula from logits takes Z as it is": -(
            T * np.log(twice) + (1 - T) * np.log(1 - twice)
        ).sum()
        / 5,
    }
    compare("L", L, right, mistakes)
    mistakes = {
        "the value is a mean over the batch, so the gradient is, too": Y - T,
        "the gradient is a mean over the pixels, the value is not": (Y - T) / 60,
        "that is the gradient by Y; it goes on through the sigmoid": (Y - T) / (Y * (1 - Y)) / 5,
        "the sigmoid's slope has cancelled; it does not come again": (Y - T) * Y * (1 - Y) / 5,
        "the sigmoid is missing": (Z - T) / 5,
    }
    compare("dZ", dZ, (Y - T) / 5, mistakes)
    Z = np.array([[1e4, -1e4], [1e4, -1e4], [30, -30]], np.float32)
    T = np.array([[0, 1], [1, 0], [0, 0]], np.float32)
    L, dZ = _extreme("bce", answer, Z, T)
    if not np.isfinite(L):
        raise Wrong("bce: infinite for logits of 10000, where 20000 / 3 + 10 is right")
    if L < 1000:
        raise Wrong("bce: too small for logits of 10000: clipping the probabilities hides errors")
    compare("L of large logits", L, 20030 / 3, tol=1e-5)
    compare("dZ of large logits", dZ, np.array([[1, -1], [0, 0], [1, 0]]) / 3, tol=1e-5)


def check_cross_entropy(answer) -> None:
    rng = np.random.default_rng(2)
    Z, labels = 2 * rng.standard_normal((4, 6)), np.array([5, 0, 2, 2])
    L, dZ = _pair("cross_entropy", answer(Z.copy(), labels.copy()))
    E, hot = np.exp(Z), np.eye(6)[labels]
    P, across = E / E.sum(axis=1, keepdims=True), E / E.sum(axis=0)
    right = -np.log(P[hot == 1]).mean()
    mistakes = {
        "a sum over the batch; take the mean": right * 4,
        "a mean over the classes, too": right / 6,
        "the softmax runs over the batch; it belongs over the last axis": -np.log(
            across[hot == 1]
        ).mean(),
        "the logarithm is missing": -P[hot == 1].mean(),
        "the logits are not normalised; log_softmax is missing": -Z[hot == 1].mean(),
    }
    compare("L", L, right, mistakes)
    mistakes = {
        "the value is a mean over the batch, so the gradient is, too": P - hot,
        "the 1 at the label is missing": P / 4,
        "only the label's logit is moved; the others are in the sum": (P - 1) * hot / 4,
        "that is the gradient by the probabilities; it goes on through the softmax": -hot / P / 4,
    }
    compare("dZ", dZ, (P - hot) / 4, mistakes)
    Z = np.array([[1e4, 0, -1e4], [-1e4, 0, 1e4]], np.float32)
    L, dZ = _extreme("cross_entropy", answer, Z, np.array([1, 2]))
    if not np.isfinite(L):
        raise Wrong("cross_entropy: infinite for logits of 10000, where 5000 is right")
    if L < 1000:
        raise Wrong("cross_entropy: too small for logits of 10000: something is clipped")
    compare("L of large logits", L, 5000, tol=1e-5)
    compare("dZ of large logits", dZ, np.array([[1, -1, 0], [0, 0, 0]]) / 2, tol=1e-5)


def check_softmax_backward(answer) -> None:
    rng = np.random.default_rng(3)
    E, dY = np.exp(rng.standard_normal((4, 6))), rng.standard_normal((4, 6))
    Y = E / E.sum(axis=1, keepdims=True)
    right = Y * (dY - (dY * Y).sum(axis=1, keepdims=True))
    mistakes = {
        "as if every number had a sigmoid of its own; they share a sum": dY * Y * (1 - Y),
        "the other paths, through the sum, are missing": dY * Y,
        "the sum runs over the batch; it belongs over the last axis": Y
        * (dY - (dY * Y).sum(axis=0)),
        "the sum is of dY Y, not of dY": Y * (dY - dY.sum(axis=1, keepdims=True)),
        "the sum, not the mean": Y * (dY - (dY * Y).mean(axis=1, keepdims=True)),
        "Y in front of all is missing": dY - (dY * Y).sum(axis=1, keepdims=True),
    }
    compare("dX", answer(dY, Y), right, mistakes)


def check_at_chance(answer) -> None:
    found = _pair("at_chance", answer(7, 12))
    mistakes = {
        "in bits; our logarithm is the natural one": math.log2(7),
        "that is the probability of one class, not its loss": 1 / 7,
        "the sign": -math.log(7),
        "k classes share one loss; it is not added up over them": 7 * math.log(7),
    }
    compare("cross-entropy", found[0], math.log(7), mistakes)
    mistakes = {
        "in bits; our logarithm is the natural one": 12.0,
        "of one pixel; sum over them": math.log(2),
        "a pixel is ink or not, two cases": 12 * math.log(7),
        "each pixel once: its loss is log 2, whatever its target": 24 * math.log(2),
    }
    compare("BCE", found[1], 12 * math.log(2), mistakes)
