"""Checkers of chapter 5."""

import numpy as np
from checking import Wrong, compare, several


def check_transposed_conv(answer) -> None:
    rng = np.random.default_rng(1)
    shapes = ((3, 4, 5), (4, 3, 2, 5), (2,))
    X, W, b = (rng.standard_normal(shape) for shape in shapes)

    def stamps(W, padding, add=True, bias=0.0):
        Y = np.zeros((8, 9, 2))
        for y, x, i, j in np.ndindex(3, 4, 4, 3):
            Y[2 * y + i, 2 * x + j] = Y[2 * y + i, 2 * x + j] * add + W[i, j] @ X[y, x] + bias
        return Y[padding : 8 - padding, padding : 9 - padding]

    counts = stamps(np.zeros_like(W), 1, bias=1.0)
    mistakes = {
        "where stamps overlap they add": stamps(W, 1, add=False) + b,
        "the bias is added once to each large pixel, not with each tap": stamps(W, 1) + b * counts,
        "the kernel is turned by 180 degrees; a stamp is not": stamps(W[::-1, ::-1], 1) + b,
        "padding is cut off here": stamps(W, 0) + b,
        "here padding is cut off, it adds nothing": np.pad(stamps(W, 0), ((1, 1), (1, 1), (0, 0)))
        + b,
    }
    compare("Y", answer(X, W, b, 2, 1), stamps(W, 1) + b, mistakes)
    mistakes = {"Y[0:-0] is empty; end the slice at size - padding": np.zeros((0, 0, 2))}
    compare("Y without padding", answer(X, W, b, 2, 0), stamps(W, 0) + b, mistakes)


def check_transposed_conv_backward(answer) -> None:
    rng = np.random.default_rng(2)
    X, W, dY = (rng.standard_normal(shape) for shape in ((3, 4, 5), (4, 3, 2, 5), (8, 9, 2)))

    def gradients(W, stride=2):
        dX, dW = np.zeros_like(X), np.zeros_like(W)
        for y, x, i, j in np.ndindex(3, 4, 4, 3):
            at = dY[y * stride + i, x * stride + j]
            dX[y, x] += at @ W[i, j]
            dW[i, j] += np.outer(at, X[y, x])
        return dX, dW

    (right_dX, right_dW), (near_dX, near_dW) = gradients(W), gradients(W, 1)
    dX, dW, db = several(answer(dY, X, W, 2), 3, "dX, dW and db")
    mistakes = {
        "the kernel is turned by 180 degrees; the way back is a plain convolution": (
            gradients(W[::-1, ::-1])[0]
        ),
        "the way back steps through dY with the stride": near_dX,
    }
    compare("dX", dX, right_dX, mistakes)
    mistakes = {
        "dY is read with the stride": near_dW,
        "the channels are exchanged: those of dY come first, (kh, kw, c, d)": (
            right_dW.swapaxes(2, 3)
        ),
        "the kernel is turned by 180 degrees": right_dW[::-1, ::-1],
    }
    compare("dW", dW, right_dW, mistakes)
    mistakes = {
        "a mean over the pixels; it is a sum": dY.mean(axis=(0, 1)),
        "the bias belongs to the large picture, so its gradient sums dY": X.sum(axis=(0, 1)),
        "the bias is one number for all pixels: sum over them": dY,
    }
    compare("db", db, dY.sum(axis=(0, 1)), mistakes)


def check_doubling(answer) -> None:
    found = answer()
    if not isinstance(found, tuple | list | np.ndarray) or len(found) != 3:
        raise Wrong("doubling: return three numbers, kernel, stride and padding")
    kernel, stride, padding = (int(number) for number in found)
    if min(kernel, stride) < 1 or padding < 0:
        raise Wrong("doubling: kernel and stride must be at least 1, the padding at least 0")
    for small, large in ((7, 14), (14, 28)):
        found = (small - 1) * stride - 2 * padding + kernel
        if found != large:
            raise Wrong(f"doubling: {small} pixels become {found}, not {large}")
    if kernel <= stride:
        raise Wrong("doubling: the stamps touch but do not overlap")


def check_overlaps(answer) -> None:
    for size, kernel, stride in ((5, 3, 2), (4, 4, 2), (3, 5, 3), (4, 2, 3), (1, 3, 2)):

        def row(kernel, step, length, size=size):
            counts = [0] * length
            for y in range(size):
                for i in range(kernel):
                    if y * step + i < length:
                        counts[y * step + i] += 1
            return counts

        length = (size - 1) * stride + kernel
        right = row(kernel, stride, length)
        middle = [-((u % stride - kernel) // stride) for u in range(length)]
        mistakes = {
            "near the margin fewer stamps land": middle,
            "each stamp begins a stride after the one before": row(kernel, 1, size + kernel - 1),
            "the last stamp is as long as the others": right[: size * stride],
        }
        name = f"overlaps({size}, {kernel}, {stride})"
        compare(name, answer(size, kernel, stride), right, mistakes)
