"""Checkers of chapter 13."""

import numpy as np
from checking import compare, several

from tinya2i import layers, losses, ops
from tinya2i.layer import Sequential


def check_best_critic(answer) -> None:
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
    D, L = several(answer(p, q), 2, "D* and L_D*")
    mistakes = {
        "real and fake are swapped: D is the opinion that a picture is real": q / (p + q),
        "these are odds, p to q; a probability is p out of p + q": p / q,
        "half a mixture is m; D* divides by p + q, without the half": 2 * p / (p + q),
    }
    compare("D*", D, p / (p + q), mistakes)
    real, fake = -(p * np.log(p / (p + q))).sum(), -(q * np.log(q / (p + q))).sum()
    m = (p + q) / 2
    js = ((p * np.log(p / m)).sum() + (q * np.log(q / m)).sum()) / 2
    mistakes = {
        "what it pays for the fakes is missing": real,
        "what it pays for the reals is missing": fake,
        "it pays for the reals as often as they come, p, and for the fakes as often as q": -(
            np.log(p / (p + q)) + np.log(q / (p + q))
        ).sum(),
        "that is JS; the critic pays 2 log 2 - 2 JS": js,
        "a mean of both terms; L_D is their sum": (real + fake) / 2,
    }
    compare("L_D*", L, real + fake, mistakes)


def check_lesson(answer) -> None:
    V = np.random.default_rng(2).standard_normal((6, 1)) * 3
    s, n = 1 / (1 + np.exp(-V)), len(V)
    soft, hard = (s - 1) / n, -s / n
    mistakes = {
        "the label is swapped: that teaches fakes to look fake": s / n,
        "that is the saturating loss": hard,
        "the loss is a mean over the batch: divide by n": s - 1,
    }
    compare("non-saturating", answer(V, "non-saturating"), soft, mistakes)
    mistakes = {
        "that is the non-saturating loss": soft,
        "the critic's own gradient: the generator's loss log(1 - D) has the other sign": s / n,
        "the loss is a mean over the batch: divide by n": -s,
    }
    compare("saturating", answer(V, "saturating"), hard, mistakes)


def _players() -> tuple[Sequential, Sequential, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    G = Sequential(layers.Linear(3, 5, rng), layers.Sigmoid()).astype(np.float64)
    D = Sequential(
        layers.Linear(5, 4, rng), layers.LeakyReLU(0.2), layers.Linear(4, 1, rng)
    ).astype(np.float64)
    return G, D, rng.random((6, 5)), rng.standard_normal((6, 3))


def _gradient(network: Sequential) -> np.ndarray:
    return np.concatenate([param.grad.ravel() for param in network.params()])


def _taken(network: Sequential, *steps) -> np.ndarray:
    """The gradients that (backprop, dY) leave in a network."""
    network.zero_grad()
    for backprop, dY in steps:
        backprop(dY)
    found = _gradient(network)
    network.zero_grad()
    return found


def check_two_players(answer) -> None:
    G, D, T, noise = _players()
    before = [param.data.copy() for network in (G, D) for param in network.params()]
    L_D, L_G = several(answer(G, D, T, noise), 2, "L_D and L_G")
    yours_D, yours_G = _gradient(D), _gradient(G)
    after = [param.data for network in (G, D) for param in network.params()]
    moved = max(np.abs(a - b).max() for a, b in zip(after, before, strict=True))
    compare("the weights", np.array(moved), np.array(0.0), {"no step here": np.array(moved)})

    Y, back_G = G.forward(noise)
    (V_real, back_real), (V_fake, back_fake) = D.forward(T), D.forward(Y)
    s, r, n = ops.sigmoid(V_fake), ops.sigmoid(V_real), len(T)
    real, fake = (back_real, (r - 1) / n), (back_fake, s / n)
    fool, whisper = (s - 1) / n, -s / n
    mistakes = {
        "D must not learn from the generator's pass: accumulate=False": _taken(
            D, real, fake, (back_fake, fool)
        ),
        "labels are swapped: real is 1, fake is 0": _taken(
            D, (back_real, r / n), (back_fake, fool)
        ),
        "the real pictures are missing": _taken(D, fake),
        "the fakes are missing": _taken(D, real),
    }
    compare("D's gradients", yours_D, _taken(D, real, fake), mistakes)

    def through(dV: np.ndarray) -> tuple:
        return back_G, back_fake(dV, accumulate=False)

    mistakes = {
        "that is the saturating loss log(1 - D)": _taken(G, through(whisper)),
        "labels are swapped: the generator wants its fakes to pass for real": _taken(
            G, through(s / n)
        ),
        "G has the critic's loss as well; that one stops at the fakes": _taken(
            G, through(fool), through(s / n)
        ),
        "nothing has reached the generator: go back through D, then through G": 0
        * _taken(G, through(fool)),
    }
    compare("G's gradients", yours_G, _taken(G, through(fool)), mistakes)

    def pays(V: np.ndarray, label: float) -> float:
        return float(losses.bce_with_logits(V, np.full_like(V, label))[0])

    compare("L_D", L_D, pays(V_real, 1) + pays(V_fake, 0))
    compare("L_G", L_G, pays(V_fake, 1), {"that is log(1 - D)": -pays(V_fake, 0)})
