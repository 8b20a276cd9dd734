"""`model.safetensors`: the weights of a run, with what they are, so that they can be used elsewhere.

Beside it `model_ema.safetensors` with the averaged ones, where a run keeps them (`train.ema`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain.errors import CheckpointError, TuitrainError, visible
from tuitrain.paths import expand
from tuitrain.runs import checkpoint, durable
from tuitrain.training.events import EpochFinished, Record, RunStarted
from tuitrain.version import __version__

if TYPE_CHECKING:
    from torch import Tensor, nn


def model_metadata(state: Mapping[str, Any], records: Iterable[Record]) -> dict[str, Any]:
    """The metadata of a model file; the same for the same training, whatever the run's name.

    Args:
        state: a trainer's `meta`.
        records: of the run.

    Returns:
        `tuitrain` (version), `name` (of the preset), `preset` (its plain form), `parameters`, `dataset`, `epoch`, `step`
        (into the next epoch), `judged_by`, `test_accuracy` (a fraction; null in the middle of an epoch),
        `normalize` (`mean` and `std`, for pixels from 0 to 1), `own_network` (null, or its `model` and `sha256`).
    """
    preset = state.get("preset") or {}
    events = [record.event for record in records]
    started = next((event for event in events if isinstance(event, RunStarted)), None)
    ends = [
        event for event in events if isinstance(event, EpochFinished) and event.epoch == state.get("epoch")
    ]
    return {
        "tuitrain": __version__,
        "name": preset.get("name"),
        "preset": preset,
        "parameters": started.parameters if started else None,
        "dataset": state.get("dataset"),
        "epoch": state.get("epoch"),
        "step": state.get("step"),
        "judged_by": state.get("judged_by"),
        "test_accuracy": ends[-1].test_acc if ends and not state.get("step") else None,
        "normalize": preset.get("train", {}).get("normalize"),
        "own_network": (started.own_network or None) if started else None,
    }


def averaged_metadata(what: Mapping[str, Any], records: Iterable[Record]) -> dict[str, Any]:
    """The metadata of the file with the averaged weights: `model_metadata`, with their accuracy and `averaged`."""
    ends = [
        record.event.ema_test_acc
        for record in records
        if isinstance(record.event, EpochFinished) and record.event.epoch == what["epoch"]
    ]
    accuracy = None if what["test_accuracy"] is None or not ends else ends[-1]
    return {**what, "test_accuracy": accuracy, "averaged": True}


def write_model_file(path: Path, tensors: Mapping[str, Tensor], what: Mapping[str, Any]) -> str:
    """Write weights and their metadata, always as the same bytes; returns their SHA-256.

    Raises:
        OSError: it could not be written.
    """
    data = checkpoint.pack(tensors, what)
    durable.replace(path, data)
    return hashlib.sha256(data).hexdigest()


def load_model(path: str | os.PathLike[str]) -> nn.Module:
    """The trained network of a run's `model.safetensors` or `model_ema.safetensors`, ready to be used.

    Args:
        path: of the file.

    Returns:
        On the CPU, in eval mode: from images (N, 1, 28, 28), float32, normalised, to logits (N, 10). Its `about` is
        what the file says of itself (see `model_metadata`): images from 0 to 1 are normalised by
        `(images - about["normalize"]["mean"]) / about["normalize"]["std"]`.

    Raises:
        CheckpointError: it can't be read, or is of a network in Python, whose code it does not hold.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    from tuitrain.spec.preset import preset_from_dict
    from tuitrain.training import state
    from tuitrain.training.model import build

    file = expand(path)
    where = visible(file)
    try:
        with durable.open_plain(file) as opened:
            data = opened.read(checkpoint.MAX_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{where} can't be read: {visible(error.strerror)}; check the path.") from None
    what = _read_metadata(file, data)
    if what.get("own_network"):
        raise CheckpointError(
            f"{where} is of a network in Python, whose code it does not hold; make that network and give it "
            "the weights: network.load_state_dict(safetensors.torch.load_file(path))."
        )
    try:
        network = build(preset_from_dict(what["preset"], where))
        weights = state.TrainerState(from_bytes(data), {}, {})
        state.load_weights(network, state.with_todays_names(weights, network))
    except (SafetensorError, TuitrainError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{where} does not hold a network of ours: {visible(error)[:200]}.") from None
    network.about = what  # type: ignore[assignment]
    return network.eval()


def _read_metadata(file: Path, data: bytes) -> dict[str, Any]:
    """The metadata of a file; for a file of an earlier version, which has none, from the preset beside it."""
    from tuitrain.spec.preset import read_preset

    try:
        return checkpoint.read_metadata(file, data)
    except CheckpointError:
        preset_file = file.with_name("preset.toml")
        if not preset_file.is_file():
            raise CheckpointError(
                f"{visible(file)} does not say what network it is of; keep it beside its run's preset.toml."
            ) from None
        preset = read_preset(preset_file)
        user_network = {"model": "?"} if file.with_name("model.py.txt").exists() else None
        normalize = preset.train.normalize.model_dump()
        return {
            "name": preset.name,
            "preset": preset.to_dict(),
            "normalize": normalize,
            "own_network": user_network,
        }
