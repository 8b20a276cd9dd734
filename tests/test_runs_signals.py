"""Real signals, real processes: kills, hang-ups, closed streams. The quick share of the harness."""

from __future__ import annotations

import os
import pty
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from runs_fake import run_to_end

from tuitrain.runs import checkpoint
from tuitrain.runs.directory import RunDirectory
from tuitrain.training.events import Control, EpochFinished, RunFinished

FAKE = Path(__file__).with_name("runs_fake.py")


def command(runs: Path, *flags: str, name: str = "a") -> list[str]:
    return [sys.executable, str(FAKE), str(runs), "--name", name, *flags]


def start(runs: Path, *flags: str, wait: str = "EpochFinished", **settings: Any) -> subprocess.Popen[str]:
    """A run in a process of its own, waited for until it says `wait`."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    process = subprocess.Popen(command(runs, *flags), text=True, **settings)
    assert process.stdout is not None
    for line in process.stdout:
        if wait in line:
            return process
    raise AssertionError(f"ended early: {process.stderr.read() if process.stderr else ''}")


def last(runs: Path) -> RunFinished:
    event = RunDirectory.open(runs / "a").events()[-1].event
    assert isinstance(event, RunFinished)
    return event


def test_sigterm_in_a_step_saves_and_says_so_within_two_seconds(tmp_path: Path) -> None:
    process = start(tmp_path, "--epochs", "500", "--steps", "50", "--step-s", "0.01", wait="CheckpointSaved")
    time.sleep(0.2)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143 and time.monotonic() - begun < 2
    assert last(tmp_path).outcome == "stopped"
    assert checkpoint.entries(tmp_path / "a" / "checkpoints")[-1].step > 0
    assert "Traceback" not in process.stderr.read()  # type: ignore[union-attr]
    assert "stopped after" in (tmp_path / "a" / "log.txt").read_text()


def test_sigterm_while_a_step_hangs_is_said_for_it(tmp_path: Path) -> None:
    process = start(tmp_path, "--epochs", "2", "--steps", "2", "--step-s", "60", wait="RunStarted")
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143 and time.monotonic() - begun < 2
    run = RunDirectory.open(tmp_path / "a")
    assert last(tmp_path).outcome == "stopped" and not run.is_held()
    assert any(isinstance(r.event, Control) and r.event.source == "SIGTERM" for r in run.events())


def test_sigterm_before_anything_began(tmp_path: Path) -> None:
    process = start(tmp_path, "--sleep-at-start", "30", wait="started")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143
    RunDirectory.open(tmp_path / "a").acquire()


def test_first_ctrl_c_stops_after_saving_second_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, "--epochs", "500", "--steps", "50", "--step-s", "0.01", wait="CheckpointSaved")
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130 and last(tmp_path).outcome == "stopped"
    assert checkpoint.entries(tmp_path / "a" / "checkpoints")[-1].step > 0
    other = tmp_path / "other"
    process = start(other, "--epochs", "2", "--steps", "2", "--step-s", "60", wait="RunStarted")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130 and time.monotonic() - begun < 1
    assert last(other).outcome == "stopped"


def test_a_hang_up_leaves_the_run_to_finish(tmp_path: Path) -> None:
    process = start(tmp_path, "--epochs", "8", "--steps", "20", "--step-s", "0.005")
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    process.stdout.read()
    assert process.wait(30) == 0 and last(tmp_path).outcome == "completed"
    events = [r.event for r in RunDirectory.open(tmp_path / "a").events()]
    assert [e.source for e in events if isinstance(e, Control) and e.action == "detached"] == ["SIGHUP"]


@pytest.mark.terminal
def test_a_closed_terminal_leaves_the_run_to_finish(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(tmp_path, "--epochs", "8", "--steps", "20", "--step-s", "0.005"),
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    while b"EpochFinished" not in os.read(ours, 4096):
        pass
    os.close(ours)
    assert process.wait(30) == 0 and last(tmp_path).outcome == "completed"


@pytest.mark.long  # its quick share is the row streams of the harness
@pytest.mark.parametrize("how", ["stdout", "stderr", "both", "all", "head", "full", "nohup", "setsid"])
def test_whatever_happens_to_the_streams_the_run_ends_complete(tmp_path: Path, how: str) -> None:
    line = " ".join(command(tmp_path, "--epochs", "5", "--steps", "10", "--step-s", "0.005"))
    shell = {
        "stdout": f"{line} >&-",
        "stderr": f"{line} 2>&-",
        "both": f"{line} >&- 2>&-",
        "all": f"{line} <&- >&- 2>&-",
        "head": f"set -o pipefail; {line} | head -1",
        "full": f"{line} >/dev/full",
        "nohup": f"nohup {line} >{tmp_path}/out 2>&1",
        "setsid": f"setsid -w {line} </dev/null",
    }[how]
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert last(tmp_path).outcome == "completed"
    assert "Traceback" not in ended.stderr and "Exception ignored" not in ended.stderr
    log = (tmp_path / "a" / "events.jsonl").read_text()
    assert "started a" not in log and "ended" not in log  # no stream took the log's descriptor


@pytest.mark.long  # its quick share is the row kill_resume of the harness
def test_killed_at_random_times_and_resumed_until_done(tmp_path: Path) -> None:
    """Four kills; the long harness has two hundred."""
    plain = RunDirectory.create(tmp_path, "fake", name="plain")
    run_to_end(plain, epochs=12, steps=20)
    flags = ["--epochs", "12", "--steps", "20", "--step-s", "0.008", "--checkpoint-every", "3"]
    rng = random.Random(8)
    kills = 0
    while kills < 4:
        resume = ["--resume"] if (tmp_path / "a").exists() else []
        process = start(tmp_path, *flags, *resume, wait="started")
        time.sleep(rng.uniform(0.0, 0.35))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
        run = RunDirectory.open(tmp_path / "a")
        assert not run.is_held()
        run.events()
        for entry in checkpoint.entries(run.path / "checkpoints"):
            checkpoint.load(entry)
    assert kills >= 2
    ended = subprocess.run(command(tmp_path, *flags, "--resume"), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    run = RunDirectory.open(tmp_path / "a")
    assert [r.event.epoch for r in run.events() if isinstance(r.event, EpochFinished)] == list(range(1, 13))
    assert (run.path / "model.safetensors").read_bytes() == (plain.path / "model.safetensors").read_bytes()
    assert (run.path / "metrics.csv").read_bytes() == (plain.path / "metrics.csv").read_bytes()
    assert not list(run.path.rglob("*.tmp"))
    assert len(checkpoint.entries(run.path / "checkpoints")) <= 3
