"""Faults put into the step on purpose: the lint must name each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tuitrain.training.prepared import PreparedSteps


def _in_step(broken: Callable[[Any, Any], Any]) -> None:
    """Let something happen where a captured step leaves its loss."""
    sound = PreparedSteps.leave

    def leave(self: Any, row: Any, loss: Any, logits: Any) -> None:
        broken(loss, row.labels)
        sound(self, row, loss, logits)

    PreparedSteps.leave = leave  # type: ignore[method-assign]


def _rows_replaced() -> None:
    sound = PreparedSteps.fill

    def fill(self: Any, *args: Any) -> None:
        self._all = self._all.clone()
        sound(self, *args)

    PreparedSteps.fill = fill  # type: ignore[method-assign]


#: What is done to the step, and the kind of fault that has to be found.
FAULTS: dict[str, tuple[str, Callable[[], None]]] = {
    "item": ("wait", lambda: _in_step(lambda loss, labels: loss.item())),
    "mask": ("wait", lambda: _in_step(lambda loss, labels: labels[labels > 3])),
    "host": ("mixed", lambda: _in_step(lambda loss, labels: labels.float() + torch.arange(len(labels)))),
    "upload": ("copy", lambda: _in_step(lambda loss, labels: torch.zeros(3).to(labels.device))),
    "random": ("random", lambda: _in_step(lambda loss, labels: torch.rand(3, device=loss.device))),
    "integers": (
        "no kernel",
        lambda: _in_step(lambda loss, labels: labels.view(1, -1) @ labels.view(-1, 1)),
    ),
    "rows": ("replaced", _rows_replaced),
}
