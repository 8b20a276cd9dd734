"""Painted text as data: pieces of text, each with the names of its styles. No textual."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.style import Style

Part = tuple[str, str | Style]  # text, and names of `styles.STYLES` between spaces, or a style of its own
Parts = Sequence[Part]
HeadedLines = tuple[Parts, list[Parts]]  # a heading, and the lines below it


def cells(parts: Parts) -> int:
    """Cells that the parts take."""
    return sum(cell_len(text) for text, _ in parts)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly so many cells, at the left or the right of them, cut with an ellipsis."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, max(width, 0))
    return " " * (width - size) + text if right else text + " " * (width - size)


def cut(parts: Parts, width: int, ellipsis: str = "…") -> Parts:
    """The parts, cut with an ellipsis where they take more cells than there are."""
    if cells(parts) <= width:
        return parts
    out: list[Part] = []
    room = width - len(ellipsis)
    for text, style in parts:
        size = cell_len(text)
        if size > room:
            out.append((set_cell_size(text, max(0, room)) + ellipsis * (width > 0), style))
            break
        out.append((text, style))
        room -= size
    return out


def wrap(parts: Parts, width: int, indent: int = 0) -> list[Parts]:
    """The parts broken into lines at spaces, words longer than a line within; all but the first are indented."""
    lines, used = [Line()], 0
    for text, style in parts:
        for word in re.findall(" +|[^ ]+ *", text):
            if used > indent * (len(lines) > 1) and used + cell_len(word.rstrip()) > width:
                lines.append(Line().to(indent))
                used, word = indent, word.lstrip()
            first, *rest = chop_cells(word, max(1, width - used)) or [""]
            lines[-1].add(first, style)
            lines += [Line().to(indent).add(piece, style) for piece in rest if piece.strip()]
            used = lines[-1].x
    return [cut(_without_spaces_at_end(line), width) for line in lines]


def section(title: str, width: int, end: str = "") -> Parts:
    """` ── Title ──── end ─`: heads a part, as a section line heads a pane; the end gives way where it has no room."""
    room = width - cell_len(title) - 5
    if not end or cell_len(end) + 4 > room:
        return [(" ── ", "faint"), (title, "bold"), (" " + "─" * room, "faint")]
    return [
        (" ── ", "faint"), (title, "bold"), (" " + "─" * (room - cell_len(end) - 3) + " ", "faint"), (end, "dim"),
        (" ─", "faint"),
    ]  # fmt: skip


def _without_spaces_at_end(line: Line) -> Parts:
    """A line that was broken behind a word; its spaces are no part of its width."""
    return [*line[:-1], (line[-1][0].rstrip(" "), line[-1][1])] if line else line


class Line(list[Part]):
    """Parts in the making: pieces one after the other, or from a given column on."""

    def __init__(self, parts: Parts = ()) -> None:
        super().__init__(parts)
        self._links: list[tuple[int, int, str]] = []

    @property
    def x(self) -> int:
        """The column behind the last piece."""
        return cells(self)

    def add(
        self, text: str, style: str | Style = "", width: int | None = None, *, right: bool = False
    ) -> Line:
        """Adds a text, brought to `width` cells where one is given."""
        if width is not None:
            text = fit(text, width, right=right)
        if text:
            self.append((text, style))
        return self

    def to(self, column: int, style: str = "", fill: str = " ") -> Line:
        """Fills up to a column."""
        return self.add(fill * (column - self.x), style)

    def link(self, action: str, start: int) -> Line:
        """Has a click on what was added since a column run an action."""
        self._links.append((start, self.x, action))
        return self

    def linked(self, x: int) -> str | None:
        """The action of what is at a column."""
        return next((action for start, end, action in self._links if start <= x < end), None)
