"""A sheet's figures held to the arithmetic of both variants: which of them it follows, and where it went wrong."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tuitrain.lessons.backprop import VARIANTS, Variant, table
from tuitrain.lessons.sheet import Figure, Sheet

EQUAL = 1e-11


@dataclass(frozen=True, slots=True)
class Check:
    """How a sheet's figures compare with one variant.

    Attributes:
        variant: with whose hidden gradients.
        count: how many figures there are.
        equal: how many of them differ by less than `EQUAL` (of figures above 1, of their size).
        worst: the largest difference.
        first: the first figure that differs, by step, then by column; None where there is none.
    """

    variant: Variant
    count: int
    equal: int
    worst: float
    first: Figure | None


def apart(value: float, figure: float) -> float:
    """By how much a figure differs from a value; of one above 1, as a part of it."""
    return abs(value - figure) / max(1.0, abs(figure))


def check(sheet: Sheet, variant: Variant) -> Check:
    """The sheet's figures beside those of a variant; those that are said to be the other's are left out."""
    figures = [one for one in sheet.figures if one.variant in (None, variant)]
    longest: defaultdict[float, int] = defaultdict(int)
    for one in figures:
        longest[one.lr] = max(longest[one.lr], one.step + 1)
    worked = {lr: table(sheet.start, lr, rows, variant) for lr, rows in longest.items()}
    equal, worst, first = 0, 0.0, None
    for one in figures:
        difference = apart(worked[one.lr][one.step][one.column], one.value)
        if difference <= EQUAL:  # NaN is not
            equal += 1
        else:
            first = first or one
        worst = max(worst, difference)
    return Check(variant, len(figures), equal, worst, first)


def checks(sheet: Sheet) -> list[Check]:
    """One for each variant that the sheet has figures of."""
    return [found for variant in VARIANTS if (found := check(sheet, variant)).count]
