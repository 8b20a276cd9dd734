"""tuitrain in a process of its own that is ready at once: forked by a server that has imported everything.

Everything but the interpreter's start and the imports is as in any other process (see `forkserver.py`), at a
fiftieth of the time. Tests of what is imported when, and of the start itself, start Python themselves.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import ROOT, TESTS


class Server:
    """The client's side of the fork server; one a test process."""

    def __init__(self) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.set_inheritable(True)
        env = {k: v for k, v in os.environ.items() if not k.startswith("TUITRAIN_")}
        env |= {
            "PYTHONPATH": f"{TESTS}{os.pathsep}{ROOT}",
            "OPENBLAS_NUM_THREADS": "1",
            "COLORTERM": "truecolor",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.forkserver", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], env=env, cwd=ROOT,
        )  # fmt: skip
        theirs.close()
        self._lock = threading.Lock()  # threads of a test may start commands at the same time
        self._count = 0
        self._tokens: dict[int, int] = {}  # of the child that has this process id now
        self._codes: dict[int, int] = {}  # by token, as process ids come again
        hello = self._receive(280)  # it reads 600 MB of libraries, on a busy machine from a slow disk
        if hello is None or hello["threads"] != 1:
            raise RuntimeError(f"the fork server did not come up with one thread: {hello}")
        atexit.register(self.close)

    def close(self) -> None:
        """Let the server end."""
        self._link.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)

    def _receive(self, timeout: float | None) -> dict[str, Any] | None:
        self._link.settimeout(timeout)
        try:
            data = self._link.recv(1 << 20)
        except (TimeoutError, BlockingIOError):
            return None
        if not data:
            raise RuntimeError("the fork server is gone")
        message: dict[str, Any] = json.loads(data)
        if "ended" in message:
            self._codes[self._tokens[message["ended"]]] = message["code"]
        return message

    def start(self, message: dict[str, Any], fds: Sequence[int]) -> tuple[int, int]:
        """A child for this message, with these descriptors as 0, 1 and 2; its token and its process id."""
        with self._lock:
            self._count += 1
            token = self._count
            socket.send_fds(self._link, [json.dumps({**message, "id": token}).encode()], list(fds))
            while True:
                answer = self._receive(60)
                if answer is None:
                    raise RuntimeError("the fork server does not answer")
                if answer.get("started") == token:
                    self._tokens[answer["pid"]] = token
                    return token, int(answer["pid"])

    def code(self, token: int, timeout: float = 0.0) -> int | None:
        """The exit code of a child that has ended within so many seconds; minus the signal of a killed one."""
        end = time.monotonic() + timeout
        while token not in self._codes:
            left = end - time.monotonic()
            with self._lock:
                heard = token in self._codes or self._receive(min(0.05, max(0.0, left))) is not None
            if not heard and left <= 0:
                return None
        return self._codes[token]


@functools.cache
def server() -> Server:
    """The one of this process."""
    return Server()


class Child:
    """A process that the server started."""

    def __init__(self, serving: Server, token: int, pid: int, folder: Path) -> None:
        self._server, self._token, self.pid, self.folder = serving, token, pid, folder

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        return self._server.code(self._token)

    def wait(self, timeout: float = 120.0) -> int:
        """Its exit code; killed where it does not end in time."""
        code = self._server.code(self._token, timeout)
        if code is None:
            self.signal(signal.SIGKILL)
            self._server.code(self._token, 10)
            raise AssertionError(f"still there after {timeout} s: {self.err[-2000:]}")
        return code

    def signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> int:
        """SIGKILL, and wait."""
        self.signal(signal.SIGKILL)
        return self.wait(10)

    @property
    def out(self) -> str:
        """What it has printed on stdout."""
        return (self.folder / "out").read_text("utf-8", "replace")

    @property
    def err(self) -> str:
        """What it has printed on stderr."""
        return (self.folder / "err").read_text("utf-8", "replace")


@functools.cache
def _streams() -> tempfile.TemporaryDirectory[str]:
    """Until the end of this process, what is printed by commands that named no folder for it."""
    return tempfile.TemporaryDirectory(prefix="tuitrain-streams-")


def start(
    *argv: Any,
    env: dict[str, str],
    cwd: Path | str | None = None,
    folder: Path | None = None,
    fds: Sequence[int] | None = None,
    **more: Any,
) -> Child:
    """`tuitrain ARGV` in this environment and folder; its output goes to files in `folder`, or to `fds`.

    `more` is what else the server understands: `code` (Python to run instead), `function`, `terminal`, `closed`,
    `setup`, `uid`, `result`.
    """
    folder = folder or Path(tempfile.mkdtemp(dir=_streams().name))
    message = {"argv": argv, "env": env, "cwd": str(cwd or Path.cwd()), **more}
    with contextlib.ExitStack() as stack:
        if fds is None:
            null = stack.enter_context(open(os.devnull, "rb"))
            out = stack.enter_context((folder / "out").open("wb"))
            err = stack.enter_context((folder / "err").open("wb"))
            fds = [null.fileno(), out.fileno(), err.fileno()]
        token, pid = server().start(message, fds)
    return Child(server(), token, pid, folder)


def run(*argv: str, timeout: float = 120.0, **settings: Any) -> subprocess.CompletedProcess[str]:
    """A process of `start` to its end."""
    with tempfile.TemporaryDirectory(prefix="tuitrain-streams-") as folder:
        child = start(*argv, folder=Path(folder), **settings)
        code = child.wait(timeout)
        return subprocess.CompletedProcess(argv, code, child.out, child.err)
