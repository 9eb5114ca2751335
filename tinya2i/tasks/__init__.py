"""What the examples train: the judge and the generators, as tasks for `training.train`."""

from tinya2i.tasks.evaluation import evaluate
from tinya2i.tasks.gan import VAEGANTask
from tinya2i.tasks.generator import AutoencoderTask, CVAETask, VAETask
from tinya2i.tasks.judge import JudgeTask, find_judge
from tinya2i.tasks.saved import load_generator, load_judge

__all__ = [
    "AutoencoderTask",
    "CVAETask",
    "JudgeTask",
    "VAEGANTask",
    "VAETask",
    "evaluate",
    "find_judge",
    "load_generator",
    "load_judge",
]
