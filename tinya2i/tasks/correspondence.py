"""Do they belong together? What teaches an eye and an ear so, each objective a task.

"correspondence", "distance" and "contrastive" learn from which clip came with which picture, and
look at no digit: labels paired the two (`data.mix`), as the world pairs a face with its voice, and
serve again only to measure. "labels" is what they are compared with.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tinya2i import cli, init
from tinya2i.backend import Array, to_numpy
from tinya2i.data import Mix
from tinya2i.data.negatives import correspond
from tinya2i.layer import Layer
from tinya2i.models import Correspondence, Retrieval, correspondence, labelled, retrieval
from tinya2i.models.labelled import Labelled
from tinya2i.optim import Adam, Optimiser
from tinya2i.streams import stream
from tinya2i.tasks import program
from tinya2i.tasks.base import draw_curves, pixels
from tinya2i.tasks.belonging import assess, draw_matches, glance
from tinya2i.tasks.evaluation import headline
from tinya2i.tasks.pairs import PairsTask
from tinya2i.threads import own_cores
from tinya2i.training import train

EPOCHS = {"mix": 3, "toy": 5}
GUESSING = 0.55  # of balanced pairs are judged right by who has learned next to nothing


class TowersTask(PairsTask):
    """An eye and an ear on pictures and clips; `belonging` says what they have learned.

    decides: whether a verdict on single pairs is trained.
    """

    objective, decides = "", True
    least = 2  # for BatchNorm

    def evaluate(self) -> dict[str, float]:
        return glance(self.model, self.mix.test, seed=self.seed, decides=self.decides)

    def draw(self, path: Path) -> None:
        draw_matches(self.model, self.mix.test, path)


class CorrespondenceTask(TowersTask):
    """A half of right pairs and a half of wrong ones, and which is which.

    negatives: "random" strangers, as nature has them, one in ten of the picture's own digit; or
    "class-aware", chosen by the labels that all this does without, to see what the accidents cost.
    """

    def __init__(self, *given, negatives: str = "random", **options):
        super().__init__(*given, **options)
        self.negatives = negatives

    @property
    def objective(self) -> str:
        whose = "another digit's" if self.negatives == "class-aware" else "another picture's"
        return f"cross-entropy of: is this clip the picture's own, or {whose}?"

    def begin_epoch(self, epoch: int) -> int:
        steps = super().begin_epoch(epoch)
        rng = stream(self.seed, "negatives", epoch)
        digits = self.mix.train.digits if self.negatives == "class-aware" else None
        pairs = correspond(to_numpy(self.order), to_numpy(self.clip_of), rng, digits)
        self.heard, self.same = map(self.resident, pairs)
        return steps

    def pairs(self, index: int) -> tuple[Array, Array, Array]:
        """(T, X, same) of batch `index`; same (n,): 1, they came together, or 0."""
        part = self.part(index)
        return pixels(self.images[self.order[part]]), self.clips[self.heard[part]], self.same[part]

    def learn(self, index: int) -> dict[str, Array]:
        return correspondence.train_step(self.model, self.adam, *self.pairs(index))

    def health(self, metrics: Mapping[str, float]) -> list[str]:
        """Warns of towers that are still guessing."""
        if metrics.get("test_correct", 1.0) >= GUESSING:
            return []
        return [
            f"{metrics['test_correct']:.1%} of unseen pairs are judged right, and guessing gets "
            "half: nothing is learned yet. Try more --epochs, another --lr or another --seed"
        ]


class ContrastiveTask(TowersTask):
    """InfoNCE: each picture's own clip against those of the batch's other pictures."""

    objective = "InfoNCE: which of the batch's clips is the picture's own, and the other way round?"
    decides = False

    def learn(self, index: int) -> dict[str, Array]:
        X, T = self.batch(index)
        return retrieval.contrastive_step(self.model, self.adam, T, X)


class LabelsTask(TowersTask):
    """Cross-entropy of the digit in the picture, and of the one in the clip, each for itself."""

    objective = "cross-entropy of the digit shown + cross-entropy of the digit said"

    def make_optimisers(self) -> dict[str, Optimiser]:
        names = {"adam_eye": self.model.reader, "adam_ear": self.model.listener}
        return {name: Adam(part.params(), self.lr) for name, part in names.items()}

    def begin_epoch(self, epoch: int) -> int:
        self.digits = self.resident(self.mix.train.digits)
        return super().begin_epoch(epoch)

    def learn(self, index: int) -> dict[str, Array]:
        (X, T), digits = self.batch(index), self.digits[self.order[self.part(index)]]
        return labelled.train_step(self.model, *self.optimisers.values(), T, X, digits)


# --objective: how it is learned, and by what
OBJECTIVES = {
    "correspondence": (CorrespondenceTask, Correspondence),
    "distance": (CorrespondenceTask, Retrieval),
    "contrastive": (ContrastiveTask, Retrieval),
    "labels": (LabelsTask, Labelled),
}


def train_towers(args: argparse.Namespace) -> None:
    """Train for args.objective, and say what was learned, beside what is possible and was before.

    The model before training is drawn again from its stream: it costs nothing to keep.
    """
    args.model = OBJECTIVES[args.objective][1].__name__.lower()
    xp, mix, run = program.begin(args, args.objective, EPOCHS)
    task = make_task(args, mix, xp)
    program.say(args, f"objective: {task.objective}; means over the batch")
    summary = train(task, run, **cli.loop_options(args))
    with own_cores():
        fresh, given = make_model(args).to(xp), {"seed": args.seed, "decides": task.decides}
        result = assess(task.model, fresh, mix, **given)
    run.summary({**summary, **headline(result)})
    draw_curves(run)
    picture = run.folder / "matches.png"
    with run.writing(picture):
        draw_matches(task.model, mix.test, picture)
    program.say(args, f"{report(result)}\npictures: {picture}")


def make_model(args: argparse.Namespace) -> Layer:
    """The model with the weights that training begins with."""
    kind = OBJECTIVES[args.objective][1]
    return kind(stream(args.seed, "init"), init.BY_NAME[args.init], args.ear)


def make_task(args: argparse.Namespace, mix: Mix, xp: ModuleType) -> TowersTask:
    """A fresh model, and how it is trained."""
    kind, _ = OBJECTIVES[args.objective]
    options: dict[str, Any] = {"xp": xp, "repair": args.repair, "decay": cli.decay(args)}
    options |= {name: getattr(args, name) for name in ("lr", "batch_size", "seed")}
    options |= {"fresh": program.fresh_clips(args, mix)}
    options |= {"negatives": args.negatives} if kind is CorrespondenceTask else {}
    return kind(make_model(args), mix, **options)


LINES = {
    "accuracy": "right about pairs of an unseen picture and an unseen clip",
    "accuracy_class_aware": "the same where no wrong pair has one digit by accident",
    "recall_1": "of clips find a picture of their digit first",
    "probe_eye": "of pictures read by a linear classifier of what the eye makes of them",
    "probe_ear": "of clips understood by one of what the ear makes of them",
}


def report(result: dict[str, Any]) -> str:
    """What `assess` found, a line each, in per cent."""
    lines = []
    for name, what in LINES.items():
        if name not in result:
            continue
        low, high = (100 * end for end in result[name]["interval"])
        line = f"{100 * result[name]['rate']:6.2f} % ({low:.1f} to {high:.1f})  {what}"
        if before := result.get(f"{name}_untrained"):
            line += f"; {100 * before['rate']:.1f} before training"
        lines.append(line)
    if "ceiling" in result:
        parts = (100 * result[name] for name in ("ceiling", "ceiling_measured"))
        told = "{:6.2f} %  at the most, because of accidents; {:.2f} measured of an oracle"
        lines.insert(1, told.format(*parts))
    return "\n".join(lines)
