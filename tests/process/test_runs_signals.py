"""Real signals, real processes: kills, hang-ups, closed streams. The quick share of the harness."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import warm
from support.runs_fake import FAKE, run_to_end, start_run
from support.until import until
from tuitrain.runs import checkpoint
from tuitrain.runs.directory import RunDirectory
from tuitrain.training.events import Control, EpochFinished, Notice, RunFinished


def command(runs: Path, *flags: str, name: str = "a") -> list[str]:
    return [sys.executable, str(FAKE), str(runs), "--name", name, *flags]


#: For what is to be done within two seconds, on a machine that is busy; what hangs here hangs for a minute.
SOON_S = 10.0


def start_epoch(runs: Path) -> warm.Child:
    """A run in the middle of an epoch that takes minutes."""
    process = start_run(runs, "--epochs", "2", "--steps", "50000", "--step-s", "0.01", wait="RunStarted")
    run = RunDirectory.open(runs / "a")
    until(lambda: (progress := run.progress()) is not None and progress.step > 0)
    return process


def last(runs: Path) -> RunFinished:
    event = RunDirectory.open(runs / "a").events()[-1].event
    assert isinstance(event, RunFinished)
    return event


def test_sigterm_in_a_step_saves_and_says_so_within_two_seconds(tmp_path: Path) -> None:
    process = start_epoch(tmp_path)
    process.signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 143
    assert last(tmp_path).outcome == "stopped"
    assert checkpoint.entries(tmp_path / "a" / "checkpoints")[-1].step > 0
    assert "Traceback" not in process.err
    assert "stopped after" in (tmp_path / "a" / "log.txt").read_text()


def test_sigterm_while_a_step_hangs_is_said_for_it(tmp_path: Path) -> None:
    process = start_run(tmp_path, "--epochs", "2", "--steps", "2", "--step-s", "60", wait="RunStarted")
    process.signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 143
    run = RunDirectory.open(tmp_path / "a")
    assert last(tmp_path).outcome == "stopped" and not run.is_held()
    assert any(isinstance(r.event, Control) and r.event.source == "SIGTERM" for r in run.events())


def test_sigterm_before_anything_began(tmp_path: Path) -> None:
    process = start_run(tmp_path, "--sleep-at-start", "30", wait="started")
    process.signal(signal.SIGTERM)
    assert process.wait(10) == 143
    RunDirectory.open(tmp_path / "a").acquire()


def test_first_ctrl_c_stops_after_saving_second_at_once(tmp_path: Path) -> None:
    process = start_epoch(tmp_path)
    process.signal(signal.SIGINT)
    assert process.wait(30) == 130 and last(tmp_path).outcome == "stopped"
    assert checkpoint.entries(tmp_path / "a" / "checkpoints")[-1].step > 0
    other = tmp_path / "other"
    process = start_run(other, "--epochs", "2", "--steps", "2", "--step-s", "60", wait="RunStarted")
    process.signal(signal.SIGINT)
    until(lambda: "Ctrl-C again stops at once" in process.err)  # two at a time would be one
    time.sleep(0.3)
    assert process.poll() is None
    process.signal(signal.SIGINT)
    assert process.wait(SOON_S) == 130
    assert last(other).outcome == "stopped"


def test_a_hang_up_leaves_the_run_to_finish(tmp_path: Path) -> None:
    process = start_run(tmp_path, "--epochs", "20", "--steps", "20", "--step-s", "0.005")
    process.signal(signal.SIGHUP)
    assert process.wait(60) == 0 and last(tmp_path).outcome == "completed"
    events = [r.event for r in RunDirectory.open(tmp_path / "a").events()]
    assert [e.source for e in events if isinstance(e, Control) and e.action == "detached"] == ["SIGHUP"]


@pytest.mark.terminal
def test_a_closed_terminal_leaves_the_run_to_finish(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    flags = [str(tmp_path), "--name", "a", "--epochs", "20", "--steps", "20", "--step-s", "0.005"]
    code = "from support.runs_fake import main; main()"
    process = warm.start(*flags, code=code, env=dict(os.environ), fds=[theirs] * 3, terminal=True)
    os.close(theirs)
    while b"EpochFinished" not in os.read(ours, 4096):
        pass
    os.close(ours)
    assert process.wait(60) == 0 and last(tmp_path).outcome == "completed"


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
        process = start_run(tmp_path, *flags, *resume, wait="started")
        time.sleep(rng.uniform(0.0, 0.35))
        if process.poll() is not None:
            break
        process.kill()
        kills += 1
        run = RunDirectory.open(tmp_path / "a")
        assert not run.is_held()
        run.events()
        for entry in checkpoint.entries(run.path / "checkpoints"):
            checkpoint.load_checkpoint(entry)
    assert kills >= 2
    ended = subprocess.run(command(tmp_path, *flags, "--resume"), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    run = RunDirectory.open(tmp_path / "a")
    assert [r.event.epoch for r in run.events() if isinstance(r.event, EpochFinished)] == list(range(1, 13))
    assert (run.path / "model.safetensors").read_bytes() == (plain.path / "model.safetensors").read_bytes()
    assert (run.path / "metrics.csv").read_bytes() == (plain.path / "metrics.csv").read_bytes()
    assert not list(run.path.rglob("*.tmp"))
    assert len(checkpoint.entries(run.path / "checkpoints")) <= 3


def test_a_process_that_stands_still_is_stalled_in_every_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from tuitrain.cli.root import app
    from tuitrain.runs import index, progress
    from tuitrain.runs.feed import DirectoryFeed
    from tuitrain.watch.runlist import row_of, state_look
    from tuitrain.watch.state import MonitorState, reduce_all, with_phase

    monkeypatch.setattr(progress, "STALLED_S", 4.0)
    process = start_run(
        tmp_path, "--epochs", "10000", "--steps", "50", "--step-s", "0.01", wait="CheckpointSaved"
    )
    try:
        (live,) = index.list_runs(tmp_path)
        assert (live.state, live.stalled_s) == ("live", None)
        process.signal(signal.SIGSTOP)
        until(lambda: index.summarise(tmp_path / "a").state == "stalled")
        summary = index.summarise(tmp_path / "a")
        assert summary.stalled_s is not None and 4 < summary.stalled_s < 60 and summary.pid == process.pid
        update = DirectoryFeed(RunDirectory.open(tmp_path / "a")).poll()
        assert update.state == "stalled" and update.stalled_s > 4
        state = with_phase(reduce_all(MonitorState(), update.records), update.phase, 0.0, update.stalled_s)
        assert state.status_text.startswith("stalled ") and state.status_text.endswith(" s")
        assert state_look(row_of(summary).state)[:2] == ("⚠", "stalled")
        arguments = ["--runs-dir", str(tmp_path)]
        for command in ("runs", "status"):
            out = CliRunner().invoke(app, [command, *arguments]).stdout
            assert "⚠ stalled " in out and "images/s" not in out
            (data,) = json.loads(CliRunner().invoke(app, [command, *arguments, "--json"]).stdout)
            assert data["state"] == "stalled" and data["stalled_s"] > 4
        process.signal(signal.SIGCONT)
        until(lambda: index.summarise(tmp_path / "a").state == "live")
    finally:
        process.kill()


def test_a_paused_run_whose_terminal_has_gone_says_how_to_find_it(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tuitrain.cli.root import app
    from tuitrain.runs.steering import RemoteControl

    process = start_run(
        tmp_path, "--epochs", "10000", "--steps", "50", "--step-s", "0.01", wait="CheckpointSaved"
    )
    run = RunDirectory.open(tmp_path / "a")

    try:
        RemoteControl(run).pause()
        until(lambda: (live := run.live()) is not None and live.phase == "paused")
        process.signal(signal.SIGHUP)
        until(lambda: any(isinstance(r.event, Notice) for r in run.events()))
        notice = next(r.event for r in run.events() if isinstance(r.event, Notice))
        assert notice.code == "paused_no_terminal" and "`tuitrain attach a`" in notice.remedy
        until(
            lambda: "its terminal has gone" in (run.path / "log.txt").read_text()
        )  # written after the event
        for command in ("runs", "status"):
            shown = CliRunner().invoke(app, [command, "--runs-dir", str(tmp_path)])
            assert "a: paused, no terminal; `tuitrain attach a`" in shown.stderr
        RemoteControl(run).resume()
        until(lambda: (live := run.live()) is not None and live.phase == "training")
        assert "no terminal" not in CliRunner().invoke(app, ["status", "--runs-dir", str(tmp_path)]).stderr
    finally:
        process.kill()


def test_two_runs_on_the_same_cores_say_so_once(tmp_path: Path) -> None:
    def notices(runs: Path) -> list[Notice]:
        events = [record.event for record in RunDirectory.open(runs / "a").events()]
        return [event for event in events if isinstance(event, Notice)]

    first = start_run(tmp_path / "1", "--epochs", "10000", "--steps", "50", "--step-s", "0.01")
    second = start_run(
        tmp_path / "2", "--epochs", "10000", "--steps", "50", "--step-s", "0.01", wait="CheckpointSaved"
    )
    try:
        assert notices(tmp_path / "1") == []
        (notice,) = notices(tmp_path / "2")
        assert notice.code == "shares_machine" and f"process {first.pid}" in notice.message
        assert "--threads" in notice.remedy and "queue" in notice.remedy
    finally:
        for process in (first, second):
            process.kill()
    third = start_run(
        tmp_path / "3", "--epochs", "2", "--steps", "50", "--step-s", "0.01", wait="CheckpointSaved"
    )
    assert third.wait(60) == 0 and notices(tmp_path / "3") == []
