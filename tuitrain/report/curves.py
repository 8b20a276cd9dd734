"""Accuracy or loss over the epochs as an SVG picture that fits a light page and a dark one, as the reader has set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuitrain.report import frame
from tuitrain.report.frame import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, safe

if TYPE_CHECKING:
    from tuitrain.watch.group import BandPoint

#: The first share of the epochs, which are far below the rest, may leave the picture at its lower edge.
WARM_UP = 0.2
_MOST_LINES = 7
#: From so many epochs on single ones are not marked.
_MOST_DOTS = 60
#: How a curve looks: what was trained here, what others published, its training images, and further runs.
Look = Literal["here", "there", "train", "third", "fourth", "fifth"]


@dataclass(frozen=True)
class Line:
    """A curve: its value in each epoch from the first on, as fractions or losses, None where there is none.

    `look` is its colour; without a label the legend leaves it out.
    """

    label: str
    values: tuple[float | None, ...]
    look: Look = "here"


@dataclass(frozen=True)
class Mark:
    """A ring around one value, a fraction, in one epoch; published, or of what was trained `here`."""

    label: str
    epoch: int
    value: float
    here: bool = False

    @property
    def look(self) -> str:
        """Its classes."""
        return "mark here" if self.here else "mark"


@dataclass(frozen=True)
class Chart:
    """What a picture shows.

    Attributes:
        title: above it.
        band: lowest and highest over the epochs; nothing where there is no band.
        band_label: what the band is.
        lines: curves over it.
        levels: values that are drawn across, with their labels.
        marks: values that stand out.
        epochs: how long the axis is at least.
        percent: whether values are fractions that are shown as percentages.
    """

    title: str
    band: tuple[BandPoint, ...] = ()
    band_label: str = ""
    lines: tuple[Line, ...] = ()
    levels: tuple[tuple[str, float], ...] = ()
    marks: tuple[Mark, ...] = ()
    epochs: int = 1
    percent: bool = True

    @property
    def factor(self) -> float:
        """What values are multiplied by where they are shown."""
        return 100.0 if self.percent else 1.0


@dataclass(frozen=True)
class _Scale:
    """From epochs and values to the picture's units; `low`, `high` and `step` are `factor` times a value."""

    epochs: int
    low: float
    high: float
    step: float
    factor: float

    def x(self, epoch: float) -> float:
        return LEFT + (RIGHT - LEFT) * (epoch - 1) / max(1, self.epochs - 1)

    def y(self, value: float) -> float:
        share = (self.factor * value - self.low) / (self.high - self.low)
        return BOTTOM - (BOTTOM - TOP) * min(max(share, -10.0), 10.0)

    def place(self, epoch: float, value: float) -> str:
        return f"{self.x(epoch):.1f},{self.y(value):.1f}"


def svg(chart: Chart) -> str:
    """The picture, a whole SVG file; texts in it are escaped."""
    scale, legend = _scale(chart), _legend(chart)
    rows = -(-len(legend) // 4)  # a row is two items of two parts
    height = HEIGHT + (20 * (rows - 2) + 8 if rows > 1 else 0)
    parts = [
        f'<clipPath id="plot"><rect x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"/></clipPath>',
        *_grid(scale),
        '<g clip-path="url(#plot)">',
        *_band(chart.band, scale),
        *(_line(line, scale) for line in chart.lines),
        "</g>",
        *_levels(chart.levels, scale),
        *(dot for line in chart.lines for dot in _dots(line, scale)),
        *(_ring(mark, scale) for mark in chart.marks),
        *legend,
    ]
    return frame.page(chart.title, height, parts)


def _scale(chart: Chart) -> _Scale:
    """A range that shows the epochs after the first ones well, with at most seven lines of a grid."""
    epochs = max(
        [chart.epochs, *(point.epoch for point in chart.band), *(len(line.values) for line in chart.lines)]
    )
    shortest = min([len(line.values) for line in chart.lines], default=epochs)  # must be seen too
    from_epoch = math.ceil(shortest * WARM_UP) if shortest > 4 else 0
    values = [(point.epoch, value) for point in chart.band for value in (point.low, point.high)]
    values += [(epoch, value) for line in chart.lines for epoch, value in _known(line.values)]
    found = [value for epoch, value in values if epoch > from_epoch] or [value for _, value in values]
    found += [value for _, value in chart.levels] + [mark.value for mark in chart.marks]
    shown = [chart.factor * value for value in found]
    low, high = min(shown, default=0.0), max(shown, default=chart.factor)
    bottom, top, step = frame.grid_lines(low, high, _MOST_LINES, 0.01 if chart.percent else 0.001)
    most = max(100.0, high) if chart.percent else math.inf
    return _Scale(epochs, bottom, min(top, most), step, chart.factor)


def _known(values: Iterable[float | None]) -> list[tuple[int, float]]:
    return [(n, value) for n, value in enumerate(values, 1) if value is not None and math.isfinite(value)]


def _grid(scale: _Scale) -> list[str]:
    out = frame.grid(scale.low, scale.high, scale.step, lambda shown: scale.y(shown / scale.factor))
    every = max(1, math.ceil(scale.epochs / 20))
    out += [
        f'<text class="middle" x="{scale.x(epoch):.1f}" y="{BOTTOM + 18}">{epoch}</text>'
        for epoch in range(1, scale.epochs + 1)
        if epoch == 1 or epoch % every == 0
    ]
    if scale.factor == 100.0:
        out.append(frame.percent_sign())
    out.append(f'<text class="end" x="{RIGHT}" y="{BOTTOM + 36}">epoch</text>')
    return out


def _band(band: Sequence[BandPoint], scale: _Scale) -> list[str]:
    if not band:
        return []
    there = [scale.place(point.epoch, point.high) for point in band]
    back = [scale.place(point.epoch, point.low) for point in reversed(band)]
    return [f'<polygon class="band" points="{" ".join(there + back)}"/>']


def _line(line: Line, scale: _Scale) -> str:
    """A curve, with a gap where a value is missing."""
    path, before = [], 0
    for epoch, value in _known(line.values):
        path.append(f"{'L' if epoch == before + 1 and before else 'M'}{scale.place(epoch, value)}")
        before = epoch
    return f'<path class="line {line.look}" d="{" ".join(path)}"/>'


def _dots(line: Line, scale: _Scale) -> list[str]:
    """A dot for each epoch, which tells its value under the pointer."""
    if scale.epochs > _MOST_DOTS:
        return []
    out = []
    for epoch, value in _known(line.values):
        if TOP - 1 <= scale.y(value) <= BOTTOM + 1:
            shown = f"{100 * value:.2f} %" if scale.factor == 100.0 else f"{value:.4f}"
            said = safe(f"{line.label}, epoch {epoch}: {shown}")
            out.append(
                f'<path class="dot {line.look}" d="M{scale.place(epoch, value)}h0"><title>{said}</title></path>'
            )
    return out


def _levels(levels: Iterable[tuple[str, float]], scale: _Scale) -> list[str]:
    """Lines across, their labels left and right by turns, so that near ones don't meet."""
    placed = [
        frame.level(label, scale.y(value), at_right=n % 2 == 1) for n, (label, value) in enumerate(levels)
    ]
    return [part for parts in placed for part in parts]


def _ring(mark: Mark, scale: _Scale) -> str:
    return (
        f'<circle class="{mark.look}" cx="{scale.x(mark.epoch):.1f}" cy="{scale.y(mark.value):.1f}" r="5"/>'
    )


def _legend(chart: Chart) -> list[str]:
    """What is what, in rows of two."""
    items: list[tuple[str, str]] = []
    if chart.band:
        items.append((chart.band_label, '<rect class="band" x="{x}" y="{top}" width="22" height="10"/>'))
    items += [
        (line.label, f'<path class="line {line.look}" d="M{{x}},{{y}} h22"/>')
        for line in chart.lines
        if line.label
    ]
    items += [
        (mark.label, f'<circle class="{mark.look}" cx="{{middle}}" cy="{{y}}" r="5"/>')
        for mark in chart.marks
    ]
    out = []
    for n, (label, drawn) in enumerate(items):
        x, y = LEFT + (n % 2) * 270, BOTTOM + 38 + (n // 2) * 20
        out.append(drawn.format(x=x, y=y, top=y - 5, middle=x + 11))
        out.append(f'<text x="{x + 30}" y="{y}" dy="4">{safe(label)}</text>')
    return out
