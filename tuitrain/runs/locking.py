"""One process holds a run directory; the kernel frees it however that process ends.

The lock file says who that is. Anybody who may open the file could hold it, so it is 0600, and a lock whose named
process is gone is not taken for a run that lives.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tuitrain.errors import BusyError, RunDirectoryError, visible
from tuitrain.runs import durable

LOCK_NAME = "run.lock"
PROGRESS = "progress.json"
#: Who holds a lock: nobody, the living process that it names, or another process.
LockState = Literal["free", "held", "other"]
#: A process that has just taken the lock writes its name within that; only what lasts is "other".
_LOOKS, _LOOK_S = 5, 0.02
_NAME_BYTES, _MOST_BYTES, _MOST_COMMAND = 512, 8192, 1000
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a run directory; `started` is as `process_start` gives it, None where that isn't known."""

    pid: int
    host: str
    command: str
    since: float
    started: float | None = None

    def here_and_dead(self) -> bool:
        """Whether the process ran on this machine and has ended; its id may belong to another process now."""
        if self.host != socket.gethostname():
            return False
        if not process_exists(self.pid):
            return True
        now = process_start(self.pid) if self.started is not None else None
        return now is not None and now != self.started


def process_exists(pid: int) -> bool:
    """Whether a process of this machine has that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def process_start(pid: int) -> float | None:
    """When a process of this machine started, only for comparison with another such value; None if unknown.

    In clock ticks since the machine's start on Linux, where no change of date moves it; else in unix seconds.
    """
    try:
        if sys.platform == "linux":
            fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
            return float(fields[19])
        import psutil

        return float(psutil.Process(pid).create_time())
    except Exception:  # gone, or not to be looked at
        return None


def this_process() -> Holder:
    """This process as a holder."""
    pid = os.getpid()
    return Holder(
        pid, socket.gethostname(), " ".join(sys.argv)[:_MOST_COMMAND], time.time(), process_start(pid)
    )


def read_holder(folder: Path) -> Holder | None:
    """The holder that the lock file names; None if it names none. Does not check the lock itself."""
    try:
        with durable.open_plain(folder / LOCK_NAME) as file:
            data = json.loads(file.read(_MOST_BYTES))
        started = data.get("started")
        return Holder(
            int(data["pid"]), str(data["host"]), str(data["command"]), float(data["since"]),
            None if started is None else float(started),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a living process holds the run directory."""
    return lock_state(folder) == "held"


def lock_state(folder: Path) -> LockState:
    """Who holds the run directory."""
    for look in range(_LOOKS):
        try:
            fd = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except PermissionError:  # another user's run: only what it publishes can be looked at
            return "held" if _publishes(folder) else "free"
        except OSError:
            return "free"
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return "free"
        except OSError as error:
            holder = read_holder(folder)
            if holder is not None and not holder.here_and_dead():
                return "held"
            if error.errno in _NO_LOCKS:
                return "free"
        finally:
            os.close(fd)
        if look < _LOOKS - 1:
            time.sleep(_LOOK_S)
    return "other"


def _publishes(folder: Path) -> bool:
    """Whether the process that writes the run's progress runs on this machine."""
    try:
        with durable.open_plain(folder / PROGRESS) as file:
            data = json.loads(file.read(1 << 20))
        return data["host"] == socket.gethostname() and process_exists(int(data["pid"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def busy_message(name: str, folder: Path) -> str:
    """The message for a run that another process holds."""
    holder, shown = read_holder(folder), visible(name)
    if holder is not None and not holder.here_and_dead():
        who = f"process {holder.pid} on {visible(holder.host)}"
        return f"run {shown} is busy: {who} holds it; wait or use `tuitrain stop {shown}`."
    return other_message(name, folder)


def other_message(name: str, folder: Path) -> str:
    """The message for a run that is held, but not by the process that its lock names."""
    holder, lock = read_holder(folder), visible(folder / LOCK_NAME)
    gone = f"process {holder.pid}, which the lock names, is gone" if holder else "its lock names no process"
    return (
        f"run {visible(name)} is locked by another process: {gone}; "
        f"end the process that holds it (`fuser {lock}` finds it) or remove {lock}."
    )


class RunLock:
    """The exclusive lock of a run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fd: int | None = None
        self._named = b""  # what the lock file says of us
        self._at_home = False  # whether the path named what is held when it was taken

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._fd is not None

    def replaced(self) -> bool:
        """Whether the lock file was replaced by another than the one that is held.

        Raises:
            OSError: there is none any more, or it can't be looked at.
        """
        return not durable.names_descriptor(self.folder / LOCK_NAME, self._fd) and self._at_home

    def keep_named(self) -> None:
        """Write the holder's name again if it was overwritten, as by a copy that is restored."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                if os.pread(self._fd, len(self._named) + 1, 0) != self._named:
                    os.pwrite(self._fd, self._named, 0)
                    os.ftruncate(self._fd, len(self._named))

    def acquire(self, name: str) -> None:
        """Take the lock and write the holder's name.

        Raises:
            RunDirectoryError: another process holds it, or the directory can't be written.
        """
        path = self.folder / LOCK_NAME
        try:
            durable.call_hook("open", path)
            fd = durable.open_to_write(path, os.O_RDWR | os.O_CREAT, durable.PRIVATE)
        except OSError as error:
            raise RunDirectoryError(
                f"{visible(path)} can't be written: {visible(error.strerror)}; check its owner and mode."
            ) from None
        try:
            self._take(fd, name)
            durable.keep_private(fd)
            data = json.dumps(asdict(this_process())).encode()
            self._named = data.ljust(_NAME_BYTES)
            os.pwrite(fd, self._named, 0)
            os.ftruncate(fd, len(self._named))
        except RunDirectoryError:
            os.close(fd)
            raise
        except OSError:
            pass  # a full disk: the lock holds all the same, only the name of the holder is missing
        self._fd = fd
        with contextlib.suppress(OSError):
            self._at_home = durable.names_descriptor(path, fd)

    def _take(self, fd: int, name: str) -> None:
        # A viewer that probes holds a shared lock for microseconds, so a refusal is believed at once
        # only when the named holder is alive, and else only when it lasts.
        for attempt in range(20):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                holder = read_holder(self.folder)
                if error.errno in _NO_LOCKS:
                    if holder is None or holder.here_and_dead() or holder.pid == os.getpid():
                        return
                    raise BusyError(busy_message(name, self.folder)) from None
                alive = holder is not None and not holder.here_and_dead()
                if alive and holder is not None and (holder.pid != os.getpid() or attempt > 2):
                    raise BusyError(busy_message(name, self.folder)) from None
                time.sleep(0.01)
        raise RunDirectoryError(busy_message(name, self.folder))

    def release(self) -> None:
        """Release the lock and remove the holder's name."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            os.pwrite(fd, b" " * _NAME_BYTES, 0)  # its place is kept, for a disk that is full the next time
            os.ftruncate(fd, _NAME_BYTES)
        except OSError:
            pass
        finally:
            os.close(fd)
