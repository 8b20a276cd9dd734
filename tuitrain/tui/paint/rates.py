"""The curve of a learning-rate range test. No textual: the command draws with it too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuitrain.tui.paint.plot import XY, plot
from tuitrain.tui.paint.text import Parts

if TYPE_CHECKING:
    from tuitrain.training.lr_range import RatePoint


def rate_curve(
    points: Sequence[RatePoint],
    suggested: float | None,
    width: int,
    height: int,
    ends: tuple[float, float] | None = None,
) -> list[Parts]:
    """The loss over the learning rate, on a logarithmic scale, with the suggestion marked.

    Args:
        points: the steps so far; nothing is drawn without a finite one.
        ends: the lowest and the highest rate of the axis; those of the points where left out.
    """
    finite = [point for point in points if math.isfinite(point.loss)]
    if not finite:
        return []
    most = 1.5 * finite[0].loss  # what explodes would flatten the rest
    drawn = tuple((math.log10(p.lr), min(p.loss, most)) for p in finite)
    curves = [XY(drawn, "primary", "")]
    if suggested is not None:
        at = min(finite, key=lambda p: abs(p.lr - suggested))
        curves.append(XY(((math.log10(at.lr), at.loss),), "accent", "●"))
    low, high = (drawn[0][0], drawn[-1][0]) if ends is None else (math.log10(ends[0]), math.log10(ends[1]))
    labels = [(float(power), f"{10.0**power:g}") for power in range(math.ceil(low), math.floor(high) + 1)]
    return plot(curves, width, height, labels, across=(low, high))
