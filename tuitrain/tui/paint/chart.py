"""Charts with axes: textual-plot's widget, with quiet axes, dashed curves and a value cursor.

textual-plot paints its whole area whenever a point is added. Here a chart is drawn off screen and
only the rows that came out different are sent, and it keeps a zoom while new points arrive.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.geometry import Region
from textual.message import Message
from textual_hires_canvas import Canvas, HiResMode
from textual_plot import PlotWidget
from textual_plot.plot_widget import Legend, LinePlot

from tuitrain.tui.paint import axes
from tuitrain.tui.paint.axes import Band, Curve, Picture
from tuitrain.tui.paint.canvas import PATTERNS, QuietCanvas, dashes
from tuitrain.tui.paint.styles import CLASSES, look

FILL = "░"  # between the two curves of a band
LETTER_EVERY = 24  # cells from one letter on a curve to the next


@dataclass
class _Patterned(LinePlot):
    """A line plot that is drawn in a pattern."""

    pattern: tuple[int, ...] = field(default=())


class Chart(PlotWidget, inherit_bindings=False):
    """Curves by epoch over quiet axes."""

    HELP_TITLE = "Chart"
    HELP = (
        "Curves by epoch. + and - zoom, shift with the arrows moves, r shows everything again, "
        "g is logarithmic, m smooths, left and right move a cursor that reads the values."
    )
    COMPONENT_CLASSES = CLASSES
    DEFAULT_CSS = """
    Chart {
        height: 1fr; width: 1fr;
        & > .plot--axis { color: $foreground 35%; }
        &:focus > .plot--axis { color: $foreground 55%; }
        & > .plot--tick { color: $text-muted; text-style: none; }
        &:ansi > .plot--axis { text-style: dim; }
        &:ansi > .plot--tick { text-style: dim; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom_in", "Zoom in", show=False, id="chart.zoom_in"),
        Binding("minus", "zoom_out", "Zoom out", show=False, id="chart.zoom_out"),
        Binding("shift+left", "pan_left", "Move left", show=False, id="chart.pan_left"),
        Binding("shift+right", "pan_right", "Move right", show=False, id="chart.pan_right"),
        Binding("up,shift+up", "pan_up", "Move up", show=False, id="chart.pan_up"),
        Binding("down,shift+down", "pan_down", "Move down", show=False, id="chart.pan_down"),
        Binding("r", "reset_scales", "Show everything", show=False, id="chart.reset"),
        Binding("left", "cursor(-1)", "Value cursor left", show=False, id="chart.cursor_left"),
        Binding("right", "cursor(1)", "Value cursor right", show=False, id="chart.cursor_right"),
        Binding("escape", "cursor_off", "Cursor off", show=False, id="chart.cursor_off"),
    ]

    @dataclass
    class CursorMoved(Message):
        """The value cursor is at an epoch, or off."""

        epoch: int | None

    picture = Picture()
    zoomed = False
    _painting = False
    _points: Sequence[tuple[Curve, list[tuple[float, float]]]] = ()

    # -- textual-plot's own, made quiet ----------------------------------------------------------

    def compose(self) -> ComposeResult:
        """As textual-plot's, with canvases that send only what changed."""
        with Grid():
            for name in ("margin-top", "margin-left", "plot", "margin-bottom"):
                yield QuietCanvas(1, 1, id=name)
        yield Legend(id="legend")

    def on_mount(self) -> None:
        self.set_reactive(PlotWidget.margin_top, 0)
        self.set_reactive(PlotWidget.margin_bottom, 1)
        self.set_reactive(PlotWidget.margin_left, 7)

    def render(self) -> str:
        """Nothing of its own: the canvases cover it."""
        return ""

    def _rerender(self) -> None:
        self.paint()

    @on(Canvas.Resize)
    def _canvas_resized(self, event: Canvas.Resize) -> None:
        event.stop()
        self._draw()

    def notify_style_update(self) -> None:
        """Another theme, or the focus; drawn when all styles are there, those of the components too."""
        super().notify_style_update()
        self.call_later(self._draw)

    def _render_x_label(self) -> None:
        """The title says what it is."""

    def _render_y_label(self) -> None:
        """The title says what it is."""

    # -- what to show ----------------------------------------------------------------------------

    def show(self, picture: Picture) -> None:
        """Draw this picture, if it differs from what is shown."""
        if picture == self.picture and self._datasets:
            return
        if picture.quantity != self.picture.quantity or picture.logarithmic != self.picture.logarithmic:
            self.zoomed = False
        self.picture = picture
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        self._painting = True
        try:
            self._datasets, self._labels, self._points = [], [], ()
            self._add_all()
        finally:
            self._painting = False
        self.paint()

    def _add_all(self) -> None:
        for curve in reversed(self.picture.curves):  # the first on top
            self._add(curve)
        if not self.zoomed:
            self._fit()

    def _add(self, curve: Curve) -> None:
        scale = axes.scale(self.picture.quantity, self.picture.logarithmic)
        known = [(i, scale.to_axis(v)) for i, v in enumerate(curve.values, 1) if v is not None]
        points = [(x, y) for x, y in known if math.isfinite(y)]
        if not points:
            return
        self._points = [*self._points, (curve, [(float(x), y) for x, y in points])]
        x, y = (np.array(column, dtype=float) for column in zip(*points, strict=True))
        if len(points) == 1:  # a line needs two
            x, y = np.array([x[0] - 0.08, x[0] + 0.08]), np.array([y[0], y[0]])
        style = self._style_of(curve)
        pattern = PATTERNS[curve.pattern]
        self._datasets.append(
            _Patterned(x=x, y=y, hires_mode=HiResMode.BRAILLE, line_style=style, pattern=pattern)
        )
        self._labels.append(curve.name)

    def _fit(self) -> None:
        picture = self.picture
        span = max(1, picture.epochs - 1)
        air = span / max(8, self.size.width - self.margin_left)  # a cell, so that both ends are in sight
        self.set_xlimits(1.0 - air / 2, 1.0 + span + air)
        self.set_ylimits(*self._limits())

    def _limits(self) -> tuple[float, float]:
        return self.picture.limits()

    def paint(self) -> None:
        """Draw off screen and send what changed."""
        if self._painting or not self.is_mounted:
            return
        canvases = list(self.query(QuietCanvas))
        plot = self.query_one("#plot", QuietCanvas)
        if plot.size.width < 4 or plot.size.height < 2:
            return
        for canvas in canvases:
            canvas.quiet = True
        try:
            for canvas in canvases:
                if canvas.size != canvas._canvas_size and canvas.size.area:
                    canvas.reset(size=canvas.size)
            self._scale_rectangle = Region(1, 0, plot.size.width - 1, plot.size.height - 1)
            if self._datasets or self.picture.target is not None:
                self._render_plot()
                self._draw_over()
            else:
                for canvas in canvases:
                    canvas.reset()
        finally:
            for canvas in canvases:
                canvas.quiet = False
        for canvas in canvases:
            canvas.flush()

    # -- drawing ---------------------------------------------------------------------------------

    def _render_line_plot(self, dataset: LinePlot) -> None:
        canvas = self.query_one("#plot", QuietCanvas)
        if dataset is self._datasets[0]:
            self._draw_behind(canvas)
        pattern = getattr(dataset, "pattern", ())
        if not pattern:
            super()._render_line_plot(dataset)
            return
        mapped = (self.get_hires_pixel_from_coordinate(*xy) for xy in zip(dataset.x, dataset.y, strict=True))
        pixels = [(float(px), float(py)) for px, py in mapped]
        kept = list(dashes(pixels, pattern))
        box = self._scale_rectangle
        inside = [(x, y) for x, y in kept if box.x <= x < box.right and box.y <= y < box.bottom]
        canvas.set_hires_pixels(inside, HiResMode.BRAILLE, dataset.line_style)

    def _draw_behind(self, canvas: Canvas) -> None:
        box = self._scale_rectangle
        scale = axes.scale(self.picture.quantity, self.picture.logarithmic)
        for band in reversed(self.picture.bands):  # the first on top
            self._draw_band(canvas, band)
        if self.picture.target is not None:
            _, y = self.get_pixel_from_coordinate(1.0, scale.to_axis(self.picture.target))
            if box.y <= y < box.bottom:
                style = str(look(self, "faint"))
                canvas.draw_line(box.x, y, box.right - 1, y, char="┈", style=style)
        if self.picture.cursor is not None:
            x, _ = self.get_pixel_from_coordinate(float(self.picture.cursor), 0.0)
            if box.x <= x < box.right:
                style = str(look(self, "accent"))
                canvas.draw_line(x, 0, x, box.bottom - 1, char="│", style=style)

    def _draw_band(self, canvas: Canvas, band: Band) -> None:
        """Fills what lies between its two curves, a cell high at least."""
        scale, box = axes.scale(self.picture.quantity, self.picture.logarithmic), self._scale_rectangle
        style = str(look(self, band.style))
        known = [(float(x), span) for x, span in enumerate(band.spans, 1) if span]
        if not known:
            return
        low, high = (self._rows_along([(x, scale.to_axis(span[end])) for x, span in known]) for end in (0, 1))
        for x in low.keys() & high.keys():
            for y in range(max(box.y, high[x]), min(box.bottom - 1, low[x]) + 1):
                canvas.set_pixel(x, y, FILL, style)

    def _draw_over(self) -> None:
        """The letters of the curves, and where a curve of the run itself leaves the chart."""
        taken: set[tuple[int, int]] = set()
        for number, (curve, points) in enumerate(reversed(self._points)):
            if curve.letter:
                self._draw_letters(curve, points, 4 * number, taken)
        for curve, points in self._points:
            if curve.sight == "own" or curve.letter:
                self._draw_cut(curve, points)

    def _draw_letters(
        self, curve: Curve, points: list[tuple[float, float]], offset: int, taken: set[tuple[int, int]]
    ) -> None:
        """A curve's letter at its end, further to the left where another's is, and at intervals along it."""
        canvas, style = self.query_one("#plot", QuietCanvas), self._style_of(curve)
        line = self._cells_along(points)
        if not line:
            return
        last = max(line)
        free = (x for x in sorted(line, reverse=True) if not taken & _around(x, line[x]))
        end = next(free, last)
        along = range(end - LETTER_EVERY + offset % LETTER_EVERY // 2, min(line), -LETTER_EVERY)
        for x in (end, *along):
            if x in line and (x == end or not taken & _around(x, line[x])):
                taken.add((x, line[x]))
                canvas.set_pixel(x, line[x], curve.letter, style)

    def _cells_along(self, points: list[tuple[float, float]]) -> dict[int, int]:
        """The row of a curve in each column where it is in sight."""
        box = self._scale_rectangle
        return {x: y for x, y in self._rows_along(points).items() if box.y <= y < box.bottom}

    def _rows_along(self, points: Sequence[tuple[float, float]]) -> dict[int, int]:
        """The row of a curve in each column, above and below the chart too."""
        box = self._scale_rectangle
        cells = [self.get_pixel_from_coordinate(*point) for point in points]
        rows = {cells[-1][0]: float(cells[-1][1])}
        for (x0, y0), (x1, y1) in itertools.pairwise(cells):
            rows |= {x: y0 + (y1 - y0) * (x - x0) / max(1, x1 - x0) for x in range(x0, x1 + 1)}
        return {x: round(y) for x, y in rows.items() if box.x <= x < box.right}

    def _draw_cut(self, curve: Curve, points: list[tuple[float, float]]) -> None:
        """An arrow where a value lies above or below what is shown; the first with the curve's letter, or the value."""
        text = ""
        canvas, box = self.query_one("#plot", QuietCanvas), self._scale_rectangle
        style = self._style_of(curve)
        for epoch, at in points:
            x, _ = self.get_pixel_from_coordinate(epoch, at)
            if self._y_min <= at <= self._y_max or not box.x <= x < box.right:
                continue
            above = at > self._y_max
            y = box.y if above else box.bottom - 1
            canvas.set_pixel(x, y, "▲" if above else "▼", style)
            if text:
                continue
            value = axes.value_text(self.picture.quantity, curve.values[round(epoch) - 1])
            text = curve.letter or f" {value}"
            for offset, char in enumerate(text[: max(0, box.right - x - 1)], 1):
                canvas.set_pixel(x + offset, y, char, style if curve.letter else self._axis_styles()[1])

    def _style_of(self, curve: Curve) -> str:
        return str(look(self, curve.style))

    def _blank(self, name: str) -> tuple[QuietCanvas, QuietCanvas, Region]:
        """The plot, a blank margin for the numbers of its axis, and where the curves are."""
        margin = self.query_one(name, QuietCanvas)
        margin.reset()
        return self.query_one("#plot", QuietCanvas), margin, self._scale_rectangle

    def _render_x_ticks(self) -> None:
        canvas, margin, box = self._blank("#margin-bottom")
        axis, label = self._axis_styles()
        canvas.draw_line(0, box.bottom, box.right, box.bottom, char="─", style=axis)
        canvas.set_pixel(0, box.bottom, "└", axis)
        free = 0
        for value, text in self._ticks_of_x(max(2, box.width // 7)):
            x = min(self.get_pixel_from_coordinate(value, 0.0)[0], box.right - 1)
            at = self.margin_left + x - len(text) // 2
            at = min(at, self.margin_left + box.right - len(text))
            if at < free:
                continue
            free = at + len(text) + 1
            canvas.set_pixel(x, box.bottom, "┬", axis)
            for offset, char in enumerate(text):
                margin.set_pixel(at + offset, 0, char, label)

    def _ticks_of_x(self, most: int) -> list[tuple[float, str]]:
        return [(float(tick), str(tick)) for tick in axes.epoch_ticks(self._x_min, self._x_max, most)]

    def _render_y_ticks(self) -> None:
        canvas, margin, box = self._blank("#margin-left")
        axis, label = self._axis_styles()
        canvas.draw_line(0, 0, 0, box.bottom - 1, char="│", style=axis)
        scale = axes.scale(self.picture.quantity, self.picture.logarithmic)
        ticks = scale.ticks(self._y_min, self._y_max, max(3, box.height // 3))
        target = self.picture.target
        if target is not None:  # its line has its number, whatever the even steps are
            ticks.insert(0, (scale.to_axis(target), f"{target * 100:.4f}".rstrip("0").rstrip(".")[:6]))
        taken: set[int] = set()
        for value, text in ticks:
            _, y = self.get_pixel_from_coordinate(self._x_min, value)
            if not box.y <= y < box.bottom or taken & {y - 1, y, y + 1}:
                continue
            taken.add(y)
            canvas.set_pixel(0, y, "┤", axis)
            at = self.margin_left - 1 - len(text)
            for offset, char in enumerate(text):
                margin.set_pixel(at + offset, y, char, label)

    def _axis_styles(self) -> tuple[str, str]:
        styles = (self.get_component_rich_style(name) for name in ("plot--axis", "plot--tick"))
        axis, label = (str(style) for style in styles)
        return axis, label

    # -- keys ------------------------------------------------------------------------------------

    @on(PlotWidget.ScaleChanged)
    def _scale_changed(self) -> None:
        self.zoomed = True

    def action_reset_scales(self) -> None:
        self.zoomed = False
        self._draw()

    def action_cursor(self, by: int) -> None:
        """Move the value cursor by so many epochs; it begins at the last known one."""
        known = [
            i for curve in self.picture.curves[:1] for i, v in enumerate(curve.values, 1) if v is not None
        ]
        longest = max((len(curve.values) for curve in self.picture.curves), default=0)
        if not longest:
            return
        now = self.picture.cursor
        epoch = (known[-1] if known else 1) if now is None else min(longest, max(1, now + by))
        self.post_message(self.CursorMoved(epoch))

    def action_cursor_off(self) -> None:
        self.post_message(self.CursorMoved(None))


def _around(x: int, y: int) -> set[tuple[int, int]]:
    return {(x - 1, y), (x, y), (x + 1, y)}
