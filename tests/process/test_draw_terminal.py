"""`tuitrain draw` in a real pseudo-terminal: the mouse draws, the network follows, and the terminal is left as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.digits_runs import digits_run
from support.shell_terminal import Terminal

pytestmark = [pytest.mark.terminal, pytest.mark.timeout(200)]


def test_a_stroke_of_the_mouse_is_answered(tmp_path: Path) -> None:
    digits_run(tmp_path / "runs", "good", epochs=1)
    folders = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "STATE")}
    command = [sys.executable, "-m", "tuitrain", "draw", "good"]
    terminal = Terminal(command, env=folders | {"TUITRAIN_RUNS_DIR": str(tmp_path / "runs")})
    try:
        terminal.wait_for("after epoch 1")
        assert "▸" not in terminal.text
        # As a terminal sends it (SGR): the button goes down, the mouse is dragged, the button comes up.
        terminal.key(
            "\x1b[<0;12;5M" + "".join(f"\x1b[<32;12;{row}M" for row in range(6, 16)) + "\x1b[<0;12;15m"
        )
        terminal.wait_for("▸", 60)
        terminal.wait_for("looks like", 60)
        terminal.key("\x1b[<35;25;9M\x1b[<2;12;9M\x1b[<2;12;9m")  # a move without a button, and the right one
        terminal.key("uu")
        terminal.wait_for("Draw a digit: with the mouse", 60)
        terminal.key("\x1b")
        assert terminal.ended() == 0 and terminal.restored() == []
    finally:
        terminal.kill()
