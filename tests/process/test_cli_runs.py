"""`tuitrain runs`, `status`, `pause`, `stop`, `steer`, `tail`: what a shell sees."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import warm
from support.command import tuitrain
from support.runs_fake import fake_session, old_run, run_to_end
from support.until import until
from tuitrain.runs.directory import RunDirectory


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three ended runs."""
    folder = tmp_path_factory.mktemp("runs")
    old_run(folder, "old", 1e9)
    run_to_end(RunDirectory.create(folder, "fake", name="evil"), raises=ValueError("\x1b[31m [/b] boom"))
    run_to_end(RunDirectory.create(folder, "fake", name="new"), epochs=3)
    return folder


def test_list_for_people_and_for_machines(runs: Path) -> None:
    plain = tuitrain(runs, "runs")
    assert plain.returncode == 0 and plain.stderr == ""
    lines = plain.stdout.splitlines()
    assert lines[0].split()[:4] == ["state", "run", "preset", "dataset"]
    assert [line.split()[2] for line in lines[1:]] == ["new", "evil", "old"]
    assert "✓ done" in lines[1] and "✗ failed" in lines[2] and "2001-09-0" in lines[3]
    data = json.loads(tuitrain(runs, "runs", "--json").stdout)
    assert [run["run"] for run in data] == ["new", "evil", "old"] and data[0]["epochs"] == 3
    assert 0 < data[0]["best"] < 1


def test_one_run(runs: Path) -> None:
    shown = tuitrain(runs, "runs", "show", "ne")
    assert shown.returncode == 0 and str(runs / "new") in shown.stdout
    data = json.loads(tuitrain(runs, "runs", "show", "new", "--json").stdout)
    assert (
        data["outcome"] == "completed"
        and len(data["history"]) == 3
        and data["directory"] == str(runs / "new")
    )
    assert tuitrain(runs, "runs", "path").stdout == f"{runs / 'new'}\n"
    for command in (["runs", "show", "evil"], ["tail", "evil"], ["runs"]):
        assert "\x1b" not in tuitrain(runs, *command).stdout
    assert "[/b] boom" in tuitrain(runs, "tail", "evil").stdout


def test_mistakes_are_one_sentence_and_exit_4(runs: Path, tmp_path: Path) -> None:
    for args in (
        ["runs", "show", "nwe"], ["runs", "path", "../.."], ["pause"], ["stop", "new"], ["tail", "x\x1b[31m"],
        ["runs", "rm", "zzz", "--yes"],
    ):  # fmt: skip
        ended = tuitrain(runs, *args)
        assert ended.returncode == 4 and ended.stdout == "", args
        assert (
            ended.stderr.count("\n") == 1 and "Traceback" not in ended.stderr and "\x1b" not in ended.stderr
        )
    assert "did you mean 'new'" in tuitrain(runs, "runs", "show", "nwe").stderr
    empty = tuitrain(tmp_path / "none", "runs")
    assert empty.returncode == 0 and empty.stdout == "" and "no runs" in empty.stderr
    assert json.loads(tuitrain(tmp_path / "none", "runs", "--json").stdout) == []


def test_rm_asks_and_tags_and_notes_stay(tmp_path: Path) -> None:
    path = old_run(tmp_path, "a", 1e9)
    refused = tuitrain(tmp_path, "runs", "rm", "a")
    assert refused.returncode == 2 and "--yes" in refused.stderr and path.exists()
    assert tuitrain(tmp_path, "runs", "tag", "a", "#good", "x").stdout == "good\nx\n"
    assert tuitrain(tmp_path, "runs", "tag", "a", "--remove", "x").stdout == "good\n"
    assert tuitrain(tmp_path, "runs", "note", "a", "first of its kind").returncode == 0
    assert json.loads(tuitrain(tmp_path, "runs", "note", "a", "--json").stdout)["note"] == "first of its kind"
    assert "#good" in tuitrain(tmp_path, "runs").stdout
    removed = tuitrain(tmp_path, "runs", "rm", "a", "--yes", "--json")
    said = json.loads(removed.stdout)
    assert (said["removed"], said["errors"]) == (["a"], []) and not path.exists()
    assert list(tmp_path.glob(".gone*")) == []


def test_a_live_run_is_steered_from_a_shell(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    session = fake_session(run, epochs=100_000, steps=20, step_s=0.005)
    session.start()
    until(lambda: run.live() is not None)
    assert "● live" in tuitrain(tmp_path, "status").stdout
    assert tuitrain(tmp_path, "runs", "rm", "a", "--yes").returncode == 4
    assert tuitrain(tmp_path, "run", "--name", "a", "--dataset", "digits").returncode == 4
    paused = tuitrain(tmp_path, "pause")
    assert paused.returncode == 0 and "a: paused" in paused.stderr
    (data,) = json.loads(tuitrain(tmp_path, "status", "--json").stdout)
    assert (data["state"], data["phase"], data["pid"]) == ("paused", "paused", os.getpid())
    assert json.loads(tuitrain(tmp_path, "steer", "--lr", "0.5", "--checkpoint", "--json").stdout)["obeyed"]
    assert "goes on" in tuitrain(tmp_path, "resume", "a").stderr
    env = os.environ | {"TUITRAIN_RUNS_DIR": str(tmp_path)}
    follower = warm.start("tail", "-f", "-n", "1", env=env)
    while not follower.out:
        assert follower.poll() is None
        time.sleep(0.02)
    stopped = tuitrain(tmp_path, "stop", "a")
    assert stopped.returncode == 0 and "a: stopped" in stopped.stderr
    assert session.join(60) and session.outcome == "stopped"
    assert follower.wait(60) == 0 and "stopped after" in follower.out
    first = json.loads(tuitrain(tmp_path, "tail", "--json", "-n", "1").stdout)
    assert first["event"] == "RunFinished"


def test_head_ends_it_quietly(runs: Path) -> None:
    line = f"{sys.executable} -m tuitrain runs show new --runs-dir {runs} | head -1"
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0 and ended.stderr == "" and ended.stdout.count("\n") == 1


def test_columns_are_left_out_before_lines_break() -> None:
    from tuitrain.cli.run_table import COLUMNS, run_table

    row = dict.fromkeys(COLUMNS, "x" * 9) | {"run": "r" * 36, "tags": ""}
    assert all(len(line) <= 80 for line in run_table([row], 80))
    assert "run" in run_table([row], 80)[0] and "best" in run_table([row], 80)[0]
    assert all(name in run_table([row], None)[0] for name in COLUMNS if name != "tags")


def test_rows_in_markdown_are_cells_whatever_a_run_is_called(tmp_path: Path) -> None:
    run_to_end(RunDirectory.create(tmp_path, "fake", name="a_b"), epochs=2)
    assert tuitrain(tmp_path, "runs", "tag", "a_b", "x|y", "<img>", "`t`").returncode == 0
    head, rule, line = tuitrain(tmp_path, "runs", "--markdown").stdout.splitlines()
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    assert len(cells) == head.count("|") - 1 == rule.count("|") - 1
    assert cells[1].strip() == "a_b" and cells[-1].strip() == r"\#x\|y \#\<img\> \#\`t\`"
    assert "---:" in rule
    shown = tuitrain(tmp_path, "runs", "show", "a_b", "--markdown").stdout
    assert (
        shown.startswith("### ✓ ")
        and "| best test accuracy (epoch 2) | 99.00 % |" in shown
        and "judged by " in shown
    )
    both = tuitrain(tmp_path, "runs", "--markdown", "--json")
    assert both.returncode == 2 and "use one of them" in both.stderr


def test_what_is_train_and_what_is_test_is_said(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    session = fake_session(run, epochs=100_000, steps=20, step_s=0.005)
    session.start()
    try:
        line = ""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            line = tuitrain(tmp_path, "status").stdout
            if "best" in line and "train loss" in line:
                break
        assert re.search(r"  train loss \d\.\d+ acc \d.*  best test acc \d", line), line
    finally:
        session.control.stop("test", when="now", source="test")
        session.join(60)
