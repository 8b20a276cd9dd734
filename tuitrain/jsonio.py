"""Dataclasses as plain JSON and back; the JSON is not trusted. Imports nothing of ours."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

#: Counts of a run are far below this; what is beyond it comes from elsewhere and would only cost memory.
_MOST = (1 << 63) - 1
_MOST_EPOCHS = 1_000_000
_T = TypeVar("_T")
LATEST_S = 1e11  # the year 5138


def finite(value: Any) -> Any:
    """The value with every number that is not finite replaced by None, so that it is plain JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def json_number(value: Any, most: float = sys.float_info.max) -> float:
    """A JSON number as a float, NaN for null.

    Raises:
        ValueError: it is not a number, or its size is above `most`.
    """
    if value is None:
        return math.nan
    if (type(value) is not float and type(value) is not int) or value > most or value < -most:
        raise ValueError("not a number that can be")
    return float(value)


def from_json(cls: type[_T], data: Mapping[str, Any]) -> _T:
    """The dataclass of a JSON object; what the class does not know is ignored.

    Raises:
        ValueError: a field is missing or of another type.
    """
    values: dict[str, Any] = {}
    for name, needed, check in _fields(cls):  # type: ignore[arg-type]
        if name in data:
            values[name] = check(data[name])
        elif needed:
            raise ValueError(f"{cls.__name__} has no {name}")
    return cls(**values)


@functools.cache
def _fields(cls: type[Any]) -> tuple[tuple[str, bool, Callable[[Any], Any]], ...]:
    """Name, whether it must be there, and check of each field."""
    hints = typing.get_type_hints(cls)
    missing = dataclasses.MISSING
    return tuple(
        (f.name, f.default is missing and f.default_factory is missing, _check(f.name, hints[f.name]))
        for f in dataclasses.fields(cls)
    )


def _check(name: str, kind: Any) -> Callable[[Any], Any]:
    """What makes the value of a field out of JSON, or raises ValueError."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if types.NoneType in inner:
        check = _check(name, inner[0])
        return lambda value: None if value is None else check(value)
    if kind is float:
        most = _most(name)
        return lambda value: json_number(value, most)
    if kind is int:
        top = _MOST_EPOCHS if name in ("epoch", "epochs", "best_epoch") else _MOST
        return _must(name, lambda value: type(value) is int and 0 <= value <= top)
    if origin is Literal:
        return _must(name, lambda value: type(value) is str and value in inner)
    if origin in (dict, list, tuple):
        item = inner[1] if origin is dict else inner[0]
        wanted = object if item is Any else typing.get_origin(item) or item
        if origin is dict:
            return _must(name, lambda value: type(value) is dict and _all(value.values(), wanted))
        right = _must(name, lambda value: type(value) is list and _all(value, wanted))
        return lambda value: origin(right(value))
    return _must(name, lambda value: type(value) is kind)


def _most(name: str) -> float:
    if name == "when":
        return LATEST_S
    return 1.0 if name.endswith("_acc") or name in ("best", "last") else sys.float_info.max


def _all(values: typing.Iterable[Any], kind: type[Any]) -> bool:
    return all(isinstance(value, kind) for value in values)


def _must(name: str, right: Callable[[Any], bool]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not right(value):
            raise ValueError(f"{name} is not what it should be")
        return value

    return check
