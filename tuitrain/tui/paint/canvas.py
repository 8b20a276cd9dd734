"""What charts draw on: a canvas that sends only what changed, and lines in a pattern."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from textual.geometry import Region
from textual_hires_canvas import Canvas

from tuitrain.tui.paint.axes import Pattern

#: Dots of braille along a line, on, off and on again, by pattern; nothing for a line without gaps.
PATTERNS: dict[Pattern, tuple[int, ...]] = {
    "solid": (), "dash": (5, 4), "dot": (1, 3), "dashdot": (6, 3, 1, 3),
}  # fmt: skip


class QuietCanvas(Canvas):
    """A canvas that is drawn off screen and then sends the rows that changed."""

    quiet = False
    _sent: list[tuple[str, tuple[str, ...]]]

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Any:
        """As any widget's, but silent while it is being drawn."""
        if self.quiet:
            return self
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def draw_rectangle_box(self, *args: Any, **kwargs: Any) -> None:
        """No box: the axes are drawn with the ticks."""

    def flush(self) -> None:
        """Send what differs from what was sent before."""
        now = [("".join(row), tuple(styles)) for row, styles in zip(self._buffer, self._styles, strict=True)]
        before = getattr(self, "_sent", [])
        self._sent = now
        width = self._canvas_size.width
        if len(before) != len(now) or (before and len(before[0][0]) != width):
            self.refresh()
            return
        changed = [y for y, (old, new) in enumerate(zip(before, now, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))


def dashes(pixels: Sequence[tuple[float, float]], pattern: Sequence[int]) -> Iterator[tuple[float, float]]:
    """Points along a polyline in cells, a braille dot apart, where the pattern (on, off, on, ...) is on."""
    edges = list(itertools.accumulate(pattern))
    travelled = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(pixels):
        dots = math.hypot((x1 - x0) * 2, (y1 - y0) * 4)
        steps = min(4000, max(1, math.ceil(dots * 1.5)))
        for i in range(steps):
            part = i / steps
            if bisect.bisect_right(edges, (travelled + part * dots) % edges[-1]) % 2 == 0:
                yield x0 + (x1 - x0) * part, y0 + (y1 - y0) * part
        travelled += dots
