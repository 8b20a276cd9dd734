"""Commands that reach a run from another process, through `control.jsonl`."""

from __future__ import annotations

import dataclasses
import os
import socket

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs.directory import RunDirectory
from tuitrain.training.command import Command, Steering


def this_shell() -> str:
    """The name of this process as a source of commands."""
    return f"shell {os.getpid()} on {socket.gethostname()}"


class RemoteControl(Steering):
    """Steers a run of another process through its directory."""

    def __init__(self, directory: RunDirectory, source: str = "") -> None:
        self.directory = directory
        self.source = source or this_shell()

    def post(self, command: Command) -> None:
        """Write a command where the run looks.

        Raises:
            RunDirectoryError: nobody holds the run, so that no command is lost silently.
        """
        self.directory.refuse_other_holder()
        if not self.directory.is_held():
            name = visible(self.directory.name)
            raise RunDirectoryError(f"run {name} is not running; go on with `tuitrain resume {name}`.")
        if not command.source:
            command = dataclasses.replace(command, source=self.source)
        self.directory.post_command(command.to_json())
