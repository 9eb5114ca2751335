"""Sound: log-mel of many files against librosa; how soon the data and one picture are there."""

import io
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import threadpoolctl

from tinya2i import audio, data
from tinya2i.benchmark import process
from tinya2i.benchmark.memory import OURS
from tinya2i.benchmark.timing import Contender, interleaved
from tinya2i.errors import DataError, RunError
from tinya2i.models import VAE

TOLERANCE = 1e-3  # of the scale 0..1, that is 0.08 dB
LOADS, PICTURES = 3, 50  # how often these are clocked

Announce = Callable[[str], None]


def measure(
    rounds: int, clips: int | None = None, announce: Announce = lambda text: None
) -> dict[str, Any]:
    """All of it, JSON-able: {"source", "clips", "log_mel", "mix", "picture"}, in seconds.

    From FSDD's recordings where they are found, else from the toy words, written to WAV files.
    clips: so many of them, all if None. The files lie in the system's page cache for both sides,
    and our cache of features is not used, but for "mix".
    """
    source, recordings = sounds()
    chosen = dict(itertools.islice(recordings.items(), clips))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in chosen]
        for path, content in zip(paths, chosen.values(), strict=True):
            path.write_bytes(content)
        return {
            "source": source,
            "clips": len(paths),
            "log_mel": log_mel(paths, rounds, announce),
            "mix": mix(announce),
            "picture": picture(paths, announce),
        }


def sounds() -> tuple[str, dict[str, bytes]]:
    """("FSDD" or "toy", {name: content of a WAV file})."""
    from tinya2i.data import fsdd

    try:
        found = data.look_up(fsdd.find, fsdd.SOURCE, lambda path: None, data_dir=None, offline=True)
        return "FSDD", found.files
    except DataError:
        from tinya2i.data import toy

        spoken = toy.clips()
        waves = (wav(wave) for side in spoken for wave in side.waves)
        names = (name for side in spoken for name in side.names)
        return "toy", dict(zip(names, waves, strict=True))


def wav(wave: np.ndarray) -> bytes:
    """A WAV file of 16 bits, as FSDD's are."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, wave, 8000, subtype="PCM_16", format="WAV")
    return file.getvalue()


def log_mel(paths: Sequence[Path], rounds: int, announce: Announce) -> dict[str, Any]:
    """Median seconds from files to pictures, ours and each loop's; "faster": theirs / ours.

    librosa's turns have BLAS on one thread: its products are so small that more make it slower.
    RunError where the pictures differ. Without librosa only ours.
    """
    librosa = librosa_side()
    loops = librosa.LOOPS if librosa else {}
    announce("the same pictures?")
    X = ours(paths)
    errors = [np.abs(X - [loop(path) for path in paths]).max() for loop in loops.values()]
    if not all(error <= TOLERANCE for error in errors):
        raise RunError(f"our log-mel and librosa's differ by {max(errors):.1g}: nothing was timed")
    contenders = {OURS: Contender(lambda: ours(paths))}
    for name, loop in loops.items():
        contenders[name] = Contender(
            lambda loop=loop: [loop(path) for path in paths],
            lambda: threadpoolctl.threadpool_limits(1, "blas"),
        )
    seconds = interleaved(contenders, rounds, 1, announce)
    times = {name: statistics.median(each) for name, each in seconds.items()}
    mine = times.pop(OURS)
    return {
        OURS: mine,
        "librosa": times,
        "version": librosa and librosa.librosa.__version__,
        "faster": {name: value / mine for name, value in times.items()},
        "difference": max(errors, default=None),
        "minimum": {name: min(each) for name, each in seconds.items()},
    }


def ours(paths: Sequence[Path]) -> np.ndarray:
    return audio.log_mel(audio.load(path) for path in paths)


def librosa_side() -> ModuleType | None:
    """`tinya2i.benchmark.librosa_loop`; None without librosa."""
    try:
        import librosa  # noqa: F401
    except ImportError:
        return None
    from tinya2i.benchmark import librosa_loop

    return librosa_loop


def mix(announce: Announce) -> dict[str, Any] | None:
    """Seconds from starting Python to the whole mix in memory, warm caches; None without the data.

    In processes that do nothing else; the first one fills the cache of features, uncounted.
    """
    announce("the mix")
    seconds = []
    for _ in range(1 + LOADS):
        start = time.perf_counter()
        pairs = process.answer(__name__)
        seconds.append(time.perf_counter() - start)
        if pairs is None:
            return None
    return {"pairs": pairs, "median": statistics.median(seconds[1:]), "maximum": max(seconds[1:])}


def picture(paths: Sequence[Path], announce: Announce) -> dict[str, float]:
    """Seconds from one WAV file to one picture by a VAE that is in memory, one clip at a time."""
    announce("one clip to one picture")
    model, settings = VAE(), audio.LogMel()
    X = ours(paths)
    mean, std = X.mean(), X.std()

    def draw(path: Path) -> np.ndarray:
        S = audio.log_mel([audio.load(path)], settings)
        return model.generate(((S - mean) / std)[..., None])[0, :, :, 0]

    draw(paths[0])
    seconds = []
    for path in itertools.islice(itertools.cycle(paths), PICTURES):
        start = time.perf_counter()
        image = draw(path)
        seconds.append(time.perf_counter() - start)
        assert image.shape == (28, 28)
    return {"median": statistics.median(seconds), "maximum": max(seconds), "calls": len(seconds)}


def lines(result: dict[str, Any]) -> list[str]:
    """The numbers for a person."""
    mel, ready, drawn = (result[key] for key in ("log_mel", "mix", "picture"))
    rows = [f"log-mel of {result['clips']:,} {result['source']} clips, from WAV files on disk"]
    rows.append(_row("ours", mel[OURS]))
    for name, seconds in mel["librosa"].items():
        label = f"librosa {mel['version']}, {name}"
        rows.append(f"{_row(label, seconds)}{mel['faster'][name]:8.1f} times ours")
    if not mel["librosa"]:
        rows.append("  librosa is not installed: pip install -e '.[parity]'  and run this again")
    rows += ["", "the mix of MNIST and FSDD, from starting Python, warm cache"]
    rows.append(_row(f"{ready['pairs']:,} pairs", ready["median"]) if ready else "  not found here")
    rows += ["", f"one clip to one picture, in process, {drawn['calls']} calls"]
    return rows + [_row(key, drawn[key]) for key in ("median", "maximum")]


def _row(label: str, seconds: float) -> str:
    return f"  {label:44}{seconds * 1e3:9.1f} ms"


def main() -> None:
    try:
        pairs = len(data.load("mix", offline=True).train.images)
    except DataError:
        pairs = None
    print(json.dumps(pairs))


if __name__ == "__main__":
    main()
