"""The members of a study as a table: one line a run, or one a pair of a duel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from tuitrain.tui.paint.lines import LinesView, cursor_keys
from tuitrain.tui.paint.text import Parts


class Members(LinesView):
    """The runs of the study, in the order of the plan.

    Enter opens a run's own monitor; there, M leads back.
    """

    HELP_TITLE = "Members"
    BINDINGS: ClassVar[list[BindingType]] = [
        *cursor_keys("members", "run"),
        Binding("enter", "open", "Open member", id="members.open"),
    ]
    cursor: reactive[int] = reactive(0, repaint=False)
    fixed = 1  # the heading
    thumb = True

    class Opened(Message):
        """Enter, or a double click, on a line."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    class Moved(Message):
        """Another line is under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[Parts] = ()
        self._keys: Sequence[object] = ()
        self._head: Parts = ()

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
    def total(self) -> int:
        """The heading and the lines."""
        return 1 + len(self._rows)

    def build(self, width: int) -> Sequence[Parts]:
        """The lines are there already."""
        return ()

    def line(self, index: int) -> Parts:
        """The heading, or a line; that of the cursor on its ground."""
        if index == 0:
            return self._head
        row = self._rows[index - 1]
        if index - 1 != self.cursor:
            return [("  ", ""), *row]
        return self.on_row([("▸ ", "accent"), *row], self.room)

    def cursor_span(self) -> tuple[int, int]:
        """The line under the cursor."""
        return self.cursor + 1, 1

    def watch_cursor(self) -> None:
        """Paint the two lines, keep the cursor in sight."""
        self.rebuild()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        """Up or down."""
        if self._rows:
            self.cursor = max(0, min(len(self._rows) - 1, self.cursor + by))

    def action_open(self) -> None:
        """Open the run."""
        if self._rows:
            self.post_message(self.Opened(self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click chooses, a second one opens."""
        index = self.index_at(event.y) - 1
        if 0 <= index < len(self._rows):
            self.cursor = index
            if event.chain == 2:
                self.action_open()
