"""Whether a device can train at all: a few steps on made-up images, as in a run."""

from __future__ import annotations

import numpy as np

from tuitrain.data.dataset import Dataset, Images
from tuitrain.errors import TuitrainError, visible
from tuitrain.spec.preset import preset_from_dict
from tuitrain.training.events import RunFinished
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.training.trainer import Trainer

_LAYERS = [
    {"conv": 4, "kernel": 3, "stride": 2, "then": ["relu", "batchnorm", "dropout"]},
    {"conv": 10, "kernel": 3},
    {"global_avgpool": True},
]


def try_step(device: str) -> str | None:
    """What goes wrong when a network is trained on a device for an epoch of three steps, captured; None if nothing."""
    generator = np.random.default_rng(0)

    def images(count: int) -> Images:
        pixels = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        return Images(pixels, generator.integers(0, 10, count, dtype=np.uint8))

    train = {
        "epochs": 1,
        "batch_size": 16,
        "dropout": 0.1,
        "rotation": 5.0,
        "optimizer": {"name": "sgd", "lr": 0.01},
    }
    data = Dataset("mnist", images(40), images(20), tuple("0123456789"), "made up")
    try:
        preset = preset_from_dict(
            {"name": "trial", "train": train, "model": {"layers": _LAYERS}}, "the trial"
        )
        ends = list(Trainer(Job(preset, Runtime(device=device, compile="off")), data).run())
    except (TuitrainError, RuntimeError) as error:  # RuntimeError is what torch raises for a broken device
        lines = str(error).strip().splitlines()
        return visible(lines[0] if lines else type(error).__name__)[:200]
    end = ends[-1]
    completed = isinstance(end, RunFinished) and end.outcome == "completed"
    return None if completed else visible(getattr(end, "message", "?"))
