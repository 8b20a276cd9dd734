"""Starts tuitrain by `fork` from a process that has imported everything, so that a start costs 50 ms, not 3 s.

The server has one thread and never computes anything, so its children are as a fresh process is: own
session, own streams, own environment, and signals as the kernel gives them. A child calls
`tuitrain.cli.main()` with its arguments, runs Python code, or calls a function by name, whose result it
writes as JSON.
"""

from __future__ import annotations

import array
import atexit
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import termios
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_CPU_S = 900

#: What `tuitrain run`, `resume` and the app import at some time.
PRELOAD = (
    "numpy", "torch", "safetensors.torch", "safetensors.numpy", "sklearn.datasets", "torchinfo", "tomlkit",
    "rich.table", "rich.progress", "rich.live", "tuitrain.cli.root", "tuitrain.cli.live",
    "tuitrain.cli.verdict", "tuitrain.spec.preset_files", "tuitrain.spec.repeat",
    "tuitrain.data.digits", "tuitrain.data.augment", "tuitrain.runs.launch", "tuitrain.runs.signals",
    "tuitrain.runs.run_json", "tuitrain.runs.index", "tuitrain.training.trainer", "tuitrain.training.model",
    "tuitrain.tui.app", "tuitrain.tui.terminal.process", "tuitrain.watch.verdict", "tuitrain.cli.markdown",
    "tuitrain.runs.estimate", "encodings.ascii", "encodings.utf_8_sig",
)  # fmt: skip


def main() -> None:
    """Serve until the other end closes; in a child, do what was asked for."""
    link = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOAD:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    threads = len(list(Path("/proc/self/task").iterdir()))
    link.send(json.dumps({"ready": True, "threads": threads}).encode())
    child = serve(link)
    if child is not None:
        try:
            child()
        except SystemExit as end:
            if not isinstance(end.code, int | None):
                raise
            _leave(end.code or 0)
        else:
            _leave(0)


def _leave(code: int) -> None:
    """End as Python does, but for taking all modules apart, which takes longer than most commands.

    Where something can't be written, that is left to Python, which has an exit code for it.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code)


def serve(link: socket.socket) -> Callable[[], None] | None:
    """Fork a child for every message; report those that end. What it returns is for a child to do."""
    wake_r, wake_w = os.pipe()
    for fd in (wake_r, wake_w):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_w)
    while True:
        ready, _, _ = select.select([link, wake_r], [], [])
        if wake_r in ready:
            os.read(wake_r, 512)
            _reap(link)
        if link not in ready:
            continue
        data, ancillary, _, _ = link.recvmsg(1 << 20, 4096)
        if not data:
            return None
        fds = array.array("i")
        for _, _, part in ancillary:
            fds.frombytes(part)
        message = json.loads(data)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for fd in (wake_r, wake_w):
                os.close(fd)
            link.close()
            return lambda: _child(message, list(fds))
        for fd in fds:
            os.close(fd)
        link.send(json.dumps({"started": message["id"], "pid": pid}).encode())


def _reap(link: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        link.send(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


def _child(message: dict[str, Any], fds: list[int]) -> None:
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python does at its start
    os.setsid()
    closed = set(message.get("closed", ()))
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
    for fd in fds:
        if fd > 2:
            os.close(fd)
    if message.get("terminal"):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in closed:
        os.close(number)
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"])
    tempfile.tempdir = None  # to be found anew, in this environment
    named = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [message["cwd"], *(path for path in named if path not in sys.path)]  # as `python -m` does
    # As the interpreter makes them for a process of its own: None where the descriptor is closed.
    sys.stdin, sys.stdout, sys.stderr = (
        None if number in closed else os.fdopen(number, mode, encoding="utf-8", errors=errors, closefd=False)
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    if sys.stdout is not None and sys.stdout.isatty():
        sys.stdout.reconfigure(line_buffering=True)
    if sys.stderr is not None:
        sys.stderr.reconfigure(line_buffering=True)
    # Whatever a test leaves behind does not work on for ever; also what it forks and what leaves its session.
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    if uid := message.get("uid"):
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    if setup := message.get("setup"):
        from harness import changes

        changes.apply(setup)
    if message.get("function"):
        _call(message)
        return
    if code := message.get("code"):
        sys.argv = ["-c", *message["argv"]]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        return
    sys.argv = ["tuitrain", *message["argv"]]
    from tuitrain.cli import main as tuitrain

    tuitrain()


def _call(message: dict[str, Any]) -> None:
    module, _, name = message["function"].partition(":")
    try:
        result = {"value": getattr(importlib.import_module(module), name)(*message["argv"])}
    except BaseException:
        result = {"error": traceback.format_exc()}
    path = Path(message["result"])
    path.with_suffix(".part").write_text(json.dumps(result))
    path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    main()
