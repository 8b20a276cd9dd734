"""Commands that reach a run from another shell through `control.jsonl`, checked before they count."""

from __future__ import annotations

import os
import socket
from typing import Any, Literal, Protocol

from tuitrain.errors import RunDirectoryError, UsageError, visible
from tuitrain.runs.directory import RunDirectory


class Steering(Protocol):
    """The steering wheel of a run: its own `RunControl`, or a `RemoteControl`."""

    def stop(self, reason: str = "", when: Literal["now", "epoch"] = "now", source: str = "") -> None:
        """End the run, its state saved."""

    def pause(self, source: str = "") -> None:
        """Wait after this step."""

    def resume(self, source: str = "") -> None:
        """Go on."""

    def checkpoint(self, source: str = "") -> None:
        """Save now."""

    def set_lr(self, lr: float, source: str = "") -> None:
        """A new base learning rate."""

    def add_epochs(self, count: int, source: str = "") -> None:
        """More epochs."""


def forward(command: dict[str, Any], control: Steering) -> bool:
    """Hand a posted command on; False when it is none of ours or makes no sense (anybody may write there)."""
    source = visible(command.get("source") or "shell")[:80]
    name = command.get("command")
    try:
        if name == "stop":
            when: Literal["now", "epoch"] = "epoch" if command.get("when") == "epoch" else "now"
            control.stop(visible(command.get("reason") or "asked")[:200], when=when, source=source)
        elif name == "pause":
            control.pause(source=source)
        elif name == "resume":
            control.resume(source=source)
        elif name == "checkpoint":
            control.checkpoint(source=source)
        elif name == "set_lr":
            control.set_lr(float(command["value"]), source=source)
        elif name == "add_epochs":
            control.add_epochs(int(command["value"]), source=source)
        else:
            return False
    except (UsageError, ValueError, TypeError, KeyError, OverflowError):
        return False
    return True


def this_shell() -> str:
    """How this process names itself as a source of commands."""
    return f"shell {os.getpid()} on {socket.gethostname()}"


class RemoteControl:
    """Steers a run of another process through its directory.

    Every method raises `RunDirectoryError` when nobody holds the run, so that no command is lost silently.
    """

    def __init__(self, directory: RunDirectory, source: str = "") -> None:
        self.directory = directory
        self.source = source or this_shell()

    def _post(self, command: str, source: str, **values: Any) -> None:
        if not self.directory.is_held():
            raise RunDirectoryError(
                f"run {visible(self.directory.name)} is not running; "
                f"go on with `tuitrain resume {visible(self.directory.name)}`"
            )
        self.directory.post_command({"command": command, "source": source or self.source, **values})

    def stop(self, reason: str = "", when: Literal["now", "epoch"] = "now", source: str = "") -> None:
        """End the run, its state saved: after this step, or after this epoch."""
        self._post("stop", source, reason=reason, when=when)

    def pause(self, source: str = "") -> None:
        """Wait after this step."""
        self._post("pause", source)

    def resume(self, source: str = "") -> None:
        """Go on."""
        self._post("resume", source)

    def checkpoint(self, source: str = "") -> None:
        """Save now."""
        self._post("checkpoint", source)

    def set_lr(self, lr: float, source: str = "") -> None:
        """A new base learning rate.

        Raises:
            UsageError: not a finite number above 0.
        """
        if not 0 < lr < float("inf"):
            raise UsageError(f"learning rate {lr}: use a finite number above 0")
        self._post("set_lr", source, value=lr)

    def add_epochs(self, count: int, source: str = "") -> None:
        """Make the run longer.

        Raises:
            UsageError: not from 1 to 10,000.
        """
        if not 1 <= count <= 10_000:
            raise UsageError(f"{count} more epochs: use a number from 1 to 10000")
        self._post("add_epochs", source, value=count)
