"""Random streams with names: all that is random in a run is drawn from one of them."""

import hashlib
import json

import numpy as np


def stream(seed: int, *keys: int | str) -> np.random.Generator:
    """Generator(PCG64(SHA-256(seed, *keys)))

    A random stream with a name, e.g. stream(seed, "noise", epoch, step). It depends on its
    arguments alone, not on what was drawn before: position and seed are all a resume needs, and
    evaluation cannot disturb training. Equal on every backend: draw here, then move to the device.
    """
    words = [key if isinstance(key, str) else int(key) for key in (seed, *keys)]
    digest = hashlib.sha256(json.dumps(words).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
