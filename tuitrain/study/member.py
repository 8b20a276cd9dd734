"""Trains one member of a study: in whatever process, on whatever machine, an executor calls this."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import BusyError, ExitCode, RunDirectoryError, TuitrainError, visible
from tuitrain.runs import names
from tuitrain.runs.report_files import Reporter
from tuitrain.training.job import Job

if TYPE_CHECKING:
    from tuitrain.data.dataset import Dataset
    from tuitrain.runs.history import History
    from tuitrain.runs.session import Session
    from tuitrain.training.run import Run
    from tuitrain.training.user_network import UserNetwork


@dataclass(frozen=True)
class Order:
    """What a worker gets: the run's name, where it is kept, what to train, and where the data lies.

    `model_sha256` is that of the user's network, whose file must still be the same; `reporter`, a function of a module,
    makes the report that the run leaves in its directory. After epoch `until`, if there is one, the run is stopped and
    waits until it is decided whether it goes on; it leaves no report then.
    """

    run: str
    runs_dir: Path
    data_dir: Path | None
    job: Job
    model_sha256: str = ""
    reporter: Reporter | None = None
    until: int | None = None


@dataclass(frozen=True)
class Ending:
    """How a member ended: an outcome of a run, or `refused` with the sentence of an error and its exit code.

    `busy` is one that another process trains.
    """

    run: str
    outcome: str
    message: str = ""
    exit_code: int = 0


def train_member(order: Order) -> Ending:
    """Trains a run from its beginning, or from its last checkpoint; one that has ended for good is left alone.

    Never raises an error of a user's, which it returns.
    """
    from tuitrain.runs.signals import guarded

    try:
        session = prepare_member(order)
    except TuitrainError as error:
        return refusal_of(order.run, error)
    if session is None:
        return Ending(order.run, result_of(order.runs_dir / order.run) or "stopped")
    with guarded(session) as signals:
        if not signals.exit_code:
            session.start()
            session.join()
        else:
            session.directory.close()
    return ending_of(order.run, session)


def refusal_of(run: str, error: TuitrainError) -> Ending:
    """What is said of a member that can't be trained, or not here."""
    outcome = "busy" if isinstance(error, BusyError) else "refused"
    return Ending(run, outcome, str(error), int(error.exit_code))


def ending_of(run: str, session: Session) -> Ending:
    """How a session that has ended ended."""
    finished = session.recorder.finished
    message = finished.message if finished else str(session.error or "")
    return Ending(run, session.outcome or "stopped", message, int(session.exit_code))


def refuse_unwritten(endings: Iterable[Ending | None]) -> None:
    """Refuses to decide anything from members whose directories could not be written, as on a full disk.

    Raises:
        RunDirectoryError: the sentence of the first of them.
    """
    for ending in endings:
        if ending is not None and ending.exit_code == ExitCode.RUN_DIRECTORY:
            raise RunDirectoryError(
                ending.message
                or f"run {visible(ending.run)} can't be written; check its owner, mode and disk."
            )


def prepare_member(order: Order, trainer: Callable[..., Run] | None = None) -> Session | None:
    """The session of a member, new or resumed; None if it has a result already, or has got as far as it shall.

    Args:
        order: what to train.
        trainer: makes its events; where left out, one that trains it by itself.

    Raises:
        TuitrainError: it can't be trained, or not here.
    """
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.launch import prepare, prepare_resume

    path = order.runs_dir / order.run
    job, model = order.job, order.job.model
    if names.looks_like_run(path):
        history = _history(path)
        if history.has_result or (order.until is not None and history.done >= order.until):
            return None
        session = prepare_resume(
            RunDirectory.open(path), data_dir=order.data_dir, model=model or None, unsaid=job, trainer=trainer
        )
        _prepare_end(session, order)
        return session
    if model:
        job = dataclasses.replace(job, user_network=_user_network(model, order.model_sha256))
    train = job.preset.train
    dataset = _data(
        train.dataset, train.val_split, train.split_seed if train.val_split else 0, order.data_dir
    )
    session = prepare(job, runs_dir=order.runs_dir, dataset=dataset, name=order.run, trainer=trainer)
    _prepare_end(session, order)
    if session.directory.name != order.run:
        session.directory.close()
        raise RunDirectoryError(
            f"{visible(path)} is no run, and stands where this one is to be kept; move it away."
        )
    return session


def _prepare_end(session: Session, order: Order) -> None:
    session.until = order.until
    session.reporter = order.reporter if order.until is None else None


def result_of(path: Path) -> str | None:
    """How a run has ended for good; None where it has not.

    Raises:
        RunDirectoryError: its log can't be read.
    """
    history = _history(path)
    return history.outcome if history.has_result else None


def history_of(path: Path) -> History:
    """What a member has done; nothing, where it has not begun or its log can't be read."""
    from tuitrain.runs.history import History

    if names.looks_like_run(path):
        with contextlib.suppress(RunDirectoryError):
            return _history(path)
    return History()


def _history(path: Path) -> History:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.history import History

    return History.of(RunDirectory.open(path).events())


@functools.lru_cache(maxsize=2)
def _data(name: str, held_out: int, seed: int, data_dir: Path | None) -> Dataset:
    """The data; a worker loads it once for all its members."""
    from tuitrain.data.dataset import hold_out
    from tuitrain.data.load import load_dataset

    dataset = load_dataset(name, data_dir)
    return hold_out(dataset, held_out, seed) if held_out else dataset


def _user_network(model: str, sha256: str) -> UserNetwork:
    from tuitrain.training.user_network import load_user_network

    network = load_user_network(model)
    if network.sha256 != sha256:
        raise RunDirectoryError(
            f"--model {visible(model)} has changed since the study began; put the file back, or begin a new study."
        )
    return network


def begin_worker(device: str = "") -> None:
    """Prepares a worker process: signals save and end it, Ctrl-C is left to the process that gives the orders.

    When that one is gone, the worker stops with its state saved.

    Args:
        device: the one GPU that the process is to see, as CUDA_VISIBLE_DEVICES names it; empty for all.
    """
    import os
    import signal

    if device:
        os.environ["CUDA_VISIBLE_DEVICES"] = device

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from tuitrain.runs.signals import prepare_process

    prepare_process()
    _follow_parent()
    with contextlib.suppress(Exception):  # an import that fails is told by the member that needs it
        from tuitrain.training.import_torch import import_torch

        import_torch()


def _follow_parent() -> None:
    import multiprocessing
    import os
    import signal
    import threading

    from tuitrain.runs.signals import signals

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        if not signals.exit_code:  # else it is saving already, and a second signal would end it at once
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="follow-parent", daemon=True).start()
