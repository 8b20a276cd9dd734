"""What a run is compared with: ghost curves, and the images of its test set. No textual; read in threads."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import TuitrainError
from tuitrain.watch.state import Ghost

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tuitrain.spec.preset import PublishedLog
    from tuitrain.training.events import EpochFinished, RunStarted

PUBLISHED, EARLIER, PARENT = "published", "best here", "parent"


def ghosts(started: RunStarted, runs_dir: Path | None) -> tuple[Ghost, ...]:
    """The preset's published curve, and the best earlier run of it on this machine; of a branch, its parent."""
    found: list[Ghost] = []
    published = _published(started)
    if published is not None:
        found.append(published)
    earlier = None
    if runs_dir is not None:
        earlier = _parent(started, runs_dir) or _earlier(started, runs_dir)
    if earlier is not None:
        found.append(earlier)
    return tuple(found)


def _published(started: RunStarted) -> Ghost | None:
    log = published_run(started)
    return Ghost(PUBLISHED, log.test_acc, log.test_loss) if log else None


def published_run(started: RunStarted) -> PublishedLog | None:
    """The published log that a run can be held against; None where there is none."""
    if started.judged_by != "test" or started.own_network:
        return None  # it tells how the preset's own network did on the test set
    return published_on(started.name, started.dataset)


@functools.cache
def published_on(preset: str, dataset: str) -> PublishedLog | None:
    """What the source of a built-in preset logged of this data set's test images; None where it did not."""
    from tuitrain.spec.preset_files import published_log

    return published_log(preset) if dataset == "mnist" else None


def _earlier(started: RunStarted, runs_dir: Path) -> Ghost | None:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.index import list_runs
    from tuitrain.training.events import EpochFinished

    try:
        same = [
            run
            for run in list_runs(runs_dir)
            if run.preset == started.name
            and run.dataset == started.dataset
            and run.run != started.run
            and run.best is not None
            and run.judged_by == started.judged_by
        ]
        for best in sorted(same, key=lambda run: (run.best or 0.0, run.when), reverse=True):
            records = RunDirectory.open(Path(best.path)).events()
            epochs = [r.event for r in records if isinstance(r.event, EpochFinished)]
            if epochs and epochs[-1].test_images == started.test_images:
                break
        else:
            return None
    except (TuitrainError, OSError):
        return None
    return _curve(EARLIER, epochs)


def _parent(started: RunStarted, runs_dir: Path) -> Ghost | None:
    """The run that a branch began from; None of others, and where it is not here."""
    from tuitrain.runs.history import History
    from tuitrain.runs.index import find_run

    if not started.parent:
        return None
    try:
        epochs = History.of(find_run(runs_dir, str(started.parent.get("run"))).events()).epochs
    except (TuitrainError, OSError):
        return None
    return _curve(PARENT, epochs) if epochs else None


def _curve(name: str, epochs: Sequence[EpochFinished]) -> Ghost:
    accuracy: list[float | None] = [None] * max(e.epoch for e in epochs)
    loss = list(accuracy)
    for e in epochs:
        accuracy[e.epoch - 1] = e.test_acc if math.isfinite(e.test_acc) else None
        loss[e.epoch - 1] = e.test_loss if math.isfinite(e.test_loss) else None
    return Ghost(name, tuple(accuracy), tuple(loss))


@dataclass(frozen=True)
class JudgingImages:
    """The images that a run is judged by, uint8 (N, 28, 28), and the names of the classes."""

    images: NDArray[np.uint8] | None
    classes: tuple[str, ...]


def judging_images(started: RunStarted, data_dir: Path | None) -> JudgingImages:
    """The judging set of a run; without images where the data isn't here (nothing is fetched)."""
    from tuitrain.data.dataset import hold_out
    from tuitrain.data.load import load_dataset

    try:
        dataset = load_dataset(started.dataset, data_dir, fetch=False)
        train = started.preset.get("train", {})
        if started.judged_by == "validation":
            seed = started.seed if started.split_seed is None else started.split_seed
            dataset = hold_out(dataset, int(train.get("val_split", 0)), seed)
    except (TuitrainError, OSError, ValueError, TypeError):
        return JudgingImages(None, ())
    return JudgingImages(dataset.test.images, dataset.classes)
