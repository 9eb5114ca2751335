"""Teach an eye and an ear which pictures and which spoken digits belong together, without labels.

python examples/train_correspondence.py --data toy   made by code, half a minute
python examples/train_correspondence.py --data mix   MNIST and FSDD: is this the picture's clip?
python examples/train_correspondence.py --data mix --objective distance
                                                     the same question, answered by a distance
python examples/train_correspondence.py --data mix --objective contrastive
                                                     today's: which of the batch's clips is it?
python examples/train_correspondence.py --data mix --ear vae
                                                     an ear that a VAE can start from
python examples/train_correspondence.py --data mix --objective labels
                                                     the same towers, told the digits: the ruler

summary.json says how often it is right about unseen pairs, beside what is possible, and how much a
linear classifier reads in the features of both, beside the same before training. What has learned
to compare can search: examples/retrieve.py.
"""

from tinya2i import cli


def main() -> None:
    flags = cli.parser("Teach an eye and an ear what belongs together, without labels.")
    group = flags.add_argument_group("model")
    cli.clip_flags(flags, group)
    group.add_argument(
        "--ear", choices=("tower", "vae"), default="tower", help="small, or the VAE's encoder"
    )
    add = flags.add_argument_group("objective").add_argument
    add(
        "--objective",
        choices=("correspondence", "distance", "contrastive", "labels"),
        default="correspondence",
        help="a verdict on both features (L3-Net), on their distance (AVE-Net), InfoNCE, or labels",
    )
    add(
        "--negatives",
        choices=("random", "class-aware"),
        default="random",
        help="wrong pairs: with any other picture's clip, or never with one of the same digit",
    )
    args = flags.parse_args()
    if args.negatives == "class-aware" and args.objective in ("contrastive", "labels"):
        flags.error(f"--objective {args.objective} draws no negatives: leave --negatives out")

    from tinya2i.tasks.correspondence import train_towers

    train_towers(args)


if __name__ == "__main__":
    cli.main(main)
