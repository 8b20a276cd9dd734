"""Puts a study in the queue of this process, beside its runs: one thing at a time on each device."""

from __future__ import annotations

from pathlib import Path

from tuitrain.errors import UsageError, visible
from tuitrain.figures import plural
from tuitrain.runs.queue import SessionManager
from tuitrain.runs.queue_entry import QueuedSession, QueueEntry
from tuitrain.study.plan import Plan
from tuitrain.study.starting import add_seeds, refuse_user_network
from tuitrain.study.store import StudyDirectory, create_study
from tuitrain.training.job import Job


def start_study(manager: SessionManager, plan: Plan) -> StudyDirectory:
    """Trains a plan, now or as soon as what is before it on the same device is over.

    Raises:
        UsageError: the app is closing.
        RunDirectoryError: the study can't be written.
    """
    study = create_study(manager.runs_dir, plan)
    study.release()  # until its turn comes
    _put(manager, study, plan)
    return study


def resume_study(manager: SessionManager, study: StudyDirectory, more_seeds: str = "") -> None:
    """Goes on with what a study has not trained yet, and with more seeds.

    Raises:
        UsageError: it is in the queue already, trains a network in Python, or can't have these seeds.
        RunDirectoryError: another process trains it, or its plan can't be read or written.
    """
    if manager.entry_of_study(study.name) is not None:
        raise UsageError(f"study {visible(study.name)} trains or waits in line already.")
    study.acquire()
    try:
        plan = study.plan()
        refuse_user_network(plan)
        if more_seeds:
            plan = add_seeds(study, more_seeds)
    finally:
        study.release()
    _put(manager, study, plan)


def _put(manager: SessionManager, study: StudyDirectory, plan: Plan) -> None:
    first, path = plan.settings[0], study.path
    seeds = plural(len(plan.seeds), "pair" if plan.kind == "duel" else "seed")
    job = Job(first.preset, plan.runtime, plan.budget, dict(first.changed))
    manager.put(QueueEntry(job, make=lambda *wanted: _make(path, *wanted), study=study.name, seeds=seeds))


def _make(path: Path, entry: QueueEntry, runs_dir: Path, data_dir: Path | None) -> QueuedSession:
    from tuitrain.study.session import StudySession

    if entry.withdrawn:
        raise UsageError("left before it began.")
    return StudySession(StudyDirectory(path.absolute()), entry.control, data_dir)
