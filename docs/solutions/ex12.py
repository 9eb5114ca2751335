"""Solutions of chapter 12, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def best_per_clip(T, clip_of, clips):
    total = np.zeros((clips, *T.shape[1:]))
    np.add.at(total, clip_of, T)
    return total / np.bincount(clip_of, minlength=clips)[:, None, None, None]


def best_for_doubt(P, Z):
    M = 1 / (1 + np.exp(-Z))
    return np.einsum("nd,dhwc->nhwc", P, M)


def bce_floor(T):
    # MNIST's training pictures: 97 (ones) to 203 nats (twos), 172.9 on average; one picture for
    # all digits 206.0. The 177 are of test pairs, where the same archetypes would cost 171.6.
    M = T.mean(axis=0)
    M = M[(M > 0) & (M < 1)]  # the others cost nothing
    return float(-(M * np.log(M) + (1 - M) * np.log(1 - M)).sum())


def speaker_split(speakers, held_out):
    test = np.asarray(speakers) == held_out
    if not test.any():
        raise ValueError(f"nobody is called {held_out}")
    return np.flatnonzero(~test), np.flatnonzero(test)


def _each(T, clip_of, clips, best):
    return np.stack([best(T[clip_of == c]) for c in range(clips)])


def _entropy(M):
    M = np.clip(M, 1e-300, 1 - 1e-16)
    return -(M * np.log(M) + (1 - M) * np.log(1 - M))


def _random_tenth(speakers, held_out):
    order = np.random.default_rng(0).permutation(len(speakers))
    return np.sort(order[2:]), np.sort(order[:2])


def _without_error(speakers, held_out):
    return np.flatnonzero(speakers != held_out), np.flatnonzero(speakers == held_out)


def _nan(T):
    with np.errstate(all="ignore"):
        M = T.mean(axis=0)
        return -(M * np.log(M) + (1 - M) * np.log(1 - M)).sum()


WRONG = {
    "best_per_clip": {
        "learned by heart": (
            lambda T, clip_of, clips: _each(T, clip_of, clips, lambda mine: mine[-1]),
            "by heart",
        ),
        "the median": (
            lambda T, clip_of, clips: _each(T, clip_of, clips, lambda m: np.median(m, axis=0)),
            "median",
        ),
        "divided by all": (
            lambda T, clip_of, clips: _each(T, clip_of, clips, lambda m: m.sum(axis=0) / len(T)),
            "the clip's own pictures",
        ),
        "one mean for all": (
            lambda T, clip_of, clips: np.repeat(T.mean(axis=0)[None], clips, axis=0),
            "each clip has its own",
        ),
    },
    "best_for_doubt": {
        "logits mixed": (
            lambda P, Z: 1 / (1 + np.exp(-np.einsum("nd,dhwc->nhwc", P, Z))),
            "mixed logits",
        ),
        "the likeliest digit": (
            lambda P, Z: 1 / (1 + np.exp(-Z[P.argmax(axis=1)])),
            "likeliest",
        ),
        "P forgotten": (
            lambda P, Z: np.repeat((1 / (1 + np.exp(-Z))).mean(axis=0)[None], len(P), axis=0),
            "weigh them",
        ),
    },
    "bce_floor": {
        "each picture its own": (lambda T: _entropy(T).sum() / len(T), "one Y must stand for all"),
        "averaged over pixels": (lambda T: _entropy(T.mean(axis=0)).mean(), "do not average"),
        "bits": (lambda T: _entropy(T.mean(axis=0)).sum() / np.log(2), "bits"),
        "NaN": (_nan, "0 log 0"),
        "of the squared error": (lambda T: T.var(axis=0).sum(), "variance"),
    },
    "speaker_split": {
        "a random tenth": (_random_tenth, "on both sides"),
        "the wrong way round": (
            lambda speakers, name: speaker_split(speakers, name)[::-1],
            "wrong way round",
        ),
        "all clips train": (
            lambda speakers, name: (np.arange(len(speakers)), speaker_split(speakers, name)[1]),
            "on both sides",
        ),
        "an empty test": (_without_error, "no ValueError"),
    },
}
