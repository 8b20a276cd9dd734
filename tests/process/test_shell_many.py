"""Closed terminals and SIGTERM at random times of the app: many with `-m long`, and that the tests have teeth."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from support.shell_terminal import LEAVE, OVERRIDES, START, Terminal, children_of, events, processes_of

pytestmark = [pytest.mark.terminal, pytest.mark.timeout(7200)]
TIMES = 50
#: Code that takes a protection out, run before the app.
DEAF = """
import signal
import tuitrain.tui.terminal.process as c
attach = c.Child.attach
def deaf(self, app):
    attach(self, app)
    signal.signal(signal.{name}, signal.SIG_DFL)
c.Child.attach = deaf
"""
LOUD = "import tuitrain.tui.terminal.process as c; c.redirect_output = lambda path: None\n"


def start(runs: Path, epochs: int = 5, before: str = "") -> Terminal:
    import sys

    overrides = OVERRIDES | {"train.epochs": epochs}
    options = {"runs_dir": str(runs), "preset": "step13", "start": True, "overrides": overrides}
    code = before + START.format(options=repr(options).replace(repr(str(runs)), f"Path({str(runs)!r})"))
    return Terminal([sys.executable, "-c", code], env={"XDG_STATE_HOME": str(runs.parent / "state")})


def gone(runs: Path, pids: list[int], seconds: float) -> bool:
    """Whether nobody works on a run of this folder, and none of these processes is left."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not processes_of(runs) and not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def last_event(runs: Path) -> dict[str, Any]:
    return events(runs)[-1] if list(runs.glob("2*")) else {}


def close_once(runs: Path, after: float, before: str = "") -> str:
    """How a run ended whose terminal was closed after so many seconds: "complete", "never begun", or what is wrong."""
    terminal = start(runs, before=before)
    try:
        terminal.wait_for("1 Lab")
        terminal.read(after)
        pids = [terminal.pid, *children_of(terminal.pid)]
        terminal.close()
        os.waitpid(terminal.pid, 0)
        terminal.code = 0
        if not gone(runs, pids[1:], 120):
            return "a process is left"
        last = last_event(runs)
        if not last:
            return "never begun"
        return "complete" if last.get("outcome") == "completed" else f"ended with {last}"
    finally:
        terminal.kill()


def terminate_once(runs: Path, after: float, dialog: bool, before: str = "") -> tuple[str, float]:
    """What is wrong ("" for nothing) when the app gets SIGTERM after so many seconds, and how long it took."""
    terminal = start(runs, epochs=50, before=before)
    try:
        terminal.wait_for("1 Lab")
        terminal.wait_for("epoch 1 of")
        if dialog:
            terminal.key("q")
            terminal.wait_for(LEAVE)
        terminal.read(after)
        (app,) = children_of(terminal.pid)
        began = time.monotonic()
        os.kill(random.choice([app, terminal.pid]), signal.SIGTERM)
        code = terminal.ended(10)
        took = time.monotonic() - began
        wrong = [*terminal.restored()]
        if code != 143:
            wrong.append(f"exit code {code}")
        if alive(app):
            wrong.append("a process is left")
        if last_event(runs).get("outcome") != "stopped":
            wrong.append("the log does not say stopped")
        return ", ".join(wrong), took
    finally:
        terminal.kill()
        for pid in processes_of(runs):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.long
def test_closed_terminal_at_random_times(tmp_path: Path) -> None:
    chance = random.Random(11)
    found = [close_once(tmp_path / f"r{n}" / "runs", chance.uniform(0, 12)) for n in range(TIMES)]
    print(
        f"{found.count('complete')} of {TIMES} complete, {found.count('never begun')} closed before they began"
    )
    assert set(found) <= {"complete", "never begun"}
    assert found.count("complete") >= TIMES // 2


@pytest.mark.long
def test_sigterm_at_random_times(tmp_path: Path) -> None:
    chance = random.Random(12)
    found = [
        terminate_once(tmp_path / f"r{n}" / "runs", chance.uniform(0, 6), dialog=n % 3 == 0)
        for n in range(TIMES)
    ]
    print(
        f"{sum(not wrong for wrong, _ in found)} of {TIMES} clean, slowest {max(took for _, took in found):.2f} s"
    )
    assert [wrong for wrong, _ in found if wrong] == []
    assert max(took for _, took in found) < 2.0 + 0.5  # the promise, and the shell's part of it


# -- the tests can fail -----------------------------------------------------------------------------


def test_without_a_handler_a_closed_terminal_ends_the_run(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    terminal = start(runs, 50, DEAF.format(name="SIGHUP") + "c.Child.hangup = lambda self: None\n")
    try:
        terminal.wait_for("epoch 1 of")
        terminal.close()
        os.waitpid(terminal.pid, 0)
        terminal.code = 0
        assert gone(runs, [], 30)
        assert last_event(runs).get("outcome") != "completed"
    finally:
        terminal.kill()


def test_without_a_handler_sigterm_leaves_a_log_that_says_nothing(tmp_path: Path) -> None:
    wrong, _ = terminate_once(tmp_path / "runs", 0.5, dialog=False, before=DEAF.format(name="SIGTERM"))
    assert "the log does not say stopped" in wrong


def test_without_redirection_stray_output_reaches_the_screen(tmp_path: Path) -> None:
    code = """
import os, threading
run = c.run_app
def noisy(*args):
    threading.Timer(2.5, lambda: os.write(2, b"from a C library")).start()
    return run(*args)
c.run_app = noisy
"""
    terminal = start(tmp_path / "runs", before=LOUD + code)
    try:
        terminal.wait_for("1 Lab")
        terminal.read(6)
        assert b"from a C library" in terminal.raw
    finally:
        terminal.kill()
        for pid in processes_of(tmp_path / "runs"):
            os.kill(pid, signal.SIGKILL)


def test_a_screen_that_does_not_close_keeps_no_process_alive(tmp_path: Path) -> None:
    stuck = (
        "import tuitrain.tui.terminal.process as c\nc.CLOSE_S = 1.0\n"
        "from tuitrain.tui.terminal.job import TerminalApp\nTerminalApp.leave_now = lambda self, how, code: None\n"
    )
    runs = tmp_path / "runs"
    terminal = start(runs, 3, stuck)
    try:
        terminal.wait_for("epoch 1 of")
        pids = children_of(terminal.pid)
        terminal.close()
        os.waitpid(terminal.pid, 0)
        terminal.code = 0
        assert gone(runs, pids, 90)
        assert last_event(runs)["outcome"] == "completed"
    finally:
        terminal.kill()
