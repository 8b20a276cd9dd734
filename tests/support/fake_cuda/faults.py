"""Faults put into the step on purpose: the lint must name each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tuitrain.training.step import Stepper


def _in_tally(broken: Callable[[Any, Any], Any]) -> None:
    """Let something happen where a step's loss and hits are added up."""
    sound = Stepper._tally

    def tally(self: Any, count: int, loss: Any, logits: Any, labels: Any) -> None:
        broken(loss, labels)
        sound(self, count, loss, logits, labels)

    Stepper._tally = tally  # type: ignore[method-assign]


def _images_replaced() -> None:
    def begin_epoch(self: Any, epoch: int, images: Any, labels: Any) -> None:
        self._images, self._labels, self.epoch = images, labels, epoch
        self.seek(0, 0.0, 0)

    Stepper.begin_epoch = begin_epoch  # type: ignore[method-assign]


#: What is done to the step, and the kind of fault that has to be found.
FAULTS: dict[str, tuple[str, Callable[[], None]]] = {
    "item": ("wait", lambda: _in_tally(lambda loss, labels: loss.item())),
    "mask": ("wait", lambda: _in_tally(lambda loss, labels: labels[labels > 3])),
    "host": ("mixed", lambda: _in_tally(lambda loss, labels: labels.float() + torch.arange(len(labels)))),
    "upload": ("copy", lambda: _in_tally(lambda loss, labels: torch.zeros(3).to(labels.device))),
    "random": ("random", lambda: _in_tally(lambda loss, labels: torch.rand(3, device=loss.device))),
    "integers": (
        "no kernel",
        lambda: _in_tally(lambda loss, labels: labels.view(1, -1) @ labels.view(-1, 1)),
    ),
    "images": ("replaced", _images_replaced),
}
