"""Train the deterministic audio-to-image autoencoder: no noise, no KL, one picture for a sound.

python examples/train_autoencoder.py --data toy
python examples/train_autoencoder.py --data mix
"""

from tinya2i import cli


def main() -> None:
    flags = cli.parser("Train the audio-to-image autoencoder: one picture for each sound.")
    cli.generator_flags(flags)
    args = flags.parse_args()
    args.model = "autoencoder"

    from tinya2i.tasks.program import train_generator

    train_generator(args)


if __name__ == "__main__":
    cli.main(main)
