"""The commands to a running training, from any thread. Imports no torch."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

from tuitrain.errors import UsageError

Action = Literal["stop", "pause", "resume", "checkpoint", "set_lr", "add_epochs"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `value` is a learning rate or a number of epochs, `when` belongs to stop."""

    action: Action
    value: float | None = None
    when: Literal["now", "epoch"] = "now"
    reason: str = ""
    source: str = ""


class RunControl:
    """Steers one run. Every method may be called from any thread; the trainer looks once a step."""

    def __init__(self) -> None:
        self._commands: deque[Command] = deque()
        self._arrived = threading.Condition()

    def stop(self, reason: str = "", when: Literal["now", "epoch"] = "now", source: str = "") -> None:
        """Ends the run, its state saved: after this step, or after this epoch and its evaluation."""
        self._post(Command("stop", when=when, reason=reason, source=source))

    def pause(self, source: str = "") -> None:
        """Waits after this step until `resume` or `stop`."""
        self._post(Command("pause", source=source))

    def resume(self, source: str = "") -> None:
        """Goes on after a pause."""
        self._post(Command("resume", source=source))

    def checkpoint(self, source: str = "") -> None:
        """Saves the state after this step."""
        self._post(Command("checkpoint", source=source))

    def set_lr(self, lr: float, source: str = "") -> None:
        """Makes the learning rate `lr` from the next step on; the rest of the schedule scales with it.

        Raises:
            UsageError: not a finite number above 0.
        """
        if not (math.isfinite(lr) and lr > 0):
            raise UsageError(f"learning rate {lr}: use a finite number above 0.")
        self._post(Command("set_lr", value=float(lr), source=source))

    def add_epochs(self, count: int, source: str = "") -> None:
        """Makes the run `count` epochs longer.

        Raises:
            UsageError: not from 1 to 10,000.
        """
        if not 1 <= count <= 10_000:
            raise UsageError(f"{count} more epochs: use a number from 1 to 10000.")
        self._post(Command("add_epochs", value=count, source=source))

    def _post(self, command: Command) -> None:
        with self._arrived:
            self._commands.append(command)
            self._arrived.notify_all()

    @property
    def pending(self) -> bool:
        """Whether a command waits; cheap enough for once a step."""
        return bool(self._commands)

    def take(self) -> Command | None:
        """The oldest command, or None."""
        with self._arrived:
            return self._commands.popleft() if self._commands else None

    def wait(self, timeout: float | None = None) -> bool:
        """Sleeps until a command is there; False when `timeout` seconds passed without one."""
        with self._arrived:
            return self._arrived.wait_for(lambda: bool(self._commands), timeout)
