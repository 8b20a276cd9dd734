"""A command in a real pseudo-terminal: what it sends is kept with its time, and drawn by pyte only afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence

COLUMNS, ROWS = 120, 36


class Terminal:
    """A running command and everything that came out of it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: str | None = None) -> None:
        self.chunks: list[tuple[float, bytes]] = []
        self.began = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
                if cwd:
                    os.chdir(cwd)
                full = {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
                os.execvpe(command[0], list(command), full)  # noqa: S606 (an argument list)
            finally:
                os._exit(127)

    def read(self, seconds: float) -> int:
        """Takes in what comes for so long; bytes."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:
                break
            if not data:
                break
            self.chunks.append((time.monotonic(), data))
            count += len(data)
        return count

    def wait(self, mark: bytes, seconds: float, since: int = 0) -> float | None:
        """Reads until a text has come in one piece after chunk `since`; when that was, or None."""
        end = time.monotonic() + seconds
        tail, at = b"", since
        while True:
            for when, data in self.chunks[at:]:
                tail = tail[-200:] + data
                if mark in tail:
                    return when
            at = len(self.chunks)
            if time.monotonic() > end:
                return None
            if not select.select([self.fd], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:
                return None
            self.chunks.append((time.monotonic(), data))

    def press(self, key: str) -> float:
        """Types; when."""
        when = time.monotonic()
        os.write(self.fd, key.encode())
        return when

    def screens(self, shown: Callable[[list[str]], bool]) -> float | None:
        """Draws everything that came, piece by piece; when the screen first satisfied `shown`."""
        import pyte

        screen = pyte.Screen(COLUMNS, ROWS)
        stream = pyte.ByteStream(screen)
        for when, data in self.chunks:
            stream.feed(data)
            if shown(screen.display):
                return when
        return None

    def text(self) -> str:
        """The screen as it is now."""
        import pyte

        screen = pyte.Screen(COLUMNS, ROWS)
        pyte.ByteStream(screen).feed(b"".join(data for _, data in self.chunks))
        return "\n".join(line.rstrip() for line in screen.display)

    def close(self) -> None:
        """Ends it and everything that it started, without asking."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
