"""What stands in the queue: a run or a study, what the queue asks of its session, and how a session is made."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from tuitrain.errors import TuitrainError, UsageError, visible
from tuitrain.spec.describe import layers_of, short_changes
from tuitrain.training.command import RunControl

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.report_files import Reporter
    from tuitrain.runs.session import Session
    from tuitrain.training.events import Record
    from tuitrain.training.job import Job

EntryState = Literal["queued", "starting", "training", "ended", "failed", "cancelled"]
FINISHED = frozenset({"ended", "failed", "cancelled"})


class QueuedSession(Protocol):
    """What the queue asks of a session: one of a run, or of several that train as one (a study).

    Attributes:
        reporter: makes the report that each run leaves in its directory. Set before `start`.
    """

    reporter: Reporter | None

    @property
    def directory(self) -> RunDirectory | None:
        """Of the run; None of several."""

    @property
    def records(self) -> Sequence[Record]:
        """Its events so far."""

    @property
    def exit_code(self) -> int:
        """How it ended."""

    @property
    def error(self) -> object:
        """What was raised or, of several runs, is to be said; nothing where all went well."""

    def start(self) -> None:
        """Begin, in threads of its own."""

    def join(self) -> bool:
        """Wait until it has ended."""

    def detached(self, source: str) -> None:
        """The terminal is gone; it goes on."""

    def abandon(self, message: str, source: str) -> bool:
        """Record that it was stopped, if it does not do so in time."""


MakeSession = Callable[["QueueEntry", Path, Path | None], QueuedSession]


@dataclass(eq=False)
class QueueEntry:
    """A run of the queue, or a study: waiting, starting, training, or over.

    Attributes:
        make: makes its session; None for the usual one of a run.
        study: the name of the study that it trains; empty for a run.
        seeds: of a study, how many in words.
    """

    job: Job
    state: EntryState = "queued"
    phase: str = "queued"
    resumes: RunDirectory | None = None
    parent: RunDirectory | None = None
    withdrawn: bool = False
    session: QueuedSession | None = None
    make: MakeSession | None = None
    study: str = ""
    seeds: str = ""
    error: str = ""
    exit_code: int = 0
    asked: float = field(default_factory=time.monotonic)
    control: RunControl = field(default_factory=RunControl)

    @property
    def directory(self) -> RunDirectory | None:
        """Its run directory, once there is one."""
        return self.session.directory if self.session is not None else None

    @property
    def title(self) -> str:
        """The preset's name with what was changed in it."""
        return " · ".join(
            filter(None, (visible(self.job.model or self.job.preset.name), self.change, self.seeds))
        )

    @cached_property
    def change(self) -> str:
        """What was changed in the preset, in short."""
        return short_changes(self.job.changed, layers_of(self.job.preset.to_dict()))

    @cached_property
    def parameters(self) -> int:
        """The number of parameters; 0 for a network that can't be built."""
        try:
            return self.job.preset.table().parameters
        except TuitrainError:
            return 0

    @property
    def live(self) -> bool:
        """Whether something would be lost if the process ended now."""
        return self.state not in FINISHED


def make_session_with_torch(entry: QueueEntry, runs_dir: Path, data_dir: Path | None) -> Session:
    """The session of an entry; on its thread, which imports torch and loads the data."""
    from tuitrain.training.import_torch import import_torch

    import_torch()
    entry.phase = "loading data"
    from tuitrain.runs.launch import load_data, prepare, prepare_resume

    if entry.resumes is not None:
        return prepare_resume(entry.resumes, data_dir=data_dir, control=entry.control)
    job, runs_dir = entry.job, runs_dir.absolute()
    if job.model:
        from tuitrain.training.user_network import load_user_network

        job = dataclasses.replace(job, user_network=load_user_network(job.model))
    if job.parent:
        return _branch_session(entry, runs_dir, data_dir)
    dataset = load_data(job.preset, data_dir)
    if entry.withdrawn:
        raise UsageError("left before it began.")
    return prepare(job, runs_dir=runs_dir, dataset=dataset, control=entry.control)


def _branch_session(entry: QueueEntry, runs_dir: Path, data_dir: Path | None) -> Session:
    from tuitrain.runs.branch import prepare_branch
    from tuitrain.runs.index import find_run

    parent = entry.parent or find_run(runs_dir, str(entry.job.parent["run"]))
    return prepare_branch(
        parent,
        int(entry.job.parent["epoch"]),
        entry.job,
        runs_dir=runs_dir,
        data_dir=data_dir,
        control=entry.control,
    )
