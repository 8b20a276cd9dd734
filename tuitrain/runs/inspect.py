"""`inspection.safetensors`: the last evaluation, for viewers in other processes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tuitrain.runs import durable
from tuitrain.training.inspection import LastEvaluation

FILE = "inspection.safetensors"
_MAX_BYTES = 64 << 20


def write_last_evaluation(folder: Path, inspection: LastEvaluation | None) -> None:
    """Write a run's last evaluation (without fsync: the next one replaces it)."""
    if inspection is None:
        return
    from safetensors.numpy import save

    arrays = {
        "labels": inspection.labels.astype(np.uint8),
        "predictions": inspection.predictions.astype(np.uint8),
        "confidences": inspection.confidences.astype(np.float32),
        "confusion": inspection.confusion.astype(np.int64),
    }
    if inspection.first_layer is not None:
        arrays["first_layer"] = inspection.first_layer.astype(np.float32)
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    durable.replace(folder / FILE, save(plain, metadata={"epoch": str(inspection.epoch)}), durable=False)


def read_last_evaluation(folder: Path) -> LastEvaluation | None:
    """A run's last evaluation; None if there is none, or if the file is not valid."""
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    try:
        with durable.open_plain(path) as plain:
            if os.fstat(plain.fileno()).st_size > _MAX_BYTES:
                return None
        with safe_open(path, framework="numpy") as file:
            epoch = int((file.metadata() or {}).get("epoch", "0"))
            names = set(file.keys())
            labels, predictions = file.get_tensor("labels"), file.get_tensor("predictions")
            confidences = file.get_tensor("confidences")
            first = file.get_tensor("first_layer") if "first_layer" in names else None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    if labels.dtype != np.uint8 or predictions.dtype != np.uint8 or confidences.dtype != np.float32:
        return None
    if labels.ndim != 1 or labels.shape != predictions.shape or labels.shape != confidences.shape:
        return None
    if labels.size and max(labels.max(), predictions.max()) > 9:
        return None
    if first is not None and (first.ndim != 3 or first.dtype != np.float32):
        return None
    return LastEvaluation(epoch, labels, predictions, confidences, first)
