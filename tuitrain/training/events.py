"""The event types: a run is a stream of these, and everything else is derived from it.

Accuracies are fractions from 0 to 1, losses are mean cross-entropy an image in nats, and fields
carry their unit in the name where it is not obvious. A line of `events.jsonl` is
`{"event": NAME, "time": unix seconds, "elapsed_s": seconds of run, ...fields}`; numbers that are
not finite are written as null and read as NaN.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tuitrain import jsonio
from tuitrain.spec.best import best_epoch

#: The version of the event log, in its first line; raised when an older program would misread it.
SCHEMA = 1

PhaseName = Literal["loading data", "warming up", "compiling", "training", "evaluating", "saving", "paused"]
Outcome = Literal["completed", "stopped", "diverged", "out_of_memory", "failed"]
ControlAction = Literal[
    "paused",
    "resumed",
    "learning_rate",
    "extended",
    "detached",
    "attached",
    "stop",
    "checkpoint",
    "restarted",
    "pause_after",
]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Once, first. `preset` is the resolved preset in its JSON form (`Preset.to_dict`).

    `own_network` is empty, or says of a network in Python that took the place of the preset's: `model`, as it
    was named (`file.py:Net`), and the file's `sha256`. It is for readers: nothing is ever imported by it.
    `git` is empty, or says of the folder that the run was started in: `commit`, `branch` and `dirty` (whether a
    tracked file was changed). `data_sha256` has the SHA-256 of each data file, unpacked, as it was read. `study` is the
    name of the study that the run is a member of, or empty. `parent` is empty, or says of a branch the `run` that it
    began from, and after which `epoch`; its own epochs begin after that one.
    """

    run: str
    name: str
    preset: dict[str, Any]
    seed: int
    device: str
    device_name: str
    versions: dict[str, str]
    runtime: dict[str, Any]
    parameters: int
    mult_adds: int
    dataset: str
    train_images: int
    test_images: int
    judged_by: Literal["test", "validation"]
    epochs: int
    steps_per_epoch: int
    changed: dict[str, list[Any]] = field(default_factory=dict)
    budget: int | None = None
    command: str = ""
    own_network: dict[str, str] = field(default_factory=dict)
    git: dict[str, Any] = field(default_factory=dict)
    data_sha256: dict[str, str] = field(default_factory=dict)
    study: str = ""
    parent: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def split_seed(self) -> int | None:
        """The seed that chose the images held out to judge by; None of a run that the test set judges."""
        train = self.preset.get("train")
        chosen = train.get("val_split_seed") if isinstance(train, dict) else None
        if self.judged_by != "validation":
            return None
        return chosen if isinstance(chosen, int) else self.seed


@dataclass(frozen=True, slots=True)
class Phase:
    """What the training thread is doing now. Never written to disk."""

    phase: PhaseName
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class StepProgress:
    """At most every 0.1 s. Losses and accuracies are running means over the epoch so far."""

    epoch: int
    step: int
    steps: int
    train_loss: float
    train_acc: float
    lr: float
    images_per_s: float
    step_ms: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class EpochFinished:
    """One finished epoch, counted from 1. `test_*` is of the judging set (see `judged_by`).

    `data_wait_s` are the seconds in which no step was taken because the epoch's images were shuffled and
    augmented: part of `train_s`, but for the first epoch of a process, whose images are made before its clock runs;
    None where it was not measured. `norms` has of each layer's weights, by the parameter's name, three numbers of the
    epoch's last step: the norm of the weights before it, that of their gradient, and how far it moved them, over their
    norm; empty where they were not measured. `ema_test_*` are of the averaged weights (`train.ema`), None without them.
    """

    epoch: int
    epochs: int
    train_loss: float
    train_acc: float
    test_loss: float
    test_acc: float
    lr: float
    train_s: float
    test_s: float
    elapsed_s: float
    images_per_s: float
    test_images: int
    data_wait_s: float | None = None
    norms: dict[str, list[float]] = field(default_factory=dict)
    ema_test_loss: float | None = None
    ema_test_acc: float | None = None


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """After the rename and the fsync. `step` is 0 at an epoch's end, else steps into `epoch` + 1."""

    epoch: int
    step: int
    file: str
    sha256: str
    best: bool


@dataclass(frozen=True, slots=True)
class Control:
    """A command that was carried out; `source` says from where (keyboard, signal, shell, trainer).

    `pause_after` has in `value` the epoch after which the run will pause; 0 where that was taken back.
    """

    action: ControlAction
    epoch: int
    step: int = 0
    value: float | None = None
    detail: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning or note: what happened, and what to do about it."""

    message: str
    remedy: str = ""
    level: Literal["info", "warning", "error"] = "warning"
    code: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Exactly once, last (a resumed run's earlier one is superseded).

    `stopped_early` is empty, or says what ended a completed run before its last epoch: `target`, `patience` or
    `max_seconds` (see `spec.train.EarlyStop`); `message` says it in a sentence.
    """

    outcome: Outcome
    epochs: int
    best_test_acc: float
    best_epoch: int
    last_test_acc: float
    last_train_acc: float
    last_test_loss: float
    seconds: float
    images_per_s: float
    message: str = ""
    model_sha256: str = ""
    stopped_early: str = ""


Event = RunStarted | Phase | StepProgress | EpochFinished | CheckpointSaved | Control | Notice | RunFinished

TYPES: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (RunStarted, Phase, StepProgress, EpochFinished, CheckpointSaved, Control, Notice, RunFinished)
}


@dataclass(frozen=True, slots=True)
class Record:
    """An event with the time it happened: `time` in unix seconds, `elapsed_s` of monotonic run time."""

    event: Event
    time: float
    elapsed_s: float


def end_of(
    epochs: Sequence[EpochFinished], outcome: Outcome, message: str, *, seconds: float, images_per_s: float
) -> RunFinished:
    """The last event of a run with these finished epochs, given in order."""
    best, last = best_epoch(epochs), epochs[-1] if epochs else None
    return RunFinished(
        outcome=outcome,
        epochs=last.epoch if last else 0,
        best_test_acc=best.test_acc if best else math.nan,
        best_epoch=best.epoch if best else 0,
        last_test_acc=last.test_acc if last else math.nan,
        last_train_acc=last.train_acc if last else math.nan,
        last_test_loss=last.test_loss if last else math.nan,
        seconds=seconds,
        images_per_s=images_per_s,
        message=message,
    )


def to_dict(event: Event) -> dict[str, Any]:
    """The event's plain JSON form, its name under `event`."""
    fields = {f.name: jsonio.finite(getattr(event, f.name)) for f in dataclasses.fields(event)}
    return {"event": type(event).__name__, **fields}


def to_line(record: Record) -> str:
    """One line of `events.jsonl`, without its newline; printable ASCII only."""
    body = to_dict(record.event)
    line = {
        "event": body.pop("event"),
        "time": round(record.time, 3),
        "elapsed_s": round(record.elapsed_s, 4),
    }
    return json.dumps(line | body, allow_nan=False, separators=(",", ":"))


def from_dict(data: dict[str, Any]) -> Event:
    """The event of a JSON form; fields of a newer minor version are ignored.

    Raises:
        ValueError: the name is unknown, or a field is missing or of another type.
    """
    name = data.get("event")
    if not isinstance(name, str) or name not in TYPES:
        raise ValueError(f"no event is called {name!r}")
    return jsonio.from_json(TYPES[name], data)


def from_line(line: str) -> Record:
    """The record of one complete line.

    Raises:
        ValueError: the line is not an event of tuitrain.
    """
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    time, elapsed_s = (
        jsonio.json_number(data.get(name) or 0.0, jsonio.LATEST_S) for name in ("time", "elapsed_s")
    )
    return Record(from_dict(data), time, elapsed_s)
