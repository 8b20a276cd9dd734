"""`tuitrain lesson backprop` in a real pseudo-terminal: it opens, answers keys, and leaves the terminal as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.shell_terminal import Terminal

pytestmark = [pytest.mark.terminal, pytest.mark.timeout(120)]


def test_the_lesson_opens_on_a_terminal_and_escape_leaves_it(tmp_path: Path) -> None:
    folders = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "STATE")}
    command = [sys.executable, "-m", "tuitrain", "lesson", "backprop", "--lr", "2", "--step", "3"]
    terminal = Terminal(command, env=folders | {"TUITRAIN_RUNS_DIR": str(tmp_path / "runs")})
    try:
        terminal.wait_for("h1 = w1·i1 + w2·i2")
        terminal.wait_for("lr 2  step 3 of 199")
        terminal.key("\x1b[C" * 2 + "\x1b[B")
        terminal.wait_for("h2 = w3·i1 + w4·i2", 60)
        terminal.wait_for("step 4 of 199", 60)
        terminal.key("\x1b")
        assert terminal.ended() == 0 and terminal.restored() == []
        assert not (tmp_path / "runs").exists()
    finally:
        terminal.kill()
