"""A table of any number of runs, of which only the lines in sight are ever made."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tuitrain.watch.runlist import Column, RunRow, columns_for, state_look


def fit(text: str, width: int, right: bool = False) -> str:
    """The text in exactly so many cells, cut with an ellipsis."""
    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    return " " * (width - cell_len(text)) + text if right else set_cell_size(text, width)


class RunTable(ScrollView, can_focus=True):
    """All runs, the newest first.

    Enter opens a run in the monitor: a finished one is replayed at once, a running one is live, also
    when another process trains it. Space marks runs; marked ones are compared (c) or laid over each
    other in one chart (o).
    """

    HELP_TITLE = "Table of runs"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "runs--head", "runs--cursor", "runs--row", "runs--dim", "runs--mark",
        "runs--primary", "runs--success", "runs--warning", "runs--error", "runs--secondary",
    }  # fmt: skip
    DEFAULT_CSS = """
    RunTable { height: 1fr; overflow-x: hidden; overflow-y: auto; background: $background;
        & > .runs--head { color: $text-muted; text-style: bold; }
        & > .runs--row { color: $foreground; }
        & > .runs--dim { color: $text-muted; }
        & > .runs--mark { color: $accent; text-style: bold; }
        & > .runs--cursor { background: $panel; text-style: bold; }
        &:focus > .runs--cursor { background: $primary-muted; text-style: bold; }
        &:ansi:focus > .runs--cursor { text-style: bold reverse; }
        & > .runs--primary { color: $primary; } & > .runs--success { color: $success; }
        & > .runs--warning { color: $warning; } & > .runs--error { color: $error; }
        & > .runs--secondary { color: $secondary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="runs.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="runs.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="runs.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="runs.page_down"),
        Binding("home,g", "first", "First", show=False, id="runs.first"),
        Binding("end,G", "last", "Last", show=False, id="runs.last"),
        Binding("enter", "open", "Open", id="runs.open"),
        Binding("space", "mark", "Mark", id="runs.mark"),
    ]
    cursor: reactive[int] = reactive(0)

    class Opened(Message):
        """Enter, or a double click, on a row."""

        def __init__(self, row: RunRow) -> None:
            super().__init__()
            self.row = row

    class Marked(Message):
        """The marks changed."""

    class Moved(Message):
        """Another row is under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[RunRow] = []
        self.marked: dict[str, None] = {}
        self.sort, self.reverse = "when", True
        self._columns: list[tuple[Column, int]] = []

    # -- rows ----------------------------------------------------------------------------------

    def show(self, rows: list[RunRow]) -> None:
        """Show these rows; the cursor stays on its run, and only lines that differ are painted."""
        if rows == self.rows:
            return
        here = self.current
        old, self.rows = self.rows, rows
        if here is not None:
            found = next((i for i, row in enumerate(rows) if row.key == here.key), None)
            self.cursor = found if found is not None else max(0, min(self.cursor, len(rows) - 1))
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        if len(old) != len(rows):
            self.refresh()
            return
        for index, (before, now) in enumerate(zip(old, rows, strict=True)):
            if before != now:
                self._refresh_row(index)

    @property
    def current(self) -> RunRow | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def chosen(self) -> list[RunRow]:
        """The marked rows in the order of marking, else the one under the cursor."""
        by_key = {row.key: row for row in self.rows}
        marked = [by_key[key] for key in self.marked if key in by_key]
        return marked or ([self.current] if self.current is not None else [])

    def cuts(self, row: RunRow) -> bool:
        """Whether what was changed does not fit its column."""
        return any(
            column.name == "changed" and cell_len(row.changed) > width for column, width in self._columns
        )

    # -- painting ------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Choose the columns for the new width."""
        self._columns = columns_for(event.size.width)
        self.virtual_size = Size(event.size.width, len(self.rows) + 1)

    def _refresh_row(self, index: int) -> None:
        y = index + 1 - self.scroll_offset.y
        if 0 < y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """The heading stays; below it the rows from the scroll offset on."""
        width = self.size.width
        if y == 0:
            return self._head(width)
        index = y - 1 + self.scroll_offset.y
        if index >= len(self.rows):
            empty = "  no runs yet: choose a preset in the lab (1) and start it with Enter"
            text = empty if not self.rows and y == 2 else ""
            return Strip([Segment(fit(text, width), self.get_component_rich_style("runs--dim"))], width)
        return self._row(self.rows[index], index == self.cursor, width)

    def _head(self, width: int) -> Strip:
        parts = ["  "]
        for column, cells in self._columns:
            arrow = ("▾" if self.reverse else "▴") if column.name == self.sort else ""
            parts.append(fit(f"{column.title}{arrow}", cells, column.right) + " ")
        return Strip(
            [Segment(fit("".join(parts), width), self.get_component_rich_style("runs--head"))], width
        )

    def _row(self, row: RunRow, here: bool, width: int) -> Strip:
        style = self.get_component_rich_style
        base = style("runs--row")
        over = style("runs--cursor", partial=True) if here else Style.null()
        glyph, word, colour = state_look(row.state)
        marked = row.key in self.marked
        marks = f"{'▸' if here else ' '}{'◆' if marked else ' '}"
        segments = [Segment(marks, base + style("runs--mark", partial=True) + over)]
        now = time.time()
        for column, cells in self._columns:
            if column.name == "state":
                text, look = f"{glyph} {word}", style(f"runs--{colour}", partial=True)
            else:
                text, look = column.text(row, now), Style.null()
            segments.append(Segment(fit(text, cells, column.right) + " ", base + look + over))
        strip = Strip(segments)
        return strip.adjust_cell_length(width, base + over)

    # -- keys and mouse ------------------------------------------------------------------------

    def watch_cursor(self, old: int, new: int) -> None:
        """Paint the two lines, keep the cursor in sight."""
        self._refresh_row(old)
        self._refresh_row(new)
        top, height = self.scroll_offset.y, max(1, self.size.height - 1)
        if new < top:
            self.scroll_to(y=new, animate=False, immediate=True)
        elif new >= top + height:
            self.scroll_to(y=new - height + 1, animate=False, immediate=True)
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        """Up or down."""
        if self.rows:
            self.cursor = max(0, min(len(self.rows) - 1, self.cursor + by))

    def action_page(self, by: int) -> None:
        """A page up or down."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_first(self) -> None:
        """To the first row."""
        self.action_move(-len(self.rows))

    def action_last(self) -> None:
        """To the last row."""
        self.action_move(len(self.rows))

    def action_open(self) -> None:
        """Open the run."""
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next row."""
        row = self.current
        if row is None or row.summary is None:
            return
        if row.key in self.marked:
            del self.marked[row.key]
        else:
            self.marked[row.key] = None
        self._refresh_row(self.cursor)
        self.action_move(1)
        self.post_message(self.Marked())

    def on_click(self, event: events.Click) -> None:
        """A click chooses, a second one opens, one on the heading sorts."""
        if event.y == 0:
            self._sort_at(event.x)
            return
        index = event.y - 1 + self.scroll_offset.y
        if index < len(self.rows):
            self.cursor = index
            if event.chain == 2:
                self.action_open()

    class SortWanted(Message):
        """A heading was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def _sort_at(self, x: int) -> None:
        at = 2
        for column, cells in self._columns:
            if at <= x < at + cells + 1:
                self.post_message(self.SortWanted(column.name))
                return
            at += cells + 1
