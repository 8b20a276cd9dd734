"""`control.jsonl`: commands that other shells post for the process that holds a run."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from tuitrain import jsonio, paths
from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs import durable

FILE = "control.jsonl"
_COMMAND_BYTES = 4096
_READ_BYTES = 1 << 20


class PostedCommands:
    """The file of commands of a run directory: other processes append to it, the run reads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._offset = 0

    def begin(self) -> None:
        """Create the file, so that this user owns it, and skip what is in it already."""
        with contextlib.suppress(OSError):
            fd = durable.open_append(self.path, durable.PRIVATE)
            durable.keep_private(fd)
            os.close(fd)
        self._offset = self._size()

    def post(self, command: dict[str, Any]) -> None:
        """Append one command.

        Raises:
            RunDirectoryError: it is too long.
            OSError: it can't be written.
        """
        line = json.dumps(jsonio.finite({**command, "time": time.time()}), separators=(",", ":")).encode()
        if len(line) > _COMMAND_BYTES:
            raise RunDirectoryError("the command is too long.")
        fd = durable.open_append(self.path, durable.PRIVATE)
        try:
            durable.keep_private(fd)
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            durable.write_all(fd, (b"\n" if torn else b"") + line + b"\n", self.path)
        finally:
            os.close(fd)

    def new(self) -> list[dict[str, Any]]:
        """Commands posted since the last call (one `stat` if there are none).

        Raises:
            RunDirectoryError: there are some, in a file that is neither ours nor root's: they are passed over.
        """
        size = self._size()
        if size <= self._offset:
            self._offset = size
            return []
        try:
            with durable.open_plain(self.path) as file:
                if not paths.is_mine_or_roots(os.fstat(file.fileno())):
                    self._offset = size
                    raise RunDirectoryError(
                        f"{visible(self.path)} belongs to another user; its commands are ignored."
                    )
                durable.keep_private(file.fileno())
                file.seek(self._offset)
                data = file.read(_READ_BYTES)
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) == _READ_BYTES:  # one endless line, which tuitrain never writes
            end = len(data)
        self._offset += end
        commands: list[dict[str, Any]] = []
        for line in data[:end].split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line) if line.strip() else None
                if isinstance(value, dict):
                    commands.append(value)
        return commands

    def _size(self) -> int:
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0
