"""The network of a run: as its last epoch left it, or as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain.errors import CheckpointError, RunDirectoryError, visible
from tuitrain.runs import checkpoint, model_file
from tuitrain.runs.directory import MODEL_SOURCE
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
    """

    run: str
    network: Network
    preset: Preset
    epoch: int
    step: int


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


def trained_network(directory: RunDirectory) -> TrainedNetwork:
    """The network of a run; of one that goes on, or was cut off, its newest checkpoint that is whole.

    Raises:
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
    path = directory.path / "model.safetensors"
    if path.is_file() and not directory.is_held():
        network: Any = model_file.load_model(path)
        last = history.last  # files of earlier versions don't say their epoch
        return _trained(directory.name, network, {"epoch": last.epoch if last else 0} | network.about)
    for entry in reversed(checkpoint.entries(directory.path / "checkpoints")):
        try:
            stored = checkpoint.load_checkpoint(entry)
        except CheckpointError:
            continue
        return _of_checkpoint(directory.name, stored)
    how = (
        "has kept no network yet" if directory.is_held() else f"has kept no network: it is {history.outcome}"
    )
    raise RunDirectoryError(
        f"run {name} {how}; choose another run, or train it again with the command in its preset.toml."
    )


def _of_checkpoint(run: str, stored: checkpoint.Stored) -> TrainedNetwork:
    from tuitrain.spec.preset import preset_from_dict
    from tuitrain.training import state
    from tuitrain.training.model import build

    saved = state.TrainerState.from_tensors(stored.tensors, stored.metadata)
    network = build(preset_from_dict(saved.meta.get("preset") or {}, f"run {visible(run)}"))
    state.load_weights(network, state.with_todays_names(saved, network))
    return _trained(run, network.eval(), saved.meta)


def _trained(run: str, network: Network, about: dict[str, Any]) -> TrainedNetwork:
    from tuitrain.spec.preset import preset_from_dict

    preset = preset_from_dict(about["preset"], f"run {visible(run)}")
    return TrainedNetwork(run, network, preset, int(about.get("epoch") or 0), int(about.get("step") or 0))
