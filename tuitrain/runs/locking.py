"""One process holds a run directory; the kernel frees it however that process ends."""

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

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs import files

LOCK_NAME = "run.lock"
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a run directory."""

    pid: int
    host: str
    command: str
    since: float

    def here_and_dead(self) -> bool:
        """Whether the process was of this machine and is gone."""
        return self.host == socket.gethostname() and not process_exists(self.pid)


def process_exists(pid: int) -> bool:
    """Whether a process of this machine has that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def this_process() -> Holder:
    """This process as a holder."""
    return Holder(os.getpid(), socket.gethostname(), " ".join(sys.argv), time.time())


def read_holder(folder: Path) -> Holder | None:
    """What the lock file says of its holder; None when it says nothing. Looks at no lock."""
    try:
        with files.open_plain(folder / LOCK_NAME) as file:
            data = json.loads(file.read(8192))
        return Holder(int(data["pid"]), str(data["host"]), str(data["command"]), float(data["since"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a living process holds the run directory."""
    try:
        fd = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            holder = read_holder(folder)
            return holder is not None and not holder.here_and_dead()
        return True
    finally:
        os.close(fd)
    return False


def busy_message(name: str, holder: Holder | None) -> str:
    """The sentence for a run that somebody else holds."""
    who = f"process {holder.pid} on {visible(holder.host)}" if holder else "another process"
    return f"run {visible(name)} is busy: {who} holds it; wait or use `tuitrain stop {visible(name)}`"


class RunLock:
    """The exclusive hold on a run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fd: int | None = None
        self._at_home = False  # whether the path named what is held when it was taken

    @property
    def held(self) -> bool:
        """Whether we hold it."""
        return self._fd is not None

    def replaced(self) -> bool:
        """Whether the lock that others see has become another file than the one that is held.

        Raises:
            OSError: there is none any more, or it can't be looked at.
        """
        return not files.names_descriptor(self.folder / LOCK_NAME, self._fd) and self._at_home

    def acquire(self, name: str) -> None:
        """Take the lock and write down who holds it.

        Raises:
            RunDirectoryError: somebody else holds it, or the directory can't be written.
        """
        path = self.folder / LOCK_NAME
        try:
            files.announce("open", path)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError as error:
            raise RunDirectoryError(
                f"{visible(path)} can't be written: {visible(error.strerror)}; check its owner and mode"
            ) from None
        try:
            self._take(fd, name)
            data = json.dumps(asdict(this_process())).encode()
            os.ftruncate(fd, 0)
            os.pwrite(fd, data, 0)
        except RunDirectoryError:
            os.close(fd)
            raise
        except OSError:
            pass  # a full disk: the lock holds all the same, only the name of the holder is missing
        self._fd = fd
        with contextlib.suppress(OSError):
            self._at_home = files.names_descriptor(path, fd)

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
                    raise RunDirectoryError(busy_message(name, holder)) from None
                alive = holder is not None and not holder.here_and_dead()
                if alive and holder is not None and (holder.pid != os.getpid() or attempt > 2):
                    raise RunDirectoryError(busy_message(name, holder)) from None
                time.sleep(0.01)
        raise RunDirectoryError(busy_message(name, read_holder(self.folder)))

    def release(self) -> None:
        """Let go; the holder's name goes too."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            os.ftruncate(fd, 0)
        except OSError:
            pass
        finally:
            os.close(fd)
