"""Puts the tensors of a checkpoint in the place of those that are there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tuitrain.errors import CheckpointError, visible


@torch.no_grad()
def copy_stored(own: Mapping[str, Tensor], stored: Mapping[str, Tensor], what: str) -> None:
    """Copies stored tensors into our own of the same names; `what` they are of is said in the error.

    Raises:
        CheckpointError: one is missing, unknown, or of another shape or type.
    """
    for name in sorted({*own, *stored}):
        mine, theirs = own.get(name), stored.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape or mine.dtype != theirs.dtype:
            raise CheckpointError(
                f"the checkpoint does not fit {what} at '{visible(name)[:80]}'; resume with the run's own preset."
            )
    for name, mine in own.items():  # only once all of them fit
        mine.copy_(stored[name])
