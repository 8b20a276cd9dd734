"""The event types: a run is a stream of these, and everything else is derived from it.

Accuracies are fractions from 0 to 1, losses are mean cross-entropy an image in nats, and fields
carry their unit in the name where it is not obvious. A line of `events.jsonl` is
`{"event": NAME, "time": unix seconds, "elapsed_s": seconds of run, ...fields}`; numbers that are
not finite are written as null and read as NaN.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1

PhaseName = Literal["loading data", "warming up", "training", "evaluating", "saving", "paused"]
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
]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Once, first. `preset` is the resolved preset in its JSON form (`Preset.to_dict`).

    `own_network` is empty, or says of a network in Python that took the place of the preset's: `model`, as it
    was named (`file.py:Net`), and the file's `sha256`. It is for readers: nothing is ever imported by it.
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
    schema: int = SCHEMA


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
    """One finished epoch, counted from 1. `test_*` is of the judging set (see `judged_by`)."""

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
    """Somebody steered the run; `source` says from where (keyboard, signal, shell, trainer)."""

    action: ControlAction
    epoch: int
    step: int = 0
    value: float | None = None
    detail: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something degraded: what, and what to do about it."""

    message: str
    remedy: str = ""
    level: Literal["info", "warning", "error"] = "warning"
    code: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Exactly once, last (a resumed run's earlier one is superseded)."""

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


Event = RunStarted | Phase | StepProgress | EpochFinished | CheckpointSaved | Control | Notice | RunFinished

TYPES: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (RunStarted, Phase, StepProgress, EpochFinished, CheckpointSaved, Control, Notice, RunFinished)
}
#: Events that go to disk and to every reader; of the others only the latest matters.
LOSSLESS = (RunStarted, EpochFinished, CheckpointSaved, Control, Notice, RunFinished)


@dataclass(frozen=True, slots=True)
class Record:
    """An event with the time it happened: `time` in unix seconds, `elapsed_s` of monotonic run time."""

    event: Event
    time: float
    elapsed_s: float


def finite(value: Any) -> Any:
    """The value with every number that is not finite replaced by None, so that it is plain JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def to_dict(event: Event) -> dict[str, Any]:
    """The event's plain JSON form, its name under `event`."""
    fields = {f.name: finite(getattr(event, f.name)) for f in dataclasses.fields(event)}
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


#: Counts of a run are far below this; what is beyond it comes from elsewhere and would only cost memory.
_MOST = (1 << 63) - 1
_MOST_EPOCHS = 1_000_000
_LATEST_S = 1e11  # the year 5138


def _number(value: Any, most: float = sys.float_info.max) -> float:
    if value is None:
        return math.nan
    if (type(value) is not float and type(value) is not int) or value > most or value < -most:
        raise ValueError("not a number that can be")
    return float(value)


def _check(name: str, kind: Any) -> Callable[[Any], Any]:
    """What makes the value of a field out of JSON, or raises ValueError: a log may come from anywhere."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if types.NoneType in inner:
        check = _check(name, inner[0])
        return lambda value: None if value is None else check(value)
    if kind is float:
        most = 1.0 if name.endswith("_acc") else sys.float_info.max
        return lambda value: _number(value, most)
    if kind is int:
        top = _MOST_EPOCHS if name in ("epoch", "epochs", "best_epoch") else _MOST
        return _must(name, lambda value: type(value) is int and 0 <= value <= top)
    if origin is Literal:
        return _must(name, lambda value: type(value) is str and value in inner)
    if origin is dict:
        item = typing.get_origin(inner[1]) or inner[1]
        wanted = object if item is Any else item
        return _must(
            name, lambda value: type(value) is dict and all(isinstance(v, wanted) for v in value.values())
        )
    return _must(name, lambda value: type(value) is kind)


def _must(name: str, right: Callable[[Any], bool]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not right(value):
            raise ValueError(f"{name} is not what it should be")
        return value

    return check


@functools.cache
def _fields(name: str) -> tuple[tuple[str, bool, Callable[[Any], Any]], ...]:
    """Name, whether it must be there, and check of each field of an event."""
    hints = typing.get_type_hints(TYPES[name])
    missing = dataclasses.MISSING
    return tuple(
        (f.name, f.default is missing and f.default_factory is missing, _check(f.name, hints[f.name]))
        for f in dataclasses.fields(TYPES[name])
    )


def from_dict(data: dict[str, Any]) -> Event:
    """The event of a JSON form; fields of a newer minor version are ignored.

    Raises:
        ValueError: the name is unknown, or a field is missing or of another type.
    """
    name = data.get("event")
    if not isinstance(name, str) or name not in TYPES:
        raise ValueError(f"no event is called {name!r}")
    values: dict[str, Any] = {}
    for field_name, needed, check in _fields(name):
        if field_name in data:
            values[field_name] = check(data[field_name])
        elif needed:
            raise ValueError(f"{name} has no {field_name}")
    return TYPES[name](**values)


def from_line(line: str) -> Record:
    """The record of one complete line.

    Raises:
        ValueError: the line is not one of ours.
    """
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    time, elapsed_s = (_number(data.get(name) or 0.0, _LATEST_S) for name in ("time", "elapsed_s"))
    return Record(from_dict(data), time, elapsed_s)
