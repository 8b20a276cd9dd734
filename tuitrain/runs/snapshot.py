"""The latest of a run of this process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuitrain.training.events import StepProgress


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The latest state of a run: replaced as a whole, so that any thread can read it without a lock.

    `cpu_s` is the training thread's own CPU time; over wall time it shows what a screen costs it. `at` and `since`
    are seconds of the monotonic clock: of the latest news, and of the phase's beginning.
    """

    progress: StepProgress | None = None
    phase: str | None = None
    epoch: int = 0
    at: float = 0.0
    cpu_s: float = 0.0
    since: float = 0.0

    @property
    def phase_s(self) -> float:
        """Seconds in this phase so far."""
        return max(0.0, time.monotonic() - self.since) if self.since else 0.0
