"""The report that a session leaves at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.runs_fake import fake_session, make
from tuitrain.errors import ExitCode
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.session import Session
from tuitrain.training.events import Notice, RunFinished

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
