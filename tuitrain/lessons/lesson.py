"""A lesson as it is set up: a sheet of numbers, whose gradients, at which training step."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tuitrain.lessons import backprop
from tuitrain.lessons.backprop import GRADIENTS, WEIGHTS, Start, Values, Variant
from tuitrain.lessons.sheet import Sheet, beside_others, learning_rates, numbers


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is looked at; its learning rate is the sheet's first, and step 0 is the untouched network."""

    sheet: Sheet
    variant: Variant = "corrected"
    step: int = 0

    @property
    def lr(self) -> float:
        """The learning rate of the steps."""
        return self.sheet.learning_rates[0]

    @property
    def rows(self) -> int:
        """How many steps there are, from 0 on."""
        return self.sheet.rows

    @property
    def values(self) -> Values:
        """Every quantity of the step."""
        return self.table()[self.step]

    def table(self, lr: float | None = None, variant: Variant | None = None) -> Sequence[Values]:
        """Every quantity of every step, with another learning rate or another variant too."""
        return _table(self.sheet.start, lr or self.lr, self.rows, variant or self.variant)

    def losses(self, lr: float | None = None, variant: Variant | None = None) -> Sequence[float]:
        """The total error at every step."""
        return _losses(self.sheet.start, lr or self.lr, self.rows, variant or self.variant)

    def measured(self) -> tuple[float, ...]:
        """The eight derivatives at the step without any chain rule (`backprop.measured_gradients`)."""
        return backprop.measured_gradients(self.sheet.start, [self.values[name] for name in WEIGHTS])

    def mistake(self) -> tuple[float, ...]:
        """By how much each published hidden gradient is off at the step, as a fraction of the true one; NaN of zero."""
        weights = [self.values[name] for name in WEIGHTS]
        right, wrong = (
            backprop.work_out(self.sheet.start, weights, self.lr, variant) for variant in backprop.VARIANTS
        )
        return tuple(
            (wrong[name] - right[name]) / right[name] if right[name] else math.nan for name in GRADIENTS[:4]
        )

    def with_rates(self, rates: Sequence[float]) -> Lesson:
        """With other learning rates, the first for the steps; a single one has the course's beside it."""
        return replace(self, sheet=replace(self.sheet, learning_rates=beside_others(tuple(rates))))

    def with_start(self, start: Start) -> Lesson:
        """With another network; what somebody worked out for the old one goes."""
        figures = self.sheet.figures if start == self.sheet.start else ()
        return replace(self, sheet=replace(self.sheet, start=start, figures=figures))


@lru_cache(4)  # 10,000 rows take 40 MB
def _table(start: Start, lr: float, rows: int, variant: Variant) -> tuple[Values, ...]:
    return tuple(backprop.table(start, lr, rows, variant))


@lru_cache(128)
def _losses(start: Start, lr: float, rows: int, variant: Variant) -> tuple[float, ...]:
    return tuple(backprop.losses(start, lr, rows, variant))


def typed_numbers(what: str, names: Sequence[str], text: str) -> tuple[float, ...]:
    """Numbers that somebody typed between commas or spaces; a single one stands for all.

    Raises:
        ValueError: one is no number or not finite, or there are too many or too few.
    """
    found = _floats(what, text)
    return numbers(what, names, found * len(names) if len(found) == 1 else found)


def typed_rates(what: str, text: str) -> tuple[float, ...]:
    """Learning rates that somebody typed between commas or spaces.

    Raises:
        ValueError: one is no number above 0.
    """
    return learning_rates(what, _floats(what, text))


def _floats(what: str, text: str) -> list[float]:
    found = []
    for word in re.split(r"[\s,;]+", text.strip(" \t,;")):
        try:
            found.append(float(word))
        except ValueError:
            raise ValueError(f"{what}: '{word[:40]}' is no number; use one such as 0.15") from None
    return found
