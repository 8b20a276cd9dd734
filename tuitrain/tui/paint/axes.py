"""Axes: what range a chart shows, where its ticks are, and how a logarithm of an accuracy is meant. No textual.

Curves hold fractions, losses and rates; an axis holds percent, losses and rates, or, when it is
logarithmic, the logarithm of the error (100 % minus the accuracy), of the loss or of the rate.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tuitrain import figures

Quantity = Literal["accuracy", "loss", "rate"]
Pattern = Literal["solid", "dash", "dot", "dashdot"]
#: What of a curve has to be in sight: its latest and best value, and its beginning unless that is extreme
#: ("own"); its latest values ("end"); as much of it as is not extreme ("beside").
Sight = Literal["own", "end", "beside"]
SMALLEST_ERROR = 1e-3  # percent: a perfect accuracy still has a place on a logarithmic axis
SMALLEST = 1e-12  # of a loss or rate on a logarithmic axis
PAD = 0.06  # of the range, above and below
FEW = 6  # values: with fewer, none of them is extreme


@dataclass(frozen=True)
class Curve:
    """One curve: values by epoch from 1 (None and NaN leave gaps), a style, a pattern and perhaps a letter."""

    name: str
    values: tuple[float | None, ...]
    style: str
    pattern: Pattern = "solid"
    sight: Sight = "own"
    letter: str = ""


@dataclass(frozen=True)
class Band:
    """The room between two curves, behind them all: by epoch from 1 the lower and the upper value, None for a gap."""

    spans: tuple[tuple[float, float] | None, ...]
    style: str


@dataclass(frozen=True)
class Picture:
    """Everything a chart shows; two equal pictures look the same."""

    curves: tuple[Curve, ...] = ()
    epochs: int = 1
    quantity: Quantity = "accuracy"
    target: float | None = None
    logarithmic: bool = False
    cursor: int | None = None
    bands: tuple[Band, ...] = ()

    def limits(self) -> tuple[float, float]:
        """The range of values to show, in axis units; what another run did later than the last epoch is no part of it."""
        own = [curve.values for curve in self.curves if curve.sight == "own"]
        beside = [
            curve.values[-2:] if curve.sight == "end" else curve.values[: self.epochs]
            for curve in self.curves
            if curve.sight != "own"
        ]
        beside += [
            tuple(span[end] if span else None for span in band.spans) for band in self.bands for end in (0, 1)
        ]
        return limits(self.quantity, self.logarithmic, own, self.target, beside)


@dataclass(frozen=True)
class Scale:
    """One axis: values onto it, and its ticks."""

    to_axis: Callable[[float], float]
    ticks: Callable[[float, float, int], list[tuple[float, str]]]


def scale(quantity: Quantity, logarithmic: bool) -> Scale:
    """The axis of a quantity."""
    if quantity == "accuracy":
        return Scale(_log_error, _error_ticks) if logarithmic else Scale(_percent, _linear_ticks)
    return Scale(_log, _log_ticks) if logarithmic else Scale(float, _linear_ticks)


def _percent(fraction: float) -> float:
    return fraction * 100


def _log_error(fraction: float) -> float:
    if not math.isfinite(fraction):
        return math.nan
    return -math.log10(max(SMALLEST_ERROR, 100 - fraction * 100))


def _log(value: float) -> float:
    return math.log10(max(value, SMALLEST)) if value > 0 and math.isfinite(value) else math.nan


def limits(
    quantity: Quantity,
    logarithmic: bool,
    own: Sequence[Sequence[float | None]],
    target: float | None = None,
    beside: Sequence[Sequence[float | None]] = (),
) -> tuple[float, float]:
    """The range to show, in axis units, with a little air.

    What is far below (above, for a loss) the middle of a curve's own values, as in a first epoch, is
    left out of it: the end is what one looks at. Zooming out finds the rest. The latest and the best
    value of each of the curves in `own` are always in it, whatever is beside them.
    """
    axis = scale(quantity, logarithmic).to_axis
    curves = [_on_axis(axis, curve) for curve in own]
    values = [v for curve in (*curves, *(_on_axis(axis, curve) for curve in beside)) for v in curve]
    goal = axis(target) if target is not None else None
    if not values:
        middle = goal if goal is not None else 0.0
        return middle - 1.0, middle + 1.0
    known = values if goal is None else [*values, goal]
    low, high = min(known), max(known)
    latest = [curve[-1] for curve in curves if curve]
    parts = [known, *filter(None, curves)]
    if not logarithmic and quantity == "accuracy":
        low = min([*(_floor(part, high) for part in parts), *latest])
    elif not logarithmic and quantity == "loss":
        high = max([*(_ceiling(part, low) for part in parts), *latest])
    if quantity == "rate" and not logarithmic:
        low = 0.0
    span = high - low
    if span <= 1e-9 * max(1.0, abs(high)):
        span = max(abs(high) * 0.1, 1e-6)
    return low - PAD * span, high + PAD * span


def _on_axis(axis: Callable[[float], float], curve: Sequence[float | None]) -> list[float]:
    values = (axis(v) for v in curve if v is not None and math.isfinite(v))
    return [v for v in values if math.isfinite(v)]


def _floor(values: Sequence[float], high: float) -> float:
    """The lowest of the values that is not far below their middle."""
    if len(values) < FEW:
        return min(values)
    middle = statistics.median(values)
    return max(min(values), middle - 3 * (high - middle) - 0.02)


def _ceiling(values: Sequence[float], low: float) -> float:
    """The highest of the values that is not far above their middle."""
    if len(values) < FEW:
        return max(values)
    middle = statistics.median(values)
    return min(max(values), middle + 4 * (middle - low) + 0.002)


def value_text(quantity: Quantity, value: float | None) -> str:
    """A value as people read it: percent of an accuracy, a loss, a rate."""
    if quantity == "accuracy":
        return figures.percent_text(value)
    return figures.loss_text(value) if quantity == "loss" else figures.rate_text(value)


def epoch_ticks(low: float, high: float, most: int) -> list[int]:
    """Whole epochs at even distances, at most so many, beginning with 1 where it is in sight."""
    first, last = max(1, math.ceil(low)), math.floor(high)
    step = 1
    for step in _steps():
        if (last - first) / step + 1 <= most:
            break
    ticks = [
        e for e in range(first, last + 1) if e == 1 or (e % step == 0 if step > 2 else (e - 1) % step == 0)
    ]
    if len(ticks) > 1 and step > 2 and ticks[1] - ticks[0] < step / 2:
        del ticks[1]
    return ticks


def horizon(done: int, planned: int) -> int:
    """The last epoch of the axis: the run's last one, or less while a long run has only begun."""
    for epochs in (20, 50, 100, 200, 500, 1000, 2000, 5000):
        if epochs >= planned:
            break
        if done <= 0.6 * epochs:
            return epochs
    return max(planned, done, 2)


def _steps() -> list[int]:
    return [base * 10**power for power in range(6) for base in (1, 2, 5)]


def _linear_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return []
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(base * power for base in (1, 2, 5, 10, 20) if span / (base * power) <= most)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, f"{i * step:.{digits}f}"[:6]) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    for bases in ((1, 2, 5), (1, 3), (1,)):
        ticks = [(math.log10(b * 10.0**p), f"{b * 10.0**p:g}"[:6]) for p in powers for b in bases]
        ticks = [t for t in ticks if low <= t[0] <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // most)]


def _error_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    ticks = _log_ticks(-high, -low, most)
    return sorted((-at, f"{100 - 10**at:.4f}".rstrip("0").rstrip(".")[:6]) for at, _ in ticks)
