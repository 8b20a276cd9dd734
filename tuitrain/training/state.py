"""The state of a training between two steps: tensors on the CPU and plain JSON, nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from tuitrain.errors import CheckpointError, visible
from tuitrain.spec.preset import Preset
from tuitrain.spec.train import Train
from tuitrain.training.ema import averaged_model
from tuitrain.training.stored import copy_stored

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class TrainerState:
    """All that a resumed run needs, besides preset and data.

    Attributes:
        model: the network's `state_dict`, on the CPU, contiguous.
        optimizer: its tensors by "PARAMETER.NAME" (`conv1.weight.momentum_buffer`), on the CPU. Settings
            are not stored: preset and schedule give them.
        meta: plain JSON: `schema`, `epoch` (finished), `step` (into the next), `epochs`, `seed`, `schedule`,
            `totals` (running sums of the unfinished epoch), `history` (finished epochs), `elapsed_s`,
            `preset` (its JSON form), `dataset`, `machine` (threads, compiled, ...).
        ema: the averaged weights, as `Averaged.tensors` has them; empty where none are kept.
    """

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    meta: dict[str, Any]
    ema: dict[str, Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return int(self.meta["epoch"])

    @property
    def step(self) -> int:
        """Steps into the next epoch; 0 at an epoch's end."""
        return int(self.meta["step"])

    def tensors(self) -> dict[str, Tensor]:
        """All tensors in one flat dictionary, under `model.`, `optimizer.` and `ema.`."""
        parts = {"model": self.model, "optimizer": self.optimizer, "ema": self.ema}
        return {f"{part}.{name}": tensor for part, own in parts.items() for name, tensor in own.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> TrainerState:
        """The state from what `tensors()` and `meta` gave.

        Raises:
            CheckpointError: a tensor of another name, or `meta` is not a trainer's.
        """
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "ema": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part not in parts or not rest:
                raise CheckpointError(
                    f"the checkpoint holds a tensor '{visible(name)[:80]}' that is not ours; resume from another."
                )
            parts[part][rest] = tensor
        if meta.get("schema") != SCHEMA:
            raise CheckpointError(
                f"the checkpoint has schema {visible(meta.get('schema'))[:20]}, this version reads {SCHEMA}; "
                "resume it with the version that wrote it."
            )
        for name in ("epoch", "step", "epochs"):
            if not isinstance(meta.get(name), int) or meta[name] < 0:
                raise CheckpointError(f"the checkpoint does not say its {name}; resume from another.")
        return cls(parts["model"], parts["optimizer"], dict(meta), parts["ema"])

    @classmethod
    def of(
        cls,
        model: Mapping[str, Tensor],
        optimizer: Mapping[str, Tensor],
        meta: dict[str, Any],
        ema: Mapping[str, Tensor] | None = None,
    ) -> TrainerState:
        """The state with copies of these tensors."""
        return cls(copies(model), copies(optimizer), meta, copies(ema or {}))

    def averaged_model(self) -> dict[str, Tensor]:
        """The network's `state_dict` with the averaged weights; empty where none are kept, or before the first step."""
        return averaged_model(self.model, self.ema)

    def finite(self) -> bool:
        """Whether all its numbers are finite."""
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.tensors().values())

    def sha256(self) -> str:
        """SHA-256 over model, optimizer, schedule and the position in the run."""
        digest = hashlib.sha256()
        place = {name: self.meta.get(name) for name in ("epoch", "step", "epochs", "seed", "schedule")}
        digest.update(json.dumps(place, sort_keys=True).encode())
        _add_tensors(digest, self.tensors())
        return digest.hexdigest()

    def model_sha256(self) -> str:
        """SHA-256 over the network's tensors alone."""
        digest = hashlib.sha256()
        _add_tensors(digest, self.model)
        return digest.hexdigest()


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU."""
    if any(tensor.is_cuda for tensor in tensors.values()):
        tensors = _taken_together(tensors)
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def _taken_together(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, all of one type by one copy: each copy waits for the device."""
    out: dict[str, Tensor] = {}
    for kind in {tensor.dtype for tensor in tensors.values()}:
        alike = {name: tensor.detach() for name, tensor in tensors.items() if tensor.dtype == kind}
        flat = torch.cat([tensor.reshape(-1) for tensor in alike.values()]).cpu()
        parts = torch.split(flat, [tensor.numel() for tensor in alike.values()])
        for (name, tensor), part in zip(alike.items(), parts, strict=True):
            out[name] = part.view(tensor.shape)
    return {name: out[name] for name in tensors}


def _add_tensors(digest: Any, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def check_fits(state: TrainerState, preset: Preset, dataset: str, images: int, own_sha256: str = "") -> None:
    """Whether a state belongs to these settings and data, and to the same network of the user's own.

    Raises:
        CheckpointError: it does not.
    """
    meta = state.meta
    if meta.get("dataset") != dataset or meta.get("train_images") != images:
        raise CheckpointError(
            f"the checkpoint was trained on {visible(meta.get('train_images'))} images of "
            f"{visible(meta.get('dataset'))}, this is {images} of {dataset}; resume with the same data."
        )
    theirs = meta.get("preset")
    if not isinstance(theirs, dict):
        raise CheckpointError("the checkpoint does not say its settings; resume from another.")
    try:  # read, not compared as text: a key that a later version added has its default
        train = Train.model_validate(theirs.get("train"))
    except ValidationError:
        raise CheckpointError("the checkpoint does not say its settings; resume from another.") from None
    # A run may be made longer; any other change would make it another run.
    same = train.model_copy(update={"epochs": preset.train.epochs}) == preset.train
    same = same and (not state.ema or preset.train.ema is not None)
    if not same or theirs.get("model") != preset.to_dict()["model"]:
        raise CheckpointError("the checkpoint belongs to other settings; resume with the run's own preset.")
    if meta.get("own_network", "") != own_sha256:
        raise CheckpointError("the checkpoint belongs to another --model; resume with the same file.")


def with_todays_names(state: TrainerState, network: nn.Module) -> TrainerState:
    """The state with the network's names of its layers, where it was saved with those of an earlier version."""
    own = network.state_dict().keys()
    model = _renamed(state.model, network)
    if state.model.keys() == own or model.keys() != own:
        return state
    return replace(state, model=model, optimizer=_renamed(state.optimizer, network))


def _renamed(tensors: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    names: Mapping[str, str] = getattr(network, "earlier_names", {})
    parts = ((name.partition("."), tensor) for name, tensor in tensors.items())
    return {f"{names.get(module, module)}{dot}{rest}": tensor for (module, dot, rest), tensor in parts}


def load_weights(network: nn.Module, state: TrainerState) -> None:
    """Puts a state's weights into a network.

    Raises:
        CheckpointError: a tensor is missing, unknown, or of another shape or type.
    """
    copy_stored(network.state_dict(), state.model, "the network")
