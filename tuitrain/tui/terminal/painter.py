"""What is sent to the terminal: only the cells that changed.

Textual sends every cell of a widget that was repainted. A shadow of the screen is kept here, and of
each update only the differing cells go out, which is what keeps a slow line usable: a counter that
moves costs some twenty bytes instead of its whole panel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import SGR_STYLES, Strip

#: (attributes, foreground, background) as SGR parameters, empty where default.
Look = tuple[str, str, str]
Cell = tuple[str, Look]
PLAIN: Look = ("", "", "")
#: Cells between two changes that are cheaper to send again than to jump over.
GAP = 5


@lru_cache(4096)
def look_of(style: Style | None, system: ColorSystem) -> Look:
    """A style as SGR parameters."""
    if style is None:
        return PLAIN
    attributes = style._attributes & style._set_attributes
    names = [SGR_STYLES[bit] for bit in range(attributes.bit_length()) if attributes & (1 << bit)]
    front = style._color.downgrade(system).get_ansi_codes() if style._color is not None else ()
    back = style._bgcolor.downgrade(system).get_ansi_codes(False) if style._bgcolor is not None else ()
    return ";".join(names), ";".join(front), ";".join(back)


class Painter:
    """The shadow of one terminal."""

    def __init__(self) -> None:
        self._rows: list[list[Cell | None]] = []
        self._width = 0

    def forget(self) -> None:
        """The terminal may show anything now: the next update is sent whole."""
        self._rows = []

    def _shadow(self, width: int, height: int) -> None:
        if self._width != width or len(self._rows) != height:
            self._width = width
            self._rows = [[None] * width for _ in range(height)]

    def update(self, update: CompositorUpdate, system: ColorSystem, width: int, height: int) -> str | None:
        """The sequences that bring the terminal up to date, None for an update of an unknown kind."""
        if isinstance(update, LayoutUpdate):
            parts = _layout_parts(update)
        elif isinstance(update, ChopsUpdate):
            parts = _chop_parts(update)
        else:
            return None
        self._shadow(width, height)
        out: list[str] = []
        look = PLAIN
        for y, x, segments in parts:
            if 0 <= y < height:
                look = self._line(out, look, y, x, segments, system)
        if look != PLAIN:
            out.append("\x1b[0m")
        return "".join(out)

    def _line(
        self, out: list[str], look: Look, y: int, x: int, segments: Iterable[Segment], system: ColorSystem
    ) -> Look:
        row, width = self._rows[y], self._width
        changed: list[int] = []
        for text, style, control in segments:
            if control:
                continue
            segment_look = look_of(style, system)
            for char in text:
                cells = 1 if char < "\u0300" else get_character_cell_size(char)
                if cells == 0:  # a combining mark belongs to the cell before it
                    if 0 < x <= width and changed and changed[-1] == x - 1:
                        previous = row[x - 1]
                        row[x - 1] = ((previous[0] if previous else " ") + char, segment_look)
                    continue
                if x < 0 or x + cells > width:
                    x += cells
                    continue
                cell = (char, segment_look)
                if row[x] != cell:
                    row[x] = cell
                    changed.append(x)
                if cells == 2:
                    row[x + 1] = ("", segment_look)
                x += cells
        return _emit(out, look, y, row, changed) if changed else look


def _emit(out: list[str], look: Look, y: int, row: list[Cell | None], changed: list[int]) -> Look:
    at = -1
    for x in changed:
        if at < 0 or x > at + GAP or any(cell is None for cell in row[at:x]):
            out.append(f"\x1b[{y + 1};{x + 1}H")
        else:
            for between in row[at:x]:
                look = _put(out, look, between)
        cell = row[x]
        look = _put(out, look, cell)
        at = x + (2 if x + 1 < len(row) and row[x + 1] is not None and row[x + 1][0] == "" else 1)  # type: ignore[index]
    return look


def _put(out: list[str], look: Look, cell: Cell | None) -> Look:
    if cell is None or not cell[0]:
        return look
    char, wanted = cell
    if wanted != look:
        out.append(_change(look, wanted))
    out.append(char)
    return wanted


@lru_cache(4096)
def _change(old: Look, new: Look) -> str:
    """The shortest SGR sequence from one look to another."""
    if old[0] != new[0] or (old[1] and not new[1]) or (old[2] and not new[2]):
        return f"\x1b[{';'.join(['0', *(part for part in new if part)])}m"
    return f"\x1b[{';'.join(part for part, was in zip(new, old, strict=True) if part and part != was)}m"


def _layout_parts(update: LayoutUpdate) -> Iterator[tuple[int, int, Iterable[Segment]]]:
    for y, line in enumerate(update.strips, update.region.y):
        yield y, update.region.x, (segment for strip in line for segment in strip)


def _chop_parts(update: ChopsUpdate) -> Iterator[tuple[int, int, Iterable[Segment]]]:
    for y, x1, x2 in update.spans:
        ends = update.chop_ends[y]
        strip: Strip | None
        for end, (x, strip) in zip(ends, update.chops[y].items(), strict=False):
            if strip is None or x > x2 or end <= x1:
                continue
            yield y, x, strip if end <= x2 else strip.crop(0, min(end, x2) - x)
