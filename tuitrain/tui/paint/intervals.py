"""Intervals below each other on one axis with zero in its middle, as text. No textual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuitrain.figures import points_text
from tuitrain.tui.paint.text import Line, Parts

LABEL = 5  # cells of the label before each interval


@dataclass(frozen=True, slots=True)
class Row:
    """An interval with its middle, what stands before it and what behind it; fractions."""

    label: str
    middle: float
    low: float
    high: float
    text: str = ""


def interval_lines(rows: Sequence[Row], width: int, height: int, goal: float | None = None) -> list[Parts]:
    """The axis and as many of the intervals as fit, the first and the last among them.

    The axis has room for the later half of the intervals; what is wider ends in an arrow. `goal` is a value that has a
    line of its own, through all intervals, as the gain that is looked for.
    """
    shown = _spread(rows, height - 1)
    text = max((len(row.text) for row in shown), default=0) + 2
    cells = width - LABEL - text
    if cells < 15:
        text, cells = 0, width - LABEL
    cells -= 1 - cells % 2  # zero has a cell of its own
    reach = _reach(shown, goal)
    lines: list[Parts] = [_axis(cells, reach)]
    for number, row in enumerate(shown):
        last = number == len(shown) - 1
        line = Line().add(row.label, "bold" if last else "dim", LABEL - 1, right=True).add(" ")
        line += _interval(row, cells, reach, goal, "primary bold" if last else "primary")
        if text:
            line.add("  ").add(row.text, "bold" if last else "dim")
        lines.append(line)
    return lines


def _spread(rows: Sequence[Row], most: int) -> list[Row]:
    if len(rows) <= most:
        return list(rows)
    if most < 2:
        return list(rows[-max(0, most) :])
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _reach(rows: Sequence[Row], goal: float | None) -> float:
    """The value at the right end of the axis; its negative is at the left end."""
    later = rows[len(rows) // 2 :]
    ends = [abs(end) for row in later for end in (row.low, row.high) if math.isfinite(end)]
    return max([*ends, 1.5 * (goal or 0.0), 1e-6]) * 1.05


def _place(value: float, cells: int, reach: float) -> int:
    """The cell of a value; beyond the ends for one that is not on the axis."""
    if not math.isfinite(value):
        return -1 if value < 0 else cells
    return max(-1, min(cells, cells // 2 + round(value / reach * (cells // 2))))


def _axis(cells: int, reach: float) -> Parts:
    left, right = f"−{points_text(reach)} worse ‹", f"› better +{points_text(reach)}"
    line = Line().to(LABEL)
    if len(left) + len(right) + 5 > cells:
        return line.add("0".center(cells), "dim")
    fill = cells // 2 - len(left) - 1
    line.add(left, "dim").add("─" * fill, "faint").add(" 0 ", "bold")
    return line.add("─" * (cells - cells // 2 - 2 - len(right)), "faint").add(right, "dim")


def _interval(row: Row, cells: int, reach: float, goal: float | None, style: str) -> Parts:
    low, high, middle = (_place(value, cells, reach) for value in (row.low, row.high, row.middle))
    zero = cells // 2
    marks = {zero: ("│", "dim")}
    if goal is not None:
        marks[_place(goal, cells, reach)] = ("┆", "dim")
    out = Line()
    for x in range(cells):
        if x == middle:
            out.add("●", style)
        elif x == max(low, 0):
            out.add("├" if low >= 0 else "‹", style)
        elif x == min(high, cells - 1):
            out.add("┤" if high < cells else "›", style)
        elif low < x < high and x not in marks:
            out.add("─", style)
        elif x == zero and low < x < high:
            out.add("┼", style)
        else:
            out.add(*marks.get(x, (" ", "")))
    return out
