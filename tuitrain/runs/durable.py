"""Every file operation a run makes goes through here, so that faults can be injected and order recorded.

No link is followed: what is opened is never one, nor is the folder that it lies in, for a run directory may come
from anybody, and a link in it lead anywhere. No other user can write what is made here, whatever the umask.

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
#: Of what others may read (the umask takes away from it), and of what they may not.
PUBLIC, PRIVATE = 0o644, 0o600
_FOLDER = 0o755


def call_hook(operation: str, path: Path) -> None:
    """Call the hook, if there is one, before an operation."""
    if hook is not None:
        hook(operation, path)


def make_folder(path: Path, *, parents: bool = False) -> None:
    """Make a folder; with `parents`, its parents too and no error when it is there."""
    call_hook("mkdir", path)
    if parents and not path.parent.is_dir():
        make_folder(path.parent, parents=True)
    try:
        path.mkdir(_FOLDER)
    except FileExistsError:
        if not parents or not path.is_dir():
            raise


def refuse_link(path: Path) -> None:
    """Raise an error if a path is a link.

    Raises:
        OSError: it is one.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, and none is followed", str(path))


def _open(path: Path, flags: int, mode: int = PUBLIC) -> int:
    """A descriptor of a regular file, closed in child processes; links, pipes and devices are refused."""
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is no plain file", str(path))


def open_plain(path: Path) -> BinaryIO:
    """A regular file opened for reading; a link is refused.

    Raises:
        OSError: it can't be opened, or is no plain file.
    """
    return os.fdopen(_open(path, os.O_RDONLY), "rb")


def open_to_write(path: Path, flags: int, mode: int = PUBLIC) -> int:
    """A descriptor of a regular file, as everything that writes in a run directory uses it.

    Raises:
        OSError: it can't be opened, or it or the folder that it lies in is a link.
    """
    refuse_link(path.parent)
    refuse_link(path)
    return _open(path, flags, mode)


def open_append(path: Path, mode: int = PUBLIC) -> int:
    """A descriptor that appends; the file is created when missing."""
    call_hook("open", path)
    return open_to_write(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, mode)


def keep_from_others(folder: Path) -> None:
    """Remove the write permission of other users from a folder of this user."""
    info = folder.stat()
    if info.st_uid == os.geteuid() and stat.S_IMODE(info.st_mode) & 0o022:
        with contextlib.suppress(OSError):  # a file system without modes
            folder.chmod(stat.S_IMODE(info.st_mode) & ~0o022)


def keep_private(fd: int) -> None:
    """Remove all permissions of other users from an open file, which an earlier version may have left."""
    info = os.fstat(fd)
    if info.st_uid == os.geteuid() and stat.S_IMODE(info.st_mode) & 0o077:
        with contextlib.suppress(OSError):  # a file system without modes
            os.fchmod(fd, PRIVATE)


def names_descriptor(path: Path, fd: int | None) -> bool:
    """Whether a path names the file of an open descriptor; without one it is enough that it names anything.

    Raises:
        OSError: it names nothing, or can't be looked at.
    """
    there = path.lstat()
    return fd is None or os.path.samestat(os.fstat(fd), there)


def create_new(path: Path) -> int:
    """A descriptor of a new file; never follows a link, never reuses a file."""
    call_hook("create", path)
    return open_to_write(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def write_all(fd: int, data: bytes, path: Path) -> None:
    """Write all bytes, in several calls if needed (a full disk takes a part first)."""
    view = memoryview(data)
    while True:
        call_hook("write", path)
        written = os.write(fd, view[:_CHUNK])
        view = view[written:]
        if not view:
            return
        if written == 0:
            raise OSError("nothing could be written")


def fsync(fd: int, path: Path) -> None:
    """Sync a file to the disk; devices without that (/dev/full) are ignored."""
    call_hook("fsync", path)
    os.fsync(fd)


def truncate(fd: int, size: int, path: Path) -> None:
    """Cut an open file to `size` bytes."""
    call_hook("truncate", path)
    os.ftruncate(fd, size)


def rename(source: Path, target: Path) -> None:
    """Replace `target` by `source` in one step."""
    call_hook("rename", target)
    source.replace(target)


def rename_new(source: Path, target: Path) -> None:
    """Move a folder to a name that must be free: `OSError` when anything but an empty folder is there."""
    call_hook("rename", target)
    os.rename(source, target)  # noqa: PTH104 - Path.rename says nothing more


def fsync_dir(path: Path) -> None:
    """Sync a folder to the disk, so that a rename in it survives a power cut."""
    call_hook("fsync_dir", path)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def unlink(path: Path) -> None:
    """Remove a file; no error when it is gone."""
    call_hook("unlink", path)
    refuse_link(path.parent)
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


def sync(path: Path) -> None:
    """Sync a file that was replaced without an fsync, and the folder that it lies in.

    Raises:
        OSError: that can't be done, or there is no such plain file.
    """
    fd = _open(path, os.O_RDONLY)
    try:
        fsync(fd, path)
    finally:
        os.close(fd)
    fsync_dir(path.parent)


def is_leftover(name: str) -> bool:
    """Whether a file is a temporary file that a killed `replace` left."""
    return name.startswith(".") and name.endswith(_TMP)


def clean_leftovers(folder: Path) -> int:
    """Remove the temporary files that a killed process left in `folder`; returns their number."""
    count = 0
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if is_leftover(entry.name):
                with contextlib.suppress(OSError):
                    unlink(Path(entry.path))
                    count += 1
    return count
