"""The network of a run: as its last epoch left it, or as it is now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain.errors import CheckpointError, RunDirectoryError, UsageError, visible
from tuitrain.runs import checkpoint, model_file
from tuitrain.runs.directory import AVERAGED_MODEL, MODEL_SOURCE
from tuitrain.runs.history import History
from tuitrain.runs.index import HELD, list_runs

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.index import RunSummary
    from tuitrain.spec.preset import Preset
    from tuitrain.training.model import Network


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that a run has trained.

    Attributes:
        run: the run's name.
        network: on the CPU, in eval mode.
        preset: the run's.
        epoch: after how many finished epochs.
        step: how many steps into the next.
        averaged: whether it has the averaged weights (`train.ema`).
    """

    run: str
    network: Network
    preset: Preset
    epoch: int
    step: int
    averaged: bool = False

    @property
    def weights(self) -> str:
        """Which weights it has, in words, of a run that keeps two kinds; empty of any other."""
        if self.preset.train.ema is None:
            return ""
        return "averaged weights" if self.averaged else "weights as trained"


def network_mark(path: Path) -> object:
    """What changes whenever a run has kept another network; None while it has kept none."""
    kept = checkpoint.entries(path / "checkpoints")
    try:
        modified = (path / "model.safetensors").stat().st_mtime_ns
    except OSError:
        modified = 0
    return (modified, kept[-1].path.name if kept else "") if modified or kept else None


def runs_with_network(runs_dir: Path) -> list[RunSummary]:
    """The runs of a folder whose network can be asked, or may be soon: with one that was kept, or that go on.

    The newest come first; networks in Python are left out, as their code is not kept.

    Raises:
        RunDirectoryError: the folder can't be read.
    """
    return [
        run
        for run in list_runs(runs_dir)
        if not (Path(run.path) / MODEL_SOURCE).exists()
        and (run.state in HELD or network_mark(Path(run.path)) is not None)
    ]


def trained_network(directory: RunDirectory, *, averaged: bool = False) -> TrainedNetwork:
    """The network of a run; of one that goes on, or was cut off, its newest checkpoint that is whole.

    Args:
        directory: of the run.
        averaged: whether with the averaged weights, in the place of those that were trained.

    Raises:
        UsageError: the averaged weights of a run that keeps none.
        RunDirectoryError: the run has kept none, or trained a network in Python, whose code is not kept.
        CheckpointError: its file is damaged.
        PresetError: its preset is.
    """
    history, name = History.of(directory.events()), visible(directory.name)
    if history.user_network is not None:
        raise RunDirectoryError(
            f"run {name} trained a network in Python ({visible(history.user_network)}), which its weights alone don't "
            f"make again; `tuitrain mistakes {name}` and `tuitrain confusion {name}` show what it said."
        )
    if averaged and not history.averages:
        raise UsageError(
            f"--ema: run {name} keeps no averaged weights; leave --ema out, or train with them (--set ema=0.99)."
        )
    path = directory.path / (AVERAGED_MODEL if averaged else "model.safetensors")
    if path.is_file() and not directory.is_held():
        network: Any = model_file.load_model(path)
        last = history.last  # files of earlier versions don't say their epoch
        about = {"epoch": last.epoch if last else 0} | network.about
        return _trained(directory.name, network, about, averaged=averaged)
    for entry in reversed(checkpoint.entries(directory.path / "checkpoints")):
        try:
            stored = checkpoint.load_checkpoint(entry)
        except CheckpointError:
            continue
        if (found := _of_checkpoint(directory.name, stored, averaged=averaged)) is not None:
            return found
    what = "averaged weights" if averaged else "network"
    how = f"has kept no {what} yet" if directory.is_held() else f"has kept no {what}: it is {history.outcome}"
    raise RunDirectoryError(
        f"run {name} {how}; choose another run, or train it again with the command in its preset.toml."
    )


def _of_checkpoint(run: str, stored: checkpoint.Stored, *, averaged: bool) -> TrainedNetwork | None:
    """The network of a checkpoint; None where averaged weights are wanted and there are none before the first step."""
    from tuitrain.spec.preset import preset_from_dict
    from tuitrain.training import state
    from tuitrain.training.model import build

    saved = state.TrainerState.from_tensors(stored.tensors, stored.metadata)
    if averaged:
        if not (weights := saved.averaged_model()):
            return None
        saved = replace(saved, model=weights)
    network = build(preset_from_dict(saved.meta.get("preset") or {}, f"run {visible(run)}"))
    state.load_weights(network, state.with_todays_names(saved, network))
    return _trained(run, network.eval(), saved.meta, averaged=averaged)


def _trained(run: str, network: Network, about: dict[str, Any], *, averaged: bool) -> TrainedNetwork:
    from tuitrain.spec.preset import preset_from_dict

    preset = preset_from_dict(about["preset"], f"run {visible(run)}")
    epoch, step = (int(about.get(key) or 0) for key in ("epoch", "step"))
    return TrainedNetwork(run, network, preset, epoch, step, averaged)
