"""The way of a newcomer through a real terminal: tmux at 80x24, by keyboard only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import ROOT

pytestmark = [
    pytest.mark.terminal,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]
BLOCKS = "▁▂▃▄▅▆▇█"


class Tmux:
    """A terminal of 80x24 in a tmux server of its own."""

    def __init__(self, folder: Path, command: str, env: dict[str, str]) -> None:
        self.socket = str(folder / "tmux")
        self.env = env
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, *words], env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Keys by tmux's names."""
        self._tmux("send-keys", "--", *keys)

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def wait(self, what: str | Callable[[str], bool], seconds: float = 60) -> str:
        """Waits until a text (or what a function looks for) is on the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.text()
            if (what in text) if isinstance(what, str) else what(text):
                return text
            time.sleep(0.1)
        raise AssertionError(f"never seen: {what}\n{self.text()}")

    def close(self) -> None:
        """Ends the server and what runs in it."""
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TUITRAIN_", "TMUX"))}
    env |= {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
    env |= {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    command = (
        f"cd {tmp_path} && {sys.executable} -m tuitrain lab --preset step1 --runs-dir {tmp_path / 'runs'}"
    )
    tmux = Tmux(tmp_path, f"{command} 2>{tmp_path / 'stderr'}; echo ended; sleep 300", env)
    yield tmux
    tmux.close()


def spark(text: str) -> str:
    """The sparkline of the test accuracy."""
    line = next((line for line in text.splitlines() if line.lstrip().startswith("test ")), "")
    return "".join(char for char in line if char in BLOCKS)


@pytest.mark.timeout(400)
def test_from_presets_to_a_moving_sparkline(terminal: Tmux) -> None:
    terminal.wait("40,202 parameters")
    began = time.monotonic()
    terminal.press("p")
    terminal.wait("> Sort")
    terminal.press("/")
    terminal.wait("search presets")
    terminal.press("s", "t", "e", "p", "1", "3")
    terminal.wait(lambda text: "step13" in text and "step12 " not in text)
    terminal.press("Enter")
    terminal.wait("5,854 of 6,000")

    terminal.press("Tab", *"0.0345", "Enter")
    terminal.wait("dropout 0.069 → 0.0345")
    terminal.press("Tab", "Down", "+")
    for words in ("54 over", "6,054 of 6,000", "✗ 6,054 of at most 6,000"):
        terminal.wait(words)
    coloured = terminal._tmux("capture-pane", "-p", "-e")
    assert re.search(r"\x1b\[[0-9;]*m[^\x1b]*6,054 of 6,000", coloured)

    terminal.press("Enter")
    terminal.wait("over the budget?")
    terminal.press("Escape")
    terminal.wait(lambda text: "over the budget?" not in text)
    terminal.press("-")
    terminal.wait("5,854 of 6,000")
    terminal.press("Enter")
    terminal.wait("mnist is not here yet")
    terminal.press("d")
    terminal.wait(lambda text: re.search(r"epoch ([2-9]|1\d) of 14", text) is not None, 120)
    before = spark(terminal.wait(lambda text: len(spark(text)) >= 2, 120))
    terminal.wait(lambda text: spark(text) not in ("", before), 120)
    # A minute on a machine with nothing else to do; here several may share two cores.
    assert time.monotonic() - began < 300
