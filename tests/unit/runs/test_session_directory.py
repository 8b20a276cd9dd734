"""Directories that are removed, replaced and linked while a session writes into them."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from support.runs_fake import epochs_of, fake_session, kept, make, notices_of, run_to_end, weights
from support.until import until
from tuitrain.errors import ExitCode, RunDirectoryError
from tuitrain.runs import checkpoint, durable
from tuitrain.runs.directory import RunDirectory
from tuitrain.training.events import CheckpointSaved, Notice, RunFinished

STEPS = 300


class Slow:
    """After the first epoch each step takes 20 ms, until that is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, epochs: int) -> None:
        if epochs:
            self.over.wait(0.02)


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
            until(lambda: (run.path / "events.jsonl").exists() and session._files.saved is None)

    monkeypatch.setattr(durable, "hook", swap)
    session.start()
    assert session.join(60) and moved.exists() and (session.exit_code, session.outcome) == (0, "completed")
    assert [entry.epoch for entry in checkpoint.entries(run.path / "checkpoints")] == [2]
    assert epochs_of(run) == [1, 2] and kept(run)[0].epoch == 2


def test_a_directory_removed_under_a_run_is_made_again_and_nothing_later_is_lost(tmp_path: Path) -> None:
    plain = make(tmp_path, "plain")
    run_to_end(plain, epochs=4, steps=STEPS)
    run = make(tmp_path)
    toml = (run.path / "preset.toml").read_bytes()
    slow = Slow()
    session = fake_session(run, epochs=4, steps=STEPS, pace=slow)
    session.start()
    until(lambda: any(isinstance(r.event, CheckpointSaved) for r in run.events()))
    while run.path.exists():  # the run may be writing into it meanwhile
        shutil.rmtree(run.path, ignore_errors=True)
    until(lambda: checkpoint.entries(run.path / "checkpoints"))
    assert epochs_of(run) == [1]  # from here it could go on, before the epoch ends
    slow.over.set()
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
    slow = Slow()
    session = fake_session(run, epochs=4, steps=STEPS, pace=slow)
    session.start()
    until(lambda: any(isinstance(r.event, CheckpointSaved) for r in run.events()))
    what(run)
    until(lambda: any(notice.code == "directory_replaced" for notice in notices_of(run)))
    until(lambda: RunDirectory.open(run.path).is_held())  # others can steer it, and nobody else can take it
    with pytest.raises(RunDirectoryError, match="busy"):
        RunDirectory.open(run.path).acquire()
    slow.over.set()
    assert session.join(60) and (session.exit_code, session.outcome) == (0, "completed")
    assert epochs_of(run) == [1, 2, 3, 4] and not run.is_held()
    assert [n.code for n in notices_of(run)].count("directory_replaced") == 1
    lines = (run.path / "metrics.csv").read_text().splitlines()
    assert len(lines) == 5


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
    slow = Slow()
    session = fake_session(run, epochs=3, steps=STEPS, pace=slow)
    session.start()
    until(lambda: session.recorder.history.epochs)
    (tmp_path / "runs").rename(tmp_path / "away")
    (tmp_path / "runs").write_text("a file is in the way")
    slow.over.set()
    assert session.join(60) and session.exit_code == ExitCode.RUN_DIRECTORY
    assert session.recorder.trouble and len(session.recorder.history.epochs) == 3
