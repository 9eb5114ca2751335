"""Train the audio-to-image VAE-GAN: it draws what it hears, and another network must believe it.

python examples/train_vaegan.py --data toy           made by code, some minutes
python examples/train_vaegan.py --data mix           MNIST and FSDD, six minutes an epoch on 2 cores
python examples/train_vaegan.py --data mix --alpha 0.001
                                                     nearer to a plain GAN
python examples/train_vaegan.py --data mix --alpha 0 --beta 0
                                                     the plain GAN, which does not listen
"""

import argparse

from tinya2i import cli


def objective_flags(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("objective: adversarial + alpha * reconstruction + beta * KL")
    add = group.add_argument
    add("--alpha", type=cli.number(0), default=0.2, metavar="W", help="weight of reconstruction")
    add(
        "--alpha-ramp",
        type=cli.number(0),
        default=0.0,
        metavar="N",
        help="epochs over which it goes there from --alpha-start, by the same factor each step",
    )
    add(
        "--alpha-start",
        type=cli.positive,
        default=0.002,
        metavar="W",
        help="so small a weight that it first learns to draw, and then to listen",
    )
    add("--beta", type=cli.number(0), default=0.5, metavar="W", help="weight of KL")
    add(
        "--kl-warmup",
        type=cli.number(0),
        default=0.0,
        metavar="N",
        help="epochs over which beta rises from 0",
    )
    add(
        "--adversarial",
        choices=("non-saturating", "saturating"),
        default="non-saturating",
        help="the generator's loss: -log D, or the minimax game's log(1 - D)",
    )
    add(
        "--reconstruction",
        choices=("pixels", "mse", "features"),
        default="pixels",
        help="cross-entropy of pixels, their squared differences, or those of what the"
        " discriminator makes of them",
    )
    add(
        "--arch",
        choices=("talk", "b", "bare", "hidden"),
        default="bare",
        help="which layers have BatchNorm; see tinya2i.models.convnets",
    )


def main() -> None:
    flags = cli.parser("Train the audio-to-image VAE-GAN: it hears a digit and draws it.", lr=2e-4)
    cli.generator_flags(flags)
    objective_flags(flags)
    flags.set_defaults(init="dcgan")
    args = flags.parse_args()
    if args.alpha_ramp and not args.alpha:
        flags.error("no factor leads to 0: give --alpha more than 0, or leave --alpha-ramp out")
    args.model = "vaegan"

    from tinya2i.tasks.program import train_generator

    train_generator(args)


if __name__ == "__main__":
    cli.main(main)
