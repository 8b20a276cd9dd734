"""Protections that can be taken out of a process, by name (see `changes.py`): disks, memory, signals, screens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.changes import named


@named
def plain_save(_: str) -> None:
    """Files are written in place, as `open(path, "wb").write(data)` does."""
    from tuitrain.runs import durable as files

    def replace(path: Path, data: bytes | Iterable[bytes], *, durable: bool = True) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            for part in (data,) if isinstance(data, bytes) else data:
                files.write_all(fd, part, path)
        finally:
            os.close(fd)

    files.replace = replace


@named
def no_digest(_: str) -> None:
    """Checkpoints are read without a look at their SHA-256."""
    from tuitrain.runs import checkpoint

    checkpoint.read_verified = lambda path, sha256, limit=0: path.read_bytes()


@named
def unkeyed(_: str) -> None:
    """Randomness as of a program that seeds nothing: another in every process."""
    import secrets

    from tuitrain.training import epoch_images, step

    for module in (epoch_images, step):
        module.key = lambda *_: secrets.randbits(62)


@named
def no_cleaning(_: str) -> None:
    """Leftovers of a killed process stay."""
    from tuitrain.runs import directory, durable

    durable.clean_leftovers = lambda folder: 0
    directory.clean_unborn = lambda folder: 0


@named
def no_supersede(_: str) -> None:
    """The log is read as it was written, with what a restart superseded."""
    from tuitrain.runs import eventlog

    eventlog.current = list


@named
def no_fsync(_: str) -> None:
    """Bytes are left to the kernel."""
    from tuitrain.runs import durable

    durable.fsync = lambda fd, path: None


@named
def no_dir_fsync(_: str) -> None:
    """A rename is left to the kernel."""
    from tuitrain.runs import durable

    durable.fsync_dir = lambda path: None


@named
def no_tolerance(_: str) -> None:
    """What can't be written ends the run, as an exception that nobody expected does."""
    from tuitrain.runs.recorder import Recorder

    def failed(self: Recorder, what: str, error: Exception) -> None:
        raise error

    Recorder.failed = failed  # type: ignore[method-assign]


@named
def naive_log(_: str) -> None:
    """A log is read line by line, whatever its last line is."""
    from tuitrain.runs import eventlog
    from tuitrain.training.events import Record, from_line

    def parse(data: bytes, leave_out: object = ()) -> list[Record]:
        return [from_line(line.decode()) for line in data.splitlines()]

    eventlog.parse = parse


@named
def no_lock(_: str) -> None:
    """Nobody looks whether a run is held."""
    from tuitrain.runs import locking

    locking.RunLock._take = lambda self, fd, name: None  # type: ignore[method-assign]
    locking.is_held = lambda folder: False


@named
def stock_streams(_: str) -> None:
    """The interpreter's own streams and descriptors."""
    from tuitrain.runs import signals

    signals.tolerant_stream = lambda stream, number: stream
    signals.repair_descriptors = lambda: None


@named
def no_memory_words(_: str) -> None:
    """No exception is known to mean that memory ran out."""
    from tuitrain.training import devices

    devices.is_out_of_memory = lambda error: False


@named
def no_finite_check(_: str) -> None:
    """Numbers are taken as they come."""
    import types

    from tuitrain.training import trainer
    from tuitrain.training.state import TrainerState

    trainer.math = types.SimpleNamespace(isfinite=lambda value: True, nan=float("nan"))  # type: ignore[assignment]
    TrainerState.finite = lambda self: True  # type: ignore[method-assign]


@named
def wall_clock(_: str) -> None:
    """Durations are taken from the wall clock."""
    import types

    from tuitrain.runs import recorder
    from tuitrain.training import clock, trainer

    # Looked up at each call, as the clock may be made to jump after this.
    watch = types.SimpleNamespace(monotonic=lambda: time.time(), time=lambda: time.time())
    for module in (recorder, clock, trainer):
        module.time = watch  # type: ignore[attr-defined]


_kept: list[Any] = []


def _keep(*_: Any) -> None:
    _kept.append(bytearray(os.urandom(1 << 16) * 128))
    _kept.append(os.dup(1))


@named
def leak(_: str) -> None:
    """Every run keeps something."""
    from tuitrain.training.trainer import Trainer

    release = Trainer._release

    def releasing(self: Trainer) -> None:
        _keep()
        release(self)

    Trainer._release = releasing  # type: ignore[method-assign]


@named
def leak_epochs(_: str) -> None:
    """Every epoch keeps something."""
    from tuitrain.runs.run_files import RunFiles

    keep = RunFiles.keep_evaluation

    def keeping(self: RunFiles, *args: Any) -> None:
        _keep()
        keep(self, *args)

    RunFiles.keep_evaluation = keeping  # type: ignore[method-assign]


@named
def no_data_digest(_: str) -> None:
    """Data files are taken by their structure alone."""
    from tuitrain.data import verify

    verify._judge = lambda *_: ("SHA-256", None)


@named
def no_fetch_lock(_: str) -> None:
    """Everybody fetches for himself."""
    from tuitrain.data import fetch

    fetch._Turn.__enter__ = lambda self: None  # type: ignore[method-assign]
    fetch._Turn.__exit__ = lambda self, *_: None  # type: ignore[method-assign]


@named
def fetch_in_place(_: str) -> None:
    """What is fetched is unpacked where it shall lie."""
    from tuitrain.data import fetch

    unpack = fetch._unpack

    def unpack_there(spec: Any, resource: Any, wanted: Any, archive: Path, inside: Path, kind: str) -> Any:
        target = inside.parent.parent / "raw"
        target.mkdir(exist_ok=True)
        for file in wanted:
            (target / file.filename).write_bytes(b"half of it")
        time.sleep(0.05)
        return unpack(spec, resource, wanted, archive, inside, kind)

    fetch._unpack = unpack_there


@named
def data_cache(_: str) -> None:
    """A cache of what was read is written beside it."""
    from tuitrain.data import load

    check_files = load.check_files

    def caching(spec: Any, folder: Path) -> Any:
        (folder / "cache.npy").write_bytes(b"decoded")
        return check_files(spec, folder)

    load.check_files = caching


@named
def no_signals(_: str) -> None:
    """Signals do what the kernel does with them."""
    from tuitrain.runs.signals import Signals
    from tuitrain.tui.terminal.process import Child

    def attach(self: Child, app: Any) -> None:
        self.app = app

    Signals.install = lambda self: None  # type: ignore[method-assign]
    Child.attach = attach  # type: ignore[method-assign]


@named
def deaf_compiling(_: str) -> None:
    """The training thread itself compiles, and hears nothing meanwhile."""
    from tuitrain.training.compiling import Compilation

    begin = Compilation.__init__

    def and_wait(self: Compilation, *args: Any) -> None:
        begin(self, *args)
        self._thread.join()

    Compilation.__init__ = and_wait  # type: ignore[method-assign]


@named
def late_deadline(_: str) -> None:
    """No deadline after SIGTERM that comes in time."""
    from tuitrain.runs import signals
    from tuitrain.tui.terminal import launch, process

    signals.DEADLINE_S, process.TERM_S = 3.0, 3.0
    launch.KILL_AFTER_S = 3.0


@named
def blocking_screen(_: str) -> None:
    """The training thread paints its progress itself."""
    from tuitrain.runs.session import Session

    publish, terminal = Session._publish, -1

    def painting(self: Session, event: Any) -> None:
        nonlocal terminal
        if terminal < 0:
            terminal = os.open("/dev/tty", os.O_WRONLY)
        os.write(terminal, b"\x1b7" + b" " * 500 + b"\x1b8")
        publish(self, event)

    Session._publish = painting  # type: ignore[method-assign]


@named
def no_redirect(_: str) -> None:
    """Descriptors 1 and 2 stay where they were."""
    from tuitrain.tui.terminal import process

    process.redirect_output = lambda path: None


@named
def unchecked_events(_: str) -> None:
    """The values of events are taken as JSON gives them."""
    from tuitrain import jsonio

    jsonio._check = lambda name, kind: lambda value: value
    jsonio._fields.cache_clear()


@named
def plain_open(_: str) -> None:
    """Files are opened as they come, links followed."""
    from tuitrain.runs import durable
    from tuitrain.runs.directory import RunDirectory

    durable._open = lambda path, flags, mode=0o644: os.open(path, flags | os.O_CLOEXEC, mode)
    durable.refuse_link = lambda path: None
    RunDirectory._refuse_links = lambda self: None  # type: ignore[method-assign]


@named
def no_second_try(_: str) -> None:
    """A member of a study whose process died is left out."""
    from tuitrain.study import training

    training.MOST_DEATHS = 1


@named
def process_each(_: str) -> None:
    """Each call for a study trains its members in a process that is started for it."""
    import functools
    import pickle
    import subprocess
    import sys

    from tuitrain.study import together

    code = (
        "import pickle, sys; from tuitrain.study.together import work; "
        "sys.stdout.buffer.write(pickle.dumps(work.__wrapped__(pickle.load(sys.stdin.buffer))))"
    )

    @functools.wraps(together.work)
    def apart(orders: Any) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", code], input=pickle.dumps(orders), stdout=subprocess.PIPE, check=True
        )
        return pickle.loads(done.stdout)

    together.work = apart


@named
def torch_first(_: str) -> None:
    """Torch is imported before anything else is done."""
    import torch  # noqa: F401
