"""What all figures share: numbers first, kept beside the picture, then the drawing.

A script computes numbers(), a JSON-able dict, and draws them: main(__file__, numbers, draw) writes
docs/img/NAME.png and docs/img/NAME.json. A test computes the numbers again and compares.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

IMAGES = Path(__file__).resolve().parent.parent / "img"
RESULTS = IMAGES.parent / "results"
GREEN, RED, GREY, BLUE = "#2a7f4f", "#c0392b", "#888888", "#2b5c8a"


def main(
    script: str, numbers: Callable[[], dict[str, Any]], draw: Callable[[dict[str, Any], Any], None]
) -> None:
    """Write NAME.json, and NAME.png as draw(numbers, matplotlib.pyplot) leaves it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    name = Path(script).stem
    found = plain(numbers())
    IMAGES.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1) + "\n"
    (IMAGES / f"{name}.json").write_text(text, encoding="utf-8")
    plt.rcParams.update({"font.size": 9, "figure.dpi": 110, "savefig.bbox": "tight"})
    draw(found, plt)
    plt.savefig(IMAGES / f"{name}.png", metadata={"Software": None})
    plt.close("all")
    _few_colours(IMAGES / f"{name}.png")


def _few_colours(path: Path) -> None:
    """The same picture in 256 colours: a third of the bytes, and no difference to the eye."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256)
    small.save(path, optimize=True)


def plain(value: Any) -> Any:
    """Arrays and NumPy's numbers as lists and numbers, floats to 8 digits."""
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return float(f"{value:.8g}") if isinstance(value, float) else value
