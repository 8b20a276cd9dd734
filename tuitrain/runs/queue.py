"""The runs and studies this process trains: started in threads of their own, in line by device.

The UI thread only asks. Importing torch, loading data and training happen in the threads here;
what the UI sees of a run is its feed, which exists from the moment the run was asked for.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tuitrain import paths
from tuitrain.errors import TuitrainError, UsageError, visible
from tuitrain.runs.queue_entry import FINISHED, MakeSession, QueueEntry, make_session_with_torch
from tuitrain.training.command import Command, Steering

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.feed import FeedUpdate, RunFeed
    from tuitrain.runs.report_files import Reporter
    from tuitrain.runs.session import Session
    from tuitrain.training.events import Record
    from tuitrain.training.job import Job


class EntryControl(Steering):
    """Steers an entry from the moment it is queued: commands wait until training reads them."""

    def __init__(self, manager: SessionManager, entry: QueueEntry) -> None:
        self._manager, self._entry = manager, entry

    def post(self, command: Command) -> None:
        """Send a command; a stop removes a run that hasn't begun from the queue."""
        if command.action == "stop" and self._manager.cancel(self._entry):
            return
        self._entry.control.post(dataclasses.replace(command, source=command.source or "keyboard"))


class EntryFeed:
    """The feed of an entry, from the moment it is queued."""

    def __init__(self, manager: SessionManager, entry: QueueEntry) -> None:
        self.entry = entry
        self.control = EntryControl(manager, entry)
        self._inner: RunFeed | None = None
        self._told = False

    @property
    def directory(self) -> RunDirectory | None:
        """The run's directory, once it has one."""
        return self.entry.directory

    @property
    def title(self) -> str:
        """What is trained."""
        return self.entry.title

    def poll(self) -> FeedUpdate:
        """What is new since the last poll; an error before training is a Notice."""
        from tuitrain.runs.feed import FeedUpdate, SessionFeed
        from tuitrain.training.events import Notice, Record

        entry = self.entry
        if self._inner is None and entry.session is not None:
            self._inner = SessionFeed(cast("Session", entry.session))
        if self._inner is not None:
            return self._inner.poll()
        records: list[Record] = []
        if entry.state in FINISHED and not self._told:
            self._told = True
            message = entry.error or "taken out of the queue before it began"
            records.append(Record(Notice(message, level="error", code="not_started"), time.time(), 0.0))
        return FeedUpdate(records, None, entry.phase, entry.live, "starting" if entry.live else "ended")


class SessionManager:
    """Starts runs, one at a time on each device, and keeps the queue."""

    def __init__(
        self,
        *,
        runs_dir: Path,
        data_dir: Path | None = None,
        make_session: MakeSession | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        """No thread is started before the first run; `make_session` is replaced in tests.

        `reporter` makes the report that each run leaves in its directory.
        """
        self.runs_dir, self.data_dir = runs_dir, data_dir
        self.entries: list[QueueEntry] = []
        self.on_session: Callable[[QueueEntry], None] | None = None
        self.on_end: Callable[[QueueEntry], None] | None = None  # in the thread of the run
        self._make_session = make_session or make_session_with_torch
        self._reporter = reporter
        self._lock = threading.Condition()
        self._lanes: dict[str, threading.Thread] = {}
        self._held = False
        self._closing = False

    # -- asking --------------------------------------------------------------------------------

    def start(self, job: Job, parent: RunDirectory | None = None) -> EntryFeed:
        """Train now, or as soon as the runs before it on the same device are over.

        Args:
            job: what to train, and how.
            parent: of a branch, the run that it begins from; where left out, it is looked for by its name.

        Raises:
            UsageError: the app is closing.
        """
        return self.put(QueueEntry(job, parent=parent))

    def put(self, entry: QueueEntry) -> EntryFeed:
        """Put something in line, as `start` does.

        Raises:
            UsageError: the app is closing.
        """
        if self._closing:
            raise UsageError("tuitrain is closing; start the run again afterwards.")
        with self._lock:
            self.entries.append(entry)
            self._lane(entry.job.runtime.device)
            self._lock.notify_all()
        return EntryFeed(self, entry)

    def feed(self, entry: QueueEntry) -> EntryFeed:
        """Another feed of an entry, from its beginning."""
        return EntryFeed(self, entry)

    def cancel(self, entry: QueueEntry) -> bool:
        """Remove an entry that hasn't begun from the queue; False if it has begun."""
        with self._lock:
            if entry.state != "queued":
                return False
            entry.state, entry.phase = "cancelled", "cancelled"
            self._lock.notify_all()
            return True

    def forget(self, entry: QueueEntry) -> None:
        """Remove an entry that waits or never began from the list."""
        self.cancel(entry)
        with self._lock:
            if entry in self.entries and entry.session is None and not entry.live:
                self.entries.remove(entry)

    def resume(self, directory: RunDirectory) -> EntryFeed:
        """Queue a run that was stopped or cut off, to be continued on its device.

        Raises:
            TuitrainError: its preset can't be read.
        """
        from tuitrain.runs.launch import recall

        job, _, _ = recall(directory)
        return self.put(QueueEntry(job, resumes=directory))

    def move(self, entry: QueueEntry, by: int) -> None:
        """Move a waiting entry up (-1) or down (+1) among the waiting ones."""
        with self._lock:
            waiting = [other for other in self.entries if other.state == "queued"]
            if entry not in waiting:
                return
            here = waiting.index(entry)
            there = max(0, min(len(waiting) - 1, here + by))
            other = waiting[there]
            i, j = self.entries.index(entry), self.entries.index(other)
            self.entries[i], self.entries[j] = other, entry

    def feed_of(self, run: str) -> RunFeed:
        """The feed of a run by name, prefix, path or `latest`: ours, another process's, or finished.

        Raises:
            TuitrainError: there is no such run.
        """
        from tuitrain.runs.feed import DirectoryFeed
        from tuitrain.runs.index import find_run

        directory = find_run(self.runs_dir, run)
        for entry in self.entries:
            if entry.directory is not None and entry.directory.name == directory.name:
                return EntryFeed(self, entry)
        return DirectoryFeed(directory)

    @contextmanager
    def between_runs(self) -> Iterator[None]:
        """A time in which this process begins no run: for a test that uses the device and torch's settings.

        Raises:
            UsageError: a run of this process trains or waits, or another such test runs.
        """
        with self._lock:
            if self._held or self.busy():
                raise UsageError(f"this process is busy ({self.describe()}); try again when it is done.")
            self._held = True
        try:
            yield
        finally:
            with self._lock:
                self._held = False
                self._lock.notify_all()

    # -- looking -------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Whether leaving would end something."""
        return any(entry.live for entry in self.entries)

    def entry_of_study(self, study: str) -> QueueEntry | None:
        """What trains a study in this process, or waits to; None where nothing does."""
        return next((entry for entry in self.entries if entry.study == study and entry.live), None)

    def training(self) -> list[QueueEntry]:
        """What trains or starts now."""
        return [entry for entry in self.entries if entry.state in {"starting", "training"}]

    def waiting(self) -> list[QueueEntry]:
        """The waiting entries, in order."""
        return [entry for entry in self.entries if entry.state == "queued"]

    @property
    def closing(self) -> bool:
        """Whether everything is being stopped."""
        return self._closing

    def describe(self) -> str:
        """One line about what trains and waits."""
        now, later = self.training(), self.waiting()
        parts = [", ".join(entry.title for entry in now)] if now else []
        if later:
            parts.append(f"{len(later)} more in the queue")
        return "; ".join(parts) or "nothing trains"

    def preset_names(self) -> list[tuple[str, str]]:
        """(name, family) of every preset that can be found; for the palette."""
        from tuitrain.spec.preset_files import list_presets

        return [(entry.name, entry.family) for entry in list_presets()]

    def run_names(self) -> list[tuple[str, str]]:
        """(name, state and best) of every run; for the palette."""
        from tuitrain.runs.index import list_runs

        return [(run.name, run.state) for run in list_runs(self.runs_dir)]

    # -- threads -------------------------------------------------------------------------------

    def _lane(self, device: str) -> None:
        if device not in self._lanes:
            thread = threading.Thread(target=self._drive, args=(device,), name=f"lane-{device}", daemon=True)
            self._lanes[device] = thread
            thread.start()

    def _next(self, device: str) -> QueueEntry | None:
        for entry in self.entries:
            if entry.state == "queued" and entry.job.runtime.device == device:
                return entry
        return None

    def _drive(self, device: str) -> None:
        while True:
            with self._lock:
                while (entry := self._next(device)) is None or self._held or self._closing:
                    if self._closing:
                        return
                    self._lock.wait()
                entry.state, entry.phase = "starting", "loading torch"
            self._run(entry)
            with self._lock:
                self._lock.notify_all()

    def _run(self, entry: QueueEntry) -> None:
        try:
            session = (entry.make or self._make_session)(entry, self.runs_dir, self.data_dir)
            session.reporter = self._reporter
            session.start()
            entry.session = session
            entry.state, entry.phase = "training", "training"
            if self.on_session is not None:
                self.on_session(entry)
            session.join()
            entry.exit_code = int(session.exit_code)
            self._tell_end(entry)  # before the process may go
            entry.state = "ended"
            if entry.study and session.error:  # the log of a run says it itself
                entry.error, entry.state = visible(session.error), "failed"
        except TuitrainError as error:
            entry.error, entry.exit_code, entry.state = visible(error), int(error.exit_code), "failed"
        except Exception as error:  # a thread must not die silently: what went wrong is shown
            traceback.print_exc()
            entry.error, entry.exit_code = visible(f"{type(error).__name__}: {error}"), 1
            entry.error += f"; the traceback is in {visible(paths.log_file())}"
            entry.state = "failed"
        entry.phase = entry.state

    def _tell_end(self, entry: QueueEntry) -> None:
        if self.on_end is not None:
            try:
                self.on_end(entry)
            except Exception:  # no fault of the run's
                traceback.print_exc()

    # -- ending --------------------------------------------------------------------------------

    def stop_all(self, reason: str, source: str) -> None:
        """Stop all runs now, each with a checkpoint, and start no more."""
        with self._lock:
            self._closing = True
            for entry in self.entries:
                if entry.state == "queued":
                    entry.state, entry.phase = "cancelled", "cancelled"
                entry.withdrawn = entry.session is None
            self._lock.notify_all()
        for entry in self.training():
            entry.control.stop(reason, when="now", source=source)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until all is done; False if the time ran out."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while self.busy():
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._lock.wait(0.5 if left is None else min(left, 0.5))
        return True

    def exit_code(self) -> int:
        """The first code that isn't 0 of the runs that ended, else 0."""
        return next((entry.exit_code for entry in self.entries if entry.exit_code), 0)

    def abandon_all(self, message: str, source: str) -> None:
        """Record that the training runs were stopped, if their threads don't do it in time."""
        for entry in self.training():
            if entry.session is not None:
                entry.session.abandon(message, source)

    def detached(self, source: str) -> None:
        """Record that the terminal is gone and the runs go on."""
        for entry in self.training():
            if entry.session is not None:
                entry.session.detached(source)
