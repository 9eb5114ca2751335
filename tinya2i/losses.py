"""Losses: each returns its value and the gradient of that value.

One convention for all: sum over pixels or latent units, mean over the batch. Values are 0-d arrays
(reading one as a Python number would make a GPU wait). Losses of probabilities take logits.
"""

from tinya2i import ops
from tinya2i.backend import Array, array_module


def mse(Y: Array, T: Array) -> tuple[Array, Array]:
    """L = 1/n sum (Y - T)^2;  dY = 2 (Y - T) / n        Y, T (n, ...)

    Summed over all axes but the first: PyTorch's MSELoss(reduction="sum") divided by n.
    """
    ops.same_shape(Y, T)
    D = Y - T
    return (D * D).sum() / len(Y), D * (2 / len(Y))


def bce_with_logits(Z: Array, T: Array) -> tuple[Array, Array]:
    """L = 1/n sum softplus(Z) - T Z;  dZ = (sigmoid(Z) - T) / n        Z, T (n, ...), T in [0, 1]

    The same as -T log(Y) - (1 - T) log(1 - Y) with Y = sigmoid(Z), without its overflow.
    """
    ops.same_shape(Z, T)
    return (ops.softplus(Z) - T * Z).sum() / len(Z), (ops.sigmoid(Z) - T) * (1 / len(Z))


def cross_entropy(Z: Array, labels: Array) -> tuple[Array, Array]:
    """L = -1/n sum log softmax(Z)[label];  dZ = (softmax(Z) - onehot) / n        Z (n, k)

    labels (n,) integers in 0..k-1; others are not checked, because that would make a GPU wait.
    """
    xp = array_module(Z)
    n, k = Z.shape
    log_p = ops.log_softmax(Z)
    onehot = (xp.arange(k) == labels[:, None]).astype(Z.dtype)
    return -(log_p * onehot).sum() / n, (xp.exp(log_p) - onehot) * (1 / n)


def gaussian_kl(mu: Array, logvar: Array) -> tuple[Array, Array, Array]:
    """L = 1/n sum (mu^2 + exp(logvar) - 1 - logvar) / 2

    with dmu = mu / n and dlogvar = (exp(logvar) - 1) / 2n.

    KL(N(mu, exp(logvar)) || N(0, 1)) in nats (Kingma and Welling 2014, appendix B). mu, logvar
    (n, d). Returns L, dmu, dlogvar.
    """
    ops.same_shape(mu, logvar)
    n = len(mu)
    # expm1(x) - x is exp(x) - 1 - x without cancellation near x = 0, where a collapsed run sits.
    E = array_module(mu).expm1(logvar)
    return (mu * mu + (E - logvar)).sum() / (2 * n), mu * (1 / n), E * (1 / (2 * n))


def info_nce(S: Array) -> tuple[Array, Array]:
    """L = 1/2 (cross-entropy of S's rows + that of its columns);  dS        S (n, n) logits

    -1/2n sum of log softmax(S[i, :])[i] + log softmax(S[:, i])[i]: S[i, j] says how well i of one
    kind goes with j of the other, and each i has to find the other i among all n, both ways. Blind
    guessing costs log n. dS = (softmax of rows + softmax of columns - 2 identity) / 2n.
    Source: van den Oord et al. 2018, eq. 4; symmetric as in Radford et al. 2021, figure 3.
    """
    if S.ndim != 2 or len(S) != S.shape[1]:
        raise ValueError(f"info_nce wants as many of one kind as of the other, not {S.shape}")
    own = array_module(S).arange(len(S))
    of_rows, dS = cross_entropy(S, own)
    of_columns, dS_T = cross_entropy(S.T, own)
    return (of_rows + of_columns) / 2, (dS + dS_T.T) / 2
