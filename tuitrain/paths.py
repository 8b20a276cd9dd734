"""Paths that people type, and whose files may be trusted. Imports nothing of ours."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from pathlib import Path


def expand(path: str | os.PathLike[str]) -> Path:
    """A path with `~` and `~name` expanded; unchanged if there is no such user or home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def log_file() -> Path:
    """Where stray output goes while no run is there to take it (XDG_STATE_HOME/tuitrain/log.txt)."""
    import platformdirs

    return Path(platformdirs.user_state_dir("tuitrain", appauthor=False)) / "log.txt"


def is_mine_or_roots(info: os.stat_result) -> bool:
    """Whether a file belongs to the user of this process or to root; nobody else's is obeyed."""
    return info.st_uid in (os.geteuid(), 0)


def others_may_write(info: os.stat_result) -> bool:
    """Whether a file's mode lets everybody write to it, or a group that is not the user's own private one."""
    mode = stat.S_IMODE(info.st_mode)
    return bool(mode & 0o002) or (bool(mode & 0o020) and not _is_private_group(info.st_gid))


def _is_private_group(gid: int) -> bool:
    """Whether a group has the user's name, as where each user has one: files of umask 002 are then still his alone."""
    try:
        return grp.getgrgid(gid).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False


def private_folder(path: Path) -> Path:
    """A folder that nobody else can look into, whatever the umask: made where it is missing, tightened where it is ours.

    Missing parents are made in the same way; those that are there are left as they are.

    Raises:
        OSError: it can't be made, is not a folder, or belongs to another user.
    """
    if not path.parent.is_dir():
        private_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    for info in (
        path.lstat(),
        path.stat(),
    ):  # the user's own link to another disk is fine, another user's is not
        if not is_mine_or_roots(info):
            raise PermissionError(errno.EPERM, "it belongs to another user", str(path))
    if not stat.S_ISDIR(info.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(path))
    if stat.S_IMODE(info.st_mode) & 0o077 and info.st_uid == os.geteuid():
        path.chmod(0o700)
    return path
