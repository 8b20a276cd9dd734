"""One-line widgets that paint themselves and repaint only when what they show has changed.

A paint costs the training thread about 6 ms of the interpreter lock and every cell some bytes on the
line, so each figure that changes often is a small widget with no layout of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

Part = tuple[str, str | Style]  # text, and the name of a style below or a style of its own
Parts = tuple[Part, ...]

NAMES = ("dim", "label", "bold", "good", "bad", "warn", "accent", "best", "fill", "track", "test", "train",
         "ghost", "earlier", "target", "head", "mark")  # fmt: skip


def cells(parts: Parts) -> int:
    """Cells that the parts take."""
    return sum(cell_len(text) for text, _ in parts)


def fit(parts: Parts, width: int) -> Parts:
    """The parts, cut with an ellipsis where they take more cells than there are."""
    if cells(parts) <= width:
        return parts
    out: list[Part] = []
    room = width - 1
    for text, style in parts:
        size = cell_len(text)
        if size > room:
            out.append((set_cell_size(text, max(0, room)) + "…" * (width > 0), style))
            break
        out.append((text, style))
        room -= size
    return tuple(out)


class Painted(Widget):
    """The styles that everything in the monitor is painted with, from the theme."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"mon--{name}" for name in NAMES}
    DEFAULT_CSS = """
    Painted {
        & > .mon--dim { color: $text-muted; }
        & > .mon--label { color: $text-muted; }
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
        & > .mon--mark { text-style: reverse; }
    }
    """

    def style(self, name: str | Style) -> Style:
        """A style of the theme by name, on the widget's own background."""
        if isinstance(name, Style):
            return self.rich_style + name
        if not name:
            return self.rich_style
        return self.rich_style + self.get_component_rich_style(f"mon--{name}", partial=True)

    def strip(self, parts: Parts, width: int) -> Strip:
        """One painted line, filled up to the width."""
        segments = [Segment(text, self.style(style)) for text, style in fit(parts, width) if text]
        return Strip(segments).adjust_cell_length(width, self.rich_style)


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

    def set(self, values: Sequence[float]) -> None:
        """Show these values; NaN leaves a gap."""
        new = tuple(values)
        if new != self._values:
            self._values = new
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; where there are more values than cells, each cell shows the highest of its share."""
        width = self.size.width
        values = bucketed(self._values, width)
        known = [v for v in values if v == v]
        if not known:
            return self.strip(((" " * width, ""),), width)
        low, high = min(known), max(known)
        best = max(i for i, v in enumerate(values) if v == high)
        text = "".join(self._block(v, low, high) for v in values)
        parts = ((text[:best], "fill"), (text[best], "best"), (text[best + 1 :], "fill"))
        return self.strip(parts, width)

    def _block(self, value: float, low: float, high: float) -> str:
        if value != value:
            return " "
        if high <= low:
            return self.BLOCKS[3]
        return self.BLOCKS[round((value - low) / (high - low) * (len(self.BLOCKS) - 1))]


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


#: Digits five half-cells high.
BLOCK_DIGITS = {
    "0": ("█▀█", "█ █", "▀▀▀"), "1": ("▀█ ", " █ ", "▀▀▀"), "2": ("▀▀█", "█▀▀", "▀▀▀"),
    "3": ("▀▀█", " ▀█", "▀▀▀"), "4": ("█ █", "▀▀█", "  ▀"), "5": ("█▀▀", "▀▀█", "▀▀▀"),
    "6": ("█▀▀", "█▀█", "▀▀▀"), "7": ("▀▀█", "  █", "  ▀"), "8": ("█▀█", "█▀█", "▀▀▀"),
    "9": ("█▀█", "▀▀█", "▀▀▀"), ".": (" ", " ", "▀"), "–": ("   ", "▀▀▀", "   "), " ": (" ", " ", " "),
}  # fmt: skip
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
    BigNumber { height: 3; width: 23; }
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
