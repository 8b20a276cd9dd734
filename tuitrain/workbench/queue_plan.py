"""Several presets, seeds and variations as jobs for the queue."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from tuitrain.errors import UsageError, visible
from tuitrain.spec.assignment import settings_in
from tuitrain.workbench.settings import RunDefaults

if TYPE_CHECKING:
    from tuitrain.training.job import Job

MOST = 200


def seeds_of(text: str) -> list[int]:
    """`0-4, 7` as numbers.

    Raises:
        UsageError: something else.
    """
    seeds: dict[int, None] = {}
    try:
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            low, dash, high = part.partition("-")
            numbers = range(int(low), int(high) + 1) if dash else (int(low),)
            if len(numbers) > MOST:
                raise ValueError
            seeds.update(dict.fromkeys(numbers))
    except ValueError:
        raise UsageError(f"seeds '{visible(text)}': write numbers like 0-4, 7") from None
    if not seeds or min(seeds) < 0:
        raise UsageError("seeds: write at least one number, 0 or more")
    return list(seeds)


def variations_of(text: str) -> list[dict[str, Any]]:
    """`rotation=5,7 lr=0.01` as every combination of the values, by dotted key.

    Raises:
        UsageError: a part that is no setting, or one that is there twice.
    """
    from tuitrain.study.grid import grid_of

    grid = grid_of(settings_in(text), "variations")
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def plan_of(
    names: list[str], seeds: str, variations: str, devices: str, place: RunDefaults | None = None
) -> list[Job]:
    """Every preset with every variation and seed, dealt to the devices in turn; the rest as the settings say.

    Raises:
        TuitrainError: a preset, setting, seed or device that can't be used.
    """
    from tuitrain.spec.preset import differences, override
    from tuitrain.spec.preset_files import load_preset
    from tuitrain.training.job import Job

    if not names:
        raise UsageError("choose a preset with space")
    place = place or RunDefaults()
    wanted = [device.strip() for device in devices.split(",") if device.strip()]
    places = itertools.cycle(
        [dataclasses.replace(place.runtime, device=device) for device in wanted] or [place.runtime]
    )
    plan: list[Job] = []
    for name in names:
        base = load_preset(name)
        for change, seed in itertools.product(variations_of(variations), seeds_of(seeds)):
            preset = override(base, place.changes | change | {"train.seed": seed})
            plan.append(Job(preset, next(places), place.budget, differences(base, preset)))
            if len(plan) > MOST:
                raise UsageError(f"more than {MOST} runs at once; choose fewer")
    return plan
