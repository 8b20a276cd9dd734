"""A chart as lines of text: curves in braille over two axes. No textual; the app's charts are in `chart`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuitrain.tui.paint.axes import PAD, scale
from tuitrain.tui.paint.dots import Dots
from tuitrain.tui.paint.text import Line, Parts

LABELS = 8  # cells for the numbers at the left
STYLES = ("primary", "second", "accent", "good", "third", "bad")


@dataclass(frozen=True)
class XY:
    """One curve: its points from left to right, a style, and what marks the points (nothing: no mark)."""

    points: tuple[tuple[float, float], ...]
    style: str = STYLES[0]
    mark: str = ""


def plot(
    curves: Sequence[XY],
    width: int,
    height: int,
    x_labels: Sequence[tuple[float, str]],
    across: tuple[float, float] | None = None,
) -> list[Parts]:
    """Curves over axes that hold all of them.

    Args:
        curves: with one point at least; the first lie on top.
        width: in cells, with the numbers at the left.
        height: in lines, with the numbers below.
        x_labels: places on the lower axis, and what is written there; where two would touch, the second is left out.
        across: the ends of the lower axis, which hold all points; those of the points where left out.
    """
    values = [y for curve in curves for _, y in curve.points]
    places = [x for curve in curves for x, _ in curve.points]
    low, high = min(values), max(values)
    pad = PAD * (high - low) or max(abs(high) * 0.1, 1e-6)
    low, high = low - pad, high + pad
    left, right = across or (min(places), max(places))
    columns, down = max(2, width - LABELS - 1), max(2, height - 2)

    def dot(x: float, y: float) -> tuple[int, int]:
        share = (x - left) / (right - left) if right > left else 0.5
        return round(share * (columns * 2 - 1)), round((high - y) / (high - low) * (down * 4 - 1))

    cells: dict[tuple[int, int], tuple[str, str]] = {}
    lit = Dots()
    for curve in reversed(curves):
        dots = [dot(x, y) for x, y in curve.points]
        for begin, end in zip(dots, dots[1:] or dots, strict=False):
            for cell in lit.line(begin, end):
                cells[cell] = lit.char(cell), curve.style
    for curve in reversed(curves):
        for column, row in (dot(*point) for point in curve.points if curve.mark):
            cells[column // 2, row // 4] = curve.mark, f"{curve.style} bold"
    ticks = {
        dot(left, at)[1] // 4: text for at, text in scale("loss", False).ticks(low, high, max(2, down // 3))
    }
    rows: list[Parts] = []
    for y in range(down):
        line = Line().add(ticks.get(y, ""), "dim", LABELS - 1, right=True)
        line.add(" ┤" if y in ticks else " │", "dim")
        for x in range(columns):
            line.add(*cells.get((x, y), (" ", "")))
        rows.append(line)
    rows.append(Line().to(LABELS).add("└" + "─" * columns, "dim"))
    below = Line()
    for place, text in x_labels:
        column = LABELS + 1 + dot(place, low)[0] // 2 - len(text) // 2
        column = max(0, min(column, LABELS + 1 + columns - len(text)))
        if column > below.x or not below:
            below.to(column).add(text, "dim")
    return [*rows, below]
