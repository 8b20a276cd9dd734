"""What a viewer looks at: a run of this process, of another one, or one that is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from tuitrain.runs import eventlog
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.steering import RemoteControl
from tuitrain.training.command import Steering
from tuitrain.training.events import Control, Record, RunFinished, RunStarted, StepProgress

if TYPE_CHECKING:
    from tuitrain.runs.session import Session

FeedState = Literal["starting", "live", "paused", "stalled", "ended", "interrupted"]
#: A lock is looked at this often; between that, a feed's poll is one or two `stat` calls.
_LOCK_S = 0.25


@dataclass(frozen=True, slots=True)
class FeedUpdate:
    """What is new since the last poll.

    With `reset`, `records` is the whole history again (the run was restarted by another process), and a
    viewer starts over from nothing. `age_s` says how old `progress` is, `phase_s` how long the phase has lasted,
    and `stalled_s` for how long the process has stood still (0: it has not).
    """

    records: list[Record] = field(default_factory=list)
    progress: StepProgress | None = None
    phase: str | None = None
    alive: bool = False
    state: FeedState = "ended"
    age_s: float = 0.0
    reset: bool = False
    phase_s: float = 0.0
    stalled_s: float = 0.0


class RunFeed(Protocol):
    """A run to look at, and to steer."""

    @property
    def control(self) -> Steering:
        """The run's steering."""

    @property
    def directory(self) -> RunDirectory | None:
        """Where the run is written."""

    @property
    def title(self) -> str:
        """The title until the first event; may be empty."""

    def poll(self) -> FeedUpdate:
        """What is new; never blocks."""


class SessionFeed:
    """The feed of a session of this process. Any number of them may look at one session."""

    title = ""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._next = 0

    @property
    def control(self) -> Steering:
        """The session's own control."""
        return self.session.control

    @property
    def directory(self) -> RunDirectory:
        """The session's directory."""
        return self.session.directory

    def poll(self) -> FeedUpdate:
        """New records, and the latest snapshot."""
        alive = not self.session.ended  # before the records: what ended the run is then among them
        snapshot = self.session.snapshot
        new = self.session.records[self._next :]
        self._next += len(new)
        state: FeedState = "live"
        if not alive:
            state = "ended"
        elif snapshot.phase == "paused":
            state = "paused"
        age = max(0.0, time.monotonic() - snapshot.at) if snapshot.at else 0.0
        phase = snapshot.phase if alive else None
        return FeedUpdate(new, snapshot.progress, phase, alive, state, age, phase_s=snapshot.phase_s)


class DirectoryFeed:
    """The feed of a run directory: tails the log, reads the latest step, posts commands."""

    title = ""

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        self._control = RemoteControl(directory)
        self._tail = directory.tail()
        self._first = True
        self._all: list[Record] = []
        self._alive = False
        self._looked = -1.0
        self._finished = False

    @property
    def control(self) -> Steering:
        """Posts into `control.jsonl`; raises `RunDirectoryError` when nobody runs it."""
        return self._control

    def poll(self) -> FeedUpdate:
        """New records; the first poll gives all that count."""
        now = time.monotonic()
        if now - self._looked >= _LOCK_S:
            self._alive, self._looked = self.directory.is_held(), now
        raw, anew = self._tail.poll()
        restarted = any(_restarts(record) for record in raw)
        if anew:
            self._all = []
        self._all += raw
        reset = not self._first and (anew or restarted)
        if self._first or reset:
            self._all = eventlog.current(self._all)
            records = list(self._all)
        else:
            records = raw
        self._first = False
        if self._all:
            self._finished = any(isinstance(record.event, RunFinished) for record in self._all[-2:])
        live = self.directory.live() if self._alive else None
        stalled_s = (live.stalled_s if live else None) or 0.0
        state = "stalled" if stalled_s else self._state(live.phase if live else None)
        return FeedUpdate(
            records,
            live.progress if live else None,
            live.phase if live else None,
            self._alive,
            state,
            live.age_s if live else 0.0,
            reset,
            live.phase_s if live else 0.0,
            stalled_s,
        )

    def _state(self, phase: str | None) -> FeedState:
        if not self._alive:
            return "ended" if self._finished else "interrupted"
        if phase == "paused":
            return "paused"
        return "live" if self._all else "starting"


def _restarts(record: Record) -> bool:
    event = record.event
    return isinstance(event, RunStarted) or (isinstance(event, Control) and event.action == "restarted")
