"""Sessions: a complete directory, stop and resume, steering from elsewhere, errors, checkpoints."""

from __future__ import annotations

import csv
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.runs_fake import epochs_of, fake_session, kept, make, run_to_end, weights
from support.until import until
from tuitrain.errors import DataError, ExitCode
from tuitrain.runs import checkpoint, durable, inspect, keeper
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.session import Session
from tuitrain.runs.steering import RemoteControl
from tuitrain.training.command import Command, RunControl
from tuitrain.training.events import Control, EpochFinished, Notice, RunFinished


def test_a_finished_run_leaves_a_complete_directory(tmp_path: Path) -> None:
    run = make(tmp_path)
    session = run_to_end(run, epochs=4)
    assert (session.exit_code, session.outcome, session.running) == (0, "completed", False)
    names = {path.name for path in run.path.iterdir()}
    assert names >= {
        "preset.toml", "events.jsonl", "log.txt", "summary.txt", "metrics.csv", "tensorboard", "checkpoints",
        "model.safetensors", "inspection.safetensors",
    }  # fmt: skip
    assert not run.is_held() and "progress.json" not in names
    assert epochs_of(run) == [1, 2, 3, 4] and isinstance(run.events()[-1].event, RunFinished)
    log = (run.path / "log.txt").read_text()
    first = next(r.event for r in run.events() if isinstance(r.event, EpochFinished))
    right = round(100 * first.test_acc)
    assert f"Test set: Average loss: {first.test_loss:.4f}, Accuracy: {right}/100 ({right:.2f}%)\n" in log
    rows = list(csv.DictReader((run.path / "metrics.csv").open()))
    assert [float(row["test_acc"]) for row in rows] == [
        r.event.test_acc for r in run.events() if isinstance(r.event, EpochFinished)
    ]
    seen = inspect.read_last_evaluation(run.path)
    assert seen is not None and seen.epoch == 4 and seen.confusion.sum() == 100
    assert (run.path / "summary.txt").read_text() == "one layer\n"


def test_tensorboard_reads_what_we_write(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = make(tmp_path)
    run_to_end(run, epochs=3)
    run.acquire()
    run_to_end(run, epochs=5, resume=True)
    board = EventAccumulator(str(run.path / "tensorboard"))
    board.Reload()
    scalars = board.Scalars("accuracy/test")
    assert [scalar.step for scalar in scalars] == [1, 2, 3, 4, 5]
    wanted = [r.event.test_acc for r in run.events() if isinstance(r.event, EpochFinished)]
    assert [scalar.value for scalar in scalars] == pytest.approx(wanted)
    assert len(list((run.path / "tensorboard").iterdir())) == 1


class StopsAtLook(RunControl):
    """Stops the run after so many steps: the trainer looks before each."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def take(self) -> Command | None:
        if self.left == 0:
            self.stop("test", source="test")
        self.left -= 1
        return super().take()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that was never stopped."""
    run = make(tmp_path_factory.mktemp("plain"))
    run_to_end(run, epochs=4, steps=60)
    return run


@pytest.mark.parametrize("when", range(1, 6))
def test_stopped_in_the_middle_and_resumed_is_as_never_stopped(
    tmp_path: Path, plain: RunDirectory, when: int
) -> None:
    run = make(tmp_path)
    session = fake_session(run, epochs=4, steps=60)
    session.control = StopsAtLook(8 * when)
    session.start()
    assert session.join(60) and session.outcome == "stopped" and session.exit_code == 0
    newest = checkpoint.entries(run.path / "checkpoints")[-1]
    assert newest.step == 8 * when
    run.acquire()
    session = run_to_end(run, epochs=4, steps=60, resume=True)
    assert weights(run) == weights(plain) and epochs_of(run) == [1, 2, 3, 4]
    assert (run.path / "metrics.csv").read_text() == (plain.path / "metrics.csv").read_text()
    for seen, wanted in zip(kept(run), kept(plain), strict=True):
        assert seen.epoch == wanted.epoch and np.array_equal(seen.predictions, wanted.predictions)
    log = (run.path / "log.txt").read_text()
    assert log.count("EPOCH: 2 of") == 1 and "restarted" in log and log.count("stopped after") == 0


def test_the_comparison_has_teeth(tmp_path: Path) -> None:
    """Randomness that is not keyed by the step is not the same after a resume, and that shows."""
    plain = make(tmp_path, "plain")
    run_to_end(plain, epochs=4, unkeyed=True)
    run = make(tmp_path)
    run_to_end(run, epochs=2, unkeyed=True)
    run.acquire()
    run_to_end(run, epochs=4, resume=True, unkeyed=True)
    assert weights(run) != weights(plain)


def test_another_process_pauses_steers_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "KEEPER_S", 0.03)
    monkeypatch.setattr(keeper, "HEARTBEAT_S", 0.1)
    run = make(tmp_path)
    session = fake_session(run, epochs=9000, step_s=0.002)
    session.start()
    other = RunDirectory.open(run.path)
    remote = RemoteControl(other)
    until(lambda: other.progress() is not None)
    remote.set_lr(0.5)
    remote.add_epochs(2)
    other.post_command({"command": "set_lr", "value": "nan"})
    other.post_command({"command": "set_lr", "value": -1})
    other.post_command({"command": "add_epochs", "value": 1e300})
    other.post_command({"command": "rm -rf", "value": []})
    remote.pause()
    until(lambda: (live := other.live()) is not None and live.phase == "paused")
    before = session.snapshot.progress
    time.sleep(0.3)
    assert session.snapshot.progress is before
    beat = other.live()
    until(lambda: (live := other.live()) is not None and beat is not None and live.beat > beat.beat)
    remote.resume()
    until(lambda: session.snapshot.progress is not before)
    remote.checkpoint()
    remote.stop("enough")
    assert session.join(60) and session.outcome == "stopped"
    actions = [(r.event.action, r.event.value) for r in run.events() if isinstance(r.event, Control)]
    assert actions == [
        ("learning_rate", 0.5), ("extended", 2), ("paused", None), ("resumed", None), ("checkpoint", None),
        ("stop", None),
    ]  # fmt: skip
    assert f"shell {os.getpid()} on" in next(
        r.event.source for r in run.events() if isinstance(r.event, Control)
    )


def test_what_goes_wrong_has_an_outcome_an_exit_code_and_frees_the_directory(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str, ExitCode]] = [
        ({"raises": ValueError("\x1b[31mboom")}, "failed", ExitCode.FAILED),
        ({"raises": DataError("no data; fetch it")}, "failed", ExitCode.DATA),
        ({"outcome": "diverged"}, "diverged", ExitCode.DIVERGED),
        ({"outcome": "out_of_memory"}, "out_of_memory", ExitCode.DEVICE),
    ]
    for settings, outcome, code in cases:
        run = make(tmp_path, outcome)
        session = run_to_end(run, epochs=2, **settings)
        assert (session.outcome, session.exit_code) == (outcome, code)
        assert not run.is_held()
        last = run.events()[-1].event
        assert isinstance(last, RunFinished) and last.outcome == outcome and "\x1b" not in last.message
        assert "\x1b" not in (run.path / "log.txt").read_text()


def test_no_threads_or_descriptors_are_left(tmp_path: Path) -> None:
    run_to_end(make(tmp_path, "warm"), epochs=1)
    threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    for number in range(10):
        run_to_end(make(tmp_path, f"r{number}"), epochs=1)
    until(lambda: not set(threading.enumerate()) - threads)
    assert (
        len(os.listdir("/proc/self/fd")) <= descriptors
    )  # less: of another test, which was collected meanwhile


def test_the_next_epoch_is_trained_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that takes its time; the log is in the same order as ever, and a run that ends waits for it."""
    may_write = threading.Event()

    def slow(_: str, path: Path) -> None:
        if "checkpoints" in path.parts and path.name.startswith(".epoch-"):
            assert may_write.wait(120)

    run = make(tmp_path)
    session = fake_session(run, epochs=2, steps=5)
    monkeypatch.setattr(durable, "hook", slow)
    session.start()
    until(lambda: (now := session.snapshot.progress) is not None and (now.epoch, now.step) == (2, 5))
    assert epochs_of(run) == [1] and not checkpoint.entries(run.path / "checkpoints") and session.running
    may_write.set()
    assert session.join(60) and session.outcome == "completed"
    lines = [type(record.event).__name__ for record in run.events()]
    assert lines[-5:-1] == ["EpochFinished", "CheckpointSaved"] * 2
    assert [entry.epoch for entry in checkpoint.entries(run.path / "checkpoints")] == [1, 2]


def test_what_goes_wrong_in_the_thread_of_a_checkpoint_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(checkpoint, "save", broken)
    run = make(tmp_path)
    session = run_to_end(run, epochs=3)
    assert (session.exit_code, session.outcome) == (ExitCode.FAILED, "failed") and epochs_of(run) == [1]
    assert "no such luck" in run.events()[-1].event.message  # type: ignore[union-attr]
    assert not run.is_held()


def test_two_writers_of_one_session_keep_the_log_whole(tmp_path: Path) -> None:
    run = make(tmp_path)
    session: Session = fake_session(run, epochs=30, steps=2)
    session.start()
    for number in range(50):
        session.note(Notice(f"note {number}", level="info"))
    assert session.join(30)
    seen = [r.event.message for r in run.events() if isinstance(r.event, Notice)]
    assert len(seen) == len(set(seen)) and epochs_of(run) == list(range(1, 31))
    assert [r.event for r in run.events()] == [r.event for r in session.records]


class Mute(Exception):
    """An exception of a stranger's, that can't say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("not even this")


def test_an_error_that_cannot_be_told_ends_the_run_all_the_same(tmp_path: Path) -> None:
    run = make(tmp_path)
    session = run_to_end(run, raises=Mute())
    end = run.events()[-1].event
    assert isinstance(end, RunFinished) and session.exit_code == ExitCode.FAILED
    assert end.message.startswith("Mute: <Mute>")


def test_an_unexpected_error_names_the_file_of_its_traceback(tmp_path: Path) -> None:
    run = make(tmp_path)
    session = run_to_end(run, raises=KeyError("oh"))
    end = run.events()[-1].event
    assert isinstance(end, RunFinished) and session.exit_code == ExitCode.FAILED
    assert end.message == f"KeyError: 'oh'; the traceback is in {run.path / 'output.txt'}"
    assert "Traceback (most recent call last)" in (run.path / "output.txt").read_text()
