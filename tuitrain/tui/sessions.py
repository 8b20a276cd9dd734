"""The runs this process trains: started in threads of their own, in line by device.

The UI thread only asks. Importing torch, loading data and training happen in the threads here;
what the UI sees of a run is its feed, which exists from the moment the run was asked for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tuitrain.errors import TuitrainError, UsageError, visible

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.feed import Feed, FeedUpdate
    from tuitrain.runs.session import Session
    from tuitrain.spec.preset import Preset
    from tuitrain.training.runtime import Runtime

EntryState = Literal["queued", "starting", "training", "ended", "failed", "cancelled"]
FINISHED = frozenset({"ended", "failed", "cancelled"})


@dataclass(eq=False)
class Entry:
    """One run asked for here: waiting in line, starting, training, or over."""

    preset: Preset
    runtime: Runtime
    budget: int | None
    changed: dict[str, Any]
    state: EntryState = "queued"
    phase: str = "queued"
    session: Session | None = None
    directory: RunDirectory | None = None
    error: str = ""
    exit_code: int = 0
    asked: float = field(default_factory=time.monotonic)
    wanted: deque[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=deque)

    @property
    def title(self) -> str:
        """The preset's name with what was changed in it."""
        name = visible(self.preset.name)
        if not self.changed:
            return name
        changes = ", ".join(f"{key.rpartition('.')[2]} {value[1]}" for key, value in self.changed.items())
        return f"{name} · {visible(changes)}"

    @property
    def live(self) -> bool:
        """Whether something would be lost if the process ended now."""
        return self.state not in FINISHED


class EntryControl:
    """Steers an entry: its session's control once there is one; what comes earlier waits for it."""

    def __init__(self, manager: SessionManager, entry: Entry) -> None:
        self._manager, self._entry = manager, entry

    def _do(self, name: str, *args: Any, **kwargs: Any) -> None:
        session = self._entry.session
        if session is not None:
            getattr(session.control, name)(*args, **kwargs)
        else:
            self._entry.wanted.append((name, args, kwargs))

    def stop(
        self, reason: str = "asked", when: Literal["now", "epoch"] = "now", source: str = "keyboard"
    ) -> None:
        """Stop now or after this epoch; a run that hasn't begun is taken out of the line."""
        if not self._manager.cancel(self._entry):
            self._do("stop", reason, when=when, source=source)

    def pause(self, source: str = "keyboard") -> None:
        """Pause at the next step."""
        self._do("pause", source=source)

    def resume(self, source: str = "keyboard") -> None:
        """Go on."""
        self._do("resume", source=source)

    def checkpoint(self, source: str = "keyboard") -> None:
        """Save a checkpoint at the next step."""
        self._do("checkpoint", source=source)

    def set_lr(self, lr: float, source: str = "keyboard") -> None:
        """A new base learning rate from the next step."""
        self._do("set_lr", lr, source=source)

    def add_epochs(self, n: int, source: str = "keyboard") -> None:
        """Train so many epochs longer."""
        self._do("add_epochs", n, source=source)


class EntryFeed:
    """The feed of an entry, from the moment it was asked for."""

    def __init__(self, manager: SessionManager, entry: Entry) -> None:
        self.entry = entry
        self.control = EntryControl(manager, entry)
        self._inner: Feed | None = None
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
        """What is new since the last poll; what went wrong before training is a Notice."""
        from tuitrain.runs.feed import FeedUpdate, SessionFeed
        from tuitrain.training.events import Notice, Record

        entry = self.entry
        if self._inner is None and entry.session is not None:
            self._inner = SessionFeed(entry.session)
        if self._inner is not None:
            return self._inner.poll()
        records: list[Record] = []
        if entry.state in FINISHED and not self._told:
            self._told = True
            message = entry.error or "taken out of the queue before it began"
            records.append(Record(Notice(message, level="error", code="not_started"), time.time(), 0.0))
        return FeedUpdate(records, None, entry.phase, entry.live)


class SessionManager:
    """Starts runs, one at a time on each device, and knows what is still to come."""

    def __init__(
        self,
        *,
        runs_dir: Path,
        data_dir: Path | None = None,
        make_session: Callable[[Entry, Path, Path | None], tuple[Session, RunDirectory]] | None = None,
    ) -> None:
        """No thread is started before the first run; `make_session` is replaced in tests."""
        self.runs_dir, self.data_dir = runs_dir, data_dir
        self.entries: list[Entry] = []
        self.on_session: Callable[[Entry], None] | None = None
        self._make_session = make_session
        self._lock = threading.Condition()
        self._lanes: dict[str, threading.Thread] = {}
        self._closing = False

    # -- asking --------------------------------------------------------------------------------

    def start(
        self,
        preset: Preset,
        runtime: Runtime,
        budget: int | None = None,
        changed: dict[str, Any] | None = None,
    ) -> EntryFeed:
        """Train now, or as soon as the runs before it on the same device are over.

        Raises:
            UsageError: the app is closing.
        """
        if self._closing:
            raise UsageError("tuitrain is closing; start the run again afterwards")
        if changed is None:
            changed = self._changes(preset)
        entry = Entry(preset, runtime, budget, dict(changed or {}))
        with self._lock:
            self.entries.append(entry)
            self._lane(runtime.device)
            self._lock.notify_all()
        return EntryFeed(self, entry)

    def _changes(self, preset: Preset) -> dict[str, Any]:
        from tuitrain.spec.preset import differences, load_preset

        try:
            return dict(differences(load_preset(preset.name), preset))
        except TuitrainError:
            return {}

    def feed(self, entry: Entry) -> EntryFeed:
        """Another feed of an entry, from its beginning."""
        return EntryFeed(self, entry)

    def cancel(self, entry: Entry) -> bool:
        """Take an entry that hasn't begun out of the line; False when it is too late for that."""
        with self._lock:
            if entry.state != "queued":
                return False
            entry.state, entry.phase = "cancelled", "cancelled"
            self._lock.notify_all()
            return True

    def move(self, entry: Entry, by: int) -> None:
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

    def feed_of(self, run: str) -> Feed:
        """The feed of a run by name, prefix, path or `latest`: ours, another process's, or finished.

        Raises:
            TuitrainError: there is no such run.
        """
        from tuitrain.runs.directory import resolve
        from tuitrain.runs.feed import DirectoryFeed

        directory = resolve(self.runs_dir, run)
        for entry in self.entries:
            if entry.directory is not None and entry.directory.name == directory.name:
                return EntryFeed(self, entry)
        return DirectoryFeed(directory)

    # -- looking -------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Whether leaving would end something."""
        return any(entry.live for entry in self.entries)

    def training(self) -> list[Entry]:
        """What trains or starts now."""
        return [entry for entry in self.entries if entry.state in {"starting", "training"}]

    def waiting(self) -> list[Entry]:
        """What is still in line, in order."""
        return [entry for entry in self.entries if entry.state == "queued"]

    def describe(self) -> str:
        """In a line, what would be left behind."""
        now, later = self.training(), self.waiting()
        parts = [", ".join(entry.title for entry in now)] if now else []
        if later:
            parts.append(f"{len(later)} more in the queue")
        return "; ".join(parts) or "nothing trains"

    def preset_names(self) -> list[tuple[str, str]]:
        """(name, family) of every preset that can be found; for the palette."""
        from tuitrain.spec.preset import list_presets

        return [(entry.name, entry.family) for entry in list_presets()]

    def run_names(self) -> list[tuple[str, str]]:
        """(name, state and best) of every run; for the palette."""
        from tuitrain.runs.directory import list_runs

        return [(run.name, run.state) for run in list_runs(self.runs_dir)]

    # -- threads -------------------------------------------------------------------------------

    def _lane(self, device: str) -> None:
        if device not in self._lanes:
            thread = threading.Thread(target=self._drive, args=(device,), name=f"lane-{device}", daemon=True)
            self._lanes[device] = thread
            thread.start()

    def _next(self, device: str) -> Entry | None:
        for entry in self.entries:
            if entry.state == "queued" and entry.runtime.device == device:
                return entry
        return None

    def _drive(self, device: str) -> None:
        while True:
            with self._lock:
                while (entry := self._next(device)) is None or self._closing:
                    if self._closing:
                        return
                    self._lock.wait()
                entry.state, entry.phase = "starting", "loading torch"
            self._run(entry)
            with self._lock:
                self._lock.notify_all()

    def _run(self, entry: Entry) -> None:
        try:
            session, directory = self._begin(entry)
            session.start()
            self._take_over(entry, session, directory)
            session.join()
            entry.exit_code = int(session.exit_code)
            entry.state = "ended"
        except TuitrainError as error:
            entry.error, entry.exit_code, entry.state = visible(error), int(error.exit_code), "failed"
        except Exception as error:  # a thread must not die silently: what went wrong is shown
            entry.error, entry.exit_code = visible(f"{type(error).__name__}: {error}"), 1
            entry.state = "failed"
        entry.phase = entry.state

    def _begin(self, entry: Entry) -> tuple[Session, RunDirectory]:
        from tuitrain.tui.warmup import import_torch

        if self._make_session is not None:
            return self._make_session(entry, self.runs_dir, self.data_dir)
        import_torch()
        entry.phase = "loading data"
        from tuitrain.tui.making import make_session

        return make_session(entry, self.runs_dir, self.data_dir)

    def _take_over(self, entry: Entry, session: Session, directory: RunDirectory) -> None:
        entry.directory, entry.session = directory, session
        entry.state, entry.phase = "training", "training"
        if self.on_session is not None:
            self.on_session(entry)
        while entry.wanted:
            name, args, kwargs = entry.wanted.popleft()
            getattr(session.control, name)(*args, **kwargs)

    # -- ending --------------------------------------------------------------------------------

    def stop_all(self, reason: str, source: str) -> None:
        """Stop everything now, each with its checkpoint, and begin nothing more."""
        with self._lock:
            self._closing = True
            for entry in self.entries:
                if entry.state == "queued":
                    entry.state, entry.phase = "cancelled", "cancelled"
            self._lock.notify_all()
        for entry in self.training():
            if entry.session is not None:
                entry.session.control.stop(reason, when="now", source=source)
            else:
                entry.wanted.append(("stop", (reason,), {"when": "now", "source": source}))

    def join(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to do; False when the time ran out."""
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
