"""The predictions that are kept with every run, so that runs are compared without training them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.figures import plural
from tuitrain.runs import inspect
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.training.inspection import Predictions

__all__ = ["Predictions", "read_predictions", "right_of_runs"]

#: The outcomes of a run that has a result. To diverge is one.
_RESULTS = ("completed", "stopped", "diverged")


def read_predictions(folder: Path, which: Literal["last", "best"] = "last") -> Predictions | None:
    """The predictions that a run's last evaluation made, or that of its best epoch.

    Returns:
        None where they were not kept, or the file is not valid. (Runs of earlier versions have no best ones.)
    """
    kept = inspect.read(folder)
    return kept.last if which == "last" else kept.best


def right_of_runs(folders: Sequence[Path], histories: Sequence[History] | None = None) -> NDArray[np.bool_]:
    """Which images each of several finished runs judged right at last.

    A run that diverged counts with its last finite evaluation, whatever its epoch. One that diverged before its first
    evaluation counts as a network that always says the most frequent digit of the labels (the smallest of several).

    Args:
        folders: run directories.
        histories: of these runs, where they have been read already.

    Returns:
        (K, N): a row for each run, in the given order.

    Raises:
        RunDirectoryError: a folder is no run; a run has not ended, or ended by an error; its predictions are missing or
            not of its last epoch; the runs were judged by different images; all diverged before their first evaluation.
    """
    if histories is None:
        histories = [History.of(RunDirectory.open(folder).events()) for folder in folders]
    kept = [_result(Path(folder), history) for folder, history in zip(folders, histories, strict=True)]
    first = next((index for index, one in enumerate(kept) if one is not None), None)
    if first is None:
        if not kept:
            return np.zeros((0, 0), np.bool_)
        raise RunDirectoryError(
            f"{plural(len(kept), 'run')} diverged before the first evaluation, so nothing can be compared; "
            "train with a lower learning rate."
        )
    labels = kept[first].labels  # type: ignore[union-attr]
    always = labels == np.bincount(labels, minlength=1).argmax()
    rows = []
    for folder, one in zip(folders, kept, strict=True):
        if one is not None and not np.array_equal(one.labels, labels):
            raise RunDirectoryError(
                f"runs {visible(Path(folders[first]).name)} ({plural(len(labels), 'image')}) and "
                f"{visible(Path(folder).name)} ({plural(len(one.labels), 'image')}) were judged by different images; "
                "compare runs of the same data set and the same --val-split."
            )
        rows.append(always if one is None else one.right)
    return np.stack(rows)


def _result(folder: Path, history: History) -> Predictions | None:
    """A finished run's last predictions; None for one that diverged before it made any."""
    name = visible(folder.name)
    if history.outcome not in _RESULTS:
        how = "has not ended" if history.finished is None else f"ended as {history.outcome.replace('_', ' ')}"
        raise RunDirectoryError(
            f"run {name} {how}, so it has no result yet; `tuitrain resume {name}` goes on with it."
        )
    found, last = read_predictions(folder), history.last
    if last is None and history.outcome == "diverged":
        return None
    if last is None:
        raise RunDirectoryError(
            f"run {name} was stopped in its first epoch, so it has no predictions; resume it."
        )
    if found is None or found.epoch != last.epoch:
        raise RunDirectoryError(
            f"the predictions of run {name} after epoch {last.epoch} were not kept; train it again with the command in "
            f"{visible(folder / 'preset.toml')}."
        )
    return found
