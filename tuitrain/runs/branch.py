"""A branch: a new run that begins where another one stood at the end of an epoch, with other settings."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tuitrain.errors import CheckpointError, RunDirectoryError, UsageError, visible
from tuitrain.runs import checkpoint, git_state
from tuitrain.runs.directory import PRESET_MARK, RunDirectory
from tuitrain.runs.launch import load_data, recall, summary_of
from tuitrain.runs.session import Session
from tuitrain.spec.preset import Preset, differences, override
from tuitrain.spec.repeat import run_arguments
from tuitrain.training.command import RunControl
from tuitrain.training.events import Event
from tuitrain.training.job import Job

#: What a branch keeps: the network that the weights belong to, and the images that it is trained on and judged by.
_KEPT = ("model.", "train.dataset", "train.val_split")


def kept_epochs(directory: RunDirectory) -> dict[int, checkpoint.CheckpointEntry]:
    """The epochs from whose end a run can branch, each with its checkpoint; those that are kept."""
    found = checkpoint.entries(directory.path / "checkpoints")
    return {entry.epoch: entry for entry in found if entry.step == 0 and entry.epoch > 0}


def branch_job(
    directory: RunDirectory,
    epoch: int,
    changes: Mapping[str, Any],
    device: str | None = None,
    threads: int | None = None,
) -> Job:
    """What a branch is asked to do: as its parent, with other settings.

    Args:
        directory: of the parent.
        epoch: after which it begins.
        changes: settings by dotted key.
        device: in the place of the parent's.
        threads: the same.

    Raises:
        UsageError: a setting that a branch keeps, or no epoch is left to train.
        PresetError: a value can't be used.
    """
    parent, started, _ = recall(directory)
    if started is not None and started.own_network:
        raise UsageError(
            f"run {visible(directory.name)} trains a network in Python, which a branch can't name; begin a new run of it."
        )
    preset = override(parent.preset, changes, "the branch") if changes else parent.preset
    for key in differences(parent.preset, preset):
        if key.startswith(_KEPT):
            raise UsageError(f"branch: {key} can't be changed, as the weights belong to it; begin a new run.")
    if preset.train.epochs <= epoch:
        raise UsageError(
            f"branch: it begins after epoch {epoch}, and train.epochs is {preset.train.epochs}; give more with --epochs."
        )
    new = differences(parent.preset, preset)
    before = {key: pair[0] for key, pair in parent.changed.items()}
    changed = {**parent.changed, **{key: [before.get(key, old), value] for key, (old, value) in new.items()}}
    runtime = dataclasses.replace(
        parent.runtime, device=device or parent.runtime.device, threads=threads or parent.runtime.threads
    )
    command = branch_command(parent.preset, preset, directory.name, epoch, device)
    return Job(
        preset, runtime, parent.budget, changed, command, parent={"run": directory.name, "epoch": epoch}
    )


def branch_command(base: Preset, preset: Preset, run: str, epoch: int, device: str | None = None) -> str:
    """The command line that branches so."""
    arguments = run_arguments(base, base.name, preset)[
        4:-4
    ]  # without the preset's name, the data set and the seed
    if preset.train.seed != base.train.seed:
        arguments += ["--seed", str(preset.train.seed)]
    if device:
        arguments += ["--device", device]
    return shlex.join(["tuitrain", "branch", run, "--epoch", str(epoch), *arguments])


def prepare_branch(
    directory: RunDirectory,
    epoch: int,
    job: Job,
    *,
    runs_dir: Path,
    data_dir: Path | None,
    name: str | None = None,
    control: RunControl | None = None,
) -> Session:
    """A session of a branch, its directory made with the parent's checkpoint in it.

    Args:
        directory: of the parent, which is only read.
        epoch: after which it begins.
        job: as `branch_job` makes it.
        runs_dir: where the new run's directory is made.
        data_dir: where the data lies.
        name: of the new run; one is made where left out.
        control: steers it.

    Raises:
        RunDirectoryError: the epoch's checkpoint is not kept, or the folder can't be written.
        CheckpointError: it is damaged, or does not fit.
        PresetError, DataError, DeviceError: what it needs is not there.
    """
    from tuitrain.training.state import TrainerState
    from tuitrain.training.trainer import Trainer

    kept = kept_epochs(directory)
    if epoch not in kept:
        there = ", ".join(map(str, sorted(kept))) or "none"
        raise RunDirectoryError(
            f"run {visible(directory.name)} has no checkpoint of the end of epoch {epoch}; kept are {there} "
            "(`tuitrain run --keep 0` keeps all)."
        )
    stored = checkpoint.load_checkpoint(kept[epoch])
    state = begun_from(TrainerState.from_tensors(stored.tensors, stored.metadata), job)
    dataset = load_data(job.preset, data_dir)
    Trainer(job, dataset, resume=state, begins=True)  # refuses what does not fit before a directory exists
    git = git_state.begin()
    comment = (
        f"{PRESET_MARK} A branch of run {directory.name} after epoch {epoch}. To repeat it:\n  {job.command}"
    )
    branch = RunDirectory.create(
        runs_dir, job.preset.name, name=name, preset_toml=job.preset.to_toml(comment)
    )
    try:
        checkpoint.save(branch.path / "checkpoints", state.tensors(), state.meta, best=False)
    except OSError as error:
        branch.close()
        raise RunDirectoryError(
            f"{visible(branch.path)} can't be written: {visible(error.strerror)}."
        ) from None

    def factory(state: Any, publish: Callable[[Event], None]) -> Trainer:
        del publish
        if state is None:
            raise CheckpointError("the branch's first checkpoint is damaged; branch again.")
        return Trainer(job, dataset, run_name=branch.name, git=git(), resume=state, begins=True)

    return Session(
        factory, branch, resume=True, summary=summary_of(job), control=control, keep=job.runtime.keep,
        dataset=dataset,
    )  # fmt: skip


def begun_from(state: Any, job: Job) -> Any:
    """A parent's state as the beginning of a branch: its tensors, with the branch's settings and no history.

    The optimizer's state is kept where the optimizer keeps the same one; another optimizer begins anew.
    """
    from tuitrain.spec.schedule import LearningRate
    from tuitrain.training.ema import Averaged
    from tuitrain.training.machine import Machine
    from tuitrain.training.model import build
    from tuitrain.training.optimizer import Optimizer
    from tuitrain.training.state import TrainerState

    preset, meta = job.preset, dict(state.meta)
    parent = meta.get("preset", {}).get("train", {})
    train = preset.to_dict()["train"]
    steered = all(
        parent.get(key) == train.get(key)
        for key in ("optimizer", "schedule", "batch_size", "warmup", "warmup_start")
    )
    schedule = meta["schedule"] if steered else LearningRate(preset.train, 1).state_dict()
    fresh = Optimizer(preset.train, dict(build(preset).named_parameters())).tensors()
    optimizer = state.optimizer if state.optimizer.keys() == fresh.keys() else fresh
    meta |= {
        "preset": preset.to_dict(), "seed": preset.train.seed, "epochs": preset.train.epochs, "history": [],
        "early": [0, "", ""], "elapsed_s": 0.0, "machine": Machine().to_dict(),
        "schedule": {**schedule, "epochs": preset.train.epochs},
    }  # fmt: skip
    averaged: dict[str, Any] = {}
    if preset.train.ema:  # where the parent has none, they begin with the branch
        averaged = state.ema or Averaged(preset.train.ema, state.model).tensors()
    return TrainerState(state.model, optimizer, meta, averaged)
