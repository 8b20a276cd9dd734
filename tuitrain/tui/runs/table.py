"""A table of any number of runs, of which only the lines in sight are ever made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from tuitrain.tui.paint.lines import cursor_keys
from tuitrain.tui.paint.rows import TableView
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.watch.runlist import Column, RunRow, columns_for, state_look

#: Styles of the kinds of state that are no style.
KINDS = {"live": "primary", "waiting": "second", "dim": "second"}
#: In the place of rows.
EMPTY = "  no runs yet: choose a preset in the lab (1) and start it with Enter"
NO_MATCH = "  no run matches the filter: / changes it, esc shows all runs"


class RunTable(TableView):
    """All runs, the newest first.

    Enter opens a run in the monitor: a finished one is replayed at once, a running one is live, also
    when another process trains it. Space marks runs; marked ones are compared (c) or laid over each
    other in one chart (o). The seeds of a study are one row, a group, and so are all settings of a
    sweep: right shows what it stands for below it, left hides that.
    """

    HELP_TITLE = "Table of runs"
    DEFAULT_CSS = "RunTable { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *cursor_keys("runs", "run", ends=("home,g", "end,G")),
        Binding("enter", "open", "Open", id="runs.open"),
        Binding("space", "mark", "Mark", id="runs.mark"),
        Binding("right", "open_group(True)", "Open a group of seeds", show=False, id="runs.open_group"),
        Binding("left", "open_group(False)", "Close a group of seeds", show=False, id="runs.close_group"),
    ]

    @dataclass
    class Opened(Message):
        """Enter, or a double click, on a row."""

        row: RunRow

    class Marked(Message):
        """The marks changed."""

    class Folded(Message):
        """A group was opened or closed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[RunRow] = []
        self.nothing = EMPTY  # said where there are no rows
        self.marked: dict[str, None] = {}
        self.opened: set[str] = set()  # the keys of groups whose runs are shown
        self.sort, self.reverse = "when", True
        self._columns: list[tuple[Column, int]] = []

    # -- rows ----------------------------------------------------------------------------------

    def show(self, rows: list[RunRow], nothing: str = EMPTY) -> None:
        """Show these rows, or that there is nothing; the cursor stays on its run."""
        if (rows, nothing) == (self.rows, self.nothing):
            return
        here = self.current
        self.rows, self.nothing = rows, nothing
        if here is not None:
            found = next((i for i, row in enumerate(rows) if row.key == here.key), None)
            self.cursor = found if found is not None else max(0, min(self.cursor, len(rows) - 1))
        self.rebuild()

    @property
    def current(self) -> RunRow | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def chosen(self) -> list[RunRow]:
        """The marked rows in the order of marking, else the one under the cursor."""
        by_key = {row.key: row for shown in self.rows for row in shown.with_members()}
        marked = [by_key[key] for key in self.marked if key in by_key]
        return marked or ([self.current] if self.current is not None else [])

    def cuts(self, row: RunRow) -> bool:
        """Whether what was changed does not fit its column."""
        return any(
            column.name == "changed" and cell_len(column.text(row, 0.0)) > width
            for column, width in self._columns
        )

    # -- painting ------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def total(self) -> int:
        """The heading and the rows; where there are none, what to do about it."""
        return 1 + (len(self.rows) or 2)

    def build(self, width: int) -> list[Parts]:
        """The lines are made as they come in sight; here only the columns for the width."""
        self._columns = columns_for(self.room, self.rows)
        return []

    def line(self, index: int) -> Parts:
        if index == 0:
            return self._head()
        if not self.rows:
            return [(self.nothing if index == 2 else "", "dim")]
        return self._row(self.rows[index - 1], index - 1 == self.cursor)

    def _head(self) -> Parts:
        line = Line().add("  ", "dim underline")
        for column, cells in self._columns:
            arrow = ("▾" if self.reverse else "▴") if column.name == self.sort else ""
            start = line.x
            line.add(f"{column.title}{arrow}", "dim underline", cells, right=column.right).add(" ")
            line.link(f"screen.sort_by('{column.name}')", start)
        self.links = line
        return line

    def _row(self, row: RunRow, here: bool) -> Parts:
        glyph, word, kind = state_look(row.state)
        line = (
            Line().add("▸" if here else " ", "accent").add("◆" if row.key in self.marked else " ", "accent")
        )
        now = time.time()
        for column, cells in self._columns:
            state = column.name == "state"
            text = f"{glyph} {word}" if state else column.text(row, now)
            line.add(text, KINDS.get(kind, kind) if state else "", cells, right=column.right).add(" ")
        return self.on_row([(text, f"bold {style}") for text, style in line], self.room) if here else line

    # -- keys ----------------------------------------------------------------------------------

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def action_open_group(self, wanted: bool) -> None:
        """Show the runs of the group under the cursor, or hide them again."""
        if self.current is None:
            return
        at, row = self.cursor, self.current
        while not wanted and not row.opened and row.inside and at > 0:  # the row that it stands below
            at = next(i for i in range(at - 1, -1, -1) if self.rows[i].inside < row.inside)
            row = self.rows[at]
        if row.members and row.opened != wanted:
            (self.opened.add if wanted else self.opened.discard)(row.key)
            self.cursor = at
            self.post_message(self.Folded())

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next row."""
        row = self.current
        if row is None or not row.runs:
            return
        if row.key in self.marked:
            del self.marked[row.key]
        else:
            self.marked[row.key] = None
        self.action_move(1)
        self.post_message(self.Marked())
