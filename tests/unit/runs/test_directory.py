"""Run directories: names, locks, the log and its torn ends, commands, progress."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.runs_fake import FAKE, fake_records, run_to_end, start_run
from tuitrain.errors import ExitCode, RunDirectoryError
from tuitrain.runs import durable, eventlog
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.names import safe_name
from tuitrain.training.events import (
    CheckpointSaved,
    Control,
    EpochFinished,
    Notice,
    Record,
    RunFinished,
    RunStarted,
    StepProgress,
    to_line,
)


def hostile_names(count: int) -> list[str]:
    parts = [
        "..", "/", "\0", "\x1b[31m", "‮", "‏", "[/b]", "[red]", "~", "$HOME", "`id`", ";rm -rf *",
        "a" * 300, "é", "../../../etc/passwd", "C:\\", "\n", "\r", "\t", " ", ".", "-", "--yes", "nul",
        "．．／", "∕", "\ud800", "🎉", "latest", "%2e%2e%2f", "'", '"', "|", "*", "?", "א", ".new-1-x",
        ".index.json", "\x7f", "​", "﻿", "/etc", "//", "a/../../b", "run.lock",
    ]  # fmt: skip
    rng = random.Random(5)
    return parts + ["".join(rng.choices(parts, k=rng.randint(1, 5))) for _ in range(count - len(parts))]


def test_hostile_names_stay_in_the_runs_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    runs = tmp_path / "home" / "runs"
    runs.mkdir(parents=True)
    (runs / "link").symlink_to(outside)
    before = {path for path in tmp_path.rglob("*") if runs not in path.parents}
    for name in [*hostile_names(120), "link", "link/x"]:
        safe = safe_name(name)
        assert safe and "/" not in safe and not safe.startswith((".", "-")) and safe.isprintable(), name
        assert len(safe.encode()) <= 170
        run = RunDirectory.create(runs, "fake", name=name)
        assert run.path.parent == runs and run.path.is_dir() and not run.path.is_symlink(), name
        assert run.path.resolve().parent == runs.resolve()
        run.close()
    assert {path for path in tmp_path.rglob("*") if runs not in path.parents} == before
    assert not list(outside.iterdir())


def test_a_name_that_is_free_is_kept_and_a_used_one_gets_a_number(tmp_path: Path) -> None:
    first = RunDirectory.create(tmp_path, "fake", name="größe 2")
    assert first.name == "größe-2"
    with pytest.raises(RunDirectoryError) as caught:
        RunDirectory.create(tmp_path, "fake", name="größe 2")
    assert f"process {os.getpid()} on " in str(caught.value) and "tuitrain stop" in str(caught.value)
    assert caught.value.exit_code == ExitCode.RUN_DIRECTORY == 4
    first.close()
    second = RunDirectory.create(tmp_path, "fake", name="größe 2")
    assert second.name == "größe-2-2"
    second.close()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_without_a_name_it_is_time_preset_and_a_random_end(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "step13", preset_toml="schema = 1\n")
    stamp, preset, end = run.name.split("_")
    assert time.strptime(stamp, "%Y-%m-%dT%H-%M-%S") and preset == "step13" and len(end) == 4
    assert run.preset_toml() == "schema = 1\n"
    run.close()


def test_an_unwritable_runs_folder_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match=r"can.t be written.*--runs-dir"):
        RunDirectory.create(tmp_path / "file" / "runs", "fake")

    def refuse(operation: str, path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(durable, "hook", refuse)
    with pytest.raises(RunDirectoryError, match="Permission denied"):
        RunDirectory.create(tmp_path, "fake")


@pytest.mark.long  # its quick share is the row lock of the harness
def test_a_name_of_many_starters_is_won_by_one_and_free_after_a_kill(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(FAKE),
        str(tmp_path),
        "--name",
        "same",
        "--step-s",
        "0.05",
        "--steps",
        "400",
    ]
    starters = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    deadline = time.monotonic() + 60
    while sum(p.poll() is not None for p in starters) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    winners = [p for p in starters if p.poll() is None]
    losers = [p for p in starters if p.poll() is not None]
    try:
        assert len(winners) == 1
        for loser in losers:
            assert loser.stderr is not None
            assert loser.returncode == 4
            assert f"process {winners[0].pid} on" in loser.stderr.read()
        assert [path.name for path in tmp_path.iterdir()] == ["same"]
        run = RunDirectory.open(tmp_path / "same")
        assert run.is_held() and run.holder() is not None
    finally:
        for process in winners:
            process.kill()
            process.wait()
    assert not run.is_held()
    run.acquire()
    run.close()


def test_a_folder_that_was_never_named_is_cleaned_at_the_next_start(tmp_path: Path) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    (tmp_path / f".new-{gone.stdout.strip()}-abcd").mkdir()
    mine = tmp_path / f".new-{os.getpid()}-abcd"
    mine.mkdir()
    RunDirectory.create(tmp_path, "fake").close()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == [mine]


@pytest.mark.parametrize(
    "name", [".new-²-x", ".new--x", ".new-99999999999999-x", ".gone-a-", ".gone-", ".gone-a-²"]
)
def test_a_folder_that_only_looks_left_over_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    RunDirectory.create(tmp_path, "fake", name="a").close()
    assert (tmp_path / name).is_dir()


def test_a_run_whose_removal_was_killed_is_removed_at_the_next_start(tmp_path: Path) -> None:
    dead, alive = tmp_path / ".gone-my-run-4194305", tmp_path / f".gone-b-{os.getpid()}"
    for grave in (dead, alive):
        (grave / "checkpoints").mkdir(parents=True)
    RunDirectory.create(tmp_path, "fake", name="a").close()
    assert not dead.exists() and alive.exists()


def test_every_prefix_of_a_log_gives_exactly_its_complete_events(tmp_path: Path) -> None:
    records = fake_records(4)
    data = "".join(to_line(record) + "\n" for record in records).encode()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    for cut in range(len(data) + 1):
        assert len(eventlog.parse(data[:cut])) == sum(end <= cut for end in ends)
    path = tmp_path / "events.jsonl"
    for cut in [0, 1, ends[0] - 1, ends[0], ends[0] + 1, ends[3] - 1, len(data) - 1, len(data)]:
        path.write_bytes(data[:cut])
        writer = eventlog.LogWriter(path)
        writer.append(records[0], sync=True)
        writer.close()
        kept = sum(end <= cut for end in ends)
        assert path.read_bytes().count(b"\n") == kept + 1
        assert len(eventlog.parse(path.read_bytes())) == kept + 1


def test_a_damaged_line_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    lines = [to_line(record).encode() for record in fake_records(2)]
    hostile = [
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"event":"Nope"}',
        b"1" * 5000,
        b"null",
        b'{"event":"EpochFinished"}',
    ]
    data = b"\n".join([lines[0], *hostile, *lines[1:]]) + b"\n"
    assert len(eventlog.parse(data)) == len(lines)


def test_what_a_restart_supersedes_is_dropped() -> None:
    records = fake_records(3)

    def at(event: object) -> Record:
        return Record(event, 0.0, 0.0)  # type: ignore[arg-type]

    saved = [at(CheckpointSaved(e, s, "f", "0", False)) for e, s in ((1, 0), (1, 4), (2, 0))]
    log = [*records[:3], *saved, *records[3:], at(Control("restarted", 1, 4)), *fake_records(3)[2:]]
    kept = [record.event for record in eventlog.current(log)]
    assert [e.epoch for e in kept if isinstance(e, EpochFinished)] == [1, 2, 3]
    assert [(e.epoch, e.step) for e in kept if isinstance(e, CheckpointSaved)] == [(1, 0), (1, 4)]
    assert sum(isinstance(e, RunFinished) for e in kept) == 1 and isinstance(kept[-1], RunFinished)
    assert sum(isinstance(e, RunStarted) for e in kept) == 1
    # killed before the first checkpoint: it began again from nothing
    again = [record.event for record in eventlog.current([*records[:2], *fake_records(1)])]
    assert [type(e).__name__ for e in again] == ["RunStarted", "EpochFinished", "RunFinished"]


def test_a_failed_append_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = fake_records(2)
    path = tmp_path / "events.jsonl"
    writer = eventlog.LogWriter(path)
    writer.append(records[0])

    def torn(fd: int, data: bytes, where: Path) -> None:
        os.write(fd, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_all", torn)
        with pytest.raises(OSError):
            writer.append(records[1])
    assert path.read_bytes() == to_line(records[0]).encode() + b"\n"
    with monkeypatch.context() as patch:  # nor when cutting it off fails at first
        patch.setattr(durable, "write_all", torn)
        patch.setattr(durable, "hook", lambda op, p: _fail(op == "truncate"))
        with pytest.raises(OSError):
            writer.append(records[1])
    assert not path.read_bytes().endswith(b"\n")
    writer.append(records[1])
    assert path.read_bytes().count(b"\n") == 2 and len(eventlog.parse(path.read_bytes())) == 2


def _fail(now: bool) -> None:
    if now:
        raise OSError(5, "Input/output error")


def test_commands_reach_the_holder_once_each_and_nonsense_is_ignored(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    other = RunDirectory.open(run.path)
    assert run.new_commands() == []
    other.post_command({"command": "pause"})
    other.post_command({"command": "stop", "reason": "x"})
    assert [c["command"] for c in run.new_commands()] == ["pause", "stop"]
    assert run.new_commands() == []
    with (run.path / "control.jsonl").open("ab") as file:
        file.write(b'{"command": "torn')
    assert run.new_commands() == []
    other.post_command({"command": "resume"})  # begins a line of its own
    assert [c["command"] for c in run.new_commands()] == ["resume"]
    with (run.path / "control.jsonl").open("ab") as file:
        file.write(b"[" * 50_000 + b"\n1\n\xff\n" + b"x" * (3 << 20))
    assert [run.new_commands() for _ in range(5)] == [[]] * 5
    run.close()
    run.acquire()  # a new holder does not obey what was said to the old one
    assert run.new_commands() == []
    run.close()


def test_progress_of_a_dead_run_is_not_taken_for_live(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    step = StepProgress(1, 2, 3, 0.5, float("nan"), 0.1, 1.0, 1.0, 1.0)
    run.write_progress(step, "training", 1, 7)
    other = RunDirectory.open(run.path)
    live = other.live()
    assert live is not None and live.progress is not None and live.beat == 7 and 0 <= live.age_s < 5
    assert live.progress.step == 2 and live.phase == "training"
    assert other.progress() == live.progress or other.progress() is not None
    run.close()
    assert other.progress() is None
    (run.path / "progress.json").write_bytes(b"{}")
    assert other.live() is None


@pytest.mark.slow
def test_a_run_killed_by_the_kernel_is_interrupted_and_can_be_held_again(tmp_path: Path) -> None:
    assert start_run(tmp_path, "--step-s", "0.02", "--epochs", "99").kill() == -signal.SIGKILL
    from tuitrain.runs.index import summarise

    assert summarise(tmp_path / "a").state == "interrupted"
    run = RunDirectory.open(tmp_path / "a")
    run.acquire()
    session = run_to_end(run, resume=True, epochs=6)
    assert session.exit_code == 0
    epochs = [r.event.epoch for r in run.events() if isinstance(r.event, EpochFinished)]
    assert epochs == list(range(1, len(epochs) + 1))
    assert isinstance(run.events()[-1].event, RunFinished)
    assert not any(isinstance(r.event, Notice) for r in run.events())
