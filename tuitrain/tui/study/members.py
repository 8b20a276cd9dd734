"""The members of a study as a table: one line a run, or one a pair of a duel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tuitrain.tui.paint.lines import cursor_keys
from tuitrain.tui.paint.rows import TableView
from tuitrain.tui.paint.text import Parts


class Members(TableView):
    """The runs of the study, in the order of the plan.

    Enter opens a run's own monitor; there, M leads back.
    """

    HELP_TITLE = "Members"
    BINDINGS: ClassVar[list[BindingType]] = [
        *cursor_keys("members", "run"),
        Binding("enter", "open", "Open member", id="members.open"),
    ]

    @dataclass
    class Opened(Message):
        """Enter, or a double click, on a line."""

        index: int

    _rows: Sequence[Parts] = ()
    _keys: Sequence[object] = ()
    _head: Parts = ()

    def show(self, head: Parts, rows: Sequence[Parts], keys: Sequence[object] = ()) -> None:
        """Show this heading and these lines; the cursor stays on its line, or where they have keys on its key."""
        if (head, rows) == (self._head, self._rows):
            return
        here = self._keys[self.cursor] if self.cursor < len(self._keys) else None
        self._head, self._rows, self._keys = head, rows, keys
        at = keys.index(here) if here is not None and here in keys else self.cursor
        self.cursor = max(0, min(at, len(rows) - 1))
        self.rebuild()

    @property
    def count(self) -> int:
        return len(self._rows)

    def line(self, index: int) -> Parts:
        if index == 0:
            return self._head
        row = self._rows[index - 1]
        if index - 1 != self.cursor:
            return [("  ", ""), *row]
        return self.on_row([("▸ ", "accent"), *row], self.room)

    def action_open(self) -> None:
        if self._rows:
            self.post_message(self.Opened(self.cursor))
