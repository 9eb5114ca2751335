"""Train LeNet5, the judge that says later which digit a generator drew.

python examples/train_lenet5.py                      toy digits, a few seconds
python examples/train_lenet5.py --data mix           MNIST, 10 epochs
python examples/train_lenet5.py --data mix --backend cupy
"""

from tinya2i import cli


def main() -> None:
    args = cli.parser("Train LeNet5 to read digits: the judge of all generators.").parse_args()

    from tinya2i import backend, data
    from tinya2i.kernels import cublas
    from tinya2i.runs import Run
    from tinya2i.tasks import judge

    xp = backend.get(args.backend)
    cublas.set_tf32(args.tf32, xp)
    args.epochs = judge.EPOCHS[args.data] if args.epochs is None else args.epochs
    folder = cli.folder(args, f"lenet5-{args.data}")
    images = data.load_images(args.data, data_dir=args.data_dir, offline=args.offline)
    if args.limit_train:
        images = (images[0][: args.limit_train], images[1][: args.limit_train], *images[2:])
    flags = {**vars(args), "model": "lenet5"}
    run = Run(folder, flags, resume=args.resume, overwrite=args.overwrite, xp=xp)
    options = {name: getattr(args, name) for name in ("lr", "batch_size", "seed")}
    options |= {"xp": xp, "decay": cli.decay(args)}
    judge.train_judge(images, run, options, **cli.loop_options(args))
    if not args.quiet:
        print(f"the judge is in {folder}: its summary.json, curves.png, confusion.png")


if __name__ == "__main__":
    cli.main(main)
