"""Draw what a generator hears in any sound files: WAV, FLAC, OGG, MP3, at any rate.

python examples/generate.py runs/vae-toy seven.wav two.flac
python examples/generate.py runs/vae-mix *.wav --noises 3 --out mine.png --judge runs/lenet5-mix
"""

import argparse
from pathlib import Path

from tinya2i import cli

MOST = 100  # rows or columns that a picture can show


def parse() -> argparse.Namespace:
    flags = argparse.ArgumentParser(
        description="Draw what a generator hears: one row a sound, its spectrogram first.",
        allow_abbrev=False,
    )
    add = flags.add_argument
    add("run", metavar="RUN", help="folder of a run of a generator's trainer")
    add("sounds", metavar="SOUND", nargs="+", type=Path, help="a sound file with one spoken digit")
    add(
        "--noises", type=cli.integer(0), default=7, metavar="N", help="pictures drawn beside z = mu"
    )
    add("--seed", type=cli.integer(0), default=0, metavar="N", help="of the noise")
    add("--out", type=Path, default=Path("pictures.png"), metavar="PNG", help="the picture")
    add("--judge", metavar="DIR", help="run of train_lenet5 that reads the pictures")
    args = flags.parse_args()
    if max(args.noises, len(args.sounds)) > MOST:
        flags.error(f"a picture shows at most {MOST} sounds and {MOST} noises")
    return args


def main() -> None:
    args = parse()

    import numpy as np

    from tinya2i import plot
    from tinya2i.tasks import load_generator, load_judge
    from tinya2i.tasks.program import writing
    from tinya2i.tasks.sounds import listen, readable, title

    model, config = load_generator(args.run)
    judge = load_judge(args.judge) if args.judge else None
    S, X = listen(args.sounds, config)
    drawn = pictures(model, X, args.noises, args.seed)
    labels = [readable(path.name) for path in args.sounds]
    for label, row in zip(labels, drawn, strict=True):
        if judge is not None:
            read = " ".join(str(digit) for digit in judge.predict(np.stack(row)).tolist())
            print(f"{label}: the judge reads {read}")
    with writing(args.out):
        plot.grid(
            drawn,
            args.out,
            rows=[title(label) for label in labels],
            columns=["z=μ", *["z drawn"] * (len(drawn[0]) - 1)],
            spectrograms=list(S),
        )
    print(f"pictures: {args.out}")


def pictures(model, X, noises: int, seed: int) -> list[list]:
    """[z = mu, then drawn ones] for each sound. All sounds share the noise, so that a row does not
    depend on its neighbours. An autoencoder knows no noise: one picture.
    """
    import numpy as np

    from tinya2i.models import VAE
    from tinya2i.models.networks import LATENT
    from tinya2i.streams import stream

    count = noises if isinstance(model, VAE) else 0
    noise = stream(seed, "generate").standard_normal((count, 1, LATENT), np.float32)
    columns = [model.generate(X), *(model.generate(X, part) for part in noise)]
    return [list(row) for row in zip(*columns, strict=True)]


if __name__ == "__main__":
    cli.main(main)
