"""From a preset to a session that is ready to start: the one way that the command line and the app share."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain.data.dataset import Dataset, Progress, hold_out
from tuitrain.data.load import load_dataset
from tuitrain.errors import RunDirectoryError, UsageError, visible
from tuitrain.figures import plural
from tuitrain.runs import git_state
from tuitrain.runs.directory import MODEL_SOURCE, PRESET_MARK, RunDirectory
from tuitrain.runs.session import Session
from tuitrain.spec.preset import Preset, preset_from_dict, preset_from_toml
from tuitrain.training.command import RunControl
from tuitrain.training.events import Control, Event, RunFinished, RunStarted
from tuitrain.training.job import Job

if TYPE_CHECKING:
    from tuitrain.training.run import Run
    from tuitrain.training.user_network import UserNetwork


def load_data(
    preset: Preset, data_dir: Path | None, progress: Progress | None = None, *, fetch: bool = True
) -> Dataset:
    """The verified data of a preset, with a validation split if the preset has one; see `load_dataset`.

    Raises:
        DataError: missing, damaged or unreachable.
        UsageError: nothing is left to train on.
    """
    dataset = load_dataset(preset.train.dataset, data_dir, progress=progress, fetch=fetch)
    return (
        hold_out(dataset, preset.train.val_split, preset.train.split_seed)
        if preset.train.val_split
        else dataset
    )


def prepare(
    job: Job,
    *,
    runs_dir: Path,
    dataset: Dataset,
    name: str | None = None,
    control: RunControl | None = None,
    trainer: Callable[..., Run] | None = None,
) -> Session:
    """A session of a new run, its directory created and locked; nothing is created if the device is not available.

    Args:
        job: what to train, and how.
        runs_dir: where the run's directory is made.
        dataset: the data.
        name: of the run; one is made where left out.
        control: steers the run.
        trainer: makes its events; where left out, one that trains it by itself.

    Raises:
        PresetError: the network can't be built or trained so.
        DeviceError: the device is not there.
        RunDirectoryError: the folder is busy or can't be written.
    """
    from tuitrain.training import devices
    from tuitrain.training.trainer import Trainer

    preset, user_network = job.preset, job.user_network
    if user_network is not None:  # with its digest: runs of another text are no other seeds of this one
        differs = {**job.changed, "model": [preset.name, f"{user_network.flag} {user_network.sha256[:8]}"]}
        job = dataclasses.replace(job, changed=differs)

    def factory(state: Any, publish: Callable[[Event], None]) -> Run:
        return make(job, dataset, run_name=directory.name, git=git(), resume=state)

    make = trainer or Trainer
    git = git_state.begin()
    devices.pick(job.runtime.device)
    Trainer(job, dataset)  # refuses what can't be trained before a directory exists
    comment = f"{PRESET_MARK} To repeat it:\n  {job.command}" if job.command else PRESET_MARK
    if user_network is not None:
        digest = f"its text is {MODEL_SOURCE}, SHA-256 {user_network.sha256}."
        comment += f"\nIn the place of [model] ran {user_network.flag}: {digest}"
    directory = RunDirectory.create(
        runs_dir, preset.name, name=name, preset_toml=preset.to_toml(comment),
        model_source=user_network.source if user_network else None,
    )  # fmt: skip
    return Session(
        factory, directory, summary=summary_of(job), control=control, keep=job.runtime.keep, dataset=dataset
    )


def summary_of(job: Job) -> Callable[[], str]:
    """What makes the text of `summary.txt`."""
    from tuitrain.training.model import torchinfo_summary

    return job.user_network.summary if job.user_network is not None else lambda: torchinfo_summary(job.preset)


def recall(directory: RunDirectory) -> tuple[Job, RunStarted | None, RunFinished | None]:
    """The preset of a run, its first event, and its last event (None if it was killed).

    Raises:
        PresetError: its preset is damaged.
        UsageError: its settings of the machine can't be used.
        RunDirectoryError: its files can't be read.
    """
    events = [record.event for record in directory.events()]
    started = next((e for e in events if isinstance(e, RunStarted)), None)
    finished = next((e for e in reversed(events) if isinstance(e, RunFinished)), None)
    where = f"run {visible(directory.name)}"
    if started:
        return Job.of(started, preset_from_dict(started.preset, where)), started, finished
    return Job(preset_from_toml(directory.preset_toml(), where)), None, finished


def prepare_resume(
    directory: RunDirectory,
    *,
    data_dir: Path | None,
    epochs: int | None = None,
    device: str | None = None,
    control: RunControl | None = None,
    progress: Progress | None = None,
    model: str | None = None,
    unsaid: Job | None = None,
    trainer: Callable[..., Run] | None = None,
) -> Session:
    """A session that continues a run that was killed, stopped, or (with more `epochs`) completed.

    Args:
        directory: of the run; held from here on.
        data_dir: where the data lies.
        epochs: how many epochs the run shall have in all; as it was where left out.
        device: another device than it began on; results then differ in the last bits.
        control: steers the run.
        progress: of a fetch.
        model: the user's own network that the run trains, named again (`file.py:Net`).
        unsaid: what the run was asked to do, if it was killed before it could write its first event.
        trainer: as of `prepare`.

    Raises:
        UsageError: the run's own network is not named, or another one is.
        RunDirectoryError: busy, or complete and not extended.
        PresetError, DataError, DeviceError, CheckpointError: what it needs is not there.
    """
    from tuitrain.training.trainer import Trainer

    job, started, finished = recall(directory)
    if started is None and unsaid is not None:
        job = unsaid
    complete = finished is not None and finished.outcome == "completed"
    if complete and (epochs is None or epochs <= finished.epochs):  # type: ignore[union-attr]
        raise RunDirectoryError(
            f"run {visible(directory.name)} is complete after {plural(finished.epochs, 'epoch')}; "  # type: ignore[union-attr]
            f"give it more with `tuitrain resume {visible(directory.name)} --epochs N`."
        )
    job = dataclasses.replace(
        job, model=model or "", user_network=_user_network_again(directory, started, model)
    )
    if device:
        job = dataclasses.replace(job, runtime=dataclasses.replace(job.runtime, device=device))
    dataset = load_data(job.preset, data_dir, progress)

    make = trainer or Trainer

    def factory(state: Any, publish: Callable[[Event], None]) -> Run:
        trainer = make(job, dataset, run_name=directory.name, resume=state, epochs=epochs)
        if epochs is not None:
            before = int(state.meta["epochs"]) if state is not None else job.preset.train.epochs
            publish(
                Control(
                    "extended", trainer.position.epoch, value=float(epochs - before), detail=f"to {plural(epochs, 'epoch')}",
                    source="shell",
                )
            )  # fmt: skip
        return trainer

    directory.acquire()
    return Session(
        factory, directory, resume=True, summary=summary_of(job), control=control, keep=job.runtime.keep,
        dataset=dataset,
    )  # fmt: skip


def _user_network_again(
    directory: RunDirectory, started: RunStarted | None, model: str | None
) -> UserNetwork | None:
    """The user's network of a run that is resumed: it must be named again and be the same file.

    What the directory says of it is only compared; nothing in a directory says what to import.
    """
    run = visible(directory.name)
    if started is not None:
        recorded = started.own_network.get("sha256", "?") if started.own_network else ""
    else:
        recorded = directory.model_sha256()
    if not recorded:
        if model is not None:
            raise UsageError(
                f"--model {visible(model)}: run {run} trains its preset's network; leave --model out."
            )
        return None
    if model is None:
        was = visible(started.own_network.get("model", ""))[:200] if started else ""
        raise UsageError(
            f"run {run} trains a network in Python{f' ({was})' if was else ''}, which is run only when you name it: "
            f"`tuitrain resume {run} --model FILE.py:NAME`."
        )
    from tuitrain.training.user_network import load_user_network, read_source

    source = read_source(model)
    if hashlib.sha256(source).hexdigest() != recorded:
        raise UsageError(
            f"--model {visible(model)}: it is not the file that run {run} began with, whose text is in "
            f"{visible(directory.path / MODEL_SOURCE)}; give that one, or begin a new run."
        )
    was = started.own_network.get("model", "").rpartition(":")[2] if started else ""
    if was and was != model.rpartition(":")[2]:
        raise UsageError(
            f"--model {visible(model)}: run {run} trains '{visible(was)[:80]}' of that file; name that."
        )
    return load_user_network(model, source)
