"""The time a run will take, before it begins: from earlier runs on this machine, else by the network's size."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.data.catalog import training_images
from tuitrain.errors import RunDirectoryError
from tuitrain.figures import estimate_text, plural
from tuitrain.runs.digests import workload
from tuitrain.runs.index import RunSummary, list_runs
from tuitrain.training.cost import cpu_s
from tuitrain.training.cpu import describe_cpu

if TYPE_CHECKING:
    from tuitrain.spec.preset import Preset

NEWEST = 3  # runs that an estimate is taken from


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """How long a run will take: `seconds`, and `basis`, where that is from (`from 3 earlier runs`, `by size`)."""

    seconds: float
    basis: str

    @property
    def text(self) -> str:
        """`about 2 min, from 3 earlier runs`."""
        return f"{estimate_text(self.seconds)}, {self.basis}"


def estimate(
    preset: Preset, device: str, runs_dir: Path, user_network: Mapping[str, str] | None = None
) -> TimeEstimate | None:
    """The time a run of a preset will take, or None where nothing is known.

    The newest runs on this machine of the same network, data set and batch size tell it. Without any, the
    network's size does, for the CPU alone: the speed of a GPU is not known in advance.

    Args:
        preset: what to train.
        device: torch's name of where, or auto.
        runs_dir: where earlier runs lie.
        own: the network in Python in the place of the preset's, as `RunStarted.own_network` has it.
    """
    wanted, epochs = workload(preset.to_dict(), user_network), preset.train.epochs
    try:
        runs = [run for run in list_runs(runs_dir) if run.workload == wanted and run.epoch_s > 0]
    except RunDirectoryError:
        runs = []
    here = [run for run in runs if _on(run, device)]
    newest = [run for run in here if run.device == here[0].device][:NEWEST]
    if newest:
        an_epoch = statistics.median(run.epoch_s for run in newest)
        return TimeEstimate(an_epoch * epochs, f"from {plural(len(newest), 'earlier run')}")
    if user_network is None and (device == "cpu" or (device == "auto" and not _has_gpu())):
        images = max(1, training_images(preset.train.dataset) - preset.train.val_split)
        return TimeEstimate(cpu_s(preset.table(), images, epochs), "by size")
    return None


def _on(run: RunSummary, device: str) -> bool:
    """Whether a run was trained on the device that the next one will use."""
    if run.device == "cpu":
        wanted = device == "cpu" or (device == "auto" and not _has_gpu())
        return wanted and run.device_name == describe_cpu()
    return device in (run.device, "auto") or device == run.device.partition(":")[0]


def _has_gpu() -> bool:
    """Whether auto takes a GPU; False as long as torch has not been imported."""
    torch = sys.modules.get("torch")
    try:
        return bool(torch and (torch.cuda.is_available() or torch.backends.mps.is_available()))
    except AttributeError:  # it is being imported
        return False
