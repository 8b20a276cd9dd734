"""`inspection.safetensors`: what a run said of each image of its judging set, at last and in its best epoch.

Tensors: `labels`, `predictions`, `confidences`, `confusion` and, where it is a picture, `first_layer` of the last
evaluation; `best_predictions` and `best_confidences`. Metadata: `epoch` and `best_epoch`. Runs of earlier versions lack
what begins with `best`.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuitrain.runs import durable
from tuitrain.training.inspection import CLASSES, LastEvaluation, Predictions

FILE = "inspection.safetensors"
_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Evaluations:
    """What is kept of a run's evaluations.

    Attributes:
        last: None before the first.
        best: of the run's best epoch (see `training.events.best_epoch`); None where it was not kept.
    """

    last: LastEvaluation | None = None
    best: Predictions | None = None

    def then(self, seen: LastEvaluation | None, best_epoch: int) -> Evaluations:
        """With the next evaluation; the best epoch is now `best_epoch` (0: there is none)."""
        if seen is None:
            return self
        known = (seen, self.best, self.last)
        return Evaluations(seen, next((one for one in known if one and one.epoch == best_epoch), None))


def write(folder: Path, evaluations: Evaluations) -> None:
    """Replace the file (without fsync: see `sync`); nothing is written before the first evaluation.

    Raises:
        OSError: it can't be written.
    """
    last, best = evaluations.last, evaluations.best
    if last is None:
        return
    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {
        "labels": last.labels.astype(np.uint8),
        "predictions": last.predictions.astype(np.uint8),
        "confidences": last.confidences.astype(np.float32),
        "confusion": last.confusion.astype(np.int64),
    }
    metadata = {"epoch": str(last.epoch)}
    if last.first_layer is not None:
        arrays["first_layer"] = last.first_layer.astype(np.float32)
    if best is not None:
        arrays["best_predictions"] = best.predictions.astype(np.uint8)
        arrays["best_confidences"] = best.confidences.astype(np.float32)
        metadata["best_epoch"] = str(best.epoch)
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    durable.replace(folder / FILE, save(plain, metadata=metadata), durable=False)


def sync(folder: Path) -> None:
    """Make the file durable, once the run has ended; does nothing where there is none.

    Raises:
        OSError: that can't be done.
    """
    with contextlib.suppress(FileNotFoundError):
        durable.sync(folder / FILE)


def read(folder: Path) -> Evaluations:
    """What is kept of a run; empty if there is no file, or if it is not valid."""
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    try:
        with durable.open_plain(path) as plain:
            if os.fstat(plain.fileno()).st_size > _MAX_BYTES:
                return Evaluations()
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            epoch, best_epoch = int(metadata.get("epoch", "0")), int(metadata.get("best_epoch", "0"))
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return Evaluations()
    first = found.get("first_layer")
    last = _predictions(found, "", epoch)
    if last is None or (first is not None and (first.ndim != 3 or first.dtype != np.float32)):
        return Evaluations()
    shown = LastEvaluation(last.labels, last.predictions, last.confidences, epoch, first)
    return Evaluations(shown, _predictions(found, "best_", best_epoch))


def _predictions(found: dict[str, NDArray[Any]], prefix: str, epoch: int) -> Predictions | None:
    """Those of one evaluation, if its arrays are there, of their types and of one length."""
    labels, predictions = found.get("labels"), found.get(f"{prefix}predictions")
    confidences = found.get(f"{prefix}confidences")
    if labels is None or predictions is None or confidences is None:
        return None
    if labels.dtype != np.uint8 or predictions.dtype != np.uint8 or confidences.dtype != np.float32:
        return None
    if labels.ndim != 1 or labels.shape != predictions.shape or labels.shape != confidences.shape:
        return None
    if labels.size and max(labels.max(), predictions.max()) >= CLASSES:
        return None
    return Predictions(labels, predictions, confidences, epoch)


def read_last_evaluation(folder: Path) -> LastEvaluation | None:
    """A run's last evaluation; None if there is none, or if the file is not valid."""
    return read(folder).last
