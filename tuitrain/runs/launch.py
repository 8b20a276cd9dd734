"""From a preset to a session that is ready to start: the one way that the command line and the app share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tuitrain.data.mnist import Dataset, Progress, hold_out, load
from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.session import Session
from tuitrain.spec.preset import Preset, preset_from_dict, preset_from_toml
from tuitrain.training.control import RunControl
from tuitrain.training.events import Control, Event, RunFinished, RunStarted
from tuitrain.training.runtime import Runtime


def load_data(preset: Preset, data_dir: Path | None, progress: Progress | None = None) -> Dataset:
    """The verified data of a preset, training images held out where it asks for that.

    Raises:
        DataError: missing, damaged or unreachable.
        UsageError: nothing is left to train on.
    """
    dataset = load(preset.train.dataset, data_dir, progress=progress)
    return hold_out(dataset, preset.train.val_split, preset.train.seed) if preset.train.val_split else dataset


def prepare(
    preset: Preset,
    runtime: Runtime,
    *,
    runs_dir: Path,
    dataset: Dataset,
    name: str | None = None,
    changed: Mapping[str, Any] | None = None,
    budget: int | None = None,
    command: str = "",
    control: RunControl | None = None,
) -> Session:
    """A session of a new run, its directory made and held; nothing is made when the device is not there.

    Raises:
        PresetError: the network can't be built or trained so.
        DeviceError: the device is not there.
        RunDirectoryError: the folder is busy or can't be written.
    """
    from tuitrain.training import devices
    from tuitrain.training.model import torchinfo_summary
    from tuitrain.training.trainer import Trainer

    def factory(state: Any, publish: Callable[[Event], None]) -> Trainer:
        return Trainer(
            preset, dataset, runtime, run_name=directory.name, changed=dict(changed or {}), budget=budget,
            command=command, resume=state,
        )  # fmt: skip

    devices.pick(runtime.device)
    Trainer(preset, dataset, runtime)  # refuses what can't be trained before a directory exists
    comment = f"What really ran. To repeat it:\n  {command}" if command else "What really ran."
    directory = RunDirectory.create(runs_dir, preset.name, name=name, preset_toml=preset.to_toml(comment))
    return Session(factory, directory, summary=lambda: torchinfo_summary(preset), control=control)


def recall(directory: RunDirectory) -> tuple[Preset, RunStarted | None, RunFinished | None]:
    """What a run was to train, how it began, and how it ended (None where it was killed).

    Raises:
        PresetError: its preset is damaged.
        RunDirectoryError: its files can't be read.
    """
    events = [record.event for record in directory.events()]
    started = next((e for e in events if isinstance(e, RunStarted)), None)
    finished = next((e for e in reversed(events) if isinstance(e, RunFinished)), None)
    where = f"run {visible(directory.name)}"
    if started:
        return preset_from_dict(started.preset, where), started, finished
    return preset_from_toml(directory.preset_toml(), where), None, finished


def prepare_resume(
    directory: RunDirectory,
    *,
    data_dir: Path | None,
    epochs: int | None = None,
    device: str | None = None,
    control: RunControl | None = None,
    progress: Progress | None = None,
) -> Session:
    """A session that goes on with a run that was killed, stopped, or (with more `epochs`) completed.

    Args:
        directory: of the run; held from here on.
        data_dir: where the data lies.
        epochs: how many epochs the run shall have in all; as it was where left out.
        device: another device than it began on; results then differ in the last bits.
        control: steers the run.
        progress: of a fetch.

    Raises:
        RunDirectoryError: busy, or complete and not extended.
        PresetError, DataError, DeviceError, CheckpointError: what it needs is not there.
    """
    from tuitrain.training.model import torchinfo_summary
    from tuitrain.training.trainer import Trainer

    preset, started, finished = recall(directory)
    complete = finished is not None and finished.outcome == "completed"
    if complete and (epochs is None or epochs <= finished.epochs):  # type: ignore[union-attr]
        raise RunDirectoryError(
            f"run {visible(directory.name)} is complete after {finished.epochs} epochs; "  # type: ignore[union-attr]
            f"give it more with `tuitrain resume {visible(directory.name)} --epochs N`."
        )
    settings = dict(started.runtime) if started else {}
    runtime = Runtime.from_dict(settings | ({"device": device} if device else {}))
    dataset = load_data(preset, data_dir, progress)

    def factory(state: Any, publish: Callable[[Event], None]) -> Trainer:
        trainer = Trainer(
            preset, dataset, runtime, run_name=directory.name, changed=dict(started.changed) if started else {},
            budget=started.budget if started else None, command=started.command if started else "", resume=state,
            epochs=epochs,
        )  # fmt: skip
        if epochs is not None:
            publish(Control("extended", trainer.standing.epoch, detail=f"to {epochs} epochs", source="shell"))
        return trainer

    directory.acquire()
    return Session(
        factory, directory, resume=True, summary=lambda: torchinfo_summary(preset), control=control
    )
