"""What the examples share; above all the way from the flags of a generator to a finished run."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tinya2i import backend, cli, data, init
from tinya2i.audio import Augment, LogMel
from tinya2i.errors import RunError
from tinya2i.files import plain, replacing
from tinya2i.kernels import cublas
from tinya2i.models import CVAE, VAE, VAEGAN, Autoencoder
from tinya2i.runs import Run
from tinya2i.streams import stream
from tinya2i.tasks.augmented import FreshClips
from tinya2i.tasks.base import draw_curves
from tinya2i.tasks.ear import start_from
from tinya2i.tasks.evaluation import evaluate, headline
from tinya2i.tasks.gan import VAEGANTask
from tinya2i.tasks.generator import (
    AutoencoderTask,
    CVAETask,
    GeneratorTask,
    VAETask,
    draw_samples,
)
from tinya2i.tasks.judge import find_judge
from tinya2i.threads import own_cores
from tinya2i.training import train

EPOCHS = {"mix": 3, "toy": 5}
SUMMED = "sums over pixels (or features) and latents, means over the batch"


def train_generator(args: argparse.Namespace) -> None:
    """Train args.model ("vae", "cvae", "vaegan" or "autoencoder"), judge it, draw what it does."""
    xp, mix, run = begin(args, args.model, EPOCHS)
    judge = find_judge(
        args.judge, args.data, lambda: images(args), xp, quiet=args.quiet, dry=args.dry_run
    )
    task = make_task(args, mix, judge, xp)
    say(args, f"objective: {task.objective}; {SUMMED}")
    summary = train(task, run, **cli.loop_options(args))
    with own_cores():
        result = evaluate(task.model, judge, mix.test, seed=args.seed)
    run.summary({**summary, **headline(result)})
    picture = run.folder / "pictures.png"
    with run.writing(picture):
        draw_samples(task.model, mix, picture, seed=args.seed)
    draw_curves(run)
    report(args, result, picture)


def begin(
    args: argparse.Namespace, name: str, epochs: dict[str, int]
) -> tuple[ModuleType, data.Mix, Run]:
    """(array module, data, run) that the flags ask for, called `name`; says where it will be.

    epochs: of each data set, where --epochs does not say.
    """
    xp = backend.get(args.backend)
    cublas.set_tf32(args.tf32, xp)
    args.epochs = epochs[args.data] if args.epochs is None else args.epochs
    name_augmentation(args)
    folder = cli.folder(args, f"{name}-{args.data}")
    mix = load_mix(args)
    run = Run(
        folder, vars(args), resume=args.resume, overwrite=args.overwrite, data=mix.info, xp=xp
    )
    say(args, f"{name} on {backend.device_name(xp)} ({xp.__name__}); run in {folder}")
    if args.augment:
        say(args, f"{args.augment} fresh versions of each clip an epoch: {args.augment_kinds}")
    return xp, mix, run


def load_mix(args: argparse.Namespace) -> data.Mix:
    """The data that the flags name."""
    return data.load(
        args.data,
        data_dir=args.data_dir,
        offline=args.offline,
        speakers=args.speakers,
        split=args.split,
        seed=args.seed,
        features=LogMel(framing=args.framing),
        normalise=args.normalise,
        limit_train=args.limit_train,
    )


def images(args: argparse.Namespace) -> data.Images:
    """What the judge is trained on."""
    return data.load_images(args.data, data_dir=args.data_dir, offline=args.offline)


def make_task(args: argparse.Namespace, mix: data.Mix, judge, xp) -> GeneratorTask:
    """The model with fresh weights, or with the ear of --ear-from; and how it is trained."""
    given: Any = (stream(args.seed, "init"), init.BY_NAME[args.init])
    kind, make, names = {
        "autoencoder": (AutoencoderTask, lambda: Autoencoder(*given), ()),
        "vae": (VAETask, lambda: VAE(*given, args.latent_relu), ("kl_weight", "kl_warmup")),
        "cvae": (
            CVAETask,
            lambda: CVAE(*given),
            ("kl_weight", "kl_warmup", "hybrid", "hybrid_fall"),
        ),
        "vaegan": (
            VAEGANTask,
            lambda: VAEGAN(args.arch, *given),
            (
                *("alpha", "alpha_start", "alpha_ramp", "beta", "kl_warmup"),
                *("adversarial", "reconstruction"),
            ),
        ),
    }[args.model]
    options: dict[str, Any] = {"xp": xp, "repair": args.repair, "decay": cli.decay(args)}
    options |= {name: getattr(args, name) for name in ("lr", "batch_size", "seed", *names)}
    model = make()
    if args.ear_from:
        start_from(model, args.ear_from, mix, data_dir=args.data_dir, offline=args.offline)
    return kind(model, mix, judge, fresh=fresh_clips(args, mix), **options)


def name_augmentation(args: argparse.Namespace) -> None:
    """Put every kind and its number into args.augment_kinds, for the run's config.json.

    Raises AudioError for a kind that there is not.
    """
    if args.augment:
        settings = Augment.of(args.augment_kinds) if args.augment_kinds else Augment()
        args.augment_kinds = str(settings)


def fresh_clips(args: argparse.Namespace, mix: data.Mix) -> FreshClips | None:
    """What --augment asks for, its kinds named: new versions of the training clips, or None."""
    if not args.augment:
        return None
    return FreshClips(mix, args.augment, seed=args.seed, settings=Augment.of(args.augment_kinds))


def say(args: argparse.Namespace, text: str) -> None:
    """Print, unless --quiet."""
    if not args.quiet:
        print(text, flush=True)


def report(args: argparse.Namespace, result: dict[str, Any], picture: Path) -> None:
    """The last lines on the screen."""
    for name, what in (("agreement", "z = mu"), ("agreement_sampled", "z drawn")):
        table = result[name]
        low, high = table["interval"]
        pairs = f"{table['correct']} of {table['count']} pictures of test clips"
        say(
            args,
            f"the judge reads the spoken digit in {100 * table['rate']:.1f} % "
            f"({100 * low:.1f} to {100 * high:.1f}) of {pairs}, {what}",
        )
    say(args, f"pictures: {picture}")


def write_json(path: Path, result: Any) -> None:
    """`result` as JSON, whole or not at all. Raises RunError."""
    with writing(path), replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(result), indent=2) + "\n", encoding="utf-8")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError into a RunError that says what could not be written."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}. Make room or choose another --out"
        ) from error
