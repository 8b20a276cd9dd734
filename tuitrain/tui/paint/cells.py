"""One-line widgets that paint themselves and repaint only when what they show has changed.

A paint costs the training thread about 6 ms of the interpreter lock and every cell some bytes on the
line, so each figure that changes often is a small widget with no layout of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tuitrain.tui.paint.text import STYLES, Part, Parts, cells, fit


class Painted(Widget):
    """The styles that everything in the monitor is painted with, from the theme."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"mon--{name}" for name in STYLES}
    DEFAULT_CSS = """
    Painted {
        & > .mon--dim { color: $text-muted; }
        & > .mon--bold { text-style: bold; }
        & > .mon--good { color: $success; }
        & > .mon--bad { color: $error; text-style: bold; }
        & > .mon--warn { color: $warning; }
        & > .mon--accent { color: $accent; text-style: bold; }
        & > .mon--best { color: $accent; text-style: bold; }
        & > .mon--fill { color: $primary; }
        & > .mon--track { color: $foreground 25%; }
        & > .mon--test { color: $primary; text-style: bold; }
        & > .mon--train { color: $success; }
        & > .mon--ghost { color: $secondary; }
        & > .mon--earlier { color: $warning; }
        & > .mon--target { color: $foreground 45%; }
        & > .mon--head { color: $text-muted; text-style: underline; }
        & > .mon--mark { text-style: bold underline; }
        &:ansi > .mon--dim { text-style: dim; }
        &:ansi > .mon--track { text-style: dim; }
        &:ansi > .mon--target { text-style: dim; }
    }
    """

    #: Textual works a style out again at every paint, which takes longer than painting.
    _styles: dict[str, Style] | None = None

    def style(self, name: str | Style) -> Style:
        """A style of the theme by name, on the widget's own background."""
        if isinstance(name, Style):
            return self.style("") + name
        if self._styles is None:
            self._styles = {}
        if name not in self._styles:
            self._styles[name] = self.get_component_rich_style(f"mon--{name}") if name else self.rich_style
        return self._styles[name]

    def notify_style_update(self) -> None:
        """Another theme, say."""
        self._styles = None
        super().notify_style_update()

    def strip(self, parts: Parts, width: int) -> Strip:
        """One painted line, filled up to the width."""
        segments = [Segment(text, self.style(style)) for text, style in fit(parts, width) if text]
        return Strip(segments).adjust_cell_length(width, self.style(""))


class Field(Painted):
    """One line of parts; `set` paints it only when they differ from what is shown."""

    DEFAULT_CSS = """
    Field { height: 1; width: 1fr; }
    Field.-right { text-align: right; }
    """

    def __init__(
        self, parts: Parts = (), *, right: bool = False, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._parts = parts
        self._right = right

    @property
    def text(self) -> str:
        """What it says, without styles."""
        return "".join(text for text, _ in self._parts)

    def set(self, *parts: Part) -> None:
        """Show these parts."""
        if parts == self._parts:
            return
        old, self._parts = self._parts, parts
        if self._right:
            self.refresh()
        else:  # what lies to the right of both texts is blank and stays so
            self.refresh(Region(0, 0, max(1, min(self.size.width, max(cells(old), cells(parts)))), 1))

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        if y:
            return Strip.blank(width, self.rich_style)
        parts = fit(self._parts, width)
        if self._right:
            parts = ((" " * (width - cells(parts)), ""), *parts)
        return self.strip(parts, width)


class Bar(Painted):
    """A calm progress bar of half-cell steps."""

    DEFAULT_CSS = """
    Bar { height: 1; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fraction = 0.0
        self._style = "fill"

    def set(self, fraction: float, style: str = "fill") -> None:
        """Show a fraction from 0 to 1."""
        fraction = min(1.0, max(0.0, fraction))
        halves = 2 * self.size.width
        changed = round(fraction * halves) != round(self._fraction * halves) or style != self._style
        self._fraction, self._style = fraction, style
        if changed:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The bar."""
        width = self.size.width
        halves = round(self._fraction * 2 * width)
        full, half = divmod(halves, 2)
        parts = (("━" * full + "╸" * half, self._style), ("─" * (width - full - half), "track"))
        return self.strip(parts, width)


class Spark(Painted):
    """A sparkline, one character an epoch; the best stands out."""

    DEFAULT_CSS = """
    Spark { height: 1; width: 1fr; }
    """
    BLOCKS = "▁▂▃▄▅▆▇█"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._values: tuple[float, ...] = ()
        self._low, self._label = math.nan, ""

    def set(self, values: Sequence[float], low: float, label: str = "") -> None:
        """Show these values from `low` on, NaN as a gap, and behind them what the highest is."""
        new = tuple(values)
        if (new, label) != (self._values, self._label):
            self._values, self._low, self._label = new, low, label
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; where there are more values than cells, each cell shows the highest of its share."""
        width = self.size.width
        values = bucketed(self._values, width - len(self._label) - 1)
        known = [v for v in values if v == v]
        if not known:
            return self.strip(((" " * width, ""),), width)
        low, high = min(self._low, max(known)), max(known)
        best = max(i for i, v in enumerate(values) if v == high)
        text = "".join(self._block(v, low, high) for v in values)
        parts = (
            (text[:best], "fill"),
            (text[best], "best"),
            (text[best + 1 :], "fill"),
            (f" {self._label}", ""),
        )
        return self.strip(parts, width)

    def _block(self, value: float, low: float, high: float) -> str:
        if value != value:
            return " "
        if high <= low:
            return self.BLOCKS[3]
        return self.BLOCKS[round(max(0.0, value - low) / (high - low) * (len(self.BLOCKS) - 1))]


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


#: Digits of three by five dots; two dots share a cell, and half a cell of air stays above them.
DOTS = {
    "0": "### #.# #.# #.# ###", "1": ".#. ##. .#. .#. ###", "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###", "4": "#.# #.# ### ..# ..#", "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###", "7": "### ..# ..# .#. .#.", "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###", ".": ". . . . #", "–": "... ... ### ... ...", " ": ". . . . .",
}  # fmt: skip


def _half_blocks(dots: str) -> tuple[str, str, str]:
    rows = ["." * len(dots.split()[0]), *dots.split()]
    cell = {"..": " ", "#.": "▀", ".#": "▄", "##": "█"}
    pairs = [zip(rows[y], rows[y + 1], strict=True) for y in (0, 2, 4)]
    one, two, three = ("".join(cell[up + low] for up, low in pair) for pair in pairs)
    return one, two, three


BLOCK_DIGITS = {char: _half_blocks(dots) for char, dots in DOTS.items()}
#: The same for terminals that only know ASCII.
ASCII_DIGITS = {
    "0": (" _ ", "| |", "|_|"), "1": ("   ", "  |", "  |"), "2": (" _ ", " _|", "|_ "),
    "3": (" _ ", " _|", " _|"), "4": ("   ", "|_|", "  |"), "5": (" _ ", "|_ ", " _|"),
    "6": (" _ ", "|_ ", "|_|"), "7": (" _ ", "  |", "  |"), "8": (" _ ", "|_|", "|_|"),
    "9": (" _ ", "|_|", " _|"), ".": (" ", " ", "."), "–": ("   ", " - ", "   "), " ": (" ", " ", " "),
}  # fmt: skip


class BigNumber(Painted):
    """The one figure that the eye should find first, three lines high."""

    DEFAULT_CSS = """
    BigNumber { height: 3; width: 22; }
    """

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._digits = ASCII_DIGITS if ascii_only else BLOCK_DIGITS
        self.value, self._style = "–", "best"

    def set(self, value: str, style: str = "best") -> None:
        """Show this number, in percent."""
        if (value, style) != (self.value, self._style):
            self.value, self._style = value, style
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One of the three lines."""
        width = self.size.width
        if y > 2:
            return Strip.blank(width, self.rich_style)
        row = " ".join(self._digits.get(char, self._digits[" "])[y] for char in self.value)
        unit = " %" if y == 2 and self.value != "–" else ""
        return self.strip(((row, self._style), (unit, "dim")), width)
