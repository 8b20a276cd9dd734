"""One-line widgets that paint themselves and repaint only when what they show has changed.

A paint costs the training thread about 6 ms of the interpreter lock and every cell some bytes on the
line, so each figure that changes often is a small widget with no layout of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual import events, on
from textual.containers import Vertical
from textual.geometry import Region
from textual.strip import Strip

from tuitrain.figures import sparkline
from tuitrain.tui.paint.bars import bucketed, progress
from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line, Part, Parts, cells, cut


class Field(Painted):
    """One line of parts; `set` paints it only when they differ from what is shown."""

    DEFAULT_CSS = "Field { height: 1; width: 1fr; }"

    def __init__(
        self, parts: Parts = (), *, right: bool = False, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._parts = tuple(parts)
        self._right = right

    @property
    def text(self) -> str:
        """What it says, without styles."""
        return "".join(text for text, _ in self._parts)

    def set(self, *parts: Part) -> None:
        if parts == self._parts:
            return
        old, self._parts = self._parts, parts
        if self._right:
            self.refresh()
        else:  # what lies to the right of both texts is blank and stays so
            self.refresh(Region(0, 0, max(1, min(self.size.width, max(cells(old), cells(parts)))), 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y:
            return Strip.blank(width, self.rich_style)
        parts = cut(self._parts, width)
        if self._right:
            parts = ((" " * (width - cells(parts)), ""), *parts)
        return self.strip(parts, width)


class Bar(Painted):
    """A calm progress bar of half-cell steps."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    _fraction = 0.0
    _style = "primary"

    def set(self, fraction: float, style: str = "primary") -> None:
        """Show a fraction from 0 to 1."""
        fraction = min(1.0, max(0.0, fraction))
        halves = 2 * self.size.width
        changed = round(fraction * halves) != round(self._fraction * halves) or style != self._style
        self._fraction, self._style = fraction, style
        if changed:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        return self.strip(progress(self._fraction, width, self._style), width)


class Spark(Painted):
    """A sparkline, one character an epoch; the best stands out."""

    DEFAULT_CSS = "Spark { height: 1; width: 1fr; }"

    _values: tuple[float, ...] = ()
    _low, _label = math.nan, ""

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
        text = sparkline(values, self._low)
        if not text.strip():
            return self.strip((), width)
        best = max(i for i, v in enumerate(values) if v == max(filter(math.isfinite, values)))
        bars = ((text[:best], "primary"), (text[best], "accent"), (text[best + 1 :], "primary"))
        return self.strip((*bars, (f" {self._label}", "")), width)


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

    DEFAULT_CSS = "BigNumber { height: 3; width: 22; }"

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._digits = ASCII_DIGITS if ascii_only else BLOCK_DIGITS
        self.value, self._style = "–", "accent"

    def set(self, value: str, style: str = "accent") -> None:
        """Show this number, in percent."""
        if (value, style) != (self.value, self._style):
            self.value, self._style = value, style
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y > 2:
            return Strip.blank(width, self.rich_style)
        row = " ".join(self._digits.get(char, self._digits[" "])[y] for char in self.value)
        unit = " %" if y == 2 and self.value != "–" else ""
        return self.strip(((row, self._style), (unit, "dim")), width)


class SectionLine(Painted):
    """`── Title ─────────── right ──`: heads a pane; heavy while the pane has the focus."""

    DEFAULT_CSS = "SectionLine { height: 1; width: 1fr; color: $foreground; }"

    def __init__(self, title: str, *, rest: str = "", action: str = "", id: str | None = None) -> None:
        """`rest` is how to see what comes after the title, said where that is cut; a click runs `action`."""
        super().__init__(id=id)
        self.title, self.rest, self.action = title, rest, action
        self.right: tuple[tuple[str, str], ...] = ()
        self.after: tuple[tuple[str, str], ...] = ()
        self.here = False

    def set(
        self,
        *,
        title: str | None = None,
        right: Sequence[tuple[str, str]] | None = None,
        after: Sequence[tuple[str, str]] | None = None,
        here: bool | None = None,
    ) -> None:
        """Sets title, the pieces right after it and at the right (text and style's name), and the focus."""
        old = (self.title, self.right, self.after, self.here)
        self.title = self.title if title is None else title
        self.right = self.right if right is None else tuple(right)
        self.after = self.after if after is None else tuple(after)
        self.here = self.here if here is None else here
        if old != (self.title, self.right, self.after, self.here):
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; the right side gives way when there is no room."""
        width = self.size.width
        rule, line = ("━", "primary bold") if self.here else ("─", "faint")
        out = Line().add(rule * 2 + " ", line).add(self.title, "primary bold" if self.here else "bold")
        out.add(" ", line)
        right = self.right
        if self.after:
            out.add(rule * 2 + " ", line)
            end = width - 2
            if self.rest and cells(self.after) > end - out.x:
                right = (("… ", "dim"), (self.rest, "bold"))
                end -= cells(right) + 3
            out += [*cut(self.after, end - out.x), (" ", line)]
        while right and cells(right) + 3 > width - out.x:
            right = right[1:]
        out.to(width - cells(right) - (3 if right else 0), line, rule)
        if right:
            out += [(" ", line), *right, (" ", line)]
        return self.strip(out.to(width, line, rule), width)

    @on(events.Click)
    async def _pressed(self) -> None:
        if self.action:
            await self.run_action(self.action)


class LargeHead(Vertical):
    """`#head` has the large number and, beside it, the lines of `#facts`; lines of one cell's height are below."""

    DEFAULT_CSS = """
    LargeHead { height: 5; width: 1fr; }
    LargeHead Horizontal { height: 1; width: 1fr; }
    LargeHead #head { height: 3; }
    LargeHead #facts { height: 3; width: 1fr; }
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii = ascii_only

    def _set(self, name: str, *parts: Part) -> None:
        """Shows a figure in its field."""
        self.query_one(f"#{name}", Field).set(*parts)
