"""Solutions of chapter 14, and answers that the checkers must refuse, with what they must say."""

import numpy as np

from tinya2i import losses, ops
from tinya2i.models import vaegan


def marginal(P, K):
    q = P @ K
    return q, np.tile(q, (len(P), 1))


def shuffled(model, X, T, noise, order):
    values = vaegan.gradients(model, X[order], T, noise[order])
    model.zero_grad()
    return float(values["adversarial"]), float(values["reconstruction"])


def three_way(networks, X, T, noise, alpha, beta):
    _three(networks, X, T, noise, alpha, beta)


def _three(networks, X, T, noise, alpha, beta, learns=False, slope=True, kl=1, pixels=1, twice=0):
    """three_way, with places for mistakes."""
    encoder, decoder, D = networks
    d = noise.shape[1]
    H, back_encoder = encoder.forward(X)
    mu, logvar = H[:, :d], H[:, d:]
    std = np.exp(logvar / 2)
    Z, back_decoder = decoder.forward(mu + std * noise)
    Y = ops.sigmoid(Z)
    V, back_real = D.forward(T)
    back_real(losses.bce_with_logits(V, np.ones_like(V))[1])
    V, back_fake = D.forward(Y)
    back_fake(losses.bce_with_logits(V, np.zeros_like(V))[1])
    dY = back_fake(losses.bce_with_logits(V, np.ones_like(V))[1], accumulate=learns)
    dZ = dY * (Y * (1 - Y) if slope else 1) + alpha / pixels * losses.bce_with_logits(Z, T)[1]
    for _ in range(1 + twice):
        dz = back_decoder(dZ)
    _, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
    dmu, dlogvar = dz + kl * beta * dmu, dz * noise * std / 2 + kl * beta * dlogvar
    back_encoder(np.concatenate([dmu, dlogvar], axis=1))


def _changed(**how):
    return lambda *given: _three(*given, **how)


def _values(model, X, T, noise):
    return shuffled(model, X, T, noise, np.arange(len(X)))


def _left(model, X, T, noise, order):
    values = vaegan.gradients(model, X[order], T, noise[order])
    return float(values["adversarial"]), float(values["reconstruction"])


WRONG = {
    "marginal": {
        "all sounds alike": (
            lambda P, K: (K.mean(axis=0), np.tile(K.mean(axis=0), (len(P), 1))),
            "weigh each by P(a)",
        ),
        "not added up": (lambda P, K: (P[:, None] * K, K), "joint distribution"),
        "the deaf one listens": (lambda P, K: (P @ K, K), "listens"),
        "all pictures alike": (
            lambda P, K: (P @ K, np.full(K.shape, 1 / K.shape[1])),
            "marginal is then not q",
        ),
        "one row": (lambda P, K: (P @ K, P @ K), "one row for each sound"),
    },
    "shuffled": {
        "the noise stayed": (
            lambda m, X, T, noise, order: _values(m, X[order], T, noise),
            "noise stayed behind",
        ),
        "pictures, too": (
            lambda m, X, T, noise, order: _values(m, X[order], T[order], noise[order]),
            "pairs are the same",
        ),
        "not shuffled": (
            lambda m, X, T, noise, order: _values(m, X, T, noise),
            "pairs are the same",
        ),
        "the other way round": (
            lambda m, X, T, noise, order: shuffled(m, X, T, noise, np.argsort(order)),
            "other way round",
        ),
        "gradients stay": (_left, "zero_grad"),
    },
    "three_way": {
        "adversarial gradient into D": (_changed(learns=True), "accumulate=False"),
        "KL into the decoder": (_changed(twice=1), "KL has no business"),
        "past the sigmoid": (_changed(slope=False), "has not passed the sigmoid"),
        "no KL": (_changed(kl=0), "KL is missing"),
        "mean over pixels": (_changed(pixels=5), "a mean over pixels"),
    },
}
