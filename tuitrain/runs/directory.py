"""A run directory: named, created in one step, held by one process, appended to, read by many.

runs/2026-11-20T15-30-12_step13_7f3a/
  preset.toml  events.jsonl  progress.json  control.jsonl  log.txt  summary.txt  metrics.csv
  tensorboard/  checkpoints/  inspection.safetensors  model.safetensors  model_ema.safetensors  model.py.txt
  user.json  run.lock
  report.md  accuracy.svg  loss.svg  confusion.svg  mistakes.svg  network.svg  report.html
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs import durable, eventlog, locking, names, posted, progress, report_files
from tuitrain.runs.posted import PostedCommands
from tuitrain.runs.progress import Live
from tuitrain.training.events import SCHEMA, Event, Record, StepProgress

NEW_PREFIX, GONE_PREFIX = ".new-", ".gone-"
#: Begun or being removed, with the process that is at it.
_UNFINISHED = re.compile(
    rf"{re.escape(NEW_PREFIX)}([0-9]{{1,10}})-.*|{re.escape(GONE_PREFIX)}.*-([0-9]{{1,10}})", re.DOTALL
)
#: The text of a network in Python (`--model`), for readers; never run, so it is no `.py`.
MODEL_SOURCE = "model.py.txt"
#: The averaged weights of a run that keeps them (`train.ema`), beside `model.safetensors`.
AVERAGED_MODEL = "model_ema.safetensors"
#: How the comment begins that `preset.toml` begins with.
PRESET_MARK = "What really ran."
#: All that a run writes into its directory, beside temporary files.
FILES = (
    "preset.toml", "events.jsonl", locking.PROGRESS, posted.FILE, "log.txt", "output.txt", "summary.txt", "metrics.csv",
    "inspection.safetensors", "model.safetensors", AVERAGED_MODEL, MODEL_SOURCE, "user.json", locking.LOCK_NAME,
    *report_files.FILES,
)  # fmt: skip
FOLDERS = ("checkpoints", "tensorboard")
_READ_BYTES = 1 << 20
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR}


class RunDirectory:
    """One run on disk. Made by `create` (then held by us) or `open` (then only read)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.lock = locking.RunLock(path)
        self._log = eventlog.LogWriter(path / "events.jsonl")
        self._posted = PostedCommands(path)
        self._texts: dict[str, bytes] = {}  # what only this process still has when the directory is removed

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    # Making, opening, holding

    @classmethod
    def create(
        cls,
        runs_dir: Path,
        preset_name: str,
        *,
        name: str | None = None,
        preset_toml: str = "",
        model_source: bytes | None = None,
    ) -> Self:
        """Make a new run directory, hold it, and only then give it its name.

        A name that the user chose is made safe; when a living run has it, that is an error; when an
        ended run has it, the new one is called `name-2`, and so on. `model_source` is the text of a
        network in Python, kept for readers.

        Raises:
            RunDirectoryError: the name is held by a living process, or the folder can't be written.
        """
        try:
            durable.make_folder(runs_dir, parents=True)
            clean_unborn(runs_dir)
            temp = runs_dir / f"{NEW_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
            durable.make_folder(temp)
        except (OSError, ValueError) as error:
            raise unwritable(runs_dir, error) from None
        run = cls(temp)
        try:
            run.lock.acquire(temp.name)
            durable.make_folder(temp / "checkpoints")
            run._texts["preset.toml"] = preset_toml.encode("utf-8", "replace")
            if model_source is not None:
                run._texts[MODEL_SOURCE] = model_source
            run._write_texts()
            run._posted.begin()
            run._log.open()
            durable.fsync_dir(temp)
            run._take_name(runs_dir, preset_name, name)
            durable.fsync_dir(runs_dir)
        except BaseException as error:
            run.close()
            shutil.rmtree(run.path, ignore_errors=True)
            if isinstance(error, OSError | ValueError):
                raise unwritable(runs_dir, error) from None
            raise
        return run

    def _take_name(self, runs_dir: Path, preset_name: str, name: str | None) -> None:
        safe = names.safe_name(name) if name is not None else ""
        for attempt in range(1, 10_000):
            chosen = safe if attempt == 1 else f"{safe}-{attempt}"
            wanted = names.fresh_name(preset_name) if name is None else chosen
            target = runs_dir / wanted
            try:
                if os.path.lexists(target):  # an empty folder would be replaced silently by the rename
                    raise FileExistsError(errno.EEXIST, "taken")
                durable.rename_new(self.path, target)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                if name is not None and locking.is_held(target):
                    raise RunDirectoryError(locking.busy_message(wanted, target)) from None
                continue
            self._moved(target)
            return
        raise RunDirectoryError(f"no free name like '{visible(safe)}' is left; choose another --name.")

    def _moved(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.lock.folder = path
        self._log.path = path / "events.jsonl"
        self._posted.path = path / posted.FILE

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """An existing run directory, for reading.

        Raises:
            RunDirectoryError: there is none, or it was written by a later version of tuitrain.
        """
        path = Path(path)
        if not names.looks_like_run(path):
            raise RunDirectoryError(f"{visible(path)} is no run directory; list runs with `tuitrain runs`.")
        refuse_later_version(path)
        return cls(path.resolve() if path.name in ("", "..") or path.is_symlink() else path)

    def acquire(self) -> None:
        """Hold the directory for writing: clean leftovers, mend the log, skip old commands.

        What others could write in it, by an umask of earlier, they no longer can.

        Raises:
            RunDirectoryError: another process holds it, or it can't be written.
        """
        self._refuse_links()
        self.lock.acquire(self.name)
        try:
            durable.keep_from_others(self.path)
            durable.clean_leftovers(self.path)
            durable.clean_leftovers(self.path / "checkpoints")
            self._log.open()
        except RunDirectoryError:
            self.lock.release()
            raise
        except OSError as error:
            self.lock.release()
            raise unwritable(self.path, error) from None
        self._posted.begin()
        for name in ("preset.toml", MODEL_SOURCE, "user.json"):
            with contextlib.suppress(OSError), durable.open_plain(self.path / name) as file:
                self._texts[name] = file.read(2 * _READ_BYTES)

    def _refuse_links(self) -> None:
        """In a directory that came from elsewhere a link may lead anywhere, and a run writes in all of these."""
        for name in (*FILES, *FOLDERS):
            path = self.path / name
            if path.is_symlink():
                raise RunDirectoryError(f"{visible(path)} is a link; a run writes there, so remove it first.")

    def is_gone(self) -> bool:
        """Whether somebody removed, moved or replaced it, its log or its lock since we hold it."""
        self.lock.keep_named()
        try:
            return self._log.replaced() or self.lock.replaced()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    def remake(self) -> None:
        """Make it again at its place and hold that; what is in a log there is superseded by a new beginning.

        Raises:
            OSError: it can't be made.
            RunDirectoryError: another process holds what is there now.
        """
        self.close()
        durable.make_folder(self.path / "checkpoints", parents=True)
        self.lock.acquire(self.name)
        self._write_texts()
        self._posted.begin()
        self._log.open()
        durable.fsync_dir(self.path)
        durable.fsync_dir(self.path.parent)

    def _write_texts(self) -> None:
        for name, text in self._texts.items():
            durable.replace(self.path / name, text)

    def close(self) -> None:
        """Close the log and let the directory go."""
        self._log.close()
        self.lock.release()

    def is_held(self) -> bool:
        """Whether a living process (perhaps this one) holds the directory."""
        return self.lock.held or locking.is_held(self.path)

    def refuse_other_holder(self) -> None:
        """Nobody can go on with a run, or steer one, whose lock somebody else has.

        Raises:
            RunDirectoryError: it is held, but not by the process that it names.
        """
        if not self.lock.held and locking.lock_state(self.path) == "other":
            raise RunDirectoryError(locking.other_message(self.name, self.path))

    def holder(self) -> locking.Holder | None:
        """Who holds it now; None when nobody does."""
        return locking.read_holder(self.path) if self.is_held() else None

    # The stream

    def append(self, record: Record, *, durable: bool = True) -> None:
        """Append a record to `events.jsonl`; raises `OSError` when that can't be done."""
        self._log.append(record, sync=durable)

    def events(self, leave_out: Sequence[type[Event]] = ()) -> list[Record]:
        """The records that count, but for these kinds: no torn tail, nothing that a restart superseded."""
        try:
            return eventlog.read_events(self.path / "events.jsonl", leave_out)
        except OSError as error:
            raise RunDirectoryError(
                f"{visible(self.path / 'events.jsonl')} can't be read: {visible(error.strerror)}."
            ) from None

    def tail(self) -> eventlog.LogTail:
        """A reader of what is appended from now on (its first look gives all)."""
        return eventlog.LogTail(self.path / "events.jsonl")

    # Progress for viewers

    def write_progress(
        self, step: StepProgress | None, phase: str | None, epoch: int, beat: int, phase_s: float = 0.0
    ) -> None:
        """Replace `progress.json`."""
        progress.write(self.path, step, phase, epoch, beat, phase_s)

    def live(self) -> Live | None:
        """What `progress.json` says, or None when there is none that can be read."""
        return progress.read(self.path)

    def progress(self) -> StepProgress | None:
        """The latest step of a run that is going on; None when nobody runs it."""
        live = self.live() if self.is_held() else None
        return live.progress if live else None

    # Commands from other shells

    def post_command(self, command: dict[str, Any]) -> None:
        """Append one command to `control.jsonl`, for the process that holds the run.

        Raises:
            RunDirectoryError: it can't be written.
        """
        try:
            self._posted.post(command)
        except OSError as error:
            raise unwritable(self._posted.path, error) from None

    def new_commands(self) -> list[dict[str, Any]]:
        """Commands posted since the last call (one `stat` if there are none).

        Raises:
            RunDirectoryError: there are some, in a file of another user's.
        """
        return self._posted.new()

    def preset_toml(self) -> str:
        """The text of `preset.toml`: what really ran.

        Raises:
            RunDirectoryError: it can't be read.
        """
        path = self.path / "preset.toml"
        try:
            with durable.open_plain(path) as file:
                return file.read(_READ_BYTES).decode("utf-8", "replace")
        except OSError as error:
            raise RunDirectoryError(f"{visible(path)} can't be read: {visible(error.strerror)}.") from None

    def model_sha256(self) -> str:
        """SHA-256 of the text kept of a network in Python; empty where the run has none."""
        try:
            with durable.open_plain(self.path / MODEL_SOURCE) as file:
                return hashlib.sha256(file.read(2 * _READ_BYTES)).hexdigest()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise RunDirectoryError(
                f"{visible(self.path / MODEL_SOURCE)} can't be read: {visible(error.strerror)}."
            ) from None


def refuse_later_version(path: Path) -> None:
    """This version would misread what a later one wrote.

    Raises:
        RunDirectoryError: a later one did, or the log can't be read.
    """
    try:
        version = eventlog.version(path / "events.jsonl")
    except OSError:
        return  # who reads it says so
    if version > SCHEMA:
        raise RunDirectoryError(
            f"run {visible(path.name)} was written by a later version of tuitrain (event log {version}, this one "
            f"reads {SCHEMA}); update tuitrain to open it."
        )


def unwritable(path: Path, error: Exception) -> RunDirectoryError:
    """The sentence for a folder or file that can't be written."""
    reason = visible(getattr(error, "strerror", None) or error)
    return RunDirectoryError(f"{visible(path)} can't be written: {reason}; free space, or use --runs-dir.")


def check_place(runs_dir: Path, name: str | None = None) -> None:
    """Refuse a busy name or an unwritable folder at once, before anything slow; `create` decides for good.

    Raises:
        RunDirectoryError: as `create`.
    """
    try:
        durable.make_folder(runs_dir, parents=True)
    except (OSError, ValueError) as error:
        raise unwritable(runs_dir, error) from None
    if not os.access(runs_dir, os.W_OK | os.X_OK):
        raise unwritable(runs_dir, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    safe = names.safe_name(name) if name is not None else ""
    for attempt in range(1, 10_000 if safe else 1):
        wanted = safe if attempt == 1 else f"{safe}-{attempt}"
        if not os.path.lexists(runs_dir / wanted):
            return
        if locking.is_held(runs_dir / wanted):
            raise RunDirectoryError(locking.busy_message(wanted, runs_dir / wanted))


def clean_unborn(runs_dir: Path) -> int:
    """Remove folders that a process was killed over: before it could name them, or while it removed them."""
    count = 0
    with os.scandir(runs_dir) as entries:
        found = [entry.name for entry in entries]
    for name in found:
        left = _UNFINISHED.fullmatch(name)
        folder = runs_dir / name
        if (
            left
            and not locking.process_exists(int(left[1] or left[2]))
            and locking.lock_state(folder) == "free"
        ):
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    return count
