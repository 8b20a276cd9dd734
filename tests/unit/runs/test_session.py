"""Sessions: a complete directory, stop and resume, steering from elsewhere, disks that fail."""

from __future__ import annotations

import contextlib
import csv
import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.runs_fake import FAKE, fake_session, run_to_end
from tuitrain.errors import DataError, ExitCode, RunDirectoryError
from tuitrain.runs import checkpoint, durable, inspect
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.session import Session
from tuitrain.runs.steering import RemoteControl
from tuitrain.training.command import Command, RunControl
from tuitrain.training.events import CheckpointSaved, Control, EpochFinished, Notice, RunFinished
from tuitrain.training.inspection import Predictions


def make(tmp_path: Path, name: str = "a") -> RunDirectory:
    return RunDirectory.create(tmp_path, "fake", name=name)


def epochs_of(run: RunDirectory) -> list[int]:
    return [r.event.epoch for r in run.events() if isinstance(r.event, EpochFinished)]


def kept(run: RunDirectory) -> tuple[Predictions, Predictions]:
    evaluations = inspect.read(run.path)
    assert evaluations.last is not None and evaluations.best is not None
    return evaluations.last, evaluations.best


def weights(run: RunDirectory) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.01)


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


@pytest.mark.parametrize("when", range(1, 6))
def test_stopped_in_the_middle_and_resumed_is_as_never_stopped(tmp_path: Path, when: int) -> None:
    plain = make(tmp_path, "plain")
    run_to_end(plain, epochs=4, steps=60)
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


def test_another_process_pauses_steers_and_stops(tmp_path: Path) -> None:
    run = make(tmp_path)
    session = fake_session(run, epochs=9000, step_s=0.002)
    session.start()
    other = RunDirectory.open(run.path)
    remote = RemoteControl(other)
    wait_for(lambda: other.progress() is not None)
    remote.set_lr(0.5)
    remote.add_epochs(2)
    other.post_command({"command": "set_lr", "value": "nan"})
    other.post_command({"command": "set_lr", "value": -1})
    other.post_command({"command": "add_epochs", "value": 1e300})
    other.post_command({"command": "rm -rf", "value": []})
    remote.pause()
    wait_for(lambda: (live := other.live()) is not None and live.phase == "paused")
    before = session.snapshot.progress
    time.sleep(0.3)
    assert session.snapshot.progress is before
    beat = other.live()
    wait_for(lambda: (live := other.live()) is not None and beat is not None and live.beat > beat.beat)
    remote.resume()
    wait_for(lambda: session.snapshot.progress is not before)
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
    wait_for(lambda: not set(threading.enumerate()) - threads)
    assert (
        len(os.listdir("/proc/self/fd")) <= descriptors
    )  # less: of another test, which was collected meanwhile


# Disks that fail


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """The weights of a run on a healthy disk, and how many file operations it takes."""
    run = RunDirectory.create(tmp_path_factory.mktemp("healthy"), "fake", name="a")
    count = 0

    def counting(operation: str, path: Path) -> None:
        nonlocal count
        count += path.name != "progress.json" and not path.name.startswith(".progress")

    durable.hook = counting
    try:
        run_to_end(run, epochs=3)
    finally:
        durable.hook = None
    return weights(run), count


@pytest.mark.parametrize(
    ("code", "forever", "first"),
    [(errno.ENOSPC, True, 1), (errno.EIO, False, 1), (errno.EACCES, True, 2), (errno.ENOSPC, False, 3)],
)
def test_the_kth_operation_fails(
    tmp_path: Path,
    healthy: tuple[bytes, int],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    forever: bool,
    first: int,
) -> None:
    """Every third operation here; the long harness takes every one with every error."""
    wanted, count = healthy
    for k in range(first, count + 1, 3):
        run = make(tmp_path, f"k{k}")
        done = 0

        def failing(operation: str, path: Path, k: int = k) -> None:
            nonlocal done
            done += path.name != "progress.json" and not path.name.startswith(".progress")
            if done == k or (forever and done > k):
                raise OSError(code, os.strerror(code), str(path))

        with monkeypatch.context() as patch:
            patch.setattr(durable, "hook", failing)
            session = run_to_end(run, epochs=3)
        assert session.outcome == "completed" and len(session.recorder.history.epochs) == 3
        notices = [r.event for r in session.records if isinstance(r.event, Notice)]
        assert len(notices) <= 1, k
        if forever:
            assert session.exit_code == ExitCode.RUN_DIRECTORY and len(notices) == 1, k
            assert os.strerror(code) in (session.recorder.trouble or "")
        elif session.exit_code == 0:
            assert epochs_of(run) == [1, 2, 3] and weights(run) == wanted, k
        again = RunDirectory.open(run.path)
        again.acquire()
        for entry in checkpoint.entries(run.path / "checkpoints"):
            checkpoint.load_checkpoint(entry)
        assert not list(run.path.rglob("*.tmp"))
        resumed = run_to_end(again, epochs=3, resume=True)
        assert resumed.exit_code == 0 and weights(again) == wanted, k
        assert epochs_of(again) == [1, 2, 3], k


def test_a_full_device_under_the_log(
    tmp_path: Path, healthy: tuple[bytes, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path)
    run._log.close()
    append = durable.open_append
    monkeypatch.setattr(
        durable,
        "open_append",
        lambda path: os.open("/dev/full", os.O_RDWR) if path.name == "events.jsonl" else append(path),
    )
    session = run_to_end(run, epochs=3)
    assert session.exit_code == ExitCode.RUN_DIRECTORY and weights(run) == healthy[0]
    notices = [r.event for r in session.records if isinstance(r.event, Notice)]
    assert len(notices) == 1 and "No space left" in notices[0].message and notices[0].code == "unwritable"
    assert len(session.recorder.history.epochs) == 3


@pytest.mark.slow
def test_files_limited_in_size(tmp_path: Path) -> None:
    """RLIMIT_FSIZE would end the process by SIGXFSZ; it trains to its end and says what is missing."""
    script = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900));"
        f"sys.argv = ['fake', {str(tmp_path)!r}, '--name', 'a', '--epochs', '3'];"
        f"runpy.run_path({str(FAKE)!r}, run_name='__main__')"
    )
    env = {**os.environ, "PYTHONPATH": f"{FAKE.parent}:{FAKE.parent.parent}", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=60
    )
    assert ended.returncode == 4, ended.stderr
    assert "ended completed RUN_DIRECTORY" in ended.stderr and "Traceback" not in ended.stderr
    assert "events.jsonl: File too large" in ended.stderr
    RunDirectory.open(tmp_path / "a").events()


def test_space_that_comes_back_leaves_nothing_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path)
    session = fake_session(run, epochs=6, steps=10, step_s=0.005)

    def full_for_two_epochs(operation: str, path: Path) -> None:
        if len(session.recorder.history.epochs) < 2 and operation in ("write", "create"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "hook", full_for_two_epochs)
    session.start()
    assert session.join(60) and session.exit_code == 0 and session.recorder.trouble is None
    assert epochs_of(run) == [1, 2, 3, 4, 5, 6]
    assert (run.path / "log.txt").read_text().count("Test set") == 6
    assert len((run.path / "metrics.csv").read_text().splitlines()) == 7


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
    wait_for(lambda: (now := session.snapshot.progress) is not None and (now.epoch, now.step) == (2, 5))
    assert epochs_of(run) == [1] and not checkpoint.entries(run.path / "checkpoints") and session.running
    may_write.set()
    assert session.join(60) and session.outcome == "completed"
    lines = [type(record.event).__name__ for record in run.events()]
    assert lines[-5:-1] == ["EpochFinished", "CheckpointSaved"] * 2
    assert [entry.epoch for entry in checkpoint.entries(run.path / "checkpoints")] == [1, 2]


def test_removed_and_made_again_while_its_last_checkpoint_is_renamed_it_has_one_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path)
    session = fake_session(run, epochs=2, steps=5)
    moved = tmp_path / "elsewhere"

    def swap(operation: str, path: Path) -> None:
        if (
            operation == "fsync_dir"
            and path.name == "checkpoints"
            and "epoch-0002" in str(list(path.iterdir()))
        ):
            monkeypatch.setattr(durable, "hook", None)
            run.path.rename(moved)
            wait_for(lambda: (run.path / "events.jsonl").exists() and session._files.saved is None)

    monkeypatch.setattr(durable, "hook", swap)
    session.start()
    assert session.join(60) and moved.exists() and (session.exit_code, session.outcome) == (0, "completed")
    assert [entry.epoch for entry in checkpoint.entries(run.path / "checkpoints")] == [2]
    assert epochs_of(run) == [1, 2] and kept(run)[0].epoch == 2


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


def test_a_directory_removed_under_a_run_is_made_again_and_nothing_later_is_lost(tmp_path: Path) -> None:
    plain = make(tmp_path, "plain")
    run_to_end(plain, epochs=4, steps=60)
    run = make(tmp_path)
    toml = (run.path / "preset.toml").read_bytes()
    session = fake_session(run, epochs=4, steps=60, step_s=0.025)
    session.start()
    wait_for(lambda: any(isinstance(r.event, CheckpointSaved) for r in run.events()))
    while run.path.exists():  # the run may be writing into it meanwhile
        shutil.rmtree(run.path, ignore_errors=True)
    wait_for(
        lambda: checkpoint.entries(run.path / "checkpoints")
    )  # before the epoch ends: from here it could go on
    assert session.join(60) and (session.exit_code, session.outcome) == (0, "completed")
    assert session.recorder.trouble is None
    assert weights(run) == weights(plain) and epochs_of(run) == [1, 2, 3, 4]
    assert (run.path / "preset.toml").read_bytes() == toml and (run.path / "summary.txt").exists()
    assert (run.path / "metrics.csv").read_text() == (plain.path / "metrics.csv").read_text()
    notices = [r.event for r in run.events() if isinstance(r.event, Notice)]
    assert [notice.code for notice in notices if notice.code == "directory_removed"] == ["directory_removed"]
    assert not run.is_held()


def put_back_as_a_copy(run: RunDirectory) -> None:
    log = run.path / "events.jsonl"
    shutil.copy(log, run.path / "copy")
    (run.path / "copy").replace(log)


def swap_whole_directory(run: RunDirectory) -> None:
    copy = run.path.with_name("copy")
    for _ in range(100):
        with contextlib.suppress(shutil.Error):  # what was being written had its name already
            shutil.copytree(run.path, copy)
            break
        shutil.rmtree(copy)
    run.path.rename(run.path.with_name("away"))
    copy.rename(run.path)


def take_the_lock_away(run: RunDirectory) -> None:
    (run.path / "run.lock").unlink()


@pytest.mark.parametrize("what", [put_back_as_a_copy, swap_whole_directory, take_the_lock_away])
def test_files_replaced_under_a_run_lose_nothing_that_comes_later(tmp_path: Path, what) -> None:
    run = make(tmp_path)
    session = fake_session(run, epochs=4, steps=60, step_s=0.025)
    session.start()
    wait_for(lambda: any(isinstance(r.event, CheckpointSaved) for r in run.events()))
    what(run)
    wait_for(lambda: any(notice.code == "directory_replaced" for notice in notices_of(run)))
    wait_for(
        lambda: RunDirectory.open(run.path).is_held()
    )  # others can steer it, and nobody else can take it
    with pytest.raises(RunDirectoryError, match="busy"):
        RunDirectory.open(run.path).acquire()
    assert session.join(60) and (session.exit_code, session.outcome) == (0, "completed")
    assert epochs_of(run) == [1, 2, 3, 4] and not run.is_held()
    assert [n.code for n in notices_of(run)].count("directory_replaced") == 1
    lines = (run.path / "metrics.csv").read_text().splitlines()
    assert len(lines) == 5


def notices_of(run: RunDirectory) -> list[Notice]:
    return [r.event for r in run.events() if isinstance(r.event, Notice)]


@pytest.mark.parametrize("folder", ["checkpoints", "tensorboard"])
def test_a_run_whose_folders_are_links_is_not_gone_on_with(tmp_path: Path, folder: str) -> None:
    run = make(tmp_path)
    run_to_end(run, epochs=2)
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("events.out.tfevents.1700000000.host.1", "epoch-000001.safetensors", ".x.tmp"):
        (victim / name).write_text("precious")
    shutil.rmtree(run.path / folder, ignore_errors=True)
    (run.path / folder).symlink_to(victim)
    with pytest.raises(RunDirectoryError, match=f"{folder} is a link"):
        RunDirectory.open(run.path).acquire()
    assert len(list(victim.iterdir())) == 3 and not run.is_held()


def test_removed_when_the_last_epoch_is_over_the_weights_are_there_all_the_same(tmp_path: Path) -> None:
    runs = tmp_path / "deep" / "runs"
    run = RunDirectory.create(runs, "fake", name="a")
    session = fake_session(run, epochs=2)
    take = session._take

    def removed_first(event: Any, trainer: Any) -> None:
        if isinstance(event, RunFinished):
            session._files.settle()  # else the last checkpoint is written while the folder is removed
            shutil.rmtree(tmp_path / "deep")
        take(event, trainer)

    session._take = removed_first  # type: ignore[method-assign]
    session.start()
    assert session.join(60) and session.exit_code == 0
    assert epochs_of(run) == [1, 2] and checkpoint.entries(run.path / "checkpoints")
    assert (run.path / "model.safetensors").exists() and (run.path / "inspection.safetensors").exists()


def test_removed_where_it_cannot_be_made_again_the_run_ends_with_4(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs", "fake", name="a")
    session = fake_session(run, epochs=3, steps=40, step_s=0.025)
    session.start()
    wait_for(lambda: session.recorder.history.epochs)
    (tmp_path / "runs").rename(tmp_path / "away")
    (tmp_path / "runs").write_text("a file is in the way")
    assert session.join(60) and session.exit_code == ExitCode.RUN_DIRECTORY
    assert session.recorder.trouble and len(session.recorder.history.epochs) == 3


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


# The report.


def reported(
    run: RunDirectory, reporter: Any, *, resume: bool = False, stop: str = "", **settings: Any
) -> Session:
    session = fake_session(run, resume=resume, **settings)
    session.reporter = reporter
    if stop:
        session.control.stop(stop, when="now", source=stop)
    session.start()
    assert session.join(60)
    return session


def test_a_run_that_ends_leaves_a_report_which_goes_when_it_is_resumed(tmp_path: Path) -> None:
    from tuitrain.report import report_files
    from tuitrain.runs.report_files import FILES
    from tuitrain.runs.trash import check_removable

    run = make(tmp_path)
    reported(run, report_files, epochs=2)
    report = run.path / "report.md"
    assert "2 epochs" in report.read_text()
    assert {path.name for path in run.path.iterdir()} & set(FILES) == set(FILES) - {
        "mistakes.svg",  # for want of images, and of a preset
        "network.svg",
        "report.html",
    }
    check_removable(run.path)
    run = RunDirectory.open(run.path)
    run.acquire()
    told: list[bool] = []
    reported(run, lambda *_: told.append(report.exists()) or {"report.md": "later"}, resume=True, epochs=3)
    assert told == [False] and report.read_text() == "later"


def test_a_run_that_has_to_be_gone_in_two_seconds_leaves_no_report(tmp_path: Path) -> None:
    for number, (stop, there) in enumerate((("Ctrl-C", True), ("SIGTERM", False))):
        run = make(tmp_path, stop)
        first = fake_session(run, epochs=2)
        first.start()
        assert first.join(60)
        run = RunDirectory.open(run.path)
        run.acquire()
        session = reported(run, lambda *_: {"report.md": ""}, resume=True, stop=stop, epochs=9 + number)
        assert session.outcome == "stopped" and (run.path / "report.md").exists() == there


def test_a_report_that_fails_fails_no_run(tmp_path: Path) -> None:
    def broken(*_: Any) -> dict[str, str]:
        raise ValueError("no such figure")

    run = make(tmp_path, "broken")
    session = reported(run, broken, epochs=1)
    assert (session.exit_code, session.outcome) == (0, "completed")
    notice = run.events()[-1].event
    assert isinstance(notice, Notice) and "ValueError: no such figure" in notice.message
    assert "no such figure" in (run.path / "output.txt").read_text()

    run = make(tmp_path, "full")
    (run.path / "report.md").mkdir()
    session = reported(run, lambda *_: {"report.md": "text"}, epochs=1)
    assert session.outcome == "completed" and session.exit_code == ExitCode.RUN_DIRECTORY
    assert "report.md" in (session.recorder.trouble or "")


def test_a_terminal_that_goes_while_the_report_is_made_leaves_the_end_the_last_line(tmp_path: Path) -> None:
    run = make(tmp_path)
    session = fake_session(run, epochs=1)

    def slow(*_: Any) -> dict[str, str]:
        assert session.running
        session.detached("SIGHUP")
        return {"report.md": ""}

    session.reporter = slow
    session.start()
    assert session.join(60) and session.outcome == "completed"
    assert isinstance(session.records[-1].event, RunFinished)
    assert isinstance(run.events()[-1].event, RunFinished)
