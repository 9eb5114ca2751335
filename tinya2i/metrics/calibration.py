"""Whether a classifier is as often right as it says it is: how far the judge can be trusted."""

import numpy as np


def ece(Z: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """sum_b n_b/n * |accuracy of bin b - mean confidence in bin b|

    The expected calibration error, 0 to 1. Z (n, c) logits, labels (n,) integers in 0..c-1.
    Confidence is the largest probability of softmax(Z); bin b = 1..bins holds those in
    ((b-1)/bins, b/bins]. Raises ValueError for other shapes and labels, logits that are not
    finite, n = 0 and bins < 1. Source: Guo et al. 2017, eq. 3.
    """
    if bins < 1:
        raise ValueError(f"{bins} bins: at least one is needed")
    log_p, labels = _log_probabilities(Z, labels)
    confidence = np.minimum(np.exp(log_p.max(axis=1)), 1.0)
    right = log_p.argmax(axis=1) == labels
    of = np.ceil(confidence * bins).astype(np.int64) - 1
    gaps = np.bincount(of, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def nll(Z: np.ndarray, labels: np.ndarray) -> float:
    """-1/n * sum_i log softmax(z_i)[label_i]

    The negative log likelihood in nats. Z (n, c) logits, labels (n,) integers in 0..c-1. Raises
    ValueError, see `ece`. Source: Guo et al. 2017, eq. 6.
    """
    log_p, labels = _log_probabilities(Z, labels)
    return float(-log_p[np.arange(len(labels)), labels].mean())


def _log_probabilities(Z: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(log softmax(Z) in float64, labels), checked."""
    Z, labels = np.asarray(Z), np.asarray(labels)
    if Z.ndim != 2 or Z.dtype.kind not in "iuf" or 0 in Z.shape or labels.shape != Z.shape[:1]:
        raise ValueError(f"logits {Z.shape} and labels {labels.shape} are not (n, c) and (n,)")
    if not np.isfinite(Z).all():
        raise ValueError("a logit is not finite")
    if labels.dtype.kind not in "iu" or np.any((labels < 0) | (labels >= Z.shape[1])):
        raise ValueError(f"labels must be integers from 0 to {Z.shape[1] - 1}")
    Z = Z.astype(np.float64)
    Z = Z - Z.max(axis=1, keepdims=True)
    return Z - np.log(np.exp(Z).sum(axis=1, keepdims=True)), labels
