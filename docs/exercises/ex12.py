"""Exercises of chapter 12. Fill in, then run: python docs/exercises/ex12.py"""

import numpy as np
from checking import run


def best_per_clip(T: np.ndarray, clip_of: np.ndarray, clips: int) -> np.ndarray:
    """The picture of each clip with the least mean squared error, for one fixed pairing.

    T (n, h, w, 1) pictures, clip_of (n,) the clip that each goes with; every clip has at least one
    picture. Returns (clips, h, w, 1).
    """
    raise NotImplementedError


def best_for_doubt(P: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """The picture of each sound with the least expected cross-entropy, pairs made by digit.

    P (n, d): P(digit | sound); Z (d, h, w, 1): the logits of each digit's mean picture.
    Returns pixels (n, h, w, 1) in 0..1, not logits.
    """
    raise NotImplementedError


def bce_floor(T: np.ndarray) -> float:
    """The least that bce_with_logits can be when one picture stands for all of T (n, h, w, 1).

    Summed over pixels, a mean over pictures, in nats. Pixels in 0..1; where a pixel is 0 in all
    pictures, or 1 in all, it costs nothing: no warning, no NaN.
    """
    raise NotImplementedError


def speaker_split(speakers: np.ndarray, held_out: str) -> tuple[np.ndarray, np.ndarray]:
    """(train, test): ascending indices into the clips, test being all that held_out says.

    speakers (m,) names. Raises ValueError where nobody has that name.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
