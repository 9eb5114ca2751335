"""Checkers of chapter 14."""

import numpy as np
from checking import compare, several

from tinya2i import layers, ops
from tinya2i.gradcheck import players
from tinya2i.layer import Layer, Sequential
from tinya2i.models import vaegan


def check_marginal(answer) -> None:
    rng = np.random.default_rng(1)
    P, K = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(5), 3)
    q, deaf = several(answer(P, K), 2, "q and deaf")
    right = P @ K
    mistakes = {
        "sounds are not equally likely: weigh each by P(a)": K.mean(axis=0),
        "the sum is over the sounds, and each must be weighed by P(a)": K.sum(axis=0),
        "that is the joint distribution; add up over the sounds": P[:, None] * K,
    }
    compare("q", q, right, mistakes)
    mistakes = {
        "this one listens: it is the generator itself": K,
        "that is the joint distribution of sound and picture; P'(k | a) sums to 1 for each a": (
            np.outer(P, right)
        ),
        "one row for each sound is asked for, even if all are the same": right,
        "it draws all pictures as often; its marginal is then not q": np.full((3, 5), 0.2),
    }
    compare("deaf", deaf, np.tile(right, (3, 1)), mistakes)


def check_shuffled(answer) -> None:
    model, X, T, noise = players.small(2)
    order = np.array([1, 3, 0, 2])

    def values(*batch: np.ndarray) -> np.ndarray:
        found = vaegan.gradients(model, *batch)
        model.zero_grad()
        return np.array([found["adversarial"], found["reconstruction"]])

    inverse = np.argsort(order)
    right = values(X[order], T, noise[order])
    mistakes = {
        "the pairs are the same: shuffle the sounds, and not the pictures": values(X, T, noise),
        "the noise stayed behind: these are other pictures": values(X[order], T, noise),
        "only the noise moved": values(X, T, noise[order]),
        "picture i gets sound order[i], not the other way round": values(
            X[inverse], T, noise[inverse]
        ),
    }
    words = "the adversarial loss and the reconstruction"
    yours = np.array(several(answer(model, X, T, noise, order), 2, words))
    left = max(float(np.abs(param.grad).max()) for param in model.params())
    compare(words, yours, right, mistakes)
    compare("gradients left behind", left, 0.0, {"call model.zero_grad() at the end": left})


def _networks() -> tuple[Layer, Layer, Layer]:
    rng = np.random.default_rng(3)
    encoder, decoder = layers.Linear(6, 4, rng), layers.Linear(2, 5, rng)
    D = Sequential(layers.Linear(5, 3, rng), layers.Tanh(), layers.Linear(3, 1, rng))
    for network in (encoder, decoder, D):
        network.astype(np.float64)
    return encoder, decoder, D


def _gradients(networks: tuple[Layer, ...]) -> list[np.ndarray]:
    """One vector of gradients for each network."""
    return [np.concatenate([p.grad.ravel() for p in network.params()]) for network in networks]


def _taken(networks, X, T, noise, alpha, beta, mistake: str = "") -> list[np.ndarray]:
    """The three vectors of gradients, right or with one mistake."""
    encoder, decoder, D = networks
    for network in networks:
        network.zero_grad()
    n, d = noise.shape
    H, back_encoder = encoder.forward(X)
    mu, logvar = H[:, :d], H[:, d:]
    std = np.exp(logvar / 2)
    Z, back_decoder = decoder.forward(mu + std * noise)
    Y = ops.sigmoid(Z)
    V, back = D.forward(T)
    back((ops.sigmoid(V) - 1) / n)
    V, back = D.forward(Y)
    back(ops.sigmoid(V) / n)
    dY = back((ops.sigmoid(V) - 1) / n, accumulate=mistake == "D")
    slope = 1 if mistake == "slope" else Y * (1 - Y)
    dZ = 0 if mistake == "adversarial" else dY * slope
    dZ = dZ + alpha * (Y - T) / (n * (T.shape[1] if mistake == "pixels" else 1))
    dz = back_decoder(dZ)
    if mistake == "twice":
        dz = back_decoder(dZ)
    dmu, dlogvar = beta * mu / n, beta * (std**2 - 1) / (2 * n)
    if mistake == "no KL":
        dmu, dlogvar = 0, 0
    half = 1 if mistake == "half" else 0.5
    back_encoder(np.concatenate([dz + dmu, half * std * noise * dz + dlogvar], axis=1))
    found = _gradients(networks)
    for network in networks:
        network.zero_grad()
    return found


def check_three_way(answer) -> None:
    rng = np.random.default_rng(4)
    X, T, noise = rng.standard_normal((7, 6)), rng.random((7, 5)), rng.standard_normal((7, 2))
    networks = _networks()
    batch = networks, X, T, noise, 0.3, 0.7
    right = _taken(*batch)
    answer(*batch)
    yours = _gradients(networks)
    words = {
        "D": "the generator's pass taught D, too: accumulate=False",
        "twice": "the way back through the decoder ran twice; KL has no business there",
        "slope": "the critic's lesson has not passed the sigmoid: times Y (1 - Y)",
        "adversarial": "the critic's lesson is missing",
        "pixels": "a mean over pixels; reconstruction is a sum",
        "no KL": "KL is missing",
        "half": "z depends on logvar by exp(logvar / 2): a half is missing",
    }
    wrong = {mistake: _taken(*batch, mistake) for mistake in words}
    # D first: its mistakes would not show elsewhere; then down the way back.
    for place, name in ((2, "D"), (1, "decoder"), (0, "encoder")):
        mistakes = {
            words[mistake]: found[place]
            for mistake, found in wrong.items()
            if not np.allclose(found[place], right[place])
        }
        compare(f"gradients of the {name}", yours[place], right[place], mistakes)
