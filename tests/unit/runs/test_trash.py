"""Removing runs: only runs, to the trash, from which they come back."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.command import tuitrain
from support.no_runs import CASES, a_run, everything, set_up
from support.runs_fake import run_to_end
from tuitrain.cli.root import app
from tuitrain.errors import RunDirectoryError, TuitrainError
from tuitrain.runs import durable, trash
from tuitrain.runs.directory import RunDirectory, clean_unborn
from tuitrain.runs.index import list_runs


@pytest.mark.parametrize("forever", [[], ["--forever"]], ids=["trash", "forever"])
@pytest.mark.parametrize("name", CASES)
def test_what_is_no_run_is_not_removed(
    name: str, forever: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, typed = set_up(tmp_path / "home", name)
    monkeypatch.setenv("HOME", str(place.home))
    monkeypatch.chdir(place.cwd)
    before = everything(tmp_path)
    ended = CliRunner().invoke(
        app, ["runs", "rm", typed, "--yes", *forever, "--runs-dir", str(place.runs)], standalone_mode=False
    )
    assert isinstance(ended.exception, TuitrainError), ended.output
    assert ended.exception.exit_code in (2, 4)
    sentence = str(ended.exception)
    assert "\n" not in sentence and len(sentence) > 20
    assert everything(tmp_path) == before


def test_a_removed_run_comes_back_from_the_trash_any_number_of_times(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for number in range(2):
        run_to_end(RunDirectory.create(runs, "fake", name="a"), epochs=1 + number)
        whole = everything(runs / "a")
        trash.remove_run(runs / "a", runs)
    first, second = trash.list_removed(runs)
    assert (first.run, second.run) == ("a", "a") and first.path != second.path
    assert stat.S_IMODE((runs / trash.TRASH).stat().st_mode) == 0o700
    assert list_runs(runs) == [] and not (runs / "a").exists()
    assert trash.restore_run(trash.find_removed(runs, "a")[0], runs) == runs / "a"  # the last removed first
    assert everything(runs / "a") == whole
    (here,) = trash.find_removed(runs, "a")
    with pytest.raises(RunDirectoryError, match="something of that name"):
        trash.restore_run(here, runs)
    (runs / "a").rename(runs / "b")
    (runs / "a").mkdir()  # which a rename alone would replace
    with pytest.raises(RunDirectoryError, match="something of that name"):
        trash.restore_run(here, runs)
    (runs / "a").rmdir()
    trash.restore_run(here, runs)
    assert {run.run for run in list_runs(runs)} == {"a", "b"}
    assert not (runs / trash.TRASH).exists()


def test_busy_and_linked_runs_and_a_linked_trash(tmp_path: Path) -> None:
    live = RunDirectory.create(tmp_path, "fake", name="live", preset_toml="# What really ran.\n")
    with pytest.raises(RunDirectoryError, match="busy"):
        trash.remove_run(live.path)
    live.close()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / trash.TRASH).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="link"):
        trash.remove_run(live.path)
    with pytest.raises(RunDirectoryError, match="link"):
        trash.list_removed(tmp_path)
    assert live.path.is_dir() and not list((tmp_path / "elsewhere").iterdir())


def test_a_run_by_a_path_that_ends_in_dots_and_one_that_never_began(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "x")
    (run / "events.jsonl").write_text("")  # killed before its first event
    (run / ".log.txt.1-abc.tmp").touch()  # and over a file
    place = trash.remove_run(run / "checkpoints" / "..", tmp_path / "runs")
    assert place.parent.parent == tmp_path / "runs" / trash.TRASH and place.name == "x"


def test_what_a_killed_removal_for_good_left_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "x")
    monkeypatch.setattr(trash.shutil, "rmtree", lambda path: None)
    trash.remove_run(run, forever=True)
    monkeypatch.undo()
    (grave,) = tmp_path.iterdir()
    grave.rename(tmp_path / ".gone-x-4194305")  # a process that can't be
    assert clean_unborn(tmp_path) == 1 and not list(tmp_path.iterdir())


def test_a_removal_that_fails_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(tmp_path / "x")

    def full(operation: str, path: Path) -> None:
        if operation == "rename":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "hook", full)
    with pytest.raises(RunDirectoryError, match="No space"):
        trash.remove_run(run)
    assert (run / "events.jsonl").exists() and trash.list_removed(tmp_path) == []


@pytest.mark.slow
@pytest.mark.slow
def test_the_commands(tmp_path: Path) -> None:
    for name in ("a", "b"):
        a_run(tmp_path / name)
    removed = tuitrain(tmp_path, "runs", "rm", "a", "b", "--yes", "--json")
    said = json.loads(removed.stdout)
    assert (said["removed"], said["errors"], removed.returncode) == (["a", "b"], [], 0)
    assert all(os.path.isdir(path) for path in said["trash"])
    assert tuitrain(tmp_path, "runs").stdout == ""
    assert [one["run"] for one in json.loads(tuitrain(tmp_path, "runs", "restore", "--json").stdout)] == [
        "b",
        "a",
    ]
    assert tuitrain(tmp_path, "runs", "rm", "a", "--yes").returncode == 4  # it is in the trash already
    back = tuitrain(tmp_path, "runs", "restore", "a")
    assert back.returncode == 0 and "restored a" in back.stderr and (tmp_path / "a").is_dir()
    unknown = tuitrain(tmp_path, "runs", "restore", "zzz")
    assert unknown.returncode == 4 and unknown.stderr.count("\n") == 1
    assert tuitrain(tmp_path, "runs", "rm", "b", "--yes", "--forever").returncode == 0
    assert tuitrain(tmp_path, "runs", "rm", "a", "--yes", "--forever").returncode == 0
    assert [path.name for path in tmp_path.iterdir() if path.name != ".index.json"] == []
