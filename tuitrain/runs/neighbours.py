"""Other runs on this machine: a small file for each run of this user, in the state folder.

This is only a hint, so an error of the disk is ignored. A file counts as long as its run is locked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

import platformdirs

from tuitrain.errors import visible
from tuitrain.paths import private_folder
from tuitrain.runs import durable, locking
from tuitrain.runs.directory import RunDirectory
from tuitrain.training.cpu import usable_cpus
from tuitrain.training.events import Notice


def announce_run(directory: RunDirectory, device: str, threads: int) -> Notice | None:
    """Records that a run trains, and looks for others.

    Args:
        directory: of the run.
        device: as in RunStarted: cpu, cuda:0, ...
        threads: of the CPU; 0 where that is not known, which counts as all cores.

    Returns:
        One sentence where others need the same cores or GPU, else None.
    """
    with contextlib.suppress(OSError):
        folder = _folder()
        private_folder(folder)
        others = [
            other for path in sorted(folder.glob("*.json")) if (other := _other(path, directory, device))
        ]
        path = _path(directory)
        data = {"directory": str(directory.path.resolve()), "device": device, "threads": threads}
        path.write_text(json.dumps(data))
        path.chmod(0o600)
        wanted = sum(count or usable_cpus() for count in (threads, *(count for _, count in others)))
        if others and (device != "cpu" or wanted > usable_cpus()):
            return _notice([name for name, _ in others], device)
    return None


def withdraw_run(directory: RunDirectory) -> None:
    """The run is over."""
    with contextlib.suppress(OSError):
        _path(directory).unlink(missing_ok=True)


def _folder() -> Path:
    return Path(platformdirs.user_state_dir("tuitrain", appauthor=False)) / "training"


def _path(directory: RunDirectory) -> Path:
    return _folder() / f"{hashlib.sha256(str(directory.path.resolve()).encode()).hexdigest()[:16]}.json"


def _other(path: Path, mine: RunDirectory, device: str) -> tuple[str, int] | None:
    """Name and threads of another process's run that trains on this device now."""
    try:
        with durable.open_plain(path) as file:
            data = json.loads(file.read(1 << 14))
        run, threads = RunDirectory(Path(str(data["directory"]))), int(data["threads"])
        where = str(data["device"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if run.path == mine.path.resolve() or not locking.is_held(run.path):
        path.unlink(missing_ok=True)
        return None
    holder, live = locking.read_holder(run.path), run.live()
    resting = live is not None and live.phase == "paused"
    if where != device or resting or holder is None or holder.pid == os.getpid():
        return None
    return f"{visible(run.name)} (process {holder.pid})", threads


def _notice(names: list[str], device: str) -> Notice:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    trains = "train" if more else "trains"
    place = "the same cores" if device == "cpu" else f"the same device ({visible(device)})"
    share = "give each its share with --threads, or " if device == "cpu" else ""
    return Notice(
        f"{names[0]}{more} {trains} on {place}, so each takes longer",
        f"{share}put one behind the other in the lab's queue",
        code="shares_machine",
    )
