"""Sessions on disks that fail, fill up, and have space again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.runs_fake import FAKE, epochs_of, fake_session, make, run_to_end, weights
from tuitrain.errors import ExitCode
from tuitrain.runs import checkpoint, durable
from tuitrain.runs.directory import RunDirectory
from tuitrain.training.events import Notice

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
