"""Solutions of chapter 18, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def _gather(cols, shape, kernel, stride, padding, lowest=lambda size: 0, turned=False, mean=False):
    (n, h, w, c), (kh, kw), (sh, sw), (ph, pw) = shape, kernel, stride, padding
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    given, X = cols.reshape(n, oh, ow, kh, kw, c), np.zeros(shape)
    for y, x in np.ndindex(h, w):
        mine = []
        for i, j in np.ndindex(kh, kw):
            (oy, rest), (ox, left) = divmod(y + ph - i, sh), divmod(x + pw - j, sw)
            if rest == left == 0 and lowest(oh) <= oy < oh and lowest(ow) <= ox < ow:
                mine.append(
                    given[:, oy, ox, kh - 1 - i if turned else i, kw - 1 - j if turned else j]
                )
        if mine:
            X[:, y, x] = np.mean(mine, axis=0) if mean else np.sum(mine, axis=0)
    return X


def col2im_gather(cols, shape, kernel, stride, padding):
    return _gather(cols, shape, kernel, stride, padding)


def intensity(shape, c_out, kernel, stride, itemsize):
    operations, image, columns, weights, out = _counts(shape, c_out, kernel, stride)
    return operations / (itemsize * (image + 2 * columns + weights + out))


def _counts(shape, c_out, kernel, stride):
    (n, h, w, c), (kh, kw), (sh, sw) = shape, kernel, stride
    m, k = n * ((h - kh) // sh + 1) * ((w - kw) // sw + 1), kh * kw * c
    return 2 * m * k * c_out, n * h * w * c, m * k, k * c_out, m * c_out


def queue_times(d, h):
    end = 0.0
    for j, each in enumerate(d, 1):
        end = max(j * h, end) + each
    return len(d) * h, end


def epoch_loss(losses):
    return float(sum(losses)) / len(losses)  # adds where they lie; only float() waits


def without_margin(cols, shape, kernel, stride, padding):
    (n, h, w, c), (ph, pw) = shape, padding
    wide = (n, h + 2 * ph, w + 2 * pw, c)
    return _gather(cols, wide, kernel, stride, (0, 0))[:, :h, :w]


def product_alone(shape, c_out, kernel, stride, itemsize):
    operations, _, columns, weights, out = _counts(shape, c_out, kernel, stride)
    return operations / (itemsize * (columns + weights + out))


def columns_once(shape, c_out, kernel, stride, itemsize):
    operations, image, columns, weights, out = _counts(shape, c_out, kernel, stride)
    return operations / (itemsize * (image + columns + weights + out))


WRONG = {
    "col2im_gather": {
        "padding forgotten": (without_margin, "margin"),
        "negative windows": (
            lambda cols, *geometry: _gather(cols, *geometry, lowest=lambda size: -size),
            "counts from the end",
        ),
        "kernel turned": (
            lambda cols, *geometry: _gather(cols, *geometry, turned=True),
            "not turned round",
        ),
        "mean instead of sum": (
            lambda cols, *geometry: _gather(cols, *geometry, mean=True),
            "it is the sum",
        ),
    },
    "intensity": {
        "the product alone": (product_alone, "the product alone"),
        "columns once": (columns_once, "count them twice"),
        "one operation for each weight": (
            lambda *given: intensity(*given) / 2,
            "an addition is an operation",
        ),
        "numbers for bytes": (lambda *given: intensity(*given) * given[-1], "itemsize bytes"),
    },
    "queue_times": {
        "no overlap": (
            lambda d, h: (len(d) * h, len(d) * h + d.sum()),
            "at the same time",
        ),
        "the host waits": (lambda d, h: (queue_times(d, h)[1],) * 2, "does not wait"),
        "launching is free": (lambda d, h: (len(d) * h, d.sum()), "before it is launched"),
        "only the last kernel": (
            lambda d, h: (len(d) * h, len(d) * h + d[-1]),
            "the one before it",
        ),
        "the longer total": (
            lambda d, h: (len(d) * h, max(len(d) * h, d.sum())),
            "the longer of the two",
        ),
    },
    "epoch_loss": {
        "a wait for each": (lambda losses: sum(map(float, losses)) / len(losses), "9 waits"),
        "through NumPy": (lambda losses: float(np.mean([*map(np.asarray, losses)])), "refuses"),
        "never fetched": (lambda losses: sum(losses) / len(losses), "still on the device"),
        "the sum": (lambda losses: float(sum(losses)), "the sum over the epoch"),
        "a hidden get": (
            lambda losses: (
                sum(loss.get() if hasattr(loss, "get") else loss for loss in losses).item()
                / len(losses)
            ),
            "waits: get()",
        ),
    },
}
