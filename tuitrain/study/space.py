"""What a search chooses from: values and ranges by the dotted keys of a preset, and the preset that a choice makes.

A key `model.layers[2].groups` may also be "separable": the convolution becomes one that works on each channel by itself
and one of 1x1 that mixes them (Howard et al., "MobileNets", 2017). The padding follows a kernel, so that maps keep
their size; a convolution on each channel by itself follows the channels before it. No torch, no optuna.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuitrain.errors import PresetError, UsageError, nearest, visible
from tuitrain.spec.assignment import dotted
from tuitrain.spec.layers import follow_references, layer_kind, layer_names, references
from tuitrain.spec.operations import op_kind
from tuitrain.spec.preset import Preset, flattened, override
from tuitrain.spec.table import NetworkError
from tuitrain.study.files import read_study_file

SEPARABLE = "separable"
_LAYER = re.compile(r"model\.layers\[(\d{1,3})\]\.(\w+)")
_RANGE_KEYS = ("low", "high", "step", "log")
_FILE_KEYS = ("space", "defaults")


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    @property
    def by_name(self) -> dict[str | int | float | bool, Any]:
        """The values by what stands for them where they are written down: themselves, or their JSON."""
        return {
            value if isinstance(value, str | int | float) else json.dumps(value): value
            for value in self.values
        }

    @property
    def samples(self) -> tuple[Any, ...]:
        """Values that must be possible."""
        return self.values

    @property
    def smallest_first(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    @property
    def size(self) -> float:
        """How many there are."""
        return len(self.values)

    def to_toml_value(self) -> Any:
        """As a file of a space has it."""
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; whole numbers where both are; `log` chooses the exponent evenly."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether it has whole numbers only."""
        return all(isinstance(end, int) for end in (self.low, self.high, self.step or 1))

    @property
    def samples(self) -> tuple[Any, ...]:
        """Values that must be possible."""
        return (self.low, self.high)

    @property
    def smallest_first(self) -> tuple[Any, ...]:
        """Its ends, for what grows with the value."""
        return (self.low, self.high)

    @property
    def size(self) -> float:
        """How many values there are; infinite without steps."""
        step = self.step or (1 if self.whole else None)
        return math.inf if step is None or self.log else math.floor((self.high - self.low) / step + 1e-9) + 1

    def to_toml_value(self) -> Any:
        """As a file of a space has it."""
        more: dict[str, Any] = {} if self.step is None else {"step": self.step}
        return {"low": self.low, "high": self.high} | more | ({"log": True} if self.log else {})


Space = Mapping[str, Choice | Range]


def build(base: Preset, chosen: Mapping[str, Any]) -> Preset:
    """The preset that a choice makes.

    Args:
        base: where to start from.
        chosen: values by dotted key.

    Raises:
        NetworkError: its layers don't fit each other.
        PresetError: a value is refused.
    """
    plain: dict[str, Any] = {}
    layers = [dict(layer) for layer in base.to_dict()["model"]["layers"]]
    own: dict[int, dict[str, Any]] = {}
    for key, value in chosen.items():
        place = _LAYER.fullmatch(key)
        if place is None:
            plain[key] = value
        elif int(place[1]) >= len(layers):
            raise PresetError(
                f"{key}: the preset has {len(layers)} layers, counted from 0; name one of them."
            )
        else:
            own.setdefault(int(place[1]), {})[place[2]] = value
    if own:
        plain["model.layers"] = _with(layers, own)
    return override(base, plain, "the space")


def _with(layers: Sequence[dict[str, Any]], own: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    origins: list[int | None] = []  # of the layers in `out`
    before, now = 1, 1  # channels: as they were in the preset, and as they are
    widths: dict[str, tuple[int, int]] = {}  # the same behind each layer
    for index, (name, old) in enumerate(zip(layer_names(layers), layers, strict=True)):
        new = old | dict(own.get(index, {}))
        if layer_kind(old) != "conv":
            before, now = widths.get(old.get("share", ""), (before, now))
            out.append(new)
            origins.append(index)
            continue
        each = (
            old.get("groups", 1) == before > 1
            and old["conv"] % before == 0
            and "groups" not in own.get(index, {})
        )
        if each:  # on each channel by itself
            new |= {"conv": old["conv"] // before * now, "groups": now}
        _pad(old, new, own.get(index, {}))
        if new.get("groups") == SEPARABLE:
            out += _separable(new, now)
        else:
            out.append({key: value for key, value in new.items() if (key, value) != ("groups", 1)})
        origins += [*(None for _ in out[len(origins) + 1 :]), index]
        before, now = widths[name] = old["conv"], new["conv"]
    return follow_references(layers, out, origins)


def _pad(old: Mapping[str, Any], new: dict[str, Any], own: Mapping[str, Any]) -> None:
    kernels = [layer.get("kernel", 3) for layer in (old, new)]
    if "padding" in own or "kernel" not in own or not all(isinstance(kernel, int) for kernel in kernels):
        return
    padding = old.get("padding", 0)
    if isinstance(padding, int):
        padding = max(0, padding + (kernels[1] - kernels[0]) // 2)
        new.pop("padding", None)
        new |= {"padding": padding} if padding else {}


def _separable(layer: Mapping[str, Any], channels: int) -> list[dict[str, Any]]:
    """One on each of the channels, as it slides; then 1x1, with what follows it."""
    slides = {
        key: value for key, value in layer.items() if key in ("kernel", "stride", "padding", "dilation")
    }
    mixes = {key: value for key, value in layer.items() if key in ("bias", "then")}
    first = {"conv": channels, "kernel": 3} | slides | {"groups": channels, "bias": False}
    return [first, {"conv": layer["conv"], "kernel": 1} | mixes]


# ------------------------------------------------------------------------------------- defaults


def default_space(base: Preset, max_parameters: int) -> dict[str, Choice | Range]:
    """What is searched where nothing else is said: the network's widths, kernels and groups, and how it is trained.

    Args:
        base: the preset.
        max_parameters: widths are around those with which the network has so many.
    """
    return _network_space(base, max_parameters) | _training_space(base)


def _network_space(base: Preset, max_parameters: int) -> dict[str, Choice | Range]:
    out: dict[str, Choice | Range] = {}
    layers = base.to_dict()["model"]["layers"]
    kinds = [layer_kind(layer) for layer in layers]
    tied = _tied(layers)
    scale = min(1.0, math.sqrt(max_parameters / base.table().parameters))
    last = max((n for n, kind in enumerate(kinds) if kind in ("conv", "linear")), default=-1)
    channels = 1
    for index, (kind, layer) in enumerate(zip(kinds, layers, strict=True)):
        place = f"model.layers[{index}]"
        if kind == "linear" and index != last:
            out[f"{place}.linear"] = _widths(layer["linear"], scale)
        if kind != "conv":
            continue
        kernel, groups = layer.get("kernel", 3), layer.get("groups", 1)
        if groups == 1 and index != last and index not in tied:
            out[f"{place}.conv"] = _widths(layer["conv"], scale)
        if isinstance(kernel, int) and kernel >= 3 and kernel % 2:
            out[f"{place}.kernel"] = Choice(tuple(sorted({3, 5, kernel})))
            if groups == 1 and channels > 1 and index not in tied:
                out[f"{place}.groups"] = Choice((1, SEPARABLE))
        channels = layer["conv"]
    return out


def _tied(layers: Sequence[Mapping[str, Any]]) -> set[int]:
    """Layers whose widths must be equal: of what a residual adds, and of what goes into a layer that is used again."""
    names, refers = layer_names(layers), references(layers)
    out: set[int] = set()
    for index, name in enumerate(refers):
        if name in names:
            there = names.index(name)
            if layer_kind(layers[index]) == "share":  # what goes into it, there and here
                there -= 1
            out |= {_conv_at(layers, place) for place in (there, index - 1)}
    return out


def _conv_at(layers: Sequence[Mapping[str, Any]], index: int) -> int:
    """The last convolution up to a layer; -1 where there is none."""
    return next((n for n in range(index, -1, -1) if layer_kind(layers[n]) == "conv"), -1)


def _widths(width: int, scale: float) -> Range:
    middle = max(2.0, width * scale)
    return Range(max(2, round(middle / 3)), max(4, round(middle * 2)))


def _training_space(base: Preset) -> dict[str, Choice | Range]:
    train = base.to_dict()["train"]
    rate, low, high = train["optimizer"]["lr"], 0.01, 0.6
    if train["optimizer"]["name"] != "sgd":
        low, high = 0.0005, 0.03
    schedules = [train["schedule"]] + [
        {"name": name} for name in ("onecycle", "cosine") if name != train["schedule"]["name"]
    ]
    out: dict[str, Choice | Range] = {
        "train.optimizer.lr": Range(min(low, rate), max(high, rate), log=True),
        "train.schedule": Choice(tuple(schedules)),
    }
    ops = [op for layer in base.to_dict()["model"]["layers"] for op in layer.get("then", ())]
    if any(isinstance(op, str) and op_kind(op) in ("dropout", "dropout2d") for op in ops):
        out["train.dropout"] = Range(0.0, 0.15, 0.01)
    if not isinstance(train["rotation"], list):
        out["train.rotation"] = Range(0.0, 15.0, 1.0)
    return out | {"train.shift": Range(0.0, 2.0, 0.5), "train.label_smoothing": Range(0.0, 0.1, 0.02)}


# ---------------------------------------------------------------------------------------- files


def read_space(path: Path, default: Space) -> dict[str, Choice | Range]:
    """The space of a file, which narrows and extends the default one: a list chooses, a table is a range, a value is fixed.

    Raises:
        UsageError: it can't be read, or has a key or a range that is none.
    """
    where = f"--space {visible(path)}"
    data = read_study_file(path, _FILE_KEYS, where)
    table, defaults = data.get("space", {}), data.get("defaults", True)
    if not isinstance(table, dict) or not isinstance(defaults, bool):
        raise UsageError(f"{where}: space is a table and defaults is true or false; write [space].")
    return space_of(table, default if defaults else {}, where)


def space_of(table: Mapping[str, Any], default: Space, where: str) -> dict[str, Choice | Range]:
    """The same of the table itself.

    Raises:
        UsageError: a range is none, or nothing is left to choose.
    """
    out = dict(default)
    for key, value in _entries(table).items():
        out[key] = _entry(value, f"{where}: {visible(key)}")
    if not any(entry.size > 1 for entry in out.values()):
        raise UsageError(f"{where}: the space is empty: nothing in it has two values to choose from.")
    return out


def _entries(table: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and value and not set(value) & {*_RANGE_KEYS, "name"}
        out |= _entries(value, f"{place}{key}.") if nested else {dotted(f"{place}{key}"): value}
    return out


def _entry(value: Any, where: str) -> Choice | Range:
    if isinstance(value, dict) and not set(value) & set(_RANGE_KEYS):
        return Choice((value,))
    if isinstance(value, dict):
        return _range(value, where)
    values = value if isinstance(value, list) else [value]
    if not values or len({repr(one) for one in values}) < len(values):
        raise UsageError(
            f"{where} has {'a value twice' if values else 'no value'}; give each once, such as [3, 5]."
        )
    return Choice(tuple(values))


def _range(table: Mapping[str, Any], where: str) -> Range:
    for key in table:
        if key not in _RANGE_KEYS:
            close = nearest(key, _RANGE_KEYS)
            hint = f"did you mean '{close}'?" if close else "a range has low, high, step and log."
            raise UsageError(f"{where}: there is no '{visible(key)}'; {hint}")
    low: Any
    high: Any
    low, high, step, log = (table.get(key) for key in _RANGE_KEYS)
    numbers = [low, high, *([] if step is None else [step])]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        raise UsageError(f"{where}: a range is {{ low = 0.01, high = 0.3 }}, with numbers.")
    if not low <= high or (step is not None and step <= 0):
        raise UsageError(f"{where}: low is at most high, and step above 0.")
    if log and (low <= 0 or step is not None):
        raise UsageError(f"{where}: log needs low above 0 and no step.")
    return Range(low, high, step, bool(log))


def check_space(base: Preset, space: Space, where: str) -> None:
    """Refuses keys and values that no preset can have.

    Raises:
        UsageError: with what is meant perhaps; networks whose layers don't fit are left to the search.
    """
    known = [key for key in flattened(base.to_dict()) if key.startswith(("train.", "model.", "challenge."))]
    for key, entry in space.items():
        if key.startswith("model.") and not _LAYER.fullmatch(key):
            close = nearest(key, known)
            hint = f"did you mean '{close}'?" if close else "name it as model.layers[2].conv."
            raise UsageError(f"{where}: '{visible(key)}' can't be searched; {hint}")
        for value in entry.samples:
            try:
                build(base, {key: value})
            except NetworkError:
                continue
            except PresetError as error:
                text = str(error).removeprefix("the space: ")
                raise UsageError(f"{where}: {text}") from None


def smallest(base: Preset, space: Space) -> int | None:
    """The fewest parameters that were found in it, each key chosen by itself again and again; None if nothing fits."""
    chosen: dict[str, Any] = {key: entry.smallest_first[0] for key, entry in space.items()}
    best = parameters_of(base, chosen)
    for _ in range(3):
        before = best
        for key, entry in space.items():
            if not key.startswith("model."):
                continue
            for value in entry.smallest_first:
                found = parameters_of(base, chosen | {key: value})
                if found is not None and (best is None or found < best):
                    best, chosen = found, chosen | {key: value}
        if best == before:
            break
    return best


def parameters_of(base: Preset, chosen: Mapping[str, Any]) -> int | None:
    """In closed form; None of a network whose layers don't fit."""
    try:
        return build(base, chosen).table().parameters
    except PresetError:
        return None
