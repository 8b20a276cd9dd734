"""The predictions that are kept with every run: real short runs, stopped, resumed, diverged, and of earlier versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from support.training_small import CPU, stripes, tiny
from tuitrain.data.dataset import Dataset, Images
from tuitrain.errors import RunDirectoryError
from tuitrain.runs import durable, inspect
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.launch import prepare
from tuitrain.runs.predictions import read_predictions, right_of_runs
from tuitrain.runs.session import Session
from tuitrain.training.command import RunControl
from tuitrain.training.events import EpochFinished
from tuitrain.training.job import Job
from tuitrain.training.trainer import Trainer


@cache
def data(test: int = 1000) -> Dataset:
    """Fewer of one digit than of the others, of which 7 is the most frequent."""
    dataset = stripes(600, test)
    images = dataset.test
    keep = (images.labels != 3) | (np.arange(test) % 2 == 0)
    keep &= (images.labels == 7) | (np.arange(test) % 5 > 0)
    return Dataset(
        "digits", dataset.train, Images(images.images[keep], images.labels[keep]), dataset.classes, "test"
    )


def start(
    runs: Path,
    name: str,
    *,
    dataset: Dataset | None = None,
    layers: list[Any] | None = None,
    after_two: Callable[[RunControl], None] | None = None,
    **train: Any,
) -> Session:
    """A run that has ended, to which something was done after its second epoch."""
    job = Job(tiny(layers, **({"epochs": 5, "rotation": 0.0} | train)), CPU)
    session = prepare(job, runs_dir=runs, dataset=dataset or data(), name=name, control=RunControl())
    take = session._take

    def watched(event: Any, trainer: Any) -> None:
        take(event, trainer)
        if isinstance(event, EpochFinished) and event.epoch == 2 and after_two is not None:
            after_two(session.control)

    session._take = watched  # type: ignore[method-assign]
    session.start()
    assert session.join(120)
    return session


def run(runs: Path, name: str, **settings: Any) -> Path:
    return start(runs, name, **settings).directory.path


def resume(path: Path, epochs: int = 5, lr: float | None = None) -> Path:
    directory, control = RunDirectory.open(path), RunControl()
    directory.acquire()
    job = Job(tiny(epochs=epochs, rotation=0.0), CPU)

    def factory(state: Any, _: Any) -> Trainer:
        return Trainer(job, data(), resume=state, run_name=path.name, epochs=epochs)

    session = Session(factory, directory, resume=True, control=control)
    if lr is not None:
        control.set_lr(lr)
    session.start()
    assert session.join(120) and session.outcome == "completed", session.error
    return path


def history(path: Path) -> History:
    return History.of(RunDirectory.open(path).events())


def agrees(path: Path) -> None:
    """Both evaluations are of the epochs that the history names, with their accuracies."""
    then = history(path)
    for which, epoch in (("last", then.last), ("best", then.best)):
        kept = read_predictions(path, which)  # type: ignore[arg-type]
        assert kept is not None and epoch is not None and kept.epoch == epoch.epoch, which
        assert kept.right.mean() == pytest.approx(epoch.test_acc) and kept.confidences.min() > 0.1


def test_the_last_and_the_best_are_kept_and_made_durable_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        durable, "hook", lambda operation, path: synced.append(path.name) if operation == "fsync" else None
    )
    path = run(tmp_path, "a", after_two=lambda control: control.set_lr(3.0))
    agrees(path)
    best, last = read_predictions(path, "best"), read_predictions(path)
    assert best is not None and last is not None and best.epoch < last.epoch
    assert not np.array_equal(best.predictions, last.predictions)
    assert synced.count(inspect.FILE) == 1 and not [
        name for name in synced if name.startswith(f".{inspect.FILE}")
    ]


def test_stopped_within_an_epoch_and_resumed_they_are_those_of_a_run_never_stopped(tmp_path: Path) -> None:
    plain = run(tmp_path, "plain")
    session = start(tmp_path, "stopped", after_two=lambda control: control.stop("test", source="test"))
    assert session.outcome == "stopped"
    path = session.directory.path
    agrees(path)
    assert history(path).last.epoch == 2  # type: ignore[union-attr]
    assert right_of_runs([path]).shape == (1, len(data().test.labels))
    resume(path)
    agrees(path)
    ours, theirs = load_file(path / inspect.FILE), load_file(plain / inspect.FILE)
    assert ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)
    best = read_predictions(path, "best")
    resume(path, epochs=6, lr=3.0)  # a completed run that is made longer, and becomes worse
    agrees(path)
    assert best is not None and np.array_equal(read_predictions(path, "best").predictions, best.predictions)  # type: ignore[union-attr]


def test_a_run_that_diverged_counts_with_what_it_said_last(tmp_path: Path) -> None:
    good = run(tmp_path, "good")
    unbounded = [{"flatten": True}, {"linear": 16}, {"linear": 16}, {"linear": 10}]
    huge = {"name": "sgd", "lr": 1000.0, "momentum": 0.9}
    at_once = run(tmp_path, "at-once", layers=unbounded, optimizer=huge)
    later = run(tmp_path, "later", layers=unbounded, after_two=lambda control: control.set_lr(1000.0))
    assert [history(path).outcome for path in (at_once, later)] == ["diverged"] * 2
    assert read_predictions(at_once) is None and history(later).last.epoch == 2  # type: ignore[union-attr]
    agrees(later)
    right = right_of_runs([at_once, good, later])
    labels = data().test.labels
    assert right.dtype == bool and np.array_equal(right[0], labels == 7)
    assert right[1].mean() == pytest.approx(history(good).last.test_acc)  # type: ignore[union-attr]
    assert right[2].mean() == pytest.approx(history(later).last.test_acc)  # type: ignore[union-attr]
    with pytest.raises(RunDirectoryError, match="1 run diverged before the first evaluation"):
        right_of_runs([at_once])
    assert right_of_runs([]).shape == (0, 0)


def test_what_cannot_be_compared_is_refused_in_one_sentence(tmp_path: Path) -> None:
    good, short = run(tmp_path, "good", epochs=2), run(tmp_path, "other", epochs=1, dataset=data(500))
    with pytest.raises(
        RunDirectoryError, match=r"runs good \(\d+ images\) and other \(\d+ images\) were judged"
    ):
        right_of_runs([good, short])
    with pytest.raises(RunDirectoryError, match="no run directory"):
        right_of_runs([tmp_path])
    # As an earlier version left it: the last evaluation alone.
    arrays = load_file(good / inspect.FILE)
    old = {name: array for name, array in arrays.items() if not name.startswith("best")}
    save_file(old, good / inspect.FILE, metadata={"epoch": "2"})
    assert read_predictions(good, "best") is None and right_of_runs([good]).shape[0] == 1
    # The disk was full at the last epoch.
    save_file(old, good / inspect.FILE, metadata={"epoch": "1"})
    with pytest.raises(RunDirectoryError, match="of run good after epoch 2 were not kept; train it again"):
        right_of_runs([good])
    (good / inspect.FILE).write_bytes(b"no such file")
    assert read_predictions(good) is None
    # Killed: it has no last event.
    log = good / "events.jsonl"
    log.write_text(
        "".join(
            line for line in log.read_text().splitlines(True) if json.loads(line)["event"] != "RunFinished"
        )
    )
    with pytest.raises(RunDirectoryError, match="run good has not ended"):
        right_of_runs([good])
