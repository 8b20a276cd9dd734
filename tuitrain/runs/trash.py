"""Removing runs: into `.trash` beside them, from which they come back, or for good.

Looking at a folder asks for little; removing one asks for proof that it is a run and nothing else. Each removal has
a folder of its own in the trash, so that a name may be removed any number of times:
`.trash/2026-11-25T18-01-02-123456/NAME/`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.paths import private_folder
from tuitrain.runs import checkpoint, durable, names
from tuitrain.runs.directory import (
    FILES,
    FOLDERS,
    GONE_PREFIX,
    PRESET_MARK,
    RunDirectory,
    refuse_later_version,
)
from tuitrain.training.events import RunStarted, from_line

TRASH = ".trash"
_STAMP = "%Y-%m-%dT%H-%M-%S-%f"
_FIRST_BYTES = 4 << 20
_INSIDE = {
    "checkpoints": re.compile(rf"{checkpoint.NAME.pattern}(\.damaged)?"),
    "tensorboard": re.compile(r"events\.out\.tfevents\..*", re.DOTALL),
}


@dataclass(frozen=True, slots=True)
class RemovedRun:
    """A run in the trash; `when` is unix seconds, of its removal."""

    run: str
    path: Path
    when: float


def check_removable(path: Path, runs_dir: Path | None = None) -> None:
    """Refuse a folder that isn't proved to be a run, and nothing but a run.

    Raises:
        RunDirectoryError: what it is, or what is in it that is not ours.
    """
    shown = visible(path)

    def refuse(why: str, remedy: str = "nothing was removed") -> RunDirectoryError:
        return RunDirectoryError(f"{shown} {why}; {remedy}.")

    try:
        if path.is_symlink():
            raise refuse("is a link", "name the run that it leads to")
        if not path.is_dir():
            raise refuse("is no run directory", "list the runs with `tuitrain runs`")
        place = path.resolve()
        if _holds(place, _here()):
            raise refuse("is the current folder, or holds it", "change to another folder first")
        if runs_dir is not None and _holds(place, runs_dir.resolve()):
            raise refuse("is the folder of the runs, or holds it", "name the runs that are to go")
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        if any(entry.is_dir() and names.looks_like_run(Path(entry.path)) for entry in entries):
            raise refuse("holds runs", "name the runs that are to go")
        if not _is_run(path):
            raise refuse("is no run of tuitrain: its events.jsonl does not begin with one")
        foreign = next(_foreign_files(path), None)
        if foreign is not None:
            raise refuse(f"holds '{visible(foreign)}', which is not tuitrain's", "move that elsewhere first")
    except (OSError, ValueError) as error:
        raise refuse(f"can't be looked at: {visible(getattr(error, 'strerror', error))}") from None
    refuse_later_version(path)


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed: nothing can hold it
        return Path(os.devnull)


def _holds(folder: Path, inner: Path) -> bool:
    return folder == inner or folder in inner.parents


def _is_run(path: Path) -> bool:
    """Whether its log begins with a run, or it is a run directory without events yet."""
    with contextlib.suppress(OSError), durable.open_plain(path / "events.jsonl") as log:
        first = log.readline(_FIRST_BYTES)
        if not first.endswith(b"\n"):  # empty, or its writer was killed over the first line
            return _is_unborn(path)
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            return isinstance(from_line(first.decode("utf-8")).event, RunStarted) or _is_unborn(path)
    return False


def _is_unborn(path: Path) -> bool:
    with contextlib.suppress(OSError), durable.open_plain(path / "preset.toml") as preset:
        start = preset.read(200).decode("utf-8", "replace").lstrip("# ")
        return (
            start.startswith(PRESET_MARK) and (path / "run.lock").exists() and (path / "checkpoints").is_dir()
        )
    return False


def _foreign_files(path: Path) -> Iterator[str]:
    """Files in a run directory that are not part of the run."""
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        if entry.name in FOLDERS and entry.is_dir(follow_symlinks=False):
            for inner in sorted(os.scandir(entry.path), key=lambda inner: inner.name):
                known = _INSIDE[entry.name].fullmatch(inner.name) or durable.is_leftover(inner.name)
                if not known or not inner.is_file(follow_symlinks=False):
                    yield f"{entry.name}/{inner.name}"
        elif not (entry.name in FILES or durable.is_leftover(entry.name)) or not entry.is_file(
            follow_symlinks=False
        ):
            yield entry.name


def remove_run(path: Path, runs_dir: Path | None = None, *, forever: bool = False) -> Path:
    """Move a run to the trash beside it in one step, or delete it; returns where it is then, or was.

    Raises:
        RunDirectoryError: it is not a run and nothing else, is busy, or can't be removed.
    """
    check_removable(path, runs_dir)
    if path.name in ("", ".."):
        path = path.resolve()
    directory = RunDirectory(path)
    directory.lock.acquire(directory.name)
    try:
        if forever:
            _remove_folder(path, path.parent)
            return path
        slot = _new_slot(path.parent)
        try:
            durable.rename_new(path, slot / path.name)
        except OSError:
            slot.rmdir()
            raise
        durable.fsync_dir(path.parent)
        return slot / path.name
    except OSError as error:
        reason = visible(error.strerror or error)
        raise RunDirectoryError(
            f"{visible(path)} can't be removed: {reason}; check its owner and mode."
        ) from None
    finally:
        directory.close()


def _new_slot(runs_dir: Path) -> Path:
    trash = runs_dir / TRASH
    durable.refuse_link(trash)
    private_folder(trash)
    while True:
        slot = trash / datetime.now().strftime(_STAMP)
        with contextlib.suppress(FileExistsError):
            durable.make_folder(slot)
            return slot


def _remove_folder(path: Path, runs_dir: Path) -> None:
    """A rename removes it from every list first; the next start cleans up if this is killed."""
    grave = runs_dir / f"{GONE_PREFIX}{path.name[:100]}-{os.getpid()}"
    durable.rename(path, grave)
    shutil.rmtree(grave)


def list_removed(runs_dir: Path) -> list[RemovedRun]:
    """The runs in the trash, the latest removal first.

    Raises:
        RunDirectoryError: it is there but can't be read.
    """
    trash = runs_dir / TRASH
    found: list[RemovedRun] = []
    try:
        durable.refuse_link(trash)
        for slot in sorted(os.scandir(trash), key=lambda entry: entry.name, reverse=True):
            when = _removal_time(slot.name)
            if when is not None and slot.is_dir(follow_symlinks=False):
                inside = [Path(entry.path) for entry in os.scandir(slot.path) if not entry.is_symlink()]
                found += [RemovedRun(path.name, path, when) for path in inside if names.looks_like_run(path)]
    except FileNotFoundError:
        return found
    except OSError as error:
        raise RunDirectoryError(
            f"{visible(trash)} can't be read: {visible(error.strerror)}; check its owner and mode."
        ) from None
    return found


def _removal_time(stamp: str) -> float | None:
    try:
        return time.mktime(datetime.strptime(stamp, _STAMP).timetuple())
    except (ValueError, OverflowError):
        return None


def find_removed(runs_dir: Path, wanted: str) -> list[RemovedRun]:
    """The runs in the trash with a name (or a unique beginning or end of one), the latest removal first.

    Raises:
        RunDirectoryError: nothing, or more than one name is meant.
    """
    there = list_removed(runs_dir)
    name = names.match_name(list(dict.fromkeys(removed.run for removed in there)), wanted)
    if name is None:
        raise RunDirectoryError(
            f"no removed run '{visible(wanted)}' in {visible(runs_dir / TRASH)}; "
            "`tuitrain runs restore` lists what is there."
        )
    return [removed for removed in there if removed.run == name]


def restore_run(removed: RemovedRun, runs_dir: Path) -> Path:
    """Restore a run under its name; returns its directory.

    Raises:
        RunDirectoryError: there is something of that name, or it can't be moved.
    """
    target = runs_dir / removed.run
    try:
        if os.path.lexists(target):  # an empty folder would be replaced silently by the rename
            raise FileExistsError(errno.EEXIST, "there is something of that name")
        durable.rename_new(removed.path, target)
        durable.fsync_dir(runs_dir)
    except OSError as error:
        reason = visible(error.strerror or error)
        raise RunDirectoryError(
            f"{visible(target)} can't be restored: {reason}; remove or rename what is in its place."
        ) from None
    _remove_slot(removed)
    return target


def erase_removed(removed: RemovedRun, runs_dir: Path) -> None:
    """Delete a run in the trash permanently.

    Raises:
        RunDirectoryError: it can't be removed.
    """
    try:
        _remove_folder(removed.path, runs_dir)
    except OSError as error:
        reason = visible(error.strerror or error)
        raise RunDirectoryError(
            f"{visible(removed.path)} can't be removed: {reason}; check its owner and mode."
        ) from None
    _remove_slot(removed)


def _remove_slot(removed: RemovedRun) -> None:
    for folder in (removed.path.parent, removed.path.parent.parent):
        with contextlib.suppress(OSError):  # the trash itself, once it is empty
            folder.rmdir()
