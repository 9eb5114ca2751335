"""What frozen features say of the digits: the accuracy of a linear classifier on them."""

from typing import Any

import numpy as np

from tinya2i.metrics.agreement import agreement
from tinya2i.metrics.distances import points

L2 = 1e-3  # fixed: a weight that was chosen on the test side would flatter


def linear_probe(
    F: np.ndarray, digits: np.ndarray, test_F: np.ndarray, test_digits: np.ndarray
) -> dict[str, Any]:
    """A table of `agreement` of a logistic regression that learned from F, on test_F

    Features F (n, d), test_F (m, d), digits (n,) and (m,) in 0..9. Whoever made the features does
    not learn: what is measured is how well a plane can part the digits in them.
    Raises ValueError, see `logistic_regression` and `agreement`.
    Source: Alain and Bengio 2016; Arandjelovic and Zisserman 2017, section 3.
    """
    W, b = logistic_regression(F, digits)
    return agreement(np.asarray(test_digits), (points(test_F) @ W + b).argmax(axis=1))


def logistic_regression(
    F: np.ndarray, labels: np.ndarray, classes: int = 10, l2: float = L2, steps: int = 500
) -> tuple[np.ndarray, np.ndarray]:
    """W, b = argmin -1/n sum_i log softmax(s_i W' + b')[label_i] + l2 / 2 |W'|^2

    Multinomial logistic regression by L-BFGS on features F (n, d), each standardised,
    s = (f - mean) / std; one that never changes is left out. labels (n,) integers in
    0..classes-1. W (d, classes), b (classes,) are for F as it came: W = W' / std, b = b' - mean W.
    Raises ValueError for other shapes, labels and numbers.
    """
    from scipy.optimize import minimize

    F, labels = points(F), np.asarray(labels)
    if labels.shape != F.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"features {F.shape} and labels {labels.dtype}{labels.shape} do not fit")
    if ((labels < 0) | (labels >= classes)).any():
        raise ValueError(f"labels must be integers from 0 to {classes - 1}")
    mean, std = F.mean(axis=0), F.std(axis=0)
    std = np.where(std > 1e-9 * np.abs(mean), std, np.inf)
    S, Y = (F - mean) / std, np.eye(classes)[labels]
    start = np.zeros((S.shape[1] + 1) * classes)
    options = {"maxiter": steps, "maxfun": 2 * steps}
    found = minimize(
        penalised_loss, start, args=(S, Y, l2), jac=True, method="L-BFGS-B", options=options
    )
    W, b = np.split(found.x.reshape(-1, classes), [-1])
    W = W / std[:, None]
    return W, b[0] - mean @ W


def penalised_loss(
    theta: np.ndarray, S: np.ndarray, Y: np.ndarray, l2: float
) -> tuple[float, np.ndarray]:
    """L = -1/n sum Y log P + l2 / 2 |W|^2,  P = softmax(S W + b)

    dW = S^T (P - Y) / n + l2 W;  db = sum (P - Y) / n

    theta: W (d, c) with b (1, c) below it, as one row of numbers; S (n, d), Y (n, c) one-hot.
    Returns L and its gradient with respect to theta.
    """
    W, b = np.split(theta.reshape(-1, Y.shape[1]), [-1])
    Z = S @ W + b
    Z -= Z.max(axis=1, keepdims=True)
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    dZ = (np.exp(log_p) - Y) / len(S)
    value = -(Y * log_p).sum() / len(S) + l2 / 2 * (W * W).sum()
    gradient = np.concatenate([S.T @ dZ + l2 * W, dZ.sum(axis=0, keepdims=True)])
    return float(value), gradient.ravel()
