"""Where studies are kept: `runs/.studies/NAME/plan.json`, beside the run directories of their members."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import secrets
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs import durable, locking, names
from tuitrain.runs.posted import PostedCommands
from tuitrain.study.plan import Plan, study_name

STUDIES = ".studies"
PLAN = "plan.json"
_MOST_BYTES = 64 << 20


class StudyDirectory:
    """One study on disk: its plan, its lock (whose process trains it), and the commands posted to it."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.lock = locking.RunLock(path)
        self._posted = PostedCommands(path)

    @property
    def runs_dir(self) -> Path:
        """The folder of its members' run directories."""
        return self.path.parent.parent

    def plan(self) -> Plan:
        """What it is to train.

        Raises:
            RunDirectoryError: that can't be read.
        """
        where = visible(self.path / PLAN)
        try:
            with durable.open_plain(self.path / PLAN) as file:
                data = json.loads(file.read(_MOST_BYTES))
        except OSError as error:
            raise RunDirectoryError(f"{where} can't be read: {visible(error.strerror)}.") from None
        except (ValueError, RecursionError):
            raise RunDirectoryError(f"{where} is damaged; its runs are not, see `tuitrain runs`.") from None
        return Plan.from_dict(data if isinstance(data, dict) else {}, where)

    def write_plan(self, plan: Plan) -> None:
        """Replace the plan, as with more seeds.

        Raises:
            RunDirectoryError: it can't be written.
        """
        text = json.dumps(plan.to_dict(), allow_nan=False, separators=(",", ":"))
        try:
            durable.replace(self.path / PLAN, text.encode())
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def change_plan(self, **changes: Any) -> None:
        """Replace parts of the plan; the rest stays as it was written, as the runtime that this machine changed.

        Raises:
            RunDirectoryError: it can't be read or written.
        """
        self.write_plan(replace(self.plan(), **changes))

    def acquire(self) -> None:
        """Hold it while its members are trained.

        Raises:
            RunDirectoryError: another process holds it.
        """
        try:
            self.lock.acquire(self.name)
        except RunDirectoryError:
            if (holder := locking.read_holder(self.path)) is not None and not holder.here_and_dead():
                raise RunDirectoryError(
                    f"study {visible(self.name)} is trained by process {holder.pid} on {visible(holder.host)}; "
                    f"`tuitrain study {visible(self.name)}` shows it, `tuitrain stop {visible(self.name)}` stops it."
                ) from None
            raise
        self._posted.begin()

    def release(self) -> None:
        """Let it go."""
        self.lock.release()

    def is_held(self) -> bool:
        """Whether a living process trains it."""
        return self.lock.held or locking.is_held(self.path)

    def post_command(self, command: dict[str, Any]) -> None:
        """Append a command for the process that trains it.

        Raises:
            RunDirectoryError: it can't be written.
        """
        try:
            self._posted.post(command)
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def new_commands(self) -> list[dict[str, Any]]:
        """Commands posted since the last call.

        Raises:
            RunDirectoryError: there are some, in a file of another user's.
        """
        return self._posted.new()

    def forget(self) -> None:
        """Remove the plan; the runs stay.

        Raises:
            RunDirectoryError: it is trained now, or can't be removed.
        """
        if self.is_held():
            raise RunDirectoryError(f"study {visible(self.name)} is being trained; stop it first.")
        try:
            shutil.rmtree(self.path)
        except OSError as error:
            raise _unwritable(self.path, error) from None


def create_study(runs_dir: Path, plan: Plan) -> StudyDirectory:
    """Keep a new study; where its name is taken by another or by a run, it gets a number (`Plan.name` with it).

    The directory appears whole, and is held.

    Raises:
        RunDirectoryError: the folder can't be written.
    """
    base = study_name(plan.name)
    folder = runs_dir / STUDIES
    try:
        durable.make_folder(runs_dir, parents=True)
        durable.make_folder(folder, parents=True)
        for attempt in range(1, 10_000):
            name = base if attempt == 1 else f"{base}-{attempt}"
            taken = names.run_names(runs_dir)
            if any(run == name or run.startswith(f"{name}_") for run in taken) or (folder / name).exists():
                continue
            temp = folder / f".new-{os.getpid()}-{secrets.token_hex(4)}"
            durable.make_folder(temp)
            StudyDirectory(temp).write_plan(replace(plan, name=name))
            try:
                durable.rename_new(temp, folder / name)
            except OSError:
                shutil.rmtree(temp, ignore_errors=True)
                if not (folder / name).exists():
                    raise
                continue
            study = StudyDirectory(folder / name)
            study.acquire()
            return study
    except OSError as error:
        raise _unwritable(runs_dir, error) from None
    raise RunDirectoryError(f"no free name like '{visible(base)}' is left; choose another --name.")


def study_path(runs_dir: Path, name: str) -> Path:
    """Where a study of this name is."""
    return runs_dir / STUDIES / name


def fresh_study_name(label: str) -> str:
    """`2026-11-25T21-10-12_step13_7f3a`."""
    stamp = time.strftime("%Y-%m-%dT%H-%M-%S")
    return study_name(f"{stamp}_{names.safe_name(label)[:20]}_{secrets.token_hex(2)}")


def list_studies(runs_dir: Path) -> list[StudyDirectory]:
    """The studies of a folder of runs, by name; those that can't be read too."""
    found = []
    with contextlib.suppress(OSError), os.scandir(runs_dir / STUDIES) as entries:
        found = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    return [StudyDirectory(runs_dir / STUDIES / name) for name in sorted(found)]


def find_study(runs_dir: Path, wanted: str) -> StudyDirectory | None:
    """The study that equals, or is the only one to begin or end with, what is wanted (`latest` is the newest).

    None if there is none.

    Raises:
        RunDirectoryError: more than one is meant.
    """
    studies = {study.name: study for study in list_studies(runs_dir)}
    if wanted == "latest" and studies:
        return max(studies.values(), key=lambda study: _began(study.path))
    name = names.match_name(list(studies), wanted) if wanted else None
    return studies[name] if name else None


def the_study(runs_dir: Path, wanted: str) -> StudyDirectory:
    """The same, which must be there.

    Raises:
        RunDirectoryError: none, or more than one, is called that.
    """
    if (found := find_study(runs_dir, wanted)) is not None:
        return found
    known = [study.name for study in list_studies(runs_dir)]
    close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"did you mean '{visible(close[0])}'?" if close else "list them with `tuitrain study`."
    if not known:
        hint = "there is none yet; `tuitrain run --seeds 8` makes one."
    raise RunDirectoryError(f"no study '{visible(wanted)}' in {visible(runs_dir)}; {hint}")


def _began(path: Path) -> float:
    try:
        return (path / PLAN).stat().st_mtime
    except OSError:
        return 0.0


def _unwritable(path: Path, error: OSError) -> RunDirectoryError:
    return RunDirectoryError(
        f"{visible(path)} can't be written: {visible(error.strerror or error)}; check its owner, mode and disk."
    )
