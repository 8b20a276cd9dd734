"""The list of runs: a summary of each, kept in `runs/.index.json` and made again where it is out of date."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuitrain import jsonio
from tuitrain.errors import RunDirectoryError, visible
from tuitrain.runs import durable, locking, names
from tuitrain.runs.digests import setting_digest, workload
from tuitrain.runs.directory import RunDirectory, refuse_later_version
from tuitrain.runs.history import History
from tuitrain.runs.user_file import USER_FILE, read_user
from tuitrain.training.events import Control, EpochFinished, Record, RunStarted

RunState = Literal[
    "live", "paused", "stalled", "done", "stopped", "failed", "diverged", "out_of_memory", "interrupted", "locked",
    "later_version",
]  # fmt: skip
#: Held by a process that trains it, or that could.
HELD: frozenset[RunState] = frozenset({"live", "paused", "stalled"})
INDEX = ".index.json"
_VERSION = 4
_MAX_INDEX = 64 << 20
_STATES: dict[str, RunState] = {
    "completed": "done",
    "stopped": "stopped",
    "diverged": "diverged",
    "out_of_memory": "out_of_memory",
}


#: What says whether a run has a terminal: a resumed one has that of its new process.
_TERMINAL = ("detached", "attached", "restarted")


#: What is true of a held run alone, so no index may say it.
_OF_NOW: dict[str, Any] = {"pid": None, "phase": None, "phase_s": None, "stalled_s": None}


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The summary of a run. Accuracies are fractions, None while there are none; `when` is unix seconds.

    `epochs` are finished, `epochs_planned` wanted, and `epochs_at_target` those with at least the
    challenge's accuracy (None without such a target). `layers` is the network's, where one of them
    was changed, so that `changed` can name it. `epoch_s` is the mean time of an epoch, pauses left out, and
    `workload` the same for runs whose epochs are the same work (see `workload`). `phase` is what a live run is doing
    (compiling, say), `phase_s` for how long, and `stalled_s` for how long its process has stood still. `detached`:
    its terminal has gone. `setting` is a digest that is the same for runs that differ only in the seed (see
    `setting_digest`), and `study` the name of the study that the run is a member of.
    """

    run: str
    path: str
    state: RunState
    preset: str
    dataset: str
    parameters: int
    best: float | None
    best_epoch: int
    last: float | None
    epochs: int
    epochs_planned: int
    epochs_at_target: int | None
    changed: dict[str, list[Any]]
    when: float
    seconds: float
    device: str
    seed: int
    judged_by: str
    command: str
    message: str
    tags: tuple[str, ...] = ()
    note: str = ""
    layers: list[Any] = dataclasses.field(default_factory=list)
    pid: int | None = None
    device_name: str = ""
    epoch_s: float = 0.0
    workload: str = ""
    phase: str | None = None
    phase_s: float | None = None
    stalled_s: float | None = None
    detached: bool = False
    setting: str = ""
    study: str = ""

    @property
    def activity(self) -> str:
        """The state in a word; a live run that compiles its network is `compiling`."""
        return "compiling" if self.state == "live" and self.phase == "compiling" else self.state

    @property
    def activity_s(self) -> float | None:
        """Seconds of compiling or of being stalled; None in other states."""
        return {"stalled": self.stalled_s, "compiling": self.phase_s}.get(self.activity)

    @property
    def name(self) -> str:
        """The run's name, which is its directory's."""
        return self.run

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form."""
        data: dict[str, Any] = jsonio.finite(dataclasses.asdict(self))
        return data


def summarise(path: Path) -> RunSummary:
    """A run's summary, from its directory alone.

    Raises:
        RunDirectoryError: its log can't be read.
    """
    return _with_life(path, _of_files(path))


def summary_of(path: Path, records: list[Record]) -> RunSummary:
    """The same, of records that were read already; without tags and note."""
    return _with_life(path, _from_records(path, records))


def _of_files(path: Path) -> RunSummary:
    """The summary from its files, without its lock; of a run of a later version only that."""
    try:
        refuse_later_version(path)
    except RunDirectoryError as error:
        return dataclasses.replace(_from_records(path, []), state="later_version", message=str(error))
    return _with_user(path, _from_records(path, RunDirectory(path).events()))


def _from_records(path: Path, records: list[Record]) -> RunSummary:
    history = History.of(records)
    start, finished, best, last = history.started, history.finished, history.best, history.last
    moves = [r.event.action for r in records if isinstance(r.event, Control)]
    detached = next((move == "detached" for move in reversed(moves) if move in _TERMINAL), False)
    state: RunState = "interrupted"
    if finished is not None:
        state = _STATES.get(finished.outcome, "failed")
    try:
        made = path.stat().st_mtime
    except OSError:
        made = 0.0
    return RunSummary(
        run=path.name,
        path=str(path),
        state=state,
        preset=start.name if start else "",
        dataset=start.dataset if start else "",
        parameters=start.parameters if start else 0,
        best=best.test_acc if best else None,
        best_epoch=best.epoch if best else 0,
        last=_number(last.test_acc) if last else None,
        epochs=last.epoch if last else 0,
        epochs_planned=history.planned,
        epochs_at_target=None if history.target is None else len(history.at_target),
        changed=start.changed if start else {},
        when=history.began if records else made,
        seconds=history.seconds,
        device=start.device if start else "",
        seed=start.seed if start else 0,
        judged_by=history.judged_by,
        command=start.command if start else "",
        message=finished.message if finished else "",
        layers=_changed_layers(start) if start else [],
        device_name=start.device_name if start else "",
        epoch_s=_epoch_s(history.epochs),
        workload=workload(start.preset, start.own_network) if start else "",
        detached=detached,
        setting=setting_digest(start) if start else "",
        study=start.study if start else "",
    )


def _epoch_s(epochs: Sequence[EpochFinished]) -> float:
    """The mean time of the epochs, without the first one if there are more: it includes the warm-up."""
    sure = epochs[1:] or epochs
    seconds = sum(e.train_s + e.test_s for e in sure) / max(1, len(sure))
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _changed_layers(start: RunStarted) -> list[Any]:
    """The plain forms of the layers, where one of them was changed."""
    if not any(key.startswith("model.layers[") for key in start.changed):
        return []
    from tuitrain.spec.describe import layers_of

    return layers_of(start.preset)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _with_life(path: Path, summary: RunSummary) -> RunSummary:
    """The summary with the current state: a run without an end is live, paused or interrupted."""
    lock = locking.lock_state(path)
    if lock == "free":
        return summary
    if lock == "other":
        return dataclasses.replace(summary, state="locked", message=locking.other_message(summary.run, path))
    holder = locking.read_holder(path)
    live = RunDirectory(path).live()
    here = live is not None and (holder is None or live.pid == holder.pid)
    pid = holder.pid if holder else live.pid if live else None
    if not here or live is None:
        return dataclasses.replace(summary, state="live", pid=pid)
    state: RunState = "paused" if live.phase == "paused" else "live"
    seconds = max(summary.seconds, live.progress.elapsed_s if live.progress is not None else 0.0)
    return dataclasses.replace(
        summary, state=state if live.stalled_s is None else "stalled", pid=pid, seconds=seconds,
        phase=live.phase, phase_s=round(live.phase_s, 3), stalled_s=live.stalled_s,
    )  # fmt: skip


def _with_user(path: Path, summary: RunSummary) -> RunSummary:
    tags, note = read_user(path)
    return dataclasses.replace(summary, tags=tags, note=note) if tags or note else summary


# The list


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """Every run of a folder, the newest first.

    Raises:
        RunDirectoryError: the folder is there but can't be read.
    """
    cache = _read_index(runs_dir)
    kept: dict[str, Any] = {}
    found: list[RunSummary] = []
    changed = False
    for name in names.run_names(runs_dir):
        path = runs_dir / name
        key = _key(path)
        if key is None:
            continue
        cached = cache.get(name)
        summary = _from_cache(cached, key, path)
        if summary is None:
            try:
                summary = _of_files(path)
            except RunDirectoryError:
                continue
            changed = changed or summary.state != "later_version"
        if summary.state != "later_version":  # a later version is to read it, not this line about it
            kept[name] = {"key": key, "summary": summary}
        ended = summary.state != "interrupted"
        found.append(summary if ended and not _recent(key) else _with_life(path, summary))
    if changed or set(kept) != set(cache):
        _write_index(runs_dir, kept)
    found.sort(key=lambda s: (s.when, s.run), reverse=True)
    return found


def _key(path: Path) -> list[int] | None:
    """A key that changes when a run's log or user file does; None for a folder that is not a run."""
    key: list[int] = []
    for name in ("events.jsonl", USER_FILE):
        try:
            info = os.stat(path / name)  # noqa: PTH116 - a thousand of these
            key += [info.st_mtime_ns, info.st_size]
        except OSError:
            key += [0, 0]
    if key[0] == 0 and not (path / locking.LOCK_NAME).exists():
        return None
    return key


def _recent(key: list[int]) -> bool:
    """Whether the log changed in the last minute (or has a later time): its lock may just be changing."""
    return time.time() - key[0] / 1e9 < 60


def _from_cache(cached: Any, key: list[int], path: Path) -> RunSummary | None:
    try:
        if cached["key"] != key:
            return None
        ours = {"run": path.name, "path": str(path), **_OF_NOW}
        summary = jsonio.from_json(RunSummary, {**cached["summary"], **ours})
    except (KeyError, TypeError, ValueError):
        return None
    figures = (summary.when, summary.seconds, summary.epoch_s, summary.best or 0.0, summary.last or 0.0)
    return summary if all(math.isfinite(figure) for figure in figures) else None


def _read_index(runs_dir: Path) -> dict[str, Any]:
    """The index, or nothing when it is missing, damaged or of another version."""
    try:
        with durable.open_plain(runs_dir / INDEX) as file:
            digest, _, body = file.read(_MAX_INDEX).partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return {}
        data = json.loads(body)
        entries = data["runs"] if data["version"] == _VERSION else {}
        return entries if isinstance(entries, dict) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _write_index(runs_dir: Path, kept: dict[str, Any]) -> None:
    entries = {n: {"key": e["key"], "summary": e["summary"].to_dict()} for n, e in kept.items()}
    body = json.dumps({"version": _VERSION, "runs": entries}, separators=(",", ":")).encode()
    digest = hashlib.sha256(body).hexdigest().encode()
    with contextlib.suppress(OSError):  # it only saves time
        durable.replace(runs_dir.resolve() / INDEX, digest + b"\n" + body, durable=False)


def find_run_folder(runs_dir: Path, wanted: str) -> Path:
    """The folder of a path, a name, a unique beginning or end of one, or `latest`; it may be no run.

    Raises:
        RunDirectoryError: no run, or more than one, is called that.
    """
    newest = None
    if wanted == "latest":
        runs = list_runs(runs_dir)
        newest = runs[0].run if runs else None
    return names.find_by_name(runs_dir, wanted, newest)


def find_run(runs_dir: Path, wanted: str) -> RunDirectory:
    """The run directory of a path, a name, a unique beginning or end of one, or `latest`.

    Raises:
        RunDirectoryError: no run, or more than one, is called that; or a later version of tuitrain wrote it.
    """
    path = find_run_folder(runs_dir, wanted)
    if not names.looks_like_run(path):
        raise RunDirectoryError(f"{visible(path)} is no run directory; list the runs with `tuitrain runs`.")
    return RunDirectory.open(path)
