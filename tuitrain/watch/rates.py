"""Learning rates: what a range test says, which one to take from it, and what a run's schedule has planned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tuitrain.errors import TuitrainError, visible
from tuitrain.figures import loss_text, rate_text

if TYPE_CHECKING:
    from tuitrain.runs.history import History
    from tuitrain.spec.preset import Preset
    from tuitrain.training.lr_range import RangeTest

#: Schedules whose learning rate in the preset is their highest.
PEAKED = ("onecycle", "cyclic")


def rounded_rate(rate: float) -> float:
    """A rate to two digits, as people write it."""
    return float(f"{rate:.1e}")


def rate_to_take(found: RangeTest, preset: Preset) -> float | None:
    """The preset's learning rate after the test, to two digits; None where the loss never fell."""
    rate = found.peak if preset.train.schedule.name in PEAKED else found.suggested
    return None if rate is None else rounded_rate(rate)


def rate_sentences(found: RangeTest, preset: Preset) -> list[str]:
    """What the curve says, and why the rate is suggested."""
    own = f"{visible(preset.name)} has {rate_text(preset.train.optimizer.lr)}."
    exploded = []
    if found.exploded is not None:
        exploded = [f"From {rate_text(rounded_rate(found.exploded))} on the loss explodes."]
    if found.suggested is None or found.lowest is None or found.peak is None:
        return ["The loss does not fall at any of these rates.", *exploded, own]
    lowest = min(point.loss for point in found.points if math.isfinite(point.loss))
    return [
        f"Suggested: {rate_text(rounded_rate(found.suggested))}, where the loss falls fastest "
        f"(lowest, {loss_text(lowest)}, at {rate_text(rounded_rate(found.lowest))}).",
        f"For the peak of a one-cycle schedule: up to {rate_text(rounded_rate(found.peak))}, a third of the rate at the "
        "lowest loss.",
        *exploded,
        own,
    ]


def planned_rates(history: History) -> tuple[float | None, ...]:
    """The schedule's learning rate at the beginning of each epoch, as the preset has it."""
    from tuitrain.spec.schedule import LearningRate

    preset = history.preset
    if preset is None or history.started is None:
        return ()
    try:
        schedule = LearningRate(preset.train, history.started.steps_per_epoch)
        return tuple(schedule.lr_at(epoch, 0) for epoch in range(preset.train.epochs))
    except (TuitrainError, ValueError, ArithmeticError):
        return ()
