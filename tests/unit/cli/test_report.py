"""`tuitrain report` on runs and a study: where it is written, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from support.digits_runs import digits_run
from support.groups_made import plan
from support.monitor_recorded import DIRECTORY
from support.runs_fake import old_run, run_to_end
from tuitrain.cli.root import app
from tuitrain.errors import ExitCode, RunDirectoryError, TuitrainError, UsageError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.report_files import FILES
from tuitrain.runs.trash import check_removable
from tuitrain.study.store import create_study


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits, two that were never trained, a study of two seeds, and a recorded run."""
    folder = tmp_path_factory.mktemp("runs")
    digits_run(folder, "good", epochs=3)
    create_study(folder, plan("made", seeds=(0, 1), name="st")).release()
    for name in ("one", "two", "st_seed0", "st_seed1"):
        run_to_end(RunDirectory.create(folder, "fake", name=name), epochs=2)
    shutil.copytree(DIRECTORY, folder / DIRECTORY.name)
    return folder


@pytest.fixture
def report(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        env = {"TUITRAIN_RUNS_DIR": str(runs), "TUITRAIN_DATA_DIR": str(tmp_path)}
        result = CliRunner().invoke(app, ["report", *arguments], env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def refused(report, kind: type[TuitrainError], *arguments: str) -> str:
    with pytest.raises(kind) as caught:
        report(*arguments)
    assert type(caught.value) is kind and "\n" not in str(caught.value)
    return str(caught.value)


def test_the_report_of_a_run_goes_into_its_directory(report, runs: Path) -> None:
    good = runs / "good"
    assert (
        report("good") == f"{good / 'report.md'}\n"
        and report("good", "--html") == f"{good / 'report.html'}\n"
    )
    assert {path.name for path in good.iterdir()} >= set(FILES)
    check_removable(good)
    text = (good / "report.html").read_text()
    assert (
        text.startswith("<!DOCTYPE html>")
        and "Mistakes after epoch 3" in text
        and "best epoch" in text.lower()
    )
    recorded = report(DIRECTORY.name[:25], "-o", "-")  # of an earlier version, its data not here
    assert (
        recorded.startswith("# step13 on mnist")
        and "mistakes.svg" not in recorded
        and "confusion.svg" in recorded
    )


def test_elsewhere_pictures_lie_beside_it_under_its_name(report, tmp_path: Path) -> None:
    assert report("one", "-o", "my.md") == "my.md\n"
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"my.md", "my-accuracy.svg", "my-loss.svg", "my-confusion.svg"}
    assert "](my-loss.svg)" in (tmp_path / "my.md").read_text()
    assert report("one", "two", "-o", "both.html") == "both.html\n"  # by the file's name
    assert "<svg" in (tmp_path / "both.html").read_text()
    assert report("one", "two") == "one-and-1-more-report.md\n"
    assert (tmp_path / "one-and-1-more-report-steps.svg").exists()


def test_a_study_is_reported_on_by_its_name(report, tmp_path: Path) -> None:
    assert report("st") == "st-report.md\n"
    text = (tmp_path / "st-report.md").read_text()
    assert text.startswith("# Seeds of made") and "**✓ 2 runs**" in text and "](st-report-band.svg)" in text
    assert "Run st_seed1, seed 0" in report("st_seed1", "-o", "-")  # a member is a run


def test_open_shows_html_in_the_browser(report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", lambda url: opened.append(url) or 0)
    assert report("one", "--open", "-o", "x.page") == "x.page\n"
    assert (
        opened == [(tmp_path / "x.page").resolve().as_uri()] and "<html" in (tmp_path / "x.page").read_text()
    )
    refused(report, UsageError, "one", "--open", "-o", "-")


def test_what_cant_be_reported_or_written_is_said_in_a_sentence(report, runs: Path, tmp_path: Path) -> None:
    assert "no run 'nix'" in refused(report, RunDirectoryError, "nix")
    old_run(runs, "unborn", 1.0)
    log = runs / "unborn" / "events.jsonl"
    log.write_text(log.read_text().splitlines()[0] + "\n")
    assert "has not finished an epoch" in refused(report, RunDirectoryError, "unborn")
    assert "has not finished an epoch" in refused(report, RunDirectoryError, "one", "unborn")
    assert "st is a study" in refused(report, UsageError, "one", "st")
    assert "named twice" in refused(report, UsageError, "one", "one")
    assert "--output" in refused(report, UsageError, "one", "-o", str(tmp_path / "no" / "x.md"))
    (runs / "two" / "report.md").mkdir()
    said = refused(report, RunDirectoryError, "two")
    assert "can't be written" in said and RunDirectoryError("").exit_code == ExitCode.RUN_DIRECTORY
    create_study(runs, plan("made", seeds=(7,), name="empty")).release()
    assert "study empty has not finished an epoch" in refused(report, RunDirectoryError, "empty")
