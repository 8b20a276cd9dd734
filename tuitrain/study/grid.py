"""A sweep: every combination of some values of some settings, each with the same seeds."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuitrain import tomltext
from tuitrain.errors import PresetError, UsageError, visible
from tuitrain.spec.assignment import dotted, value_of
from tuitrain.spec.describe import label_of, value_text
from tuitrain.spec.preset import Preset, differences, flattened, override, toml_value
from tuitrain.spec.repeat import run_command
from tuitrain.spec.table import refuse_over_budget
from tuitrain.study.files import read_study_file
from tuitrain.study.plan import MAX_MEMBERS, Plan, Setting, judged_alike, study_name
from tuitrain.study.store import fresh_study_name
from tuitrain.training.runtime import Runtime
from tuitrain.watch.group import Group
from tuitrain.watch.leaderboard import Leaderboard, Place

#: Settings of one sweep; each is a network that is checked before anything is trained.
MAX_SETTINGS = 5_000
#: What a file of a sweep may have.
_FILE_KEYS = ("preset", "seeds", "grid", "set", "dataset", "name", "halving")

Grid = Mapping[str, Sequence[Any]]


def grid_of(texts: Iterable[str], where: str = "--grid") -> dict[str, list[Any]]:
    """The values by dotted key of texts such as `lr=0.01,0.02`, as `--grid` takes them.

    Args:
        texts: one a setting.
        where: how an error calls them.

    Raises:
        UsageError: one can't be read, or a setting or a value is there twice.
    """
    out: dict[str, list[Any]] = {}
    for text in texts:
        key, equals, rest = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{where} '{visible(text)}': write it as key=value,value, such as lr=0.01,0.02.")
        try:
            values = tomltext.tables(f"value = [{rest}]")["value"]
        except ValueError:  # words without quotes among them
            values = [value_of(part.strip()) for part in rest.split(",") if part.strip()]
        name = dotted(key.strip())
        if name == "train.seed":
            raise UsageError(
                f"{where} '{visible(text)}': all settings get the same seeds; name them as seeds."
            )
        if name in out:
            raise UsageError(
                f"{where} '{visible(text)}': {visible(key.strip())} is there twice; give all its values at once."
            )
        out[name] = _each_once(values, f"{where} '{visible(text)}'")
    return out


def read_sweep_file(path: Path) -> tuple[dict[str, Any], dict[str, list[Any]], list[str]]:
    """The values, the grid, and the settings (as `--set` takes them) of a sweep's file.

    Raises:
        UsageError: it can't be read, or has a key or a value that is none.
    """
    where = visible(path)
    data = read_study_file(path, _FILE_KEYS, where)
    tables = {key: data.pop(key, {}) for key in ("grid", "set")}
    if not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(
            f"{where}: grid and set are tables; write [grid] and lines such as lr = [0.01, 0.02]."
        )
    grid = {}
    for key, values in _flat(tables["grid"]).items():
        if not isinstance(values, list):
            raise UsageError(f"{where}: grid.{visible(key)} is no list; write [0.01, 0.02].")
        grid[dotted(key)] = _each_once(values, f"{where}: grid.{visible(key)}")
    changes = [f"{dotted(key)}={toml_value(value)}" for key, value in _flat(tables["set"]).items()]
    return data, grid, changes


def _each_once(values: Sequence[Any], where: str) -> list[Any]:
    if len({repr(value) for value in values}) < len(values):
        raise UsageError(f"{where}: a value is there twice; give each once.")
    return list(values)


def _flat(table: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """A table's values by dotted key."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        out |= _flat(value, f"{place}{key}.") if isinstance(value, dict) else {f"{place}{key}": value}
    return out


def refuse_large(grid: Grid, seeds: int) -> None:
    """Refuses a grid that is empty or far too large, before any of it is made.

    Raises:
        UsageError: with the count.
    """
    if not grid or any(not values for values in grid.values()):
        raise UsageError("sweep: the grid is empty; give --grid lr=0.01,0.02,0.05.")
    settings = math.prod(len(values) for values in grid.values())
    if settings > MAX_SETTINGS or settings * seeds > MAX_MEMBERS:
        raise UsageError(
            f"sweep: {settings:,} settings with {seeds:,} seeds are {settings * seeds:,} runs; use {MAX_SETTINGS:,} "
            f"settings and {MAX_MEMBERS:,} runs at most."
        )


def combinations(base: Preset, grid: Grid) -> list[tuple[Preset, dict[str, Any]]]:
    """Each combination: the preset, and its values by dotted key.

    Raises:
        PresetError: one of the values can't be used.
    """
    out = []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        try:
            preset = override(base, chosen, "sweep")
            preset.table()
        except PresetError as error:
            said = ", ".join(f"{key}={value_text(value)}" for key, value in chosen.items())
            text = str(error).removeprefix("sweep: ")
            error.args = (text if len(grid) == 1 else f"{text} (in {visible(said)})",)
            raise
        out.append((preset, chosen))
    return out


def grid_label(chosen: Mapping[str, Any]) -> str:
    """`learning rate 0.02, dropout 0.05`."""
    return ", ".join(f"{label_of(key)} {value_text(value)}" for key, value in chosen.items())


def plan_of_sweep(
    base: Preset, source: str, changed: Preset, grid: Grid, seeds: tuple[int, ...], runtime: Runtime, *,
    name: str | None = None, budget: int | None = None, command: str = "",
) -> Plan:  # fmt: skip
    """The plan of a sweep, a setting for each combination; one that is the preset as it stands is the base.

    Args:
        base: the preset as published.
        source: its name or file, as on a command line.
        changed: what the grid changes.
        grid: values by dotted key.
        seeds: of each setting.
        runtime: how the machine is used.
        name: of the study.
        budget: the most parameters that a network may have.
        command: the command line of the whole.

    Raises:
        PresetError: one of the values can't be used.
        UsageError: nothing or far too much is to be trained, a network is over the budget, or the name can't be used.
    """
    refuse_large(grid, len(seeds))
    changed = judged_alike(changed, seeds[0])
    settings = []
    for number, (preset, chosen) in enumerate(combinations(changed, grid)):
        own = {} if preset == changed else differences(base, preset)
        refuse_over_budget(preset.table(), preset.name, budget)
        alone = run_command(base, source, preset)
        settings.append(Setting(grid_label(chosen), preset, own, alone, f"s{number:03d}"))
    called = study_name(name) if name else fresh_study_name(f"{base.name}-sweep")
    return Plan(called, "sweep", tuple(settings), seeds, runtime, budget, command, began=time.time())


class Sweep:
    """What is known of a sweep's settings before they are trained; worked out once, its leaderboard again and again."""

    def __init__(self, plan: Plan) -> None:
        flat = [flattened(setting.preset.to_dict()) for setting in plan.settings]
        self.keys = swept_keys(flat)
        self._settings = [
            (
                tuple(one.get(key) for key in self.keys),
                setting.preset.table().parameters,
                not setting.changed,
            )
            for one, setting in zip(flat, plan.settings, strict=True)
        ]
        self._stopped = {index: (cut.epoch, mean) for cut in plan.cuts for index, mean in cut.stopped}

    def leaderboard(self, groups: Sequence[Group]) -> Leaderboard:
        """As the groups of the settings stand."""
        places = [
            Place(group, *known, *self._stopped.get(setting, (0, None)), setting)
            for setting, (known, group) in enumerate(zip(self._settings, groups, strict=True))
        ]
        return Leaderboard(tuple(label_of(key) for key in self.keys), tuple(places))


def leaderboard_of(plan: Plan, groups: Sequence[Group]) -> Leaderboard:
    """The leaderboard of a sweep, as its groups stand."""
    return Sweep(plan).leaderboard(groups)


def swept_keys(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values differ between settings (values by dotted key)."""
    keys = list(dict.fromkeys(key for one in settings for key in one))
    return [key for key in keys if len({repr(one.get(key)) for one in settings}) > 1] or [
        "train.optimizer.lr"
    ]
