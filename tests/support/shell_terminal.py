"""A real pseudo-terminal with a screen behind it, for the tests of the shell."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pyte

from support import ROOT

START = "import sys; from tuitrain.tui.main import show; from pathlib import Path; sys.exit(show({options}))"
OVERRIDES = {"train.dataset": "digits"}
LEAVE = "Leave while this is training?"


class Terminal:
    """A command in a pseudo-terminal that pyte draws; the alternate screen leaves nothing behind."""

    def __init__(
        self, command: list[str], *, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None
    ):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.began = time.monotonic()
        self.code: int | None = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], command, environment(env))
        self.before = termios.tcgetattr(self.fd)

    @classmethod
    def app(
        cls, env: dict[str, str] | None = None, *, columns: int = 80, rows: int = 24, **options: Any
    ) -> Terminal:
        """The app in a terminal, by the launcher, with these options."""
        code = START.format(options=repr(options).replace("PosixPath", "Path"))
        return cls([sys.executable, "-c", code], columns=columns, rows=rows, env=env)

    def read(self, seconds: float) -> bool:
        """Take in what comes for so long; False when the other side is gone."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.fd], [], [], left)
            if not ready:
                return True
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.raw += data
            cut = data.rfind(b"\x1b[?1049l")
            if cut >= 0:
                self.screen.reset()
                data = data[cut + 8 :]
            self.stream.feed(data)
        return True

    @property
    def text(self) -> str:
        """The screen as text."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def left_behind(self) -> str:
        """What was printed after the screen was left, without styles."""
        text = self.raw[self.raw.rfind(b"\x1b[?1049l") :].decode("utf-8", "replace")
        return re.sub(r"\x1b\[[?>0-9;]*[a-zA-Z]", "", text)

    def wait_for(self, text: str, seconds: float = 90.0) -> float:
        """Read until the screen shows a text; how long after the start that was."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.text:
                return time.monotonic() - self.began
            if not self.read(0.03):
                break
        if text in self.text:
            return time.monotonic() - self.began
        raise AssertionError(f"{text!r} did not appear in {seconds} s; the screen:\n{self.text}")

    def wait_gone(self, text: str, seconds: float = 10.0) -> None:
        """Read until the screen no longer shows a text."""
        end = time.monotonic() + seconds
        while text in self.text:
            assert time.monotonic() < end, f"{text!r} stays; the screen:\n{self.text}"
            self.read(0.03)

    def key(self, keys: str) -> None:
        """Type."""
        os.write(self.fd, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Another size."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with contextlib.suppress(Exception):
            self.screen.resize(rows, columns)

    def ended(self, seconds: float = 30.0) -> int:
        """Wait until the command has ended; its exit code (128 and more for a signal)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.read(0.2)
                self.code = os.waitstatus_to_exitcode(status)
                return self.code
            time.sleep(0.02)
        raise AssertionError(f"still there after {seconds} s; the screen:\n{self.text}")

    def restored(self) -> list[str]:
        """What of the terminal is not as it was before: nothing, when all is well."""
        wrong = []
        after = termios.tcgetattr(self.fd)
        if after[:4] != self.before[:4]:
            wrong.append("attributes")
        for name, on, off in (
            ("alternate screen", b"\x1b[?1049h", b"\x1b[?1049l"),
            ("mouse", b"\x1b[?1003h", b"\x1b[?1003l"),
            ("mouse buttons", b"\x1b[?1000h", b"\x1b[?1000l"),
            ("paste", b"\x1b[?2004h", b"\x1b[?2004l"),
            ("cursor", b"\x1b[?25l", b"\x1b[?25h"),
        ):
            if self.raw.rfind(on) > self.raw.rfind(off):
                wrong.append(name)
        return wrong

    def close(self) -> None:
        """Close the terminal as a dropped connection does, and be sure that nothing stays."""
        with contextlib.suppress(OSError):
            os.close(self.fd)

    def kill(self) -> None:
        """End of the test."""
        self.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            if self.code is None:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """A plain environment with our package in it and one thread, so that weights are comparable."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TUITRAIN_", "NO_COLOR", "TMUX"))}
    env |= {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "TUITRAIN_THREADS": "1",
        "TUITRAIN_COMPILE": "off",
        "TUITRAIN_DEVICE": "cpu",
    }
    return env | (extra or {})


def processes_of(folder: Path) -> list[int]:
    """Processes with a file of this folder open: who still trains there."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            for link in (entry / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(folder) in os.readlink(link):
                        found.append(int(entry.name))
                        break
    return found


def events(runs: Path) -> list[dict[str, Any]]:
    (directory,) = runs.glob("2*")
    lines = (directory / "events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler of its own for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)[0], 16)
    return bool(caught >> (number - 1) & 1)
