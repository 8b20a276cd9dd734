"""Faults that can be put into a process, by name (see `changes.py`)."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.changes import named


def _matches(where: str) -> Callable[[str, Path], bool]:
    """`write@checkpoints#3`: the third write below a folder or to a file of that name; each part may be missing."""
    place, _, number = where.partition("#")
    operation, _, part = place.partition("@")
    left = int(number or 1)

    def matches(what: str, path: Path) -> bool:
        nonlocal left
        if operation not in ("", what) or (part and part not in path.parts[-2:]):
            return False
        if path.name == "progress.json" or path.name.startswith(".progress"):
            return False  # written by time, not by what happens in training, so its number is no place
        left -= 1
        return left == 0

    return matches


@named
def kill_at(where: str) -> None:
    """SIGKILL at a file operation; in a write, after half of it."""
    from tuitrain.runs import durable

    matches, write = _matches(where), os.write

    def hook(what: str, path: Path) -> None:
        if not matches(what, path):
            return
        if what == "write":

            def half(fd: int, data: Any) -> int:
                write(fd, memoryview(data)[: max(1, len(data) // 2)])
                os.kill(os.getpid(), signal.SIGKILL)
                return 0

            durable.os.write = half  # type: ignore[attr-defined]
            return
        os.kill(os.getpid(), signal.SIGKILL)

    durable.hook = hook


def _is_of_the_run(path: Path) -> bool:
    """Whether a file is to be there at the end: not how far a run is, nor what the list of runs keeps to be quick."""
    from tuitrain.runs.index import INDEX

    return not any(name in path.name for name in ("progress", INDEX))


@named
def fail_at(argument: str) -> None:
    """`ENOSPC,12`: the 12th file operation fails; `ENOSPC,12+`: and every one after it."""
    from tuitrain.runs import durable

    name, _, number = argument.partition(",")
    code, forever, k, done = getattr(errno, name), number.endswith("+"), int(number.rstrip("+")), 0

    def hook(what: str, path: Path) -> None:
        nonlocal done
        if not _is_of_the_run(path):
            return
        done += 1
        if done == k or (forever and done > k):
            raise OSError(code, os.strerror(code), str(path))

    durable.hook = hook


@named
def count_operations(path: str) -> None:
    """A byte more in a file for each file operation."""
    from tuitrain.runs import durable

    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def hook(what: str, where: Path) -> None:
        if _is_of_the_run(where):
            os.write(log, b".")

    durable.hook = hook


@named
def slow_steps(seconds: str) -> None:
    """Every step takes so much longer."""
    from tuitrain.training.step import Stepper

    step = Stepper.step

    def slow(self: Stepper) -> None:
        step(self)
        time.sleep(float(seconds))

    Stepper.step = slow  # type: ignore[method-assign]


@named
def limit_files(size: str) -> None:
    """No file may grow beyond so many bytes."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))


@named
def full_device(name: str) -> None:
    """A file of this name is /dev/full from the start."""
    from tuitrain.runs import durable

    opened = durable.open_append
    durable.open_append = lambda path, mode=0o644: (
        os.open("/dev/full", os.O_RDWR | os.O_CLOEXEC) if path.name == name else opened(path, mode)
    )


@named
def ignore_hangup(_: str) -> None:
    """As `nohup` does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@named
def record_calls(path: str) -> None:
    """Write down each call that reaches the kernel to make a file durable, with the path it concerns."""
    import functools

    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    raw_write = os.write
    paths: dict[int, str] = {}

    def say(call: str, where: str) -> None:
        raw_write(log, f"{call} {where}\n".encode())

    def wrap(name: str) -> None:
        original = getattr(os, name)

        @functools.wraps(original)
        def wrapped(first: Any, *rest: Any, **more: Any) -> Any:
            result = original(first, *rest, **more)
            if name == "open":
                paths[result] = os.fspath(first)
            elif name in ("rename", "replace"):
                say("rename", f"{os.fspath(first)} {os.fspath(rest[0])}")
            elif first in paths:
                folder = Path(paths[first]).is_dir()
                say(f"{name}_dir" if folder else name, paths[first])
            return result

        setattr(os, name, wrapped)

    for name in ("open", "write", "fsync", "rename", "replace"):
        wrap(name)


@named
def nan_at(argument: str) -> None:
    """`7,FILE`: the 7th training loss is not a number; FILE says how many steps later that was found."""
    import math

    from tuitrain.errors import DivergedError
    from tuitrain.training import step

    number, _, path = argument.partition(",")
    left, cross_entropy = int(number), step.F.cross_entropy

    def poisoned(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        loss = cross_entropy(*args, **kwargs)
        if kwargs.get("reduction") == "none":
            return loss
        left -= 1
        return loss * math.nan if left == 0 else loss

    def found(self: DivergedError, *args: Any) -> None:
        Exception.__init__(self, *args)
        Path(path).write_text(str(-left))

    step.F.cross_entropy = poisoned  # type: ignore[assignment]
    DivergedError.__init__ = found  # type: ignore[assignment, method-assign]


@named
def clock_jump(argument: str) -> None:
    """`86400,0.5`: the wall clock jumps by a day half a second after the first epoch began."""
    from tuitrain.training.trainer import Trainer

    jump, _, after = argument.partition(",")
    real, one_epoch, begun = time.time, Trainer._one_epoch, 0.0

    def jumping() -> float:
        return real() + (float(jump) if begun and real() - begun > float(after) else 0.0)

    def epoch(self: Trainer, *args: Any) -> Any:
        nonlocal begun
        begun = begun or real()
        return one_epoch(self, *args)

    time.time = jumping
    Trainer._one_epoch = epoch  # type: ignore[method-assign]


@named
def audit(path: str) -> None:
    """Write down what starts a command or looks up a global by name in a pickle."""
    import sys

    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    watched = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class"}

    def hook(event: str, arguments: Any) -> None:
        if event in watched:
            os.write(log, f"{event} {arguments!r}\n".encode())

    sys.addaudithook(hook)


@named
def limit_memory(more: str) -> None:
    """So many MB of address space more than there is now, and no more."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + (int(more) << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@named
def slow_saving(seconds: str) -> None:
    """Every write into the folder of checkpoints takes so long."""
    from tuitrain.runs import durable

    def hook(what: str, path: Path) -> None:
        if "checkpoints" in path.parts:
            time.sleep(float(seconds))

    durable.hook = hook


@named
def noise(_: str) -> None:
    """Others write to the descriptors of the app, from the moment it has them."""
    import ctypes
    import sys
    import threading
    import warnings

    from tuitrain.tui.terminal.process import Child

    attach = Child.attach

    def write() -> None:
        libc = ctypes.CDLL(None)
        for number in range(1_000_000):
            os.write(2, f"stray write {number}\n".encode())
            libc.perror(f"stray perror {number}".encode())
            warnings.warn(f"stray warning {number}", stacklevel=1)
            print(f"stray stderr {number}", file=sys.stderr, flush=True)
            print(f"stray stdout {number}", flush=True)
            time.sleep(0.1)

    def attaching(self: Child, app: Any) -> None:
        attach(self, app)
        threading.Thread(target=write, daemon=True).start()

    Child.attach = attaching  # type: ignore[method-assign]
