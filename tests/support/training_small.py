"""Small data and presets for the tests of the training room: seconds, not minutes, and no network."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import torch

from tuitrain.data.dataset import Dataset, Images
from tuitrain.spec.preset import Preset, override, preset_from_dict
from tuitrain.spec.preset_files import load_preset
from tuitrain.training.command import RunControl
from tuitrain.training.events import Event, Phase, StepProgress
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.training.state import TrainerState
from tuitrain.training.trainer import Trainer

CPU = Runtime(device="cpu", threads=1, compile="off")


@cache
def stripes(train: int = 300, test: int = 100) -> Dataset:
    """Ten classes that a network can tell apart: a bright bar at a height of its own, in noise."""
    generator = np.random.default_rng(7)

    def make(count: int) -> Images:
        labels = generator.integers(0, 10, count).astype(np.uint8)
        images = generator.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + 2 * label : 6 + 2 * label, 3:25] = 230
        return Images(images, labels)

    names = tuple(str(n) for n in range(10))
    return Dataset("mnist", make(train), make(test), names, "made up for the tests")


TINY = [
    {"conv": 4, "kernel": 3, "stride": 2, "bias": False, "then": ["relu", "batchnorm", "dropout2d"]},
    {"conv": 6, "kernel": 3, "stride": 2, "then": ["relu", "batchnorm", "dropout"]},
    {"conv": 10, "kernel": 3},
    {"global_avgpool": True},
]


#: The words of small networks, each beside those that it meets there.
WORDS = [
    {"conv": 6, "kernel": 3, "padding": 1, "bias": False, "then": ["prelu", "batchnorm", "dropout2d"]},
    {"maxpool": 2},
    {"conv": 6, "kernel": 3, "padding": 1, "bias": False, "then": ["batchnorm", {"prelu": 1}]},
    {"residual": "max pool after conv1", "then": ["batchnorm"]},
    {"share": "conv2", "then": ["batchnorm", "prelu"]},
    {"blurpool": 3, "padding": 1},
    {"conv": 10, "kernel": 3, "then": ["prelu", "dropout"]},
    {"global_avgpool": True},
]


def tiny(layers: list[Any] | None = None, **train: Any) -> Preset:
    """A preset of a few hundred parameters with everything random switched on."""
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 64, "dropout": 0.1, "rotation": 7.0, "seed": 5}
    settings |= {"optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}}
    data = {"name": "tiny", "train": settings | train, "model": {"layers": layers or TINY}}
    return preset_from_dict(data, "a test")


def shortened(name: str, **train: Any) -> Preset:
    """A built-in preset for a few epochs in small batches."""
    changes: dict[str, Any] = {"epochs": 2, "batch_size": 64} | train
    return override(load_preset(name), {f"train.{key}": value for key, value in changes.items()})


def run(
    preset: Preset,
    *,
    dataset: Dataset | None = None,
    runtime: Runtime = CPU,
    resume: TrainerState | None = None,
    control: RunControl | None = None,
) -> tuple[Trainer, list[Event]]:
    """A trainer that has run to its end, and its events without the progress of steps."""
    trainer = Trainer(Job(preset, runtime), dataset or stripes(), resume=resume)
    return trainer, [event for event in trainer.run(control) if not isinstance(event, StepProgress)]


METRICS = ("epoch", "train_loss", "train_acc", "test_loss", "test_acc", "lr")


def metrics(trainer: Trainer) -> list[tuple[Any, ...]]:
    return [tuple(getattr(event, name) for name in METRICS) for event in trainer.position.history]


def stored(state: TrainerState) -> TrainerState:
    """What comes back from a file: JSON, and tensors of other memory."""
    tensors = {name: torch.tensor(tensor.numpy().copy()) for name, tensor in state.tensors().items()}
    return TrainerState.from_tensors(tensors, json.loads(json.dumps(state.meta)))


class StopsAtLook(RunControl):
    """Stops the run when the trainer, which looks once a step, has looked so many times."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.left = last

    @property
    def pending(self) -> bool:
        self.left -= 1
        if self.left == 0:
            self.stop("test")
        return super().pending


def kinds(events: list[Event]) -> list[str]:
    """The kinds of the lossless events, in order."""
    return [type(event).__name__ for event in events if not isinstance(event, Phase | StepProgress)]
