"""Every file operation a run makes goes through here, so that faults can be injected and order recorded.

`hook`, when set, is called before each operation with its name and path; a harness records the order
there, raises `OSError` in place of the k-th one, or kills the process. Operations: `mkdir`, `create`,
`open`, `write`, `fsync`, `truncate`, `rename`, `fsync_dir`, `unlink`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

Hook = Callable[[str, Path], None]

hook: Hook | None = None

_CHUNK = 1 << 20
_TMP = ".tmp"


def announce(operation: str, path: Path) -> None:
    """Tell the hook, if there is one, what is about to happen."""
    if hook is not None:
        hook(operation, path)


def make_folder(path: Path, *, parents: bool = False) -> None:
    """Make a folder; with `parents`, its parents too and no error when it is there."""
    announce("mkdir", path)
    path.mkdir(parents=parents, exist_ok=parents)


def open_plain(path: Path) -> BinaryIO:
    """A file opened for reading, when it is a plain one: a pipe would block for ever, a device never end.

    Raises:
        OSError: it can't be opened, or is no plain file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
        return os.fdopen(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def open_append(path: Path) -> int:
    """A descriptor that appends, closed in children; the file is created when missing.

    A link is refused: in a run directory that came from elsewhere it may lead anywhere.
    """
    announce("open", path)
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)


def names_descriptor(path: Path, fd: int | None) -> bool:
    """Whether a path names the file of an open descriptor; without one it is enough that it names anything.

    Raises:
        OSError: it names nothing, or can't be looked at.
    """
    there = path.lstat()
    return fd is None or os.path.samestat(os.fstat(fd), there)


def create_new(path: Path) -> int:
    """A descriptor of a new file; never follows a link, never reuses a file."""
    announce("create", path)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def write_all(fd: int, data: bytes, path: Path) -> None:
    """Write every byte, however many calls that takes (a full disk takes a part first)."""
    view = memoryview(data)
    while True:
        announce("write", path)
        written = os.write(fd, view[:_CHUNK])
        view = view[written:]
        if not view:
            return
        if written == 0:
            raise OSError("nothing could be written")


def fsync(fd: int, path: Path) -> None:
    """Bring a file's bytes to the disk; a device that has no such thing (/dev/full) is let pass."""
    announce("fsync", path)
    os.fsync(fd)


def truncate(fd: int, size: int, path: Path) -> None:
    """Cut an open file to `size` bytes."""
    announce("truncate", path)
    os.ftruncate(fd, size)


def rename(source: Path, target: Path) -> None:
    """Replace `target` by `source` in one step."""
    announce("rename", target)
    source.replace(target)


def rename_new(source: Path, target: Path) -> None:
    """Move a folder to a name that must be free: `OSError` when anything but an empty folder is there."""
    announce("rename", target)
    os.rename(source, target)  # noqa: PTH104 - Path.rename says nothing more


def fsync_dir(path: Path) -> None:
    """Bring a folder's entries to the disk, so that a rename in it survives a power cut."""
    announce("fsync_dir", path)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def unlink(path: Path) -> None:
    """Remove a file; no error when it is gone."""
    announce("unlink", path)
    path.unlink(missing_ok=True)


def replace(path: Path, data: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file so that readers see the old bytes or the new, never a part.

    Durable: temp file in the same folder, write, fsync, rename, fsync of the folder. Not durable leaves
    out both fsyncs, which is enough against a killed process, and cheap enough for progress.
    """
    temp = path.with_name(f".{path.name[:80]}.{os.getpid()}-{secrets.token_hex(3)}{_TMP}")
    fd = create_new(temp)
    try:
        try:
            for part in (data,) if isinstance(data, bytes) else data:
                write_all(fd, part, temp)
            if durable:
                fsync(fd, temp)
        finally:
            os.close(fd)
        rename(temp, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink(missing_ok=True)
        raise
    if durable:
        fsync_dir(path.parent)


def clean_leftovers(folder: Path) -> int:
    """Remove the temp files that a killed process left in `folder`; how many there were."""
    count = 0
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(".") and entry.name.endswith(_TMP):
                with contextlib.suppress(OSError):
                    unlink(Path(entry.path))
                    count += 1
    return count
