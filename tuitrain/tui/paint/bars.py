"""Bars as text, and how values are brought to the cells of a sparkline. No textual."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuitrain.tui.paint.text import Parts

EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A share from 0 to 1 in eighths of a cell; what is more than nothing is seen."""
    eighths = max(0, min(width * 8, round(share * width * 8)))
    full, rest = divmod(max(1, eighths) if share > 0 else eighths, 8)
    return "█" * full + EIGHTHS[rest].strip()


def progress(fraction: float, width: int, style: str = "primary") -> Parts:
    """A calm bar in halves of a cell, and what is left of it."""
    full, half = divmod(round(fraction * 2 * width), 2)
    return (("━" * full + "╸" * half, style), ("─" * (width - full - half), "track"))


def spark_range(values: Sequence[float]) -> tuple[float, float]:
    """The range of a sparkline: a first epoch far below the rest is left out of it, so that the rest has a shape."""
    known = sorted(v for v in values if math.isfinite(v))
    if not known:
        return math.nan, math.nan
    middle, high = known[len(known) // 2], known[-1]
    floor = middle - 6 * (high - middle) - 0.0005
    return next(v for v in known if v >= floor), high


def bucketed(values: Sequence[float], width: int) -> list[float]:
    """At most `width` values, each the highest of its share of the given ones."""
    count = len(values)
    if count <= width or width <= 0:
        return list(values)
    out = []
    for i in range(width):
        share = [v for v in values[i * count // width : (i + 1) * count // width] if v == v]
        out.append(max(share, default=float("nan")))
    return out
