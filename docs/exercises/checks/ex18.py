"""Checkers of chapter 18."""

import sys
from pathlib import Path

import numpy as np
from checking import Wrong, compare

import tinya2i

TESTS = Path(tinya2i.__file__).resolve().parents[1] / "tests"  # wherever the exercises lie


def check_col2im_gather(answer) -> None:
    rng = np.random.default_rng(1)
    for geometry in (
        ((2, 7, 6, 3), (3, 4), (2, 1), (1, 2)),
        ((1, 6, 8, 2), (2, 2), (3, 3), (0, 0)),
    ):
        shape, kernel, stride, padding = geometry
        oh, ow = _sizes(shape[1:3], kernel, stride, padding)
        cols = rng.standard_normal((shape[0] * oh * ow, kernel[0] * kernel[1] * shape[3]))
        mistakes = {
            "the image has a margin of p pixels, which the windows count from": _scatter(
                cols, shape, kernel, stride, padding, margin=False
            ),
            "a pixel gets the sum of its numbers, not the last one": _scatter(
                cols, shape, kernel, stride, padding, add=False
            ),
            "the kernel is not turned round: element (i, j), not the last first": _scatter(
                cols, shape, kernel, stride, padding, turned=True
            ),
            "that is the mean of what comes to a pixel; it is the sum": _scatter(
                *_ones(cols, geometry)
            ),
            "a window outside is no window: an index below 0 counts from the end": _wrapped(
                cols, *geometry
            ),
        }
        compare("the image", answer(cols, *geometry), _scatter(cols, *geometry), mistakes)


def _sizes(sizes, kernel, stride, padding) -> list[int]:
    axes = zip(sizes, kernel, stride, padding, strict=True)
    return [(size + 2 * p - k) // s + 1 for size, k, s, p in axes]


def _scatter(
    cols, shape, kernel, stride, padding, margin=True, add=True, turned=False
) -> np.ndarray:
    """What each window gives away, added where it belongs."""
    (n, h, w, c), (kh, kw), (sh, sw) = shape, kernel, stride
    ph, pw = padding
    oh, ow = _sizes((h, w), kernel, stride, padding)
    given = cols.reshape(n, oh, ow, kh, kw, c)
    P = np.zeros((n, h + 2 * ph, w + 2 * pw, c))
    for oy, ox, i, j in np.ndindex(oh, ow, kh, kw):
        part = given[:, oy, ox, kh - 1 - i, kw - 1 - j] if turned else given[:, oy, ox, i, j]
        place = (slice(None), oy * sh + i, ox * sw + j)
        P[place] = P[place] + part if add else part
    return P[:, ph : ph + h, pw : pw + w] if margin else P[:, :h, :w]


def _ones(cols, geometry):
    """Geometry with cols divided by how many numbers share their pixel."""
    shape, kernel, stride, padding = geometry
    (n, h, w, c), (kh, kw), (sh, sw), (ph, pw) = shape, kernel, stride, padding
    oh, ow = _sizes((h, w), kernel, stride, padding)
    P = np.zeros((h + 2 * ph, w + 2 * pw))
    for oy, ox, i, j in np.ndindex(oh, ow, kh, kw):
        P[oy * sh + i, ox * sw + j] += 1
    shared = cols.reshape(n, oh, ow, kh, kw, c).copy()
    for oy, ox, i, j in np.ndindex(oh, ow, kh, kw):
        shared[:, oy, ox, i, j] /= P[oy * sh + i, ox * sw + j]
    return shared.reshape(cols.shape), *geometry


def _wrapped(cols, shape, kernel, stride, padding) -> np.ndarray:
    """A gather without a look at the lower bound."""
    (n, h, w, c), (kh, kw), (sh, sw), (ph, pw) = shape, kernel, stride, padding
    oh, ow = _sizes((h, w), kernel, stride, padding)
    given, X = cols.reshape(n, oh, ow, kh, kw, c), np.zeros(shape)
    for y, x, i, j in np.ndindex(h, w, kh, kw):
        (oy, rest), (ox, left) = divmod(y + ph - i, sh), divmod(x + pw - j, sw)
        if rest == left == 0 and -oh <= oy < oh and -ow <= ox < ow:
            X[:, y, x] += given[:, oy, ox, i, j]
    return X


def check_intensity(answer) -> None:
    for shape, c_out, kernel, stride, itemsize in (
        ((3, 11, 9, 5), 7, (4, 3), (2, 1), 4),
        ((2, 8, 12, 3), 4, (3, 5), (1, 2), 8),
    ):
        n, h, w, c = shape
        oh, ow = _sizes((h, w), kernel, stride, (0, 0))
        image, out, weights = n * h * w * c, n * oh * ow * c_out, kernel[0] * kernel[1] * c * c_out
        columns = n * oh * ow * kernel[0] * kernel[1] * c
        operations = 2 * columns * c_out
        moved = image + 2 * columns + weights + out
        mistakes = {
            "an addition is an operation as well: twice as many": operations / 2 / moved / itemsize,
            "the columns are written and then read: count them twice": operations
            / (moved - columns)
            / itemsize,
            "that is the product alone; im2col reads the image and writes the columns": operations
            / (columns + weights + out)
            / itemsize,
            "those are operations a number; it has itemsize bytes": operations / moved,
            "that is bytes for each operation, upside down": moved * itemsize / operations,
        }
        right = operations / moved / itemsize
        compare("intensity", answer(shape, c_out, kernel, stride, itemsize), right, mistakes)


def check_queue_times(answer) -> None:
    rng = np.random.default_rng(2)
    for h in (2.5, 0.45, 0.01):
        d = rng.random(17)
        back, end = len(d) * h, 0.0
        for j, each in enumerate(d, 1):
            end = max(j * h, end) + each
        host, empty = answer(d, h)
        mistakes = {
            "launching does not wait for the kernels: only N h": end,
            "the first launch ends at h, not at 0": (len(d) - 1) * h,
        }
        compare(f"the host's time (h = {h})", host, back, mistakes)
        mistakes = {
            "host and device work at the same time": back + d.sum(),
            "a kernel also waits for the one before it": back + d[-1],
            "a kernel cannot start before it is launched": d.sum(),
            "the longer of the two totals leaves out that the first launch comes before any work": (
                max(back, d.sum())
            ),
        }
        compare(f"the queue's end (h = {h})", empty, end, mistakes)


def check_epoch_loss(answer) -> None:
    values = np.random.default_rng(3).random(9).astype(np.float32)
    right = float(values.mean(dtype=np.float64))
    mistakes = {
        "that is the sum over the epoch": float(values.sum(dtype=np.float64)),
        "that is the last step's loss": float(values[-1]),
    }
    compare("of NumPy's arrays", answer(list(map(np.asarray, values))), right, mistakes, 1e-6)
    if str(TESTS) not in sys.path:
        sys.path.append(str(TESTS))
    import pytest
    import strict_cupy

    with pytest.MonkeyPatch.context() as patch:
        xp = strict_cupy.install(patch)
        losses = [xp.asarray(value) for value in values]
        with strict_cupy.watched() as events:
            try:
                mean = answer(losses)
            except TypeError as error:
                raise Wrong(f"of device arrays: CuPy refuses this ({error})") from error
            if isinstance(mean, xp.ndarray):
                raise Wrong("of device arrays: that is still on the device; a float is asked for")
        compare("of device arrays", mean, right, mistakes, 1e-6)
    waits = [event for event in events if event.startswith("waits")]
    if len(waits) > 1:
        raise Wrong(f"of device arrays: {len(waits)} waits, the first is {waits[0]}; one will do")
