"""The chart of accuracy over parameters on the Runs screen."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical
from textual_hires_canvas import HiResMode
from textual_plot.plot_widget import LinePlot

from tuitrain.figures import count_text, percent_text, plural
from tuitrain.tui.paint import axes
from tuitrain.tui.paint.axes import Picture
from tuitrain.tui.paint.canvas import QuietCanvas
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.styles import look
from tuitrain.tui.paint.text import Line, Parts, section
from tuitrain.watch.frontier import Frontier, FrontierPoint, frontier_of, published_systems

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary

LEARNT = 0.9  # below that a run has not learnt; it is marked at the bottom and does not stretch the axis
#: Glyph and style of each kind of place, the later painted over the earlier.
PUBLISHED, MINE, FRONT, HERE = ("○", "second"), ("●", "primary bold"), ("■", "good"), ("◉", "accent")


class FrontierChart(Chart, can_focus=False, inherit_bindings=False):
    """Places over a logarithmic axis of parameters, the front as a staircase."""

    frontier = Frontier()
    picture = Picture(logarithmic=True)  # of the error: it keeps 98 and 99.5 apart, and 99.4 and 99.5
    _axis = axes.scale("accuracy", True)

    def show_frontier(self, frontier: Frontier) -> None:
        """Draw this, if it differs from what is shown."""
        if frontier != self.frontier:
            self.frontier = frontier
            self._draw()

    def _add_all(self) -> None:
        if self.frontier.mine or self.frontier.published:
            self._fit()
            self._add_front()

    def _fit(self) -> None:
        shown = self.frontier
        places = [*shown.mine, *shown.published]
        sizes = [math.log10(place.parameters) for place in places]
        self.set_xlimits(*_at_least(min(sizes), max(sizes)))
        kept = [place.accuracy for place in places if place.accuracy >= LEARNT] or [
            p.accuracy for p in places
        ]
        kept += [shown.selected.accuracy] if shown.selected else []
        self.set_ylimits(*_at_least(*axes.limits("accuracy", True, [kept])))

    def _add_front(self) -> None:
        x: list[float] = []
        y: list[float] = []
        for place in self.frontier.front:
            at = math.log10(place.parameters)
            up = self._axis.to_axis(place.accuracy)
            x += [at, at] if x else [at]
            y += [y[-1], up] if y else [up]
        right = self._x_max
        x, y = [*x, right], [*y, y[-1] if y else self._y_min - 1]
        if len(x) == 1:  # no run of mine: a line out of sight, so that the axes are drawn
            x, y = [self._x_min, right], [y[0], y[0]]
        style = str(look(self, "faint"))
        self._datasets.append(
            LinePlot(x=np.array(x), y=np.array(y), hires_mode=HiResMode.BRAILLE, line_style=style)
        )

    def _draw_over(self) -> None:
        shown = self.frontier
        canvas, box = self.query_one("#plot", QuietCanvas), self._scale_rectangle
        front = {place.run for place in shown.front}
        layers = (
            (PUBLISHED, shown.published),
            (MINE, [p for p in shown.mine if p.run not in front]),
            (FRONT, shown.front),
            (HERE, [shown.selected] if shown.selected else []),
        )
        for (glyph, style), places in layers:
            ink = str(look(self, style))
            for place in places:
                x, y = self._cell(place)
                inside = self._y_min <= self._axis.to_axis(place.accuracy)
                canvas.set_pixel(x, y, glyph if inside else "▼", ink)
        if shown.selected is not None:
            x, y = self._cell(shown.selected)
            text = f" {shown.selected.name[:30]} "
            beside = x + 1 if x + 1 + len(text) <= box.right else x - len(text)
            self._write(beside, y, text, str(look(self, "accent")))

    def _cell(self, place: FrontierPoint) -> tuple[int, int]:
        """Where a place is painted; what lies too low, on the lowest row."""
        box = self._scale_rectangle
        x, y = self.get_pixel_from_coordinate(
            math.log10(place.parameters), self._axis.to_axis(place.accuracy)
        )
        return min(max(x, box.x), box.right - 1), min(max(y, box.y), box.bottom - 1)

    def _write(self, x: int, y: int, text: str, style: str) -> None:
        canvas, box = self.query_one("#plot", QuietCanvas), self._scale_rectangle
        for offset, char in enumerate(text):
            if box.x <= x + offset < box.right:
                canvas.set_pixel(x + offset, y, char, style)

    def _ticks_of_x(self, most: int) -> list[tuple[float, str]]:
        found = axes.scale("loss", True).ticks(self._x_min, self._x_max, most)
        return [(at, _short(10**at)) for at, _ in found]


def _at_least(low: float, high: float) -> tuple[float, float]:
    """A range of powers of ten with some air, wide enough to have one of 1, 2 and 5 in it."""
    air = max(0.05 * (high - low), (0.5 - (high - low)) / 2)
    return low - air, high + air


def _short(parameters: float) -> str:
    for limit, word in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= limit * 0.9995:
            return f"{parameters / limit:g}{word}"
    return f"{parameters:g}"


class FrontierPane(Vertical):
    """The chart with a line that says what its glyphs are and what the selected place has."""

    #: What is shown of each network, what one of them is called, and what closes the chart.
    quantity, counted, closes = "Best", "run", ""

    _drawn = Frontier()

    def compose(self) -> ComposeResult:
        yield Field(id="axes")
        yield Field(id="glyphs")
        yield Field(id="judged")
        yield FrontierChart()

    def draw(self, shown: Frontier) -> None:
        self._drawn = shown
        self.query_one(FrontierChart).show_frontier(shown)
        title = f"{self.quantity} {shown.judged_by} accuracy in % over parameters (logarithmic)"
        title += f", {shown.dataset}" if shown.dataset else ""
        self.query_one("#axes", Field).set(*section(title, self.size.width - 1, self.closes))
        self.query_one("#glyphs", Field).set(*_legend(shown, self.counted))
        judged = self.query_one("#judged", Field)
        judged.display = shown.judged_by != "test" and bool(shown.published)  # else the title says it
        judged.set((f" {shown.judged_text(f'{self.counted}s')}", "dim"))

    def on_resize(self) -> None:
        """The line above is as wide as the screen."""
        if self.display:
            self.draw(self._drawn)


class FrontierView(FrontierPane):
    """The runs on the data set of the selected one, and the published systems."""

    closes = "f closes"
    _published: tuple[tuple[str, FrontierPoint], ...] = ()
    _last: tuple[Sequence[RunSummary], RunSummary | None] = ((), None)

    def show(self, runs: Sequence[RunSummary], selected: RunSummary | None) -> None:
        """Show the runs; the published systems come when they are read."""
        self._last = (runs, selected)
        if not self._published:
            self.run_worker(self._load(), exclusive=True)
        self.draw(frontier_of(runs, selected, self._published))

    async def _load(self) -> None:
        self._published = await asyncio.to_thread(published_systems)
        if self.is_running:  # not left meanwhile
            self.show(*self._last)


def _legend(shown: Frontier, counted: str) -> Parts:
    if not shown.dataset:
        return ((" no run is selected", ""),)
    here = shown.selected
    said = [
        (
            HERE,
            f"{percent_text(here.accuracy)} with {count_text(here.parameters)}" if here else "no epoch yet",
        ),
        (FRONT, "best for its size"),
        (MINE, plural(len(shown.mine), counted)),
        (PUBLISHED, "published" if shown.published else "nothing published"),
    ]
    line = Line().add(" ")
    for (glyph, style), what in said:
        line.add(glyph, style).add(f" {what}  ")
    return line
