"""Train the conditional VAE: it hears a digit and draws it, each time another one.

python examples/train_cvae.py --data toy             made by code, about a minute
python examples/train_cvae.py --data mix             MNIST and FSDD
python examples/train_cvae.py --data mix --hybrid 0.01
                                                     more varied, and more often wrong
python examples/train_cvae.py --data mix --hybrid 1  archetypes, as a VAE without KL draws them

In training a third network looks at the picture and tells the decoder what is special about it.
"""

from tinya2i import cli


def main() -> None:
    flags = cli.parser("Train the conditional VAE: many pictures for one sound.")
    cli.generator_flags(flags)
    group = flags.add_argument_group(
        "objective: (1 - H) * (reconstruction + W * KL) + H * reconstruction with N(0, 1)"
    )
    add = group.add_argument
    add("--kl-weight", type=cli.number(0), default=1.0, metavar="W", help="final weight of KL")
    add(
        "--kl-warmup",
        type=cli.number(0),
        default=0.0,
        metavar="N",
        help="epochs over which the weight rises from 0",
    )
    add(
        "--hybrid",
        type=cli.number(0, 1),
        default=0.035,
        metavar="H",
        help="from variety, 0, to mean pictures, 1",
    )
    add(
        "--hybrid-fall",
        type=cli.number(0),
        default=1.0,
        metavar="N",
        help="epochs over which H falls from 1, while the network learns to listen; train for more",
    )
    args = flags.parse_args()
    args.model = "cvae"

    from tinya2i.tasks.program import train_generator

    train_generator(args)


if __name__ == "__main__":
    cli.main(main)
