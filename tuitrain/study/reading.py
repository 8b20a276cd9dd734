"""Reads what the members of a study have done so far, from their run directories: one group a setting."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tuitrain.errors import RunDirectoryError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.index import HELD, summary_of
from tuitrain.runs.predictions import right_of_runs
from tuitrain.study.plan import MAX_MEMBERS, Member, Plan
from tuitrain.training.events import CheckpointSaved, Record
from tuitrain.watch.group import Group, Right, SeedRun

_STATES = {"completed": "done", "diverged": "diverged"}


@contextlib.contextmanager
def _collector_waits() -> Iterator[None]:
    """Python's garbage collector, which would go through all that is kept many times: half of the time of 1,000 logs."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class _Read:
    key: tuple[int, int]
    records: list[Record]
    history: History


class StudyReader:
    """Looks at the members again and again; one that has ended is read once.

    Args:
        runs_dir: of the members.
        plan: of the study; may be replaced as it grows.
    """

    def __init__(self, runs_dir: Path, plan: Plan) -> None:
        self.runs_dir, self.plan = runs_dir, plan
        self._read: dict[str, _Read] = {}
        self._groups: list[Group] = []
        self._right: dict[int, tuple[tuple[str, ...], Right | None]] = {}
        self._may_read = 0

    @_collector_waits()
    def groups(self, most_predictions: int = MAX_MEMBERS) -> list[Group]:
        """The group of each setting, as it stands.

        Args:
            most_predictions: of so many runs the predictions are read, those of further groups at the next look; until
                then a group has the accuracies of its logs.
        """
        out, self._may_read = [], most_predictions
        for index, setting in enumerate(self.plan.settings):
            members = [self.plan.member(index, seed) for seed in self.plan.seeds_of(index)]
            runs = tuple(map(self._seed_run, members))
            if stopped := self.plan.stopped(index):
                runs = tuple(replace(run, fraction=1.0) for run in runs)
            group = Group(setting.label, runs, stopped=stopped)
            whole = replace(group, right=self._right_of(index, group))
            out.append(whole.keeping(self._groups[index] if index < len(self._groups) else None))
        self._groups = out
        return out

    def _seed_run(self, member: Member) -> SeedRun:
        path = self.runs_dir / member.run
        read = self._look(path)
        if read is None:
            return SeedRun(member.seed, member.run, "waiting", History())
        return _seed_run(path, member.seed, read.records, read.history)

    def _look(self, path: Path) -> _Read | None:
        """A run's records, read again only when its log has changed; None where there is no such run."""
        try:
            info = os.stat(path / "events.jsonl")  # noqa: PTH116 - hundreds of these, several times a second
            key, before = (info.st_mtime_ns, info.st_size), self._read.get(path.name)
            if before is None or before.key != key:
                records = RunDirectory(path).events(leave_out=(CheckpointSaved,))  # half of a log
                before = self._read[path.name] = _Read(key, records, History.of(records))
        except (OSError, RunDirectoryError):
            return None
        return before

    def _right_of(self, index: int, group: Group) -> Right | None:
        """Right and wrong of the runs that have ended; read again only when one more has."""
        runs = tuple(run.run for run in group.ended)
        known, right = self._right.get(index, ((), None))
        if known != runs and self._may_read <= 0:
            return None
        if known != runs:
            self._may_read -= len(runs)
            folders, histories = [self.runs_dir / run for run in runs], [run.history for run in group.ended]
            try:
                right = right_of_runs(folders, histories) if runs else None
            except RunDirectoryError:
                right = None
            self._right[index] = (runs, right)
        return right


def seed_run(path: Path, seed: int | None = None) -> SeedRun:
    """A run by itself as a seed of a group; its own seed unless another is given.

    Raises:
        RunDirectoryError: its log can't be read.
    """
    records = RunDirectory(path).events()
    history = History.of(records)
    if seed is None:
        seed = history.started.seed if history.started is not None else 0
    return _seed_run(path, seed, records, history)


def _seed_run(path: Path, seed: int, records: list[Record], history: History) -> SeedRun:
    if history.has_result:
        return SeedRun(seed, path.name, _STATES[history.outcome], history, 1.0)
    summary = summary_of(path, records)
    fraction = len(history.epochs) / history.planned if history.planned else 0.0
    live = RunDirectory(path).live() if summary.state in HELD else None
    if live is not None and live.progress is not None and history.planned:
        now = live.progress
        fraction = max(fraction, min(1.0, (now.epoch - 1 + now.step / max(1, now.steps)) / history.planned))
    return SeedRun(seed, path.name, summary.activity, history, fraction)
