"""Keeps the host a little ahead of a CUDA device, and no more; reads its sums without waiting for it.

A replay costs the host some 15 µs and the device 300 to 450, so the host could queue a whole epoch within a tenth of
a second: no report would come before its end, and a pause, a stop or a new learning rate would act at another step
than the one on the screen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

#: Steps from one event to the next; an event costs a few microseconds.
EVERY = 16
#: Events that may be open: about 20 ms of step13's steps are queued, so that the device never waits for the host.
OPEN = 3
#: The step of an epoch by which that many are queued, so that the host has time for something else.
FILLED = EVERY * OPEN


class Event(Protocol):
    """Reached when the device has done all that was queued before it; a `torch.cuda.Event`."""

    def query(self) -> bool:
        """Whether it has come."""

    def synchronize(self) -> None:
        """Wait for it."""


@dataclass(frozen=True, slots=True)
class Report:
    """Where the device is in the epoch: steps done, and the running sums of loss and right predictions."""

    step: int
    loss_sum: float
    correct: int


class RunAhead:
    """Bounds how many steps are queued.

    Args:
        copy: queues a copy of the running sums and returns what reads it once its event has come.
        record: makes an event after what has been queued.
    """

    def __init__(
        self, copy: Callable[[], Callable[[], tuple[float, int]]], record: Callable[[], Event]
    ) -> None:
        self._copy, self._record = copy, record
        self._open: deque[tuple[int, Event, Callable[[], tuple[float, int]]]] = deque()
        self._last: Report | None = None

    def restart(self) -> None:
        """Starts at another position; nothing is known of it yet."""
        self._open.clear()
        self._last = None

    def queued(self, step: int) -> None:
        """A step was queued, the `step`-th of the epoch; waits when too many are."""
        if step % EVERY:
            return
        read = self._copy()
        self._open.append((step, self._record(), read))
        if len(self._open) > OPEN:
            self._open[0][1].synchronize()
            self._take()

    def report(self) -> Report | None:
        """The latest that the device has done, or None where nothing is known; never waits."""
        while self._open and self._open[0][1].query():
            self._take()
        return self._last

    def _take(self) -> None:
        step, _, read = self._open.popleft()
        self._last = Report(step, *read())


def on_cuda(sums: Callable[[], tuple[Tensor, Tensor]]) -> RunAhead:
    """For the current CUDA device; `sums` are the running sums, 0-dim tensors on it."""
    # One more than can be open, so that none is written again before it was read.
    buffers = [
        (
            torch.empty((), dtype=torch.float64, pin_memory=True),
            torch.empty((), dtype=torch.int64, pin_memory=True),
        )
        for _ in range(OPEN + 2)
    ]
    turn = 0

    def copy() -> Callable[[], tuple[float, int]]:
        nonlocal turn
        loss, correct = buffers[turn]
        turn = (turn + 1) % len(buffers)
        for buffer, now in zip((loss, correct), sums(), strict=True):
            buffer.copy_(now, non_blocking=True)
        return lambda: (float(loss), int(correct))

    return RunAhead(copy, _record)


def bound() -> RunAhead:
    """For the current CUDA device: bounds the steps that are queued, and knows no sums."""
    return RunAhead(lambda: lambda: (0.0, 0), _record)


def _record() -> Event:
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event
