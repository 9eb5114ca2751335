"""Pictures for people: grids of images, curves, confusion matrices. Needs matplotlib."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinya2i.files import read_rows, replacing
from tinya2i.runs import TIMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.62  # inches: 28 pixels at 135 dots an inch come out three dots wide
DPI = 135
INK = "0.25"


def grid(
    images: Any,
    path: str | Path,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    title: str | None = None,
    spectrograms: Sequence[np.ndarray] | None = None,
) -> None:
    """Write `images` in rows and columns, black 0 to white 1, to the PNG `path`.

    images: (rows, columns, h, w) or (rows, columns, h, w, 1), floats in 0..1 or uint8; or a list
    of lists of single images, None leaving a gap. rows, columns: labels. spectrograms: one
    (bands, frames) array in 0..1 for each row, drawn in colour, low bands below, as a first column.
    Raises ValueError if there is no image in it, OSError for the disk.
    """
    cells = [[None if X is None else _image(X) for X in row] for row in images]
    width = max(map(len, cells), default=0)
    if width == 0 or not any(X is not None for row in cells for X in row):
        raise ValueError("a grid needs at least one image")
    shift = 0 if spectrograms is None else 1.15  # a little apart: it is another kind of thing
    figure, axes = _figure((width + shift) * CELL, len(cells) * CELL)
    for i, row in enumerate(cells):
        if spectrograms is not None:
            _cell(axes, _image(spectrograms[i])[::-1], 0, i, "magma")
        for j, X in enumerate(row):
            if X is not None:
                _cell(axes, X, j + shift, i, "gray")
    axes.set(xlim=(0, width + shift), ylim=(len(cells), 0), aspect="equal")
    axes.set_yticks(np.arange(len(cells)) + 0.5 if rows is not None else [], rows)
    axes.set_xticks(np.arange(width) + 0.5 + shift if columns is not None else [], columns)
    _write(figure, axes, path, title)


def curves(rows: Sequence[Mapping[str, Any]] | str | Path, path: str | Path) -> None:
    """Write one small curve for each metric, over epochs, to the PNG `path`.

    rows: those of metrics.jsonl, or that file. A metric, its "test_" and its "_sampled" twin share
    a panel.
    Raises ValueError if there is nothing to draw.
    """
    rows = read_rows(rows) if isinstance(rows, (str, Path)) else rows
    names = panels(rows)
    if not names:
        raise ValueError("nothing to draw: the metrics hold no numbers")
    across = min(3, len(names))
    down = -(-len(names) // across)
    figure, _ = _figure(3.0 * across, 2.1 * down, axes=False)
    for i, (title, members) in enumerate(names.items()):
        axes = figure.add_subplot(down, across, i + 1)
        for name in members:
            points = [(row["epoch"], row[name]) for row in rows if row.get(name) is not None]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=2.5, label=name)
        axes.set_title(title, fontsize=9, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7, colors=INK)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if len(members) > 1:
            axes.legend(fontsize=7, frameon=False)
        if i >= len(names) - across:
            axes.set_xlabel("epoch", fontsize=8, color=INK)
    figure.tight_layout()
    _save(figure, path)


def panels(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Which metrics share a panel: panel -> names, in the order of their first appearance."""
    result: dict[str, list[str]] = {}
    for row in rows:
        for name, value in row.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number and name not in {"epoch", "step", *TIMES}:
                panel = name.removeprefix("test_").removesuffix("_sampled")
                members = result.setdefault(panel, [])
                members += [name] if name not in members else []
    return result


def confusion(matrix: Any, path: str | Path, title: str | None = None) -> None:
    """Write a confusion matrix with its counts to the PNG `path`; shades are shares of a row.

    matrix: (c, c) counts as metrics.confusion returns them. Rows: said; columns: read.
    """
    C = np.asarray(matrix)
    shares = C / np.maximum(C.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(len(C) * 0.42, len(C) * 0.42)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), n in np.ndenumerate(C):
        if n:
            colour = "white" if shares[i, j] > 0.55 else INK
            axes.text(j, i, f"{n}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(C)))
    axes.set_yticks(range(len(C)))
    axes.set_xlabel("read by the judge", fontsize=9, color=INK)
    axes.set_ylabel("said", fontsize=9, color=INK)
    _write(figure, axes, path, title)


def tradeoff(
    points: Sequence[Mapping[str, Any]], path: str | Path, lines: Mapping[str, float]
) -> None:
    """Write agreement against diversity, both in 0..1, to the PNG `path`.

    points: {"label", "diversity", "agreement", "interval": (low, high), "group"} each; points of a
    group are joined in their order, and groups that differ by ", seed N" alone have one colour.
    lines: label -> an agreement to draw a line at.
    """
    figure, _ = _figure(6.4, 5.6, axes=False)
    axes = figure.add_subplot()
    for label, height in lines.items():
        axes.axhline(100 * height, color="0.75", linewidth=0.8, linestyle="--")
        across = axes.get_yaxis_transform()  # at the right end, where no curve runs
        axes.text(
            1,
            100 * height,
            label,
            fontsize=7,
            color="0.45",
            ha="right",
            va="bottom",
            transform=across,
        )
    colours: dict[str, str] = {}
    for group in dict.fromkeys(point["group"] for point in points):
        members = [point for point in points if point["group"] == group]
        x, y = ([100 * p[name] for p in members] for name in ("diversity", "agreement"))
        ends = np.array([[100 * end for end in point["interval"]] for point in members]).T
        errors = np.maximum(0, [y - ends[0], ends[1] - y])
        kind = re.sub(r", seed \d+", "", group)
        look = {"label": None if kind in colours else kind}
        look["color"] = colours.setdefault(kind, f"C{len(colours)}")
        axes.errorbar(x, y, yerr=errors, marker="o", markersize=4, linewidth=1, **look)
        for point, left, height in zip(members, x, y, strict=True):
            place = {"xytext": (4, 4), "textcoords": "offset points"}
            axes.annotate(point["label"], (left, height), fontsize=7, color=INK, **place)
    axes.set_xlabel("a clip's variety, % of that of real pictures", fontsize=8, color=INK)
    axes.set_ylabel("read as the digit said, % (z drawn)", fontsize=8, color=INK)
    axes.set(xlim=(0, None), ylim=(0, 102))
    axes.tick_params(labelsize=7, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=6, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    figure.tight_layout()
    _save(figure, path)


def _image(X: Any) -> np.ndarray:
    """(h, w) floats in 0..1"""
    X = np.asarray(X)
    X = X[..., 0] if X.ndim == 3 and X.shape[-1] == 1 else X
    if X.ndim != 2:
        raise ValueError(f"a grid takes images (h, w) or (h, w, 1), not {X.shape}")
    return X / 255 if X.dtype == np.uint8 else X


def _cell(axes: "Axes", X: np.ndarray, left: float, top: float, colours: str) -> None:
    gap = 0.03
    extent = (left + gap, left + 1 - gap, top + 1 - gap, top + gap)
    axes.imshow(X, extent=extent, cmap=colours, vmin=0, vmax=1, interpolation="nearest")


def _figure(width: float, height: float, axes: bool = True) -> tuple["Figure", "Axes | None"]:
    """A figure in inches, without pyplot: no window, no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0, 0, 1, 1)) if axes else None


def _write(figure: "Figure", axes: "Axes", path: str | Path, title: str | None) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8, colors=INK, labeltop=False)
    if title:
        axes.set_title(title, fontsize=10, color=INK)
    _save(figure, path)


def _save(figure: "Figure", path: str | Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(
            temporary,
            format="png",
            bbox_inches="tight",
            pad_inches=0.08,
            metadata={"Software": None},
        )
