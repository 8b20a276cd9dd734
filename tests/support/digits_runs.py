"""Real short runs on the digits that scikit-learn brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.training_small import CPU, tiny
from tuitrain.data.load import load_dataset
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.launch import prepare
from tuitrain.training.job import Job
from tuitrain.training.user_network import UserNetwork

LAYERS = [
    {"conv": 8, "kernel": 5, "stride": 3, "then": ["relu", "batchnorm"]},
    {"flatten": True},
    {"linear": 10},
]


def digits_run(
    runs: Path,
    name: str,
    layers: list[Any] | None = None,
    user_network: UserNetwork | None = None,
    **train: Any,
) -> RunDirectory:
    """A run that has ended: a few epochs of a small network, with some mistakes left."""
    settings: dict[str, Any] = {"dataset": "digits", "epochs": 2, "rotation": 0.0} | train
    job = Job(tiny(layers or LAYERS, **settings), CPU, user_network=user_network)
    session = prepare(job, runs_dir=runs, dataset=load_dataset("digits"), name=name)
    session.start()
    assert session.join(120)
    return session.directory
