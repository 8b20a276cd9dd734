"""The app in a real pseudo-terminal: leaving, coming back, signals, a closed terminal.

What else a terminal does to it is in the rows of `harness/rows_terminal.py`: closed and SIGTERM at random times, a
stalled terminal, strangers that write to it.
Each run trains the built-in digits and must end with the very weights of the headless run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from support import warm
from support.shell_terminal import (
    LEAVE,
    OVERRIDES,
    Terminal,
    WarmTerminal,
    catches,
    children_of,
    environment,
    events,
    processes_of,
)

pytestmark = [pytest.mark.terminal, pytest.mark.timeout(240)]
#: Long enough to do something with a run, short enough to wait for its end.
RUN_S = 8.0


def headless(folder: Path, epochs: int) -> dict[str, Any]:
    command = ["run", "--preset", "step13", "--dataset", "digits", "--epochs", str(epochs), "--json"]
    done = warm.run(*command, "--runs-dir", str(folder), env=environment())
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Epochs that take about `RUN_S` on this machine, and the weights after them; once for all workers."""
    folder = tmp_path_factory.mktemp("headless")
    shared = folder.parent.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    answer = shared / "undisturbed.json"
    with FileLock(f"{answer}.lock"):
        if not answer.exists():
            seconds = headless(folder / "pace", 3)["seconds"]
            epochs = max(15, min(60, round(3 * RUN_S / seconds)))  # it may have been busier than it will be
            sha256 = headless(folder / "whole", epochs)["model_sha256"]
            answer.write_text(json.dumps({"epochs": epochs, "sha256": sha256}))
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


@pytest.fixture
def epochs(undisturbed: dict[str, Any]) -> int:
    count: int = undisturbed["epochs"]
    return count


@pytest.fixture
def headless_sha256(undisturbed: dict[str, Any]) -> str:
    sha256: str = undisturbed["sha256"]
    assert len(sha256) == 64
    return sha256


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def terminal(runs: Path, tmp_path: Path, epochs: int) -> Iterator[WarmTerminal]:
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    overrides = OVERRIDES | {"train.epochs": epochs}
    terminal = WarmTerminal.app(env, runs_dir=runs, preset="step13", start=True, overrides=overrides)
    yield terminal
    terminal.kill()
    for pid in processes_of(runs):
        os.kill(pid, signal.SIGKILL)


def until_ended(runs: Path, seconds: float = 120.0) -> dict[str, Any]:
    """The run's last event, when nobody works on it any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not processes_of(runs):
            last = events(runs)[-1]
            assert last["event"] == "RunFinished", last
            return last
        time.sleep(0.05)
    raise AssertionError("somebody still works on the run")


def actions(runs: Path) -> list[str]:
    return [event["action"] for event in events(runs) if event["event"] == "Control"]


def test_any_size_esc_stays_and_detaching_leaves_a_summary_and_a_run_that_ends(
    terminal: WarmTerminal, runs: Path, headless_sha256: str
) -> None:
    terminal.wait_for_epoch(2)
    for columns, rows in ((40, 10), (1, 1), (200, 60), (61, 19), (59, 17), (1, 24), (80, 1), (120, 40)) * 2:
        terminal.resize(columns, rows)
        terminal.read(0.05)
    terminal.resize(50, 12)
    terminal.wait_for("60x18 needed")
    terminal.resize(80, 24)
    terminal.wait_for("1 Lab")
    terminal.wait_for("best")
    for key in ("q", "\x03"):
        terminal.key(key)
        terminal.wait_for(LEAVE)
        terminal.key("\x1b")
        terminal.wait_gone(LEAVE)
    terminal.key("q")
    terminal.wait_for(LEAVE)
    terminal.key("\r")  # detach has the focus
    assert terminal.ended() == 0
    assert terminal.restored() == []
    lines = [line for line in terminal.left_behind.split("\r\n") if line]
    assert len(lines) == 5
    assert "tuitrain attach" in lines[-1]
    assert processes_of(runs), "nobody trains any more"
    assert until_ended(runs)["model_sha256"] == headless_sha256
    assert "detached" in actions(runs)


def test_suspended_and_back_detached_and_attached_from_another_terminal(
    terminal: WarmTerminal, runs: Path, headless_sha256: str
) -> None:
    terminal.wait_for_epoch(2)
    terminal.key("\x1a")
    (app,) = children_of(terminal.pid)
    terminal.wait_until(
        lambda: state_of(app) == state_of(terminal.pid) == "T"
    )  # as the shell sees a stopped job
    terminal.read(0.2)
    assert terminal.restored() == []
    os.killpg(terminal.pid, signal.SIGCONT)
    terminal.wait_for("3 Runs")
    terminal.wait_for("epoch ")
    terminal.key("d")
    assert terminal.ended() == 0
    second = WarmTerminal.app(runs_dir=runs, attach="latest")
    try:
        second.wait_for("training")
        second.key("q")  # nothing trains in this process: no question
        assert second.ended() == 0
        assert second.restored() == []
    finally:
        second.kill()
    assert until_ended(runs)["model_sha256"] == headless_sha256


def test_stop_saves_and_can_be_resumed(terminal: WarmTerminal, runs: Path) -> None:
    terminal.wait_for_epoch(3)
    terminal.key("q")
    terminal.wait_for(LEAVE)
    terminal.key("s")
    assert terminal.ended() == 0
    assert terminal.restored() == []
    assert "tuitrain resume" in terminal.text
    assert until_ended(runs)["outcome"] == "stopped"
    assert any(event["event"] == "CheckpointSaved" for event in events(runs))


def test_closed_terminal(terminal: WarmTerminal, runs: Path, headless_sha256: str) -> None:
    terminal.wait_for_epoch(2)
    terminal.close()
    assert until_ended(runs)["model_sha256"] == headless_sha256
    assert "detached" in actions(runs)


def test_hangup_of_the_app_alone(terminal: WarmTerminal, runs: Path, headless_sha256: str) -> None:
    terminal.wait_for_epoch(2)
    (app,) = children_of(terminal.pid)
    os.kill(app, signal.SIGHUP)
    assert terminal.ended() == 0
    assert terminal.restored() == []
    assert until_ended(runs)["model_sha256"] == headless_sha256


def test_killed_waiter_is_a_hangup(terminal: WarmTerminal, runs: Path, headless_sha256: str) -> None:
    terminal.wait_for_epoch(2)
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.ended() == -signal.SIGKILL
    terminal.wait_until(lambda: not terminal.restored())
    assert until_ended(runs)["model_sha256"] == headless_sha256


def test_killed_app_leaves_a_usable_terminal(terminal: WarmTerminal, runs: Path) -> None:
    terminal.wait_for_epoch(2)
    (app,) = children_of(terminal.pid)
    os.kill(app, signal.SIGKILL)
    assert terminal.ended() == 128 + signal.SIGKILL
    assert terminal.restored() == []
    assert "tuitrain resume latest" in terminal.text


def test_sigterm_of_the_waiter(terminal: WarmTerminal, runs: Path) -> None:
    terminal.wait_for_epoch(2)
    (app,) = children_of(terminal.pid)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended(10) == 143  # the interface promises 2; the machine is shared
    assert terminal.restored() == []
    last = until_ended(runs)
    assert last["outcome"] == "stopped"
    terminal.wait_until(lambda: not Path(f"/proc/{app}").exists())


def test_stdin_from_dev_null_is_refused(tmp_path: Path) -> None:
    code = "from tuitrain.cli.lab import open_lab; open_lab('step13')"
    leader, follower = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"from tuitrain.errors import *\ntry:\n {code}\nexcept TuitrainError as e:\n"
             "  import sys; print(e, file=sys.stderr); sys.exit(int(e.exit_code))"],
            env=environment(), stdin=subprocess.DEVNULL, stdout=follower, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2
    assert "tuitrain run --preset step13" in done.stderr


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_app_opens_ends_it_without_a_word(number: int, after_s: float, runs: Path) -> None:
    terminal = Terminal([sys.executable, "-m", "tuitrain"], env={"TUITRAIN_RUNS_DIR": str(runs)})
    try:
        while not catches(
            terminal.pid, signal.SIGTERM
        ):  # until then it is Python that starts, and not yet ours
            terminal.read(0.01)
        terminal.read(after_s)
        os.kill(terminal.pid, number)
        # Once it is open, the first Ctrl-C leaves it, and nothing was interrupted.
        expected = {128 + number, -number} | ({0} if number == signal.SIGINT else set())
        assert terminal.ended() in expected
        assert b"Traceback" not in terminal.raw and b"tuitrain:" not in terminal.raw
        assert terminal.restored() == [] and not list(runs.glob("*"))
    finally:
        terminal.kill()


@pytest.mark.parametrize(
    ("flags", "settings"), [(["--no-mouse"], {}), ([], {"TUITRAIN_MOUSE": "false"}), ([], {})]
)
def test_the_mouse_is_left_to_the_terminal(flags: list[str], settings: dict[str, str], runs: Path) -> None:
    terminal = WarmTerminal.command("lab", "--runs-dir", str(runs), *flags, env=settings)
    try:
        terminal.wait_for("1 Lab")
        terminal.key("q")
        assert terminal.ended() == 0
        taken = {mode for mode in (b"1000", b"1003", b"1006") if b"\x1b[?%sh" % mode in terminal.raw}
        assert bool(taken) == (not flags and not settings)
        assert terminal.restored() == []
    finally:
        terminal.kill()


def test_a_screen_that_does_not_close_keeps_no_process_alive(runs: Path, tmp_path: Path) -> None:
    stuck = (
        "import tuitrain.tui.terminal.process as c\nc.CLOSE_S = 1.0\n"
        "from tuitrain.tui.terminal.job import TerminalApp\nTerminalApp.leave_now = lambda self, how, code: None\n"
    )
    overrides = OVERRIDES | {"train.epochs": 8}
    env = {"XDG_STATE_HOME": str(tmp_path / "state")}
    terminal = WarmTerminal.app(
        env, before=stuck, runs_dir=runs, preset="step13", start=True, overrides=overrides
    )
    try:
        terminal.wait_for_epoch(1)
        (app,) = children_of(terminal.pid)
        terminal.close()
        terminal.ended()
        assert until_ended(runs)["outcome"] == "completed"
        end = time.monotonic() + 30
        while Path(f"/proc/{app}").exists() and state_of(app) != "Z":
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        terminal.kill()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
