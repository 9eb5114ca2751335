"""Train the audio-to-image VAE: it hears a digit and draws it.

python examples/train_vae.py --data toy              made by code, about a minute
python examples/train_vae.py --data mix              MNIST and FSDD
python examples/train_vae.py --data mix --backend cupy
python examples/train_vae.py --data mix --kl-warmup 0 --init torch --normalise none
                                                     the naive recipe, which collapses
"""

from tinya2i import cli


def main() -> None:
    flags = cli.parser("Train the audio-to-image VAE: it hears a digit and draws it.")
    cli.generator_flags(flags)
    group = flags.add_argument_group("objective: reconstruction + weight * KL")
    group.add_argument(
        "--kl-weight", type=cli.number(0), default=1.0, metavar="W", help="final weight of KL"
    )
    group.add_argument(
        "--kl-warmup",
        type=cli.number(0),
        default=2.0,
        metavar="N",
        help="epochs over which the weight rises from 0; with 0 the latent usually collapses",
    )
    group.add_argument(
        "--latent-relu", action="store_true", help="ReLU behind mu and logvar, as the slide writes"
    )
    args = flags.parse_args()
    args.model = "vae"

    from tinya2i.tasks.program import train_generator

    train_generator(args)


if __name__ == "__main__":
    cli.main(main)
