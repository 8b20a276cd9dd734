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
import termios
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyte

from support import ROOT, warm

START = """\
import sys
from pathlib import Path
from tuitrain.tui.main import show
from tuitrain.workbench.opening import Opening
sys.exit(show(Opening(**{options})))
"""
OVERRIDES = {"train.dataset": "digits"}
LEAVE = "Leave while this is training?"


class Terminal:
    """A command in a pseudo-terminal that pyte draws; the alternate screen leaves nothing behind."""

    def __init__(
        self, command: list[str], *, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None
    ):
        self._clear(columns, rows)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], command, environment(env))
        self.before = termios.tcgetattr(self.fd)

    def _clear(self, columns: int, rows: int) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.began = time.monotonic()
        self.code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, once it has ended; minus the signal of a killed one."""
        if self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if done else None
        return self.code

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

    def wait_until(self, true: Callable[[], object], seconds: float = 60.0) -> None:
        """Read until something is true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"in vain for {seconds} s; the screen:\n{self.text}"
            if not self.read(0.05):
                time.sleep(0.05)

    def wait_for_epoch(self, number: int) -> None:
        """Read until the screen shows this epoch, or a later one."""
        self.wait_until(
            lambda: max(map(int, re.findall(r"epoch (\d+) of", self.text)), default=0) >= number, 90
        )

    def wait_gone(self, text: str, seconds: float = 60.0) -> None:
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
            if self.fd >= 0:
                self.read(0.02)
            if (code := self.poll()) is not None:
                if self.fd >= 0:
                    self._drain()
                return code
            time.sleep(0.02)
        raise AssertionError(f"still there after {seconds} s; the screen:\n{self.text}")

    def _drain(self) -> None:
        """Take in what the command left in the terminal."""
        for _ in range(200):
            if not select.select([self.fd], [], [], 0.1)[0] or not self.read(0.02):
                break

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
        self.fd = -1

    def kill(self) -> None:
        """End of the test."""
        self.close()
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.ended()


class WarmTerminal(Terminal):
    """The same for a process of the fork server, which `start` starts with these `fds` as its `terminal`."""

    def __init__(self, start: Callable[..., warm.Child], *, columns: int = 80, rows: int = 24) -> None:
        self._clear(columns, rows)
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.fd)
        self.child = start(fds=[theirs] * 3, terminal=True)
        self.pid = self.child.pid
        os.close(theirs)  # nobody else may keep it open, or it never hangs up

    @classmethod
    def command(cls, *argv: str, env: dict[str, str] | None = None, code: str = "") -> WarmTerminal:
        """`tuitrain ARGV`, or this Python code, in a plain environment."""
        return cls(partial(warm.start, *argv, code=code, env=environment(env)))

    @classmethod
    def app(cls, env: dict[str, str] | None = None, *, before: str = "", **options: Any) -> WarmTerminal:
        """The app by the launcher, with these options; `before` is code that is run first."""
        code = START.format(options=repr(options).replace("PosixPath", "Path"))
        return cls.command(code=before + code, env=env)

    def poll(self) -> int | None:
        """As of a command."""
        self.code = self.child.poll() if self.code is None else self.code
        return self.code


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
