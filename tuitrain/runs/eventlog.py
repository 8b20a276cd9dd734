"""`events.jsonl`: append-only, one record a line, and what a reader makes of it after a crash.

A line counts once its newline is there. A killed writer can leave a torn last line: readers ignore it,
and the next writer cuts it off before it appends.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from tuitrain.runs import durable
from tuitrain.training.events import (
    SCHEMA,
    CheckpointSaved,
    Control,
    EpochFinished,
    Event,
    Record,
    RunFinished,
    RunStarted,
    from_line,
    to_line,
)

_BLOCK = 1 << 16
#: 10,000 epochs with a checkpoint each are 10 MB of log; what is far beyond that is not read.
_MAX_BYTES = 256 << 20
#: A preset of the largest size is far below this.
_FIRST_LINE_BYTES = 4 << 20


def parse(data: bytes, leave_out: Sequence[type[Event]] = ()) -> list[Record]:
    """The records of all complete lines, but for these kinds; other lines are skipped."""
    unread = tuple(f'{{"event":"{kind.__name__}"'.encode() for kind in leave_out)
    records: list[Record] = []
    end = data.rfind(b"\n")
    if end < 0:
        return records
    for line in data[:end].split(b"\n"):
        if line.strip() and not line.startswith(unread):
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                records.append(from_line(line.decode("utf-8")))
    return records


def current(records: Iterable[Record]) -> list[Record]:
    """The records without those that were superseded after a restart, so that every epoch appears once."""
    kept: list[Record] = []
    epochs: set[int] = set()
    for record in records:
        event = record.event
        if isinstance(event, RunStarted):
            kept, epochs = [], set()
        elif isinstance(event, Control) and event.action == "restarted":
            here = (event.epoch, event.step)
            kept = [old for old in kept if not _beyond(old, here)]
            epochs = {epoch for epoch in epochs if epoch <= event.epoch}
        elif isinstance(event, EpochFinished):
            if event.epoch in epochs:  # tuitrain never writes that; the later one counts
                kept = [r for r in kept if not _is_epoch(r, event.epoch)]
            epochs.add(event.epoch)
        elif isinstance(event, RunFinished):  # one that could not even be resumed ends a second time
            kept = [r for r in kept if not isinstance(r.event, RunFinished)]
        kept.append(record)
    return kept


def _is_epoch(record: Record, epoch: int) -> bool:
    return isinstance(record.event, EpochFinished) and record.event.epoch == epoch


def _beyond(record: Record, here: tuple[int, int]) -> bool:
    event = record.event
    if isinstance(event, EpochFinished):
        return event.epoch > here[0]
    if isinstance(event, CheckpointSaved):
        return (event.epoch, event.step) > here
    return isinstance(event, RunFinished)


def read_events(path: Path, leave_out: Sequence[type[Event]] = ()) -> list[Record]:
    """The current records of a log, but for these kinds; none when the file is missing."""
    try:
        with durable.open_plain(path) as file:
            return current(parse(_rest(file), leave_out))
    except FileNotFoundError:
        return []


def _rest(file: BinaryIO) -> bytes:
    """The rest of a file, up to the limit; reads no more than there is, since a read allocates first."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    return file.read(max(0, min(left, _MAX_BYTES)))


def version(path: Path) -> int:
    """The version of a log, from its first line; the current version if there is no such line.

    Raises:
        OSError: it is there but can't be read.
    """
    try:
        with durable.open_plain(path) as file:
            line = file.readline(_FIRST_LINE_BYTES)
        found = json.loads(line).get("schema") if line.endswith(b"\n") else None
    except (FileNotFoundError, ValueError, AttributeError, RecursionError):
        return SCHEMA
    return found if type(found) is int else SCHEMA


class LogTail:
    """Reads what was appended since the last call; one `stat` if nothing was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self._file_id: tuple[int, int] | None = None

    def poll(self) -> tuple[list[Record], bool]:
        """New records, and whether the log was replaced (then they are all records)."""
        try:
            info = self.path.stat()
        except OSError:
            return [], False
        file_id = (info.st_dev, info.st_ino)
        anew = self._file_id is not None and (file_id != self._file_id or info.st_size < self.offset)
        self._file_id = file_id
        if anew:
            self.offset = 0
        if info.st_size <= self.offset:
            return [], anew
        try:
            with durable.open_plain(self.path) as file:
                file.seek(self.offset)
                data = _rest(file)
        except OSError:
            return [], anew
        end = data.rfind(b"\n") + 1
        self.offset += end
        return parse(data[:end]), anew


class LogWriter:
    """Appends records; a record is on disk whole or, after an error, not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None
        self._size = 0
        self._torn = False
        self._at_home = False  # whether the path named the open file when it was opened

    def append(self, record: Record, *, sync: bool = False) -> None:
        """Append one line; `sync` brings it to the disk before it returns.

        Raises:
            OSError: it could not be written; the log is as before, or is repaired at the next append.
        """
        data = (to_line(record) + "\n").encode("ascii")
        fd = self._ready()
        try:
            durable.write_all(fd, data, self.path)
            if sync:
                durable.fsync(fd, self.path)
        except OSError:
            self._torn = True
            with contextlib.suppress(OSError):
                self._mend(fd)
            raise
        self._size += len(data)

    def replaced(self) -> bool:
        """Whether its path names another file by now, as after `sed -i` or a restored copy.

        Raises:
            OSError: the path names nothing, or can't be looked at.
        """
        return not durable.names_descriptor(self.path, self._fd) and self._at_home

    def open(self) -> None:
        """Open the log and cut off an incomplete last line, if that was not done yet."""
        self._ready()

    def _ready(self) -> int:
        if self._fd is None:
            fd = durable.open_append(self.path)
            try:
                info = os.fstat(fd)
                if stat.S_ISREG(info.st_mode):
                    self._size = complete_size(fd, info.st_size)
                    self._torn = self._size != info.st_size
            except BaseException:
                os.close(fd)
                raise
            self._fd = fd
            with contextlib.suppress(OSError):
                self._at_home = durable.names_descriptor(self.path, fd)
        if self._torn:
            self._mend(self._fd)
        return self._fd

    def _mend(self, fd: int) -> None:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            durable.truncate(fd, self._size, self.path)
        self._torn = False

    def close(self) -> None:
        """Close the descriptor."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with contextlib.suppress(OSError):
                os.close(fd)


def complete_size(fd: int, size: int) -> int:
    """The offset just after the last newline.

    Raises:
        OSError: there is none in more than any log has.
    """
    end = size
    while end > 0:
        if size - end >= _MAX_BYTES:
            raise OSError(errno.EFBIG, "this is no log")
        start = max(0, end - _BLOCK)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
