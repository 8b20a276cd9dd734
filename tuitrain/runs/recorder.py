"""Writes what happens into the run directory, and goes on in memory when that can't be done."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs import eventlog
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.exports import DerivedFiles
from tuitrain.runs.history import History
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Event,
    Notice,
    Outcome,
    Record,
    RunFinished,
    RunStarted,
    end_of,
)

#: On a file system that gives a file another number each time it looks, a log must not be written again for ever.
MOST_REMADE = 100
#: Worth an fsync: what a checkpoint after it relies on, and how a run began and ended.
DURABLE = (RunStarted, EpochFinished, RunFinished, Notice)


class Recorder:
    """Takes every record of a run, from any thread, and never raises because of the disk.

    `records` is the whole stream in memory, append-only: viewers in this process read it by index.
    What could not be written waits and is tried again with the next record. `trouble` says what is
    wrong with the disk, and is None when all that should be there is there.
    """

    def __init__(self, directory: RunDirectory, earlier: Sequence[Record] = ()) -> None:
        self.directory = directory
        self.records: list[Record] = list(earlier)
        self.history = History.of(earlier)
        self.closed = False
        self._earlier = len(self.records)
        self._begun = bool(self.records)
        self._early: list[Record] = []
        self._derived = DerivedFiles(directory.path)
        self._pending: list[Record] = []
        self._lock = threading.RLock()
        self._hurried = False  # only the log, and without waiting for the disk
        self._noticed = False
        self._remade = 0
        self._failures: dict[str, str] = {}
        self._start = time.monotonic()
        self._base_s = max((record.elapsed_s for record in earlier), default=0.0)

    @property
    def elapsed_s(self) -> float:
        """Seconds of work on the run, earlier processes included; independent of changes of the clock."""
        return self._base_s + time.monotonic() - self._start

    def add(self, event: Event) -> Record:
        """Record an event in memory and, if the disk allows it, in the directory."""
        with self._lock:
            record = Record(event, time.time(), self.elapsed_s)
            if self.closed or (isinstance(event, Control) and self.finished is not None):
                return record  # a run's end stays its last line, though its report takes some time after it
            begins = isinstance(event, RunStarted | RunFinished)
            if not self._begun and not begins:
                self._early.append(record)  # a signal before the run began: its beginning comes first
                return record
            early = [] if self._begun else self._early
            new = [record, *early] if isinstance(event, RunStarted) else [*early, record]
            self._begun, self._early = True, []
            self.records += new
            for one in new:
                self.history = self.history.add(one)
            self._pending += new
            self._write()
            return record

    def _write(self) -> None:
        """Write the waiting records in order, up to the first one that the disk refuses."""
        if self._remade < MOST_REMADE and self.directory.is_gone() and not self._remake():
            return
        written = 0
        whole = False  # the derived files were written again, with what still waits
        for record in list(self._pending):
            try:
                durable = isinstance(record.event, DURABLE) and not self._hurried
                self.directory.append(record, durable=durable)
            except OSError as error:
                del self._pending[:written]
                self.failed("events.jsonl", error)
                return
            written += 1
            if self._hurried:
                continue
            try:
                whole = self._derive(record, whole)
            except OSError as error:
                self.failed("log.txt", error)
        del self._pending[:written]
        self._failures.pop("events.jsonl", None)
        if not self._derived.dirty:
            self._failures.pop("log.txt", None)

    def _remake(self) -> bool:
        """Make the directory again if it was removed during the run, with all records."""
        replaced = (self.directory.path / "events.jsonl").exists()
        try:
            self.directory.remake()
        except (OSError, RunDirectoryError) as error:
            self.failed("events.jsonl", error)
            return False
        self._remade += 1
        if self._remade == 1:
            self._notice(_replaced(self.directory.path) if replaced else _removed(self.directory.path))
        self._pending = list(self.records)
        self._derived.dirty = True
        return True

    def remake_if_gone(self) -> bool:
        """Returns whether the directory had been removed and is there again."""
        with self._lock:
            if self.closed or not self._begun or not self.directory.is_gone():
                return False
            self._write()
            return not self.directory.is_gone()

    def _derive(self, record: Record, whole: bool) -> bool:
        if self._derived.dirty or _restarts(record.event):
            self._derived.rebuild(eventlog.current(self.records))
            return True
        if not whole:
            self._derived.add(record)
        return whole

    def failed(self, what: str, error: Exception) -> None:
        """Something could not be written: one Notice a run says so, however often it happens."""
        with self._lock:
            reason = visible(getattr(error, "strerror", None) or error)
            self._failures[what] = reason
            if self._noticed or self.closed:
                return
            self._noticed = True
            notice = Notice(
                f"{visible(self.directory.path / what)} can't be written: {reason}; training goes on in memory",
                remedy="free some space or repair the folder; what is missing is written as soon as that works",
                level="error",
                code="unwritable",
            )
            self._notice(notice)

    def _notice(self, notice: Notice) -> None:
        """Say something about the disk itself, from within the writing to it."""
        record = Record(notice, time.time(), self.elapsed_s)
        if not self._begun:
            self._early.append(record)
            return
        self.records.append(record)
        self.history = self.history.add(record)
        if self.finished is None:
            self._pending.append(record)
        elif self._pending:  # the end waits to be written, and stays the last line
            self._pending.insert(len(self._pending) - 1, record)

    def resolved(self, what: str) -> None:
        """It could be written after all."""
        with self._lock:
            self._failures.pop(what, None)

    @property
    def missing(self) -> set[str]:
        """The files that could not be written and have not been since."""
        with self._lock:
            return set(self._failures)

    @property
    def trouble(self) -> str | None:
        """What is not on disk though it should be, in words."""
        with self._lock:
            if self._pending and "events.jsonl" not in self._failures:
                self._write()
            return "; ".join(f"{what}: {why}" for what, why in self._failures.items()) or None

    def finish(self) -> None:
        """Try once more to write what is missing, and let go of the directory."""
        with self._lock:
            if self.closed:
                return
            if self._pending:
                self._write()
            if self._derived.dirty and self.records:
                try:
                    self._derived.rebuild(eventlog.current(self.records))
                    self._failures.pop("log.txt", None)
                except OSError as error:
                    self.failed("log.txt", error)
            self._derived.close()
            self.closed = True

    def abandon(self, message: str, source: str, timeout: float = 0.2) -> bool:
        """Write from another thread that the run was stopped, when its own can't say so in time.

        Little time is left, so only the log is written: what is derived from it is made again when the run is resumed.
        The file outlives this process without an fsync. Nothing is recorded after that. False when the run's own thread
        had already said how it ended, or holds the recorder and does not let go in time.
        """
        if not self._lock.acquire(timeout=timeout):
            return False
        try:
            if self.closed or self.finished is not None:
                return False
            epoch = self.history.last.epoch if self.history.last else 0
            self._hurried = True
            self.add(Control("stop", epoch, detail=message, source=source))
            self.add(self.ending("stopped", message))
            self.closed = True
            return True
        finally:
            self._lock.release()

    @property
    def finished(self) -> RunFinished | None:
        """How the run ended this time, once it has."""
        for record in reversed(self.records[self._earlier :]):
            if isinstance(record.event, RunFinished):
                return record.event
            if not isinstance(
                record.event, Notice
            ):  # which alone may follow: the disk failed at the very end
                return None
        return None

    def ending(self, outcome: Outcome, message: str) -> RunFinished:
        """The last event of a run that can't give it itself."""
        last = self.history.last
        rate = last.images_per_s if last else 0.0
        return end_of(self.history.epochs, outcome, message, seconds=self.elapsed_s, images_per_s=rate)


def _removed(path: Path) -> Notice:
    return Notice(
        f"{visible(path)} was removed while the run went on, and has been made again",
        remedy="its earlier checkpoints are gone; `tuitrain stop` ends a run, `tuitrain runs rm` removes it",
        code="directory_removed",
    )


def _replaced(path: Path) -> Notice:
    return Notice(
        f"files of {visible(path)} were replaced by others while the run went on; its log is written again",
        remedy="change a copy of a run that goes on, not the run itself",
        code="directory_replaced",
    )


def _restarts(event: Event) -> bool:
    return isinstance(event, Control) and event.action == "restarted"
