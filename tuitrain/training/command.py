"""The commands to a running training, as one value for every sender and way. Imports no torch."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tuitrain.errors import UsageError, visible

Action = Literal["stop", "pause", "resume", "checkpoint", "set_lr", "add_epochs"]
When = Literal["now", "epoch"]
MOST_EPOCHS = 10_000


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        action: what is to be done.
        value: a learning rate, or a number of epochs; of a pause, the epoch after which, at once where left out; 0
            takes such a pause back.
        when: of a stop: after this step, or after this epoch and its evaluation.
        reason: of a stop, for people.
        source: who sent it: keyboard, signal, a shell.

    Raises:
        UsageError: a learning rate that is no finite number above 0; a number of epochs, or an epoch to pause after, not
            from 1 (or 0) to 10,000.
    """

    action: Action
    value: float | None = None
    when: When = "now"
    reason: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        value = math.nan if self.value is None else self.value
        if self.action == "set_lr" and not (math.isfinite(value) and value > 0):
            raise UsageError(f"learning rate {self.value}: use a finite number above 0.")
        if self.action == "add_epochs" and not (1 <= value <= MOST_EPOCHS and value == int(value)):
            raise UsageError(f"{self.value} more epochs: use a number from 1 to {MOST_EPOCHS}.")
        if (
            self.action == "pause"
            and self.value is not None
            and not (0 <= value <= MOST_EPOCHS and value == int(value))
        ):
            raise UsageError(
                f"a pause after epoch {self.value}: use a number from 0 (for none) to {MOST_EPOCHS}."
            )

    def to_json(self) -> dict[str, Any]:
        """The object of a line of `control.jsonl`."""
        out: dict[str, Any] = {"command": self.action, "source": self.source}
        if self.action == "stop":
            out |= {"reason": self.reason, "when": self.when}
        if self.value is not None:
            out["value"] = self.value
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Command | None:
        """The command of such an object; None if it is unknown or not valid."""
        value = data.get("value")
        action: Action | None = next((name for name in get_args(Action) if name == data.get("command")), None)
        if action is None:
            return None
        try:
            if action not in ("set_lr", "add_epochs") and (action != "pause" or value is None):
                value = None
            elif isinstance(value, bool) or not isinstance(value, int | float):
                return None
            return cls(
                action,
                float(value) if action == "set_lr" and value is not None else value,
                "epoch" if data.get("when") == "epoch" else "now",
                visible(data.get("reason") or "asked")[:200] if action == "stop" else "",
                visible(data.get("source") or "shell")[:80],
            )
        except (UsageError, OverflowError):
            return None


class Steering:
    """Sends commands to a run; subclasses define `post`."""

    def post(self, command: Command) -> None:
        """Send a command."""
        raise NotImplementedError

    def stop(self, reason: str = "", when: When = "now", source: str = "") -> None:
        """Ends the run, its state saved: after this step, or after this epoch and its evaluation."""
        self.post(Command("stop", when=when, reason=reason, source=source))

    def pause(self, source: str = "", *, after_epoch: int | None = None) -> None:
        """Waits after this step, or after an epoch and its evaluation, until `resume` or `stop`.

        Args:
            source: who sends it.
            after_epoch: after which; 0 takes such a pause back.

        Raises:
            UsageError: an epoch not from 0 to 10,000.
        """
        self.post(Command("pause", after_epoch, source=source))

    def resume(self, source: str = "") -> None:
        """Goes on after a pause."""
        self.post(Command("resume", source=source))

    def checkpoint(self, source: str = "") -> None:
        """Saves the state after this step."""
        self.post(Command("checkpoint", source=source))

    def set_lr(self, lr: float, source: str = "") -> None:
        """Makes the learning rate `lr` from the next step on; the rest of the schedule scales with it.

        Raises:
            UsageError: not a finite number above 0.
        """
        self.post(Command("set_lr", float(lr), source=source))

    def add_epochs(self, count: int, source: str = "") -> None:
        """Makes the run `count` epochs longer.

        Raises:
            UsageError: not from 1 to 10,000.
        """
        self.post(Command("add_epochs", count, source=source))


class RunControl(Steering):
    """Steers one run of this process. Every method may be called from any thread; the trainer looks once a step."""

    def __init__(self) -> None:
        self._commands: deque[Command] = deque()
        self._arrived = threading.Condition()

    def post(self, command: Command) -> None:
        """Put a command in line."""
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
