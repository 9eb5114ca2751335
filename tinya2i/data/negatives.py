"""Who belongs together, and who does not: pairs for a network that is asked only that.

A picture and its clip came together. That they did is all that `correspond` knows of them, and so
all that its pupil is told: it looks at no label. The price is that a stranger's clip says the
picture's own digit by accident, one time in ten, and nobody can tell such a pair from a true one.
With `digits` that does not happen: to measure what was learned, or to see what the accidents cost.
"""

import numpy as np

from tinya2i.errors import DataError


def correspond(
    chosen: np.ndarray,
    clip_of: np.ndarray,
    rng: np.random.Generator,
    digits: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """clips = clip_of[chosen] where same, clip_of[others of chosen] elsewhere;  same = 1, 0, 1, ...

    chosen (n,): pictures, in the order of the batches; clip_of (m,): the clip that came with each.
    Every second picture keeps its own clip (same 1), the others get a stranger's (same 0): any
    batch is balanced. A stranger is another *picture*, and its clip is taken, so that clips are as
    frequent among wrong pairs as among right ones, and no clip alone says what to answer.
    digits (m,): see `strangers`. Returns clips, same, both (n,) int64.
    Source: Arandjelovic and Zisserman 2017, section 2.
    """
    same = 1 - np.arange(len(chosen)) % 2
    wrong = chosen[1::2]
    partners = chosen.copy()
    if digits is None:
        partners[1::2] = others(wrong, len(clip_of), rng)
    else:
        partners[1::2] = strangers(wrong, digits, rng)
    return clip_of[partners], same


def others(chosen: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Another of 0..n-1 for each of chosen (k,), uniform over the n - 1 that are not itself.

    Raises DataError where there is no other.
    """
    if len(chosen) and n < 2:
        raise DataError("one picture alone has no stranger: take more training examples.")
    return (chosen + rng.integers(1, max(n, 2), len(chosen))) % n


def strangers(chosen: np.ndarray, digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another index into digits (n,) for each of chosen (k,), uniform over those of other digits.

    Raises DataError where all have one digit.
    """
    count = np.bincount(digits)
    own = count[digits[chosen]]
    if (own == len(digits)).any():
        raise DataError("all pictures show one digit: there is no stranger. Take more examples.")
    order, first = np.argsort(digits, kind="stable"), (np.cumsum(count) - count)[digits[chosen]]
    place = rng.integers(len(digits) - own)  # in `order` without the block of the own digit
    return order[np.where(place < first, place, place + own)]


def accident(digits: np.ndarray) -> float:
    """q = sum_d n_d (n_d - 1) / (n (n - 1)),  n_d the number of digits (n,) that are d

    The probability that a picture and another one, as `others` draws it, show the same digit:
    (n/10 - 1) / (n - 1) where all ten are equally frequent, just below a tenth. n >= 2.
    """
    n, count = len(digits), np.bincount(digits)
    return float((count * (count - 1)).sum() / (n * (n - 1)))


def ceiling(digits: np.ndarray) -> float:
    """1 - q / 2,  q = accident(digits)

    How often the best answer is right on balanced pairs whose wrong halves are `others`. Given the
    digits of picture and sound, nothing else tells a right pair from a wrong one. Where they
    differ, the pair is wrong. Where they are equal it is right with probability
    (1/2) / (1/2 + q/2) = 1 / (1 + q) > 1/2: "same" is the better answer, and fails in the q/2 of
    all pairs that are accidents. 95 % for ten equally frequent digits.
    """
    return 1 - accident(digits) / 2
