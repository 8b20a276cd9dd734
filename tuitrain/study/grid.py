"""A sweep: every combination of some values of some settings, each with the same seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuitrain.errors import PresetError, UsageError, visible
from tuitrain.spec.describe import label_of, value_text
from tuitrain.spec.preset import Preset, flattened, override
from tuitrain.study.plan import MAX_MEMBERS, Plan
from tuitrain.watch.group import Group
from tuitrain.watch.leaderboard import Leaderboard, Place

#: Settings of one sweep; each is a network that is checked before anything is trained.
MAX_SETTINGS = 5_000


def refuse_large(grid: Mapping[str, Sequence[Any]], seeds: int) -> None:
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


def combinations(base: Preset, grid: Mapping[str, Sequence[Any]]) -> list[tuple[Preset, dict[str, Any]]]:
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
