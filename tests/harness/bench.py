"""Where a row is measured: a folder, a fork server, and the protections that are taken out this time."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import ROOT, TESTS

#: 418 parameters; everything that is random is switched on.
TINY = """
[train]
batch_size = 50
dropout = 0.1
rotation = 7.0
optimizer = { name = "sgd", lr = 0.05, momentum = 0.9 }

[model]
layers = [
  { conv = 4, stride = 2, then = ["relu", "batchnorm", "dropout2d"] },
  { conv = 10, stride = 2 },
  { global_avgpool = true },
]
"""
#: Leaves 300 of the 1,500 training digits, so that an epoch is six steps.
SLICE = (
    "--dataset",
    "digits",
    "--val-split",
    "1200",
    "--threads",
    "1",
    "--compile",
    "off",
    "--device",
    "cpu",
)


#: Settings of whoever runs the harness, and folders that a test of compiling in this process has named.
_NOT_OURS = ("TUITRAIN_", "XDG_", "NO_COLOR", "TMUX", "TORCHINDUCTOR_", "TRITON_")


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
            [sys.executable, "-m", "harness.forkserver", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], env=env, cwd=ROOT,
        )  # fmt: skip
        theirs.close()
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
            if self._receive(max(0.0, left)) is None and left <= 0:
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


class Task:
    """A function at work in a process of its own."""

    def __init__(self, child: Child, function: str, path: Path) -> None:
        self.child, self._function, self._path = child, function, path

    def result(self, timeout: float = 120.0) -> Any:
        """What it returned; `AssertionError` with its traceback where it raised."""
        code = self.child.wait(timeout)
        if not self._path.exists():
            raise AssertionError(f"{self._function} ended with {code}: {self.child.err[-2000:]}")
        answer = json.loads(self._path.read_text())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["value"]


class Bench:
    """A folder to work in, and ways to start tuitrain in it.

    `without` are the protections that every process of this measurement does without.
    """

    def __init__(self, folder: Path, without: Sequence[str] = (), seed: int = 0) -> None:
        self.folder, self.without = folder, tuple(without)
        self.random = random.Random(seed)
        self.runs = folder / "runs"
        self.preset = folder / "tiny.toml"
        folder.mkdir(parents=True, exist_ok=True)
        self.preset.write_text(TINY)
        self._count = 0

    @property
    def env(self) -> dict[str, str]:
        """An environment whose folders are all below ours, with no data."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_OURS)}
        return kept | {
            "XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_STATE_HOME": str(self.folder / "state"), "XDG_DATA_HOME": str(self.folder / "data"),
            "TUITRAIN_RUNS_DIR": str(self.runs), "COLUMNS": "100", "PYTHONPATH": f"{TESTS}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def _message(self, **settings: Any) -> dict[str, Any]:
        blank = {
            "argv": [],
            "closed": [],
            "terminal": False,
            "setup": [],
            "function": "",
            "uid": 0,
            "result": "",
        }
        return blank | {"cwd": str(self.folder), "env": self.env} | settings

    def _streams(self) -> Path:
        self._count += 1
        folder = self.folder / f"streams-{self._count}"
        folder.mkdir()
        return folder

    def start(
        self,
        *argv: str,
        setup: Sequence[str] = (),
        closed: Sequence[int] = (),
        env: dict[str, str] | None = None,
        fds: Sequence[int] | None = None,
        terminal: bool = False,
        uid: int = 0,
    ) -> Child:
        """`tuitrain ARGV` in a process of its own; its output goes to files, or to `fds`."""
        folder = self._streams()
        message = self._message(
            argv=list(argv), setup=[*self.without, *setup], closed=list(closed), terminal=terminal, uid=uid,
            env=self.env | (env or {}),
        )  # fmt: skip
        return self._spawn(message, folder, fds)

    def _spawn(self, message: dict[str, Any], folder: Path, fds: Sequence[int] | None) -> Child:
        with contextlib.ExitStack() as stack:
            if fds is None:
                null = stack.enter_context(open(os.devnull, "rb"))
                out = stack.enter_context((folder / "out").open("wb"))
                err = stack.enter_context((folder / "err").open("wb"))
                fds = [null.fileno(), out.fileno(), err.fileno()]
            token, pid = server().start(message, fds)
        return Child(server(), token, pid, folder)

    def run(self, *argv: str, timeout: float = 120.0, **settings: Any) -> tuple[int, str, str]:
        """`tuitrain ARGV` to its end: exit code, stdout, stderr."""
        child = self.start(*argv, **settings)
        code = child.wait(timeout)
        return code, child.out, child.err

    def train(self, name: str, epochs: int, *more: str) -> list[str]:
        """The arguments of a tiny run."""
        return ["run", "-p", str(self.preset), *SLICE, "--epochs", str(epochs), "--name", name, *more]

    def begin(
        self,
        function: str,
        *argv: Any,
        setup: Sequence[str] = (),
        env: dict[str, str] | None = None,
        fds: Sequence[int] | None = None,
        terminal: bool = False,
    ) -> Task:
        """Call a function (`module:name`) of the harness in a process of its own."""
        folder = self._streams()
        result = folder / "result.json"
        message = self._message(
            function=function, argv=list(argv), setup=[*self.without, *setup], result=str(result), terminal=terminal,
            env=self.env | (env or {}),
        )  # fmt: skip
        return Task(self._spawn(message, folder, fds), function, result)

    def call(self, function: str, *argv: Any, timeout: float = 600.0, **settings: Any) -> Any:
        """What a function (`module:name`) of the harness returns, called in a process of its own."""
        return self.begin(function, *argv, **settings).result(timeout)
