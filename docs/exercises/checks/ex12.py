"""Checkers of chapter 12."""

import warnings

import numpy as np
from checking import Wrong, compare, raises


def check_best_per_clip(answer) -> None:
    rng = np.random.default_rng(1)
    T, clip_of = rng.uniform(size=(13, 4, 3, 1)), np.array([2, 0, 1, 2, 4, 0, 2, 3, 1, 2, 4, 2, 0])
    mine = [T[clip_of == c] for c in range(5)]
    mistakes = {
        "divide by the number of the clip's own pictures": [m.sum(axis=0) / 13 for m in mine],
        "that is a sum, not yet a mean": [m.sum(axis=0) for m in mine],
        "that is the last picture of each clip, learned by heart": [m[-1] for m in mine],
        "that is the first picture of each clip, learned by heart": [m[0] for m in mine],
        "a median is best for |y - t|, not for the square": [np.median(m, axis=0) for m in mine],
        "that is the mean of all pictures; each clip has its own": [T.mean(axis=0)] * 5,
    }
    right = [m.mean(axis=0) for m in mine]
    compare("pictures", answer(T, clip_of, 5), right, mistakes)


def check_best_for_doubt(answer) -> None:
    rng = np.random.default_rng(2)
    P, Z = rng.dirichlet(np.ones(4), size=6), 2 * rng.standard_normal((4, 5, 3, 1))
    M = 1 / (1 + np.exp(-Z))
    mistakes = {
        "you mixed logits; what the theorem mixes is pictures": 1
        / (1 + np.exp(-np.einsum("nd,dhwc->nhwc", P, Z))),
        "these are still logits": np.einsum("nd,dhwc->nhwc", P, Z),
        "you picked the likeliest digit; the least expected cost is that of the mixture": M[
            P.argmax(axis=1)
        ],
        "every digit counts the same there; weigh them by P": np.broadcast_to(
            M.mean(axis=0), (6, 5, 3, 1)
        ),
    }
    compare("pictures", answer(P, Z), np.einsum("nd,dhwc->nhwc", P, M), mistakes)


def check_bce_floor(answer) -> None:
    rng = np.random.default_rng(3)
    T = rng.uniform(size=(7, 4, 3, 1))
    T[:, 0, 0], T[:, 1, 2] = 0, 1
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yours = answer(T)
    M = T.mean(axis=0)
    mistakes = {
        "that lets each picture have its own best Y; one Y must stand for all": _entropy(T) / 7,
        "sum over the pixels, do not average": _entropy(M) / 12,
        "that is in bits; a nat is log e": _entropy(M) / np.log(2),
        "half is missing: a white pixel costs -log Y, a black one -log(1 - Y)": -(
            M[M > 0] * np.log(M[M > 0])
        ).sum(),
        "that is the floor of the squared error, a variance": ((T - M) ** 2).sum() / 7,
    }
    if yours is not None and np.isnan(yours):
        raise Wrong("floor: NaN: 0 log 0 is 0 here")
    compare("floor", yours, _entropy(M), mistakes)
    if said:
        raise Wrong(f"floor: right, but NumPy warns: {said[0].message}")


def _entropy(M: np.ndarray) -> float:
    inside = M[(M > 0) & (M < 1)]
    return -(inside * np.log(inside) + (1 - inside) * np.log(1 - inside)).sum()


def check_speaker_split(answer) -> None:
    speakers = np.array(["theo", "jackson", "theo", "nicolas", "jackson", "theo", "nicolas"])
    of = speakers == "jackson"
    found = answer(speakers, "jackson")
    if not isinstance(found, tuple) or len(found) != 2:
        raise Wrong("split: return a tuple (train, test)")
    train, test = (np.asarray(part) for part in found)
    if train.dtype == bool or test.dtype == bool:
        raise Wrong("split: indices are asked for, these are masks: see np.flatnonzero")
    if np.array_equal(train, np.flatnonzero(of)) and np.array_equal(test, np.flatnonzero(~of)):
        raise Wrong("split: the wrong way round, training hears only the held-out voice")
    if common := set(speakers[train]) & set(speakers[test]):
        raise Wrong(f"split: {min(common)} is on both sides, so that voice was heard in training")
    compare("train", train, np.flatnonzero(~of))
    compare("test", test, np.flatnonzero(of))
    why = "nobody is called zoe, and an empty test says nothing"
    raises("split", ValueError, lambda: answer(speakers, "zoe"), why)
