"""Charts with axes: textual-plot's widget, with quiet axes, dashed curves and a value cursor.

textual-plot paints its whole area whenever a point is added. Here a chart is drawn off screen and
only the rows that came out different are sent, and it keeps a zoom while new points arrive.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

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

from tuitrain.tui import scales
from tuitrain.tui.scales import Curve, Pattern, Picture

#: Dots of braille on and off along a line, by pattern.
PATTERNS: dict[Pattern, tuple[int, int]] = {"solid": (1, 0), "dash": (5, 4), "dot": (1, 3)}


@dataclass
class _Patterned(LinePlot):
    """A line plot that is drawn in a pattern."""

    pattern: tuple[int, int] = field(default=(1, 0))


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


class Chart(PlotWidget, inherit_bindings=False):
    """Curves by epoch over quiet axes."""

    HELP_TITLE = "Chart"
    HELP = (
        "Curves by epoch. + and - zoom, shift with the arrows moves, r shows everything again, "
        "g is logarithmic, m smooths, left and right move a cursor that reads the values."
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--test", "chart--train", "chart--ghost", "chart--earlier", "chart--target", "chart--cursor",
    }  # fmt: skip
    DEFAULT_CSS = """
    Chart {
        height: 1fr; width: 1fr;
        & > .plot--axis { color: $foreground 35%; }
        &:focus > .plot--axis { color: $foreground 55%; }
        & > .plot--tick { color: $text-muted; text-style: none; }
        & > .chart--test { color: $primary; text-style: bold; }
        & > .chart--train { color: $success; }
        & > .chart--ghost { color: $secondary; }
        & > .chart--earlier { color: $warning; }
        & > .chart--target { color: $foreground 45%; }
        & > .chart--cursor { color: $accent; }
        &:ansi > .plot--axis { text-style: dim; }
        &:ansi > .plot--tick { text-style: dim; }
        &:ansi > .chart--target { text-style: dim; }
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

    class CursorMoved(Message):
        """The value cursor is at an epoch, or off."""

        def __init__(self, chart: Chart, epoch: int | None) -> None:
            super().__init__()
            self.chart, self.epoch = chart, epoch

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.picture = Picture()
        self.zoomed = False
        self._painting = False

    # -- textual-plot's own, made quiet ----------------------------------------------------------

    def compose(self) -> ComposeResult:
        """As textual-plot's, with canvases that send only what changed."""
        with Grid():
            for name in ("margin-top", "margin-left", "plot", "margin-bottom"):
                yield QuietCanvas(1, 1, id=name)
        yield Legend(id="legend")

    def on_mount(self) -> None:
        """Narrow margins."""
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
        with self._held():
            self._datasets, self._labels = [], []
            for curve in reversed(self.picture.curves):  # the first on top
                self._add(curve)
            if not self.zoomed:
                self._fit()
        self.paint()

    def _add(self, curve: Curve) -> None:
        scale = scales.scale(self.picture.quantity, self.picture.logarithmic)
        known = [(i, scale.to_axis(v)) for i, v in enumerate(curve.values, 1) if v is not None]
        points = [(x, y) for x, y in known if math.isfinite(y)]
        if not points:
            return
        x, y = (np.array(column, dtype=float) for column in zip(*points, strict=True))
        if len(points) == 1:  # a line needs two
            x, y = np.array([x[0] - 0.08, x[0] + 0.08]), np.array([y[0], y[0]])
        style = str(self.get_component_rich_style(f"chart--{curve.style}"))
        on_off = PATTERNS[curve.pattern]
        self._datasets.append(
            _Patterned(x=x, y=y, hires_mode=HiResMode.BRAILLE, line_style=style, pattern=on_off)
        )
        self._labels.append(curve.name)

    def _fit(self) -> None:
        picture = self.picture
        span = max(1, picture.epochs - 1)
        air = span / max(8, self.size.width - self.margin_left)  # a cell, so that both ends are in sight
        self.set_xlimits(1.0 - air / 2, 1.0 + span + air)
        low, high = scales.limits(picture.quantity, picture.logarithmic, self._values(), picture.target)
        for latest in self._latest():  # an earlier run's end must not push this run's beginning out of sight
            low, high = min(low, latest), max(high, latest)
        self.set_ylimits(low, high)

    def _values(self) -> list[Sequence[float | None]]:
        """What has to be in sight; of the training curve, which runs under dropout, only its end."""
        return [c.values[-2:] if c.name == "train" else c.values for c in self.picture.curves]

    def _latest(self) -> list[float]:
        """The latest value of the first curve, on the axis; nothing before there is one."""
        scale = scales.scale(self.picture.quantity, self.picture.logarithmic)
        own = [
            scale.to_axis(v)
            for v in (self.picture.curves[0].values if self.picture.curves else ())
            if v is not None
        ]
        return [v for v in own if math.isfinite(v)][-1:]

    @contextmanager
    def _held(self) -> Iterator[None]:
        self._painting = True
        try:
            yield
        finally:
            self._painting = False

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
        on_cells, off_cells = getattr(dataset, "pattern", (1, 0))
        if not off_cells:
            super()._render_line_plot(dataset)
            return
        mapped = (self.get_hires_pixel_from_coordinate(*xy) for xy in zip(dataset.x, dataset.y, strict=True))
        pixels = [(float(px), float(py)) for px, py in mapped]
        kept = list(_dashes(pixels, on_cells, off_cells))
        box = self._scale_rectangle
        inside = [(x, y) for x, y in kept if box.x <= x < box.right and box.y <= y < box.bottom]
        canvas.set_hires_pixels(inside, HiResMode.BRAILLE, dataset.line_style)

    def _draw_behind(self, canvas: Canvas) -> None:
        box = self._scale_rectangle
        scale = scales.scale(self.picture.quantity, self.picture.logarithmic)
        if self.picture.target is not None:
            _, y = self.get_pixel_from_coordinate(1.0, scale.to_axis(self.picture.target))
            if box.y <= y < box.bottom:
                style = str(self.get_component_rich_style("chart--target"))
                canvas.draw_line(box.x, y, box.right - 1, y, char="┈", style=style)
        if self.picture.cursor is not None:
            x, _ = self.get_pixel_from_coordinate(float(self.picture.cursor), 0.0)
            if box.x <= x < box.right:
                style = str(self.get_component_rich_style("chart--cursor"))
                canvas.draw_line(x, 0, x, box.bottom - 1, char="│", style=style)

    def _render_x_ticks(self) -> None:
        canvas = self.query_one("#plot", QuietCanvas)
        margin = self.query_one("#margin-bottom", QuietCanvas)
        margin.reset()
        box = self._scale_rectangle
        axis, label = self._axis_styles()
        canvas.draw_line(0, box.bottom, box.right, box.bottom, char="─", style=axis)
        canvas.set_pixel(0, box.bottom, "└", axis)
        free = 0
        for tick in scales.epoch_ticks(self._x_min, self._x_max, max(2, box.width // 7)):
            x = min(self.get_pixel_from_coordinate(float(tick), 0.0)[0], box.right - 1)
            text = str(tick)
            at = self.margin_left + x - len(text) // 2
            at = min(at, self.margin_left + box.right - len(text))
            if at < free:
                continue
            free = at + len(text) + 1
            canvas.set_pixel(x, box.bottom, "┬", axis)
            for offset, char in enumerate(text):
                margin.set_pixel(at + offset, 0, char, label)

    def _render_y_ticks(self) -> None:
        canvas = self.query_one("#plot", QuietCanvas)
        margin = self.query_one("#margin-left", QuietCanvas)
        margin.reset()
        box = self._scale_rectangle
        axis, label = self._axis_styles()
        canvas.draw_line(0, 0, 0, box.bottom - 1, char="│", style=axis)
        scale = scales.scale(self.picture.quantity, self.picture.logarithmic)
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
        """Show everything again."""
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
        self.post_message(self.CursorMoved(self, epoch))

    def action_cursor_off(self) -> None:
        """Take the cursor away."""
        self.post_message(self.CursorMoved(self, None))


def _dashes(pixels: Sequence[tuple[float, float]], on: int, off: int) -> Iterator[tuple[float, float]]:
    """Points along a polyline in cells, a braille dot apart, only in the `on` part of each period."""
    travelled = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(pixels):
        dots = math.hypot((x1 - x0) * 2, (y1 - y0) * 4)
        steps = min(4000, max(1, math.ceil(dots * 1.5)))
        for i in range(steps):
            part = i / steps
            if (travelled + part * dots) % (on + off) < on:
                yield x0 + (x1 - x0) * part, y0 + (y1 - y0) * part
        travelled += dots
