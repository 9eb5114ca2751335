"""Solutions of chapter 13, and answers that the checkers must refuse, with what they must say."""

import numpy as np

from tinya2i import losses, ops


def best_critic(p, q):
    D = p / (p + q)
    return D, -(p * np.log(D)).sum() - (q * np.log(1 - D)).sum()


def lesson(V, kind):
    s = ops.sigmoid(V)
    return ((s - 1) if kind == "non-saturating" else -s) / len(V)


def two_players(G, D, T, noise):
    Y, back_G = G.forward(noise)
    V_real, back_real = D.forward(T)
    V_fake, back_fake = D.forward(Y)
    real, dV = losses.bce_with_logits(V_real, np.ones_like(V_real))
    back_real(dV)
    fake, dV = losses.bce_with_logits(V_fake, np.zeros_like(V_fake))
    back_fake(dV)  # stops at the fakes: what it returns is thrown away
    fool, dV = losses.bce_with_logits(V_fake, np.ones_like(V_fake))
    back_G(back_fake(dV, accumulate=False))
    return real + fake, fool


def _play(G, D, T, noise, labels=(1, 0), learns=False, saturating=False, both=False, lr=0.0):
    """two_players with one thing changed."""
    Y, back_G = G.forward(noise)
    V_real, back_real = D.forward(T)
    V_fake, back_fake = D.forward(Y)
    real, dV = losses.bce_with_logits(V_real, np.full_like(V_real, labels[0]))
    back_real(dV)
    fake, dV = losses.bce_with_logits(V_fake, np.full_like(V_fake, labels[1]))
    dY = back_fake(dV)
    for param in D.params():
        param.data -= lr * param.grad
    fool, dV = losses.bce_with_logits(V_fake, np.full_like(V_fake, 0.0 if saturating else 1.0))
    if saturating:
        fool, dV = -fool, -dV
    back_G(back_fake(dV, accumulate=learns) + (dY if both else 0))
    return real + fake, fool


def _changed(**how):
    return lambda *given: _play(*given, **how)


WRONG = {
    "best_critic": {
        "swapped": (
            lambda p, q: (q / (p + q), best_critic(p, q)[1]),
            "swapped",
        ),
        "odds": (lambda p, q: (p / q, best_critic(p, q)[1]), "odds"),
        "reals only": (
            lambda p, q: (p / (p + q), -(p * np.log(p / (p + q))).sum()),
            "for the fakes is missing",
        ),
        "not weighted": (
            lambda p, q: (p / (p + q), -(np.log(p / (p + q)) + np.log(q / (p + q))).sum()),
            "as often as they come",
        ),
        "a mean of the terms": (
            lambda p, q: (p / (p + q), best_critic(p, q)[1] / 2),
            "their sum",
        ),
    },
    "lesson": {
        "label swapped": (lambda V, kind: ops.sigmoid(V) / len(V), "label is swapped"),
        "always saturating": (lambda V, kind: lesson(V, "saturating"), "that is the saturating"),
        "never saturating": (
            lambda V, kind: lesson(V, "non-saturating"),
            "that is the non-saturating",
        ),
        "no mean": (lambda V, kind: len(V) * lesson(V, kind), "divide by n"),
        "sign of the game": (
            lambda V, kind: lesson(V, kind) * (1 if kind == "non-saturating" else -1),
            "other sign",
        ),
    },
    "two_players": {
        "D updated in G's step": (_changed(learns=True), "accumulate=False"),
        "labels swapped": (_changed(labels=(0, 1)), "labels are swapped"),
        "saturating loss": (_changed(saturating=True), "saturating"),
        "G has D's loss too": (_changed(both=True), "stops at the fakes"),
        "D steps in between": (_changed(lr=0.1), "no step here"),
    },
}
