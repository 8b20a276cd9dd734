"""The state of a training between two steps: tensors on the CPU and plain JSON, nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tuitrain.errors import CheckpointError, visible

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class TrainerState:
    """All that a resumed run needs beside preset and data.

    Attributes:
        model: the network's `state_dict`, on the CPU, contiguous.
        optimizer: its tensors by "NUMBER.NAME", the parameter's number and the optimizer's own name
            (`0.momentum_buffer`), on the CPU. Settings are not stored: preset and schedule give them.
        meta: plain JSON: `schema`, `epoch` (finished), `step` (into the next), `epochs`, `seed`, `schedule`,
            `totals` (running sums of the unfinished epoch), `history` (finished epochs), `elapsed_s`,
            `preset` (its JSON form), `dataset`, `machine` (threads, compiled, ...).
    """

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    meta: dict[str, Any]

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return int(self.meta["epoch"])

    @property
    def step(self) -> int:
        """Steps into the next epoch; 0 at an epoch's end."""
        return int(self.meta["step"])

    def tensors(self) -> dict[str, Tensor]:
        """All tensors in one flat dictionary, under `model.` and `optimizer.`."""
        out = {f"model.{name}": tensor for name, tensor in self.model.items()}
        return out | {f"optimizer.{name}": tensor for name, tensor in self.optimizer.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> TrainerState:
        """The state of what `tensors()` and `meta` gave.

        Raises:
            CheckpointError: a tensor of another name, or `meta` is not a trainer's.
        """
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}}
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
        return cls(parts["model"], parts["optimizer"], dict(meta))

    def sha256(self) -> str:
        """SHA-256 over model, optimizer and schedule, and where in the run they belong."""
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


def _add_tensors(digest: Any, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
