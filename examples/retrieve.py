"""Find pictures for sounds, and sounds for pictures, by what a run of train_correspondence learned.

python examples/retrieve.py runs/contrastive-toy     how well: all ways, among unseen test items
python examples/retrieve.py runs/contrastive-toy seven.wav two.flac
                                                     the test pictures that go best with these
python examples/retrieve.py runs/correspondence-toy  a network that gives verdicts, made to search

A run of --objective distance or contrastive searches by distance. The towers of the other
objectives never learned to be compared: across, by distance, they find what chance finds.
"""

import argparse
from pathlib import Path

from tinya2i import cli

MOST = 100  # rows or columns that a picture can show


def parse() -> argparse.Namespace:
    flags = argparse.ArgumentParser(
        description="Search test pictures by sounds, test clips by pictures, each by its own kind.",
        allow_abbrev=False,
    )
    add = flags.add_argument
    add("run", metavar="RUN", help="folder of a run of train_correspondence")
    add("sounds", metavar="SOUND", nargs="*", type=Path, help="sound files to find pictures for")
    add("--top", type=cli.integer(1), default=10, metavar="N", help="pictures in a row (10)")
    add("--backend", choices=("auto", "numpy", "cupy"), default="auto", help="default: auto")
    add("--data-dir", metavar="DIR", help="where the data sets are, or go to")
    add("--offline", action="store_true", help="never download")
    add("--out", metavar="DIR", help="folder for the results (default: RUN)")
    add("--quiet", action="store_true", help="print nothing, only write the files")
    args = flags.parse_args()
    if max(args.top, len(args.sounds)) > MOST:
        flags.error(f"a picture shows at most {MOST} sounds and {MOST} pictures of each")
    return args


def main() -> None:
    args = parse()

    from tinya2i import backend
    from tinya2i.tasks import program
    from tinya2i.tasks.belonging import seen
    from tinya2i.tasks.saved import load_towers, rebuild_mix
    from tinya2i.tasks.sounds import listen
    from tinya2i.threads import own_cores

    model, config = load_towers(args.run, backend.get(args.backend))
    sounds = listen(args.sounds, config) if args.sounds else None
    mix = rebuild_mix(config, data_dir=args.data_dir, offline=args.offline)
    out = Path(args.out or args.run)
    with program.writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with own_cores():
        F = seen(model, mix.test.images)
        if sounds:
            find(args, model, mix, F, sounds, out / "found.png")
        else:
            measure(args, model, mix, F, config, out)


def find(args, model, mix, F, sounds, path: Path) -> None:
    """The test pictures that go best with the user's sounds, and what they show."""
    from tinya2i.tasks import program
    from tinya2i.tasks.belonging import best_pictures, draw_found, heard
    from tinya2i.tasks.sounds import readable, title

    S, X = sounds
    places = best_pictures(model, F, heard(model, X), min(args.top, len(F)))
    labels = [readable(sound.name) for sound in args.sounds]
    for label, digits in zip(labels, mix.test.digits[places].tolist(), strict=True):
        program.say(args, f"{label}: the nearest pictures show {' '.join(map(str, digits))}")
    with program.writing(path):
        draw_found(path, mix.test.images[places], list(map(title, labels)), list(S))
    program.say(args, f"pictures: {path}")


def measure(args, model, mix, F, config, out: Path) -> None:
    """retrieval.json: all ways on the test side; retrieval.png: a clip of each digit."""
    from tinya2i.backend import array_module
    from tinya2i.environment import environment
    from tinya2i.models import Retrieval
    from tinya2i.tasks import program, search
    from tinya2i.tasks.belonging import draw_matches, heard, pictures_for_sounds

    test, G = mix.test, heard(model, mix.test.clips)
    tables = search.directions(search.unit(F), search.unit(G), test.digits, test.clip_digits)
    if not isinstance(model, Retrieval):
        tables["by_verdict"] = pictures_for_sounds(model, test, F, G)
    program.say(args, search.report(tables))
    origin = {"run": args.run, **{key: config[key] for key in ("flags", "data")}}
    origin["environment"] = environment(array_module(next(model.params()).data))
    program.write_json(out / "retrieval.json", {**origin, "tables": tables})
    with program.writing(out / "retrieval.png"):
        draw_matches(model, test, out / "retrieval.png", len(F), args.top)
    program.say(args, f"written: retrieval.json and retrieval.png in {out}")


if __name__ == "__main__":
    cli.main(main)
