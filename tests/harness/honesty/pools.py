"""Pools of real runs: many seeds of one setting, and which images each got right after each epoch.

A pool is a folder with a file a seed, so that an interrupted command goes on where it was. The network has 4,176
parameters and trains in seconds on one core.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Right = NDArray[np.bool_]

_THEN = ["batchnorm", "relu"]
LAYERS: list[dict[str, Any]] = [
    {"conv": 8, "kernel": 3, "stride": 2, "bias": False, "then": _THEN},
    {"conv": 12, "kernel": 3, "bias": False, "then": _THEN},
    {"maxpool": 2},
    {"conv": 16, "kernel": 3, "bias": False, "then": _THEN},
    {"conv": 10, "kernel": 3, "bias": False},
    {"global_avgpool": True},
]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the members of a pool have in common, and how many there are."""

    name: str
    dataset: str
    lr: float
    epochs: int
    batch_size: int
    seeds: int

    def preset(self, seed: int) -> dict[str, Any]:
        """The preset of one member, as its file would have it."""
        train = {
            "dataset": self.dataset, "epochs": self.epochs, "batch_size": self.batch_size, "seed": seed,
            "optimizer": {"name": "sgd", "lr": self.lr, "momentum": 0.9, "nesterov": True},
            "schedule": {"name": "onecycle"},
        }  # fmt: skip
        return {"name": self.name, "train": train, "model": {"layers": LAYERS}}

    def folder(self, root: Path) -> Path:
        """Where its members lie; another setting under the same name has another folder."""
        digest = hashlib.sha256(json.dumps(self.preset(0), sort_keys=True).encode()).hexdigest()
        return root / f"{self.name}-{digest[:8]}"


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("digits", "digits", 0.3, 15, 64, seeds=128),
        Setting("digits-low", "digits", 0.1, 15, 64, seeds=64),
        Setting("mnist-2", "mnist", 0.3, 2, 128, seeds=96),
        Setting("mnist-5", "mnist", 0.3, 5, 128, seeds=40),
        Setting("mnist-2-low", "mnist", 0.15, 2, 128, seeds=32),
    )
}


@dataclass(frozen=True, slots=True)
class Pool:
    """Which images (epochs, seeds, N) the seeds of a setting got right after each epoch."""

    setting: Setting
    right: Right

    def after(self, epoch: int) -> Right:
        """Right and wrong (seeds, N) after this epoch, from 1."""
        return np.asarray(self.right[epoch - 1])


def make(
    setting: Setting, root: Path, data_dir: Path | None, processes: int, tell: Callable[[str], None]
) -> None:
    """Trains the members that are not there yet, one a process.

    Raises:
        RuntimeError: a member did not train to its end.
    """
    folder = setting.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in range(setting.seeds) if not _file(folder, seed).exists()]
    if not missing:
        return
    spawn = multiprocessing.get_context("spawn")
    workers = min(processes, len(missing))
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as executor:
        waiting = [executor.submit(train_member, setting, seed, folder, data_dir) for seed in missing]
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                tell(f"{setting.name}: {setting.seeds - len(missing) + done} of {setting.seeds} seeds")
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def train_member(setting: Setting, seed: int, folder: Path, data_dir: Path | None) -> None:
    """Trains one seed and writes which images it got right after each epoch, all at once."""
    from tuitrain.spec.preset import preset_from_dict
    from tuitrain.training.events import EpochFinished
    from tuitrain.training.job import Job
    from tuitrain.training.runtime import Runtime
    from tuitrain.training.trainer import Trainer

    dataset = _dataset(setting.dataset, data_dir)
    job = Job(preset_from_dict(setting.preset(seed), setting.name), Runtime("cpu", threads=1, compile="off"))
    trainer, rows = Trainer(job, dataset), []
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            seen = trainer.inspection()
            assert seen is not None
            rows.append(np.packbits(seen.predictions == seen.labels))
    if len(rows) != setting.epochs:
        raise RuntimeError(
            f"{setting.name}, seed {seed}: {len(rows)} of {setting.epochs} epochs were trained"
        )
    labels = dataset.test.labels
    part = folder / f".{seed}-{os.getpid()}"
    with part.open("wb") as file:
        np.savez(file, right=np.stack(rows), images=len(labels), labels=_digest(labels))
    part.replace(_file(folder, seed))


def load(setting: Setting, root: Path, seeds: Sequence[int] | None = None) -> Pool:
    """The pool, of all its seeds or of these.

    Raises:
        FileNotFoundError: a member is missing.
        ValueError: members were judged by different images.
    """
    folder, rows, judged = setting.folder(root), [], set()
    for seed in range(setting.seeds) if seeds is None else seeds:
        with np.load(_file(folder, seed)) as file:
            rows.append(np.unpackbits(file["right"], axis=1, count=int(file["images"])).astype(bool))
            judged.add(str(file["labels"]))
    if len(judged) != 1:
        raise ValueError(f"{folder}: its members were judged by different images; remove the folder")
    return Pool(setting, np.stack(rows, axis=1))


def end_with_parent() -> None:
    """Ends this process as soon as the one that started it is gone, however that was ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _file(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.npz"


def _digest(labels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(labels.tobytes()).hexdigest()


@cache
def _dataset(name: str, data_dir: Path | None) -> Any:
    from tuitrain.data.load import load_dataset

    return load_dataset(name, data_dir)
