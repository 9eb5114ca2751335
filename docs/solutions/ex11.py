"""Solutions of chapter 11, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def sample(mu, logvar, rng):
    return mu + np.exp(logvar / 2) * rng.standard_normal(mu.shape)


def sample_backward(dz, noise, logvar):
    return dz, dz * noise * np.exp(logvar / 2) / 2


def kl(mu, logvar):
    n, variance = len(mu), np.exp(logvar)
    return (mu**2 + variance - 1 - logvar).sum() / (2 * n), mu / n, (variance - 1) / (2 * n)


def largest_weight(variances, s2, k):
    return np.sort(variances)[-k] / s2


WRONG = {
    "sample": {
        "exp(logvar)": (
            lambda mu, logvar, rng: mu + np.exp(logvar) * rng.standard_normal(mu.shape),
            "logarithm of the variance",
        ),
        "not scaled": (
            lambda mu, logvar, rng: mu + rng.standard_normal(mu.shape),
            "not scaled",
        ),
        "no exponential": (
            lambda mu, logvar, rng: mu + logvar / 2 * rng.standard_normal(mu.shape),
            "exponential is missing",
        ),
        "no noise": (lambda mu, logvar, rng: mu, "nothing is random"),
        "one throw a row": (
            lambda mu, logvar, rng: mu + np.exp(logvar / 2) * rng.standard_normal((len(mu), 1)),
            "move together",
        ),
        "uniform dice": (
            lambda mu, logvar, rng: mu + np.exp(logvar / 2) * rng.uniform(-1, 1, mu.shape),
            "the standard deviations are",
        ),
        "without the mean": (
            lambda mu, logvar, rng: np.exp(logvar / 2) * rng.standard_normal(mu.shape),
            "the means are",
        ),
    },
    "sample_backward": {
        "no half": (
            lambda dz, noise, logvar: (dz, dz * noise * np.exp(logvar / 2)),
            "a half is missing",
        ),
        "exp(logvar)": (
            lambda dz, noise, logvar: (dz, dz * noise * np.exp(logvar)),
            "not exp(logvar)",
        ),
        "no noise": (
            lambda dz, noise, logvar: (dz, dz * np.exp(logvar / 2) / 2),
            "the noise is a factor",
        ),
        "noise on mu": (
            lambda dz, noise, logvar: (dz * noise, dz * noise * np.exp(logvar / 2) / 2),
            "not multiplied by the noise",
        ),
        "by the standard deviation": (
            lambda dz, noise, logvar: (dz, dz * noise),
            "by the standard deviation",
        ),
        "the sign": (
            lambda dz, noise, logvar: (dz, -dz * noise * np.exp(logvar / 2) / 2),
            "sign",
        ),
    },
    "kl": {
        "the sign": (
            lambda mu, logvar: tuple(-each for each in kl(mu, logvar)),
            "never is",
        ),
        "a mean over the latents": (
            lambda mu, logvar: tuple(each / mu.shape[1] for each in kl(mu, logvar)),
            "sum over the latents",
        ),
        "a sum over the batch": (
            lambda mu, logvar: tuple(each * len(mu) for each in kl(mu, logvar)),
            "average over the batch",
        ),
        "logvar taken for log sigma": (
            lambda mu, logvar: kl(mu, 2 * logvar),
            "logarithm of the variance",
        ),
        "no half": (
            lambda mu, logvar: tuple(2 * each for each in kl(mu, logvar)),
            "a half is missing",
        ),
        "a gradient without the 1": (
            lambda mu, logvar: (*kl(mu, logvar)[:2], np.exp(logvar) / (2 * len(mu))),
            "-logvar of the loss",
        ),
        "the sign of dlogvar": (
            lambda mu, logvar: (*kl(mu, logvar)[:2], -kl(mu, logvar)[2]),
            "sign",
        ),
    },
    "largest_weight": {
        "not sorted": (lambda variances, s2, k: variances[k - 1] / s2, "any order"),
        "from the small end": (
            lambda variances, s2, k: np.sort(variances)[k - 1] / s2,
            "k smallest",
        ),
        "one too few": (
            lambda variances, s2, k: np.sort(variances)[-k - 1] / s2,
            "one latent too few",
        ),
        "times s2": (
            lambda variances, s2, k: np.sort(variances)[-k] * s2,
            "divide by s^2",
        ),
        "without s2": (lambda variances, s2, k: np.sort(variances)[-k], "s^2 is missing"),
        "standard deviations": (
            lambda variances, s2, k: np.sqrt(np.sort(variances)[-k]) / s2,
            "not the standard deviations",
        ),
    },
}
