"""Ask the judge which digits it reads in a generator's pictures of sounds it never trained on.

python examples/evaluate.py runs/vae-toy             the run's own test clips, the default judge
python examples/evaluate.py runs/vae-mix --judge runs/lenet5-mix --data-dir DATA --offline
python examples/evaluate.py runs/vae-mix --quality   and how varied the pictures are
python examples/evaluate.py runs/vae-mix --cas 1000  and what a judge learns from them alone
python examples/evaluate.py runs/vae-mix --retrieval runs/contrastive-mix
                                                     and whether they lead back to their sound
"""

import argparse
from pathlib import Path
from typing import Any

from tinya2i import cli

TABLES = {
    "agreement": "z = mu, test pairs",
    "agreement_unique": "z = mu, unique clips",
    "agreement_sampled": "z drawn, test pairs",
    "agreement_sampled_unique": "z drawn, unique clips",
    "judge": "the judge, real pictures",
}

NEAR = (
    "distance to the digit's mean picture, real pictures' being 1: "
    "z = mu {mu:.2f}, z drawn {drawn:.2f}, mean of a clip's drawn {mean_drawn:.2f}"
)


def parse() -> argparse.Namespace:
    flags = argparse.ArgumentParser(
        description="How many of a generator's pictures the judge reads as the digit said.",
        allow_abbrev=False,
    )
    add = flags.add_argument
    add("run", metavar="RUN", help="folder of a run of a generator's trainer")
    add("--judge", metavar="DIR", help="run of train_lenet5 (default: runs/lenet5-DATA)")
    add("--backend", choices=("auto", "numpy", "cupy"), default="auto", help="default: auto")
    add("--data-dir", metavar="DIR", help="where the data sets are, or go to")
    add("--offline", action="store_true", help="never download")
    add("--quality", action="store_true", help="diversity and distributions too: quality.json")
    add(
        "--cas",
        type=cli.integer(1),
        metavar="STEPS",
        help="train a judge on its pictures, and one on real ones, for so many steps: cas.json",
    )
    add(
        "--retrieval",
        metavar="RUN",
        help="rank the clips by what a run of train_correspondence sees: retrieval.json",
    )
    add("--out", metavar="DIR", help="folder for the results (default: RUN)")
    add("--quiet", action="store_true", help="print nothing, only write the files")
    return flags.parse_args()


def main() -> None:
    args = parse()

    from tinya2i import backend
    from tinya2i.environment import environment
    from tinya2i.tasks import find_judge, load_generator, program
    from tinya2i.tasks.archetypes import archetypes
    from tinya2i.tasks.saved import rebuild_mix

    xp = backend.get(args.backend)
    model, config = load_generator(args.run, xp)
    out = Path(args.out or args.run)
    with program.writing(out):
        out.mkdir(parents=True, exist_ok=True)
    mix = rebuild_mix(config, data_dir=args.data_dir, offline=args.offline)
    args.data = mix.info["name"]
    searcher = searching(args, mix, xp) if args.retrieval else None
    judge = find_judge(args.judge, args.data, lambda: program.images(args), xp, quiet=args.quiet)
    tables = measure(model, judge, mix, xp)
    if not args.quiet:
        report(tables)
    origin = {"run": args.run, "judge_run": args.judge or f"runs/lenet5-{args.data}"}
    origin |= {key: config[key] for key in ("flags", "data")}
    draw(out, tables, model, mix)
    with program.writing(out / "archetypes.png"):
        near = archetypes(model, mix, out / "archetypes.png", seed=mix.info["seed"])
    if not args.quiet:
        print(NEAR.format(**near))
    result = {**origin, "environment": environment(xp), **tables, "archetypes": near}
    program.write_json(out / "evaluation.json", result)
    if args.quality:
        compare(out / "quality.json", model, judge, mix, origin, args.quiet)
    if searcher:
        lead_back(out / "retrieval.json", model, judge, mix, searcher, origin, args)
    if args.cas:
        teach(out / "cas.json", model, mix, origin, args)
    if not args.quiet:
        more = [name for name in ("quality", "retrieval", "cas") if getattr(args, name)]
        files = [f"{name}.json" for name in ("evaluation", *more)]
        files += [f"{name}.png" for name in ("confusion", "pictures", "archetypes")]
        print(f"written: {', '.join(files)} in {out}")


def measure(model, judge, mix, xp) -> dict[str, Any]:
    """What `tasks.evaluate` says, and under "judge" how well the judge reads real pictures."""
    from tinya2i import backend, metrics
    from tinya2i.tasks import evaluate
    from tinya2i.tasks.judge import read
    from tinya2i.threads import own_cores

    with own_cores():
        tables = evaluate(model, judge, mix.test, seed=mix.info["seed"])
        digits = read(judge, backend.to_device(mix.test.images, xp))
    return {**tables, "judge": metrics.agreement(mix.test.digits, digits)}


def compare(path: Path, model, judge, mix, origin: dict[str, Any], quiet: bool) -> None:
    """What `tasks.quality` says of the generator and of what it has to beat."""
    from tinya2i.tasks import program, quality
    from tinya2i.threads import own_cores

    with own_cores():
        result = quality.quality(model, judge, mix, seed=mix.info["seed"])
    if not quiet:
        print(f"\n{quality.report(result)}\n")
    program.write_json(path, {**origin, **result})


def searching(args, mix, xp) -> tuple[Any, Any]:
    """The model and the data of --retrieval, which must test on the same clips."""
    from tinya2i.tasks.ranking import same_clips
    from tinya2i.tasks.saved import load_retrieval, rebuild_mix

    searcher, config = load_retrieval(args.retrieval, xp)
    theirs = rebuild_mix(config, data_dir=args.data_dir, offline=args.offline)
    same_clips(mix, theirs)
    return searcher, theirs


def lead_back(path: Path, model, judge, mix, searcher, origin: dict[str, Any], args) -> None:
    """Whether its pictures are nearest to the sounds that they were drawn for."""
    from tinya2i.tasks import program, ranking
    from tinya2i.threads import own_cores

    with own_cores():
        rows = ranking.rank_back(model, judge, mix, *searcher, seed=mix.info["seed"])
    program.say(args, f"\n{ranking.report(rows)}\n")
    program.write_json(path, {**origin, "retrieval_run": args.retrieval, "rows": rows})


def teach(path: Path, model, mix, origin: dict[str, Any], args) -> None:
    """What a LeNet5 learns from its pictures alone: the classification accuracy score."""
    from tinya2i.tasks import program
    from tinya2i.tasks.cas import cas
    from tinya2i.threads import own_cores

    with own_cores():
        scores = {
            name: cas(model, mix, seed=mix.info["seed"], steps=args.cas, real=name == "real")
            for name in ("generated", "real")
        }
    for name, score in scores.items():
        low, high = score["interval"]
        text = f"{100 * score['rate']:.2f} % ({100 * low:.1f} to {100 * high:.1f})"
        program.say(args, f"real test pictures read after {args.cas} steps on {name} ones: {text}")
    program.write_json(path, {**origin, **scores})


def report(tables: dict[str, Any]) -> None:
    """Everything on the screen, the short version last."""
    from tinya2i import metrics

    for key, title in TABLES.items():
        print(f"{title}\n{metrics.table(tables[key])}\n")
    print(f"{TABLES['agreement']}; rows: said, columns: read")
    matrix = tables["agreement"]["confusion"]
    for label, row in zip(["", *range(10)], [range(10), *matrix], strict=True):
        print(f"{label:4}" + "".join(f"{count:6}" for count in row))
    losses = [f"{key} {tables[key]:.2f} nats" for key in ("reconstruction", "kl") if key in tables]
    print(f"\n{', '.join(losses)}\nread as the digit that was said (95 % intervals, over clips):")
    for key, title in TABLES.items():
        low, high = tables[key]["interval"]
        print(f"{title:25}{100 * tables[key]['rate']:6.2f} %  {100 * low:.2f} to {100 * high:.2f}")


def draw(out: Path, tables: dict[str, Any], model, mix) -> None:
    """confusion.png and pictures.png in the folder `out`."""
    from tinya2i import plot
    from tinya2i.tasks.generator import draw_samples
    from tinya2i.tasks.program import writing

    with writing(out / "confusion.png"):
        matrix = tables["agreement"]["confusion"]
        plot.confusion(matrix, out / "confusion.png", TABLES["agreement"])
    with writing(out / "pictures.png"):
        draw_samples(model, mix, out / "pictures.png", seed=mix.info["seed"])


if __name__ == "__main__":
    cli.main(main)
