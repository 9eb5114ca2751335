"""Checkers of chapter 11."""

import numpy as np
from checking import Wrong, compare

DRAWS = 100_000


def check_sample(answer) -> None:
    mu, logvar = np.array([0.5, -1.0]), np.array([-2.0, 1.2])
    z = answer(np.tile(mu, (DRAWS, 1)), np.tile(logvar, (DRAWS, 1)), np.random.default_rng(1))
    if np.shape(z) != (DRAWS, 2):
        raise Wrong(f"z: shape {np.shape(z)}, but {(DRAWS, 2)} is asked for")
    std, mean = np.std(z, axis=0), np.mean(z, axis=0)
    for mistake, wrong in {
        "that is a standard deviation of exp(logvar): logvar is the logarithm of the variance": (
            np.exp(logvar)
        ),
        "nothing is random here: all draws are the same": 0 * logvar,
        "the noise is not scaled: its standard deviation is 1": 1 + 0 * logvar,
        "that is a standard deviation of logvar / 2: the exponential is missing": abs(logvar) / 2,
        "that is a standard deviation of logvar: it has to be exp(logvar / 2)": abs(logvar),
        "the standard deviation falls where logvar rises: a sign": np.exp(-logvar / 2),
    }.items():
        if np.abs(std - wrong).max() < 0.01 * wrong.max() + 1e-12:
            raise Wrong(f"z: {mistake}")
    right = np.exp(logvar / 2)
    if np.abs(std / right - 1).max() > 0.01:
        raise Wrong(f"z: the standard deviations are {std.round(3)}, not {right.round(3)}")
    if np.abs(mean - mu).max() > 0.03:
        raise Wrong(f"z: the means are {mean.round(3)}, not {mu}")
    if abs(np.corrcoef(z.T)[0, 1]) > 0.1:
        raise Wrong("z: the latents move together: throw the dice for each number, not once a row")


def check_sample_backward(answer) -> None:
    rng = np.random.default_rng(2)
    dz, noise, logvar = (rng.standard_normal((5, 3)) for _ in range(3))
    std = np.exp(logvar / 2)
    dmu, dlogvar = answer(dz, noise, logvar)
    compare(
        "dmu",
        dmu,
        dz,
        {
            "mu is not multiplied by the noise": dz * noise,
            "the mean over the batch is in dz already": dz / 5,
        },
    )
    mistakes = {
        "exp(logvar / 2) has the derivative exp(logvar / 2) / 2: a half is missing": dz
        * noise
        * std,
        "z contains exp(logvar / 2), not exp(logvar)": dz * noise * std**2,
        "the noise is a factor of logvar's term": dz * std / 2,
        "that is the gradient by the standard deviation, not by logvar": dz * noise,
        "the exponential is still there after the derivative": dz * noise / 2,
    }
    compare("dlogvar", dlogvar, dz * noise * std / 2, mistakes)


def check_kl(answer) -> None:
    rng = np.random.default_rng(3)
    mu, logvar = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    variance = np.exp(logvar)
    each = (mu**2 + variance - 1 - logvar) / 2
    L, dmu, dlogvar = answer(mu, logvar)
    if np.shape(L) == () and L < 0:
        raise Wrong("L: negative, which a KL never is: is a sign wrong?")
    meant = "sum over the latents; only the batch is averaged"
    shared = "average over the batch"
    mistakes = {
        meant: each.mean(),
        shared: each.sum(),
        "a half is missing": 2 * each.sum() / 5,
        "logvar is the logarithm of the variance: exp(logvar), not its square": (
            (mu**2 + variance**2 - 1 - 2 * logvar).sum() / 2 / 5
        ),
        "a sum for each example; one number is asked for": each.sum(axis=1),
    }
    compare("L", L, each.sum() / 5, mistakes)
    compare("dmu", dmu, mu / 5, {meant: mu / 15, shared: mu})
    mistakes = {
        "the -logvar of the loss is missing": variance / 10,
        "a half is missing": (variance - 1) / 5,
        meant: (variance - 1) / 30,
        shared: (variance - 1) / 2,
    }
    compare("dlogvar", dlogvar, (variance - 1) / 10, mistakes)


def check_largest_weight(answer) -> None:
    variances, s2, k = np.array([0.4, 3.0, 2.3, 0.2, 1.1, 0.7, 0.1]), 0.6, 3
    ranked = np.sort(variances)[::-1]
    mistakes = {
        "in any order: sort the variances, the largest first": variances[k - 1] / s2,
        "these are the k smallest: sort the largest first": ranked[-k] / s2,
        "one latent too few: the k-th largest has the index k - 1": ranked[k] / s2,
        "with this weight only the first latent lives": ranked[0] / s2,
        "with this weight all latents live; k are enough": ranked[-1] / s2,
        "a latent lives where lambda > beta s^2: divide by s^2": ranked[k - 1] * s2,
        "s^2 is missing": ranked[k - 1],
        "s2 is s^2 already": ranked[k - 1] / s2**2,
        "the variances count, not the standard deviations": np.sqrt(ranked[k - 1]) / s2,
    }
    compare("beta", answer(variances, s2, k), ranked[k - 1] / s2, mistakes)
