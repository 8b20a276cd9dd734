"""A list whose rows stand below a heading that stays, one of them under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message
from textual.reactive import reactive

from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.text import Parts


class TableView(LinesView):
    """Says in `count` how many rows there are, and makes the heading and a row in `line` as they come in sight."""

    cursor: reactive[int] = reactive(0, repaint=False)
    fixed = 1  # the heading
    thumb = True

    class Moved(Message):
        """Another row is under the cursor."""

    @property
    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    @property
    def total(self) -> int:
        return self.fixed + self.count

    def build(self, width: int) -> Sequence[Parts]:
        """The lines are made as they come in sight."""
        return ()

    def cursor_span(self) -> tuple[int, int]:
        return self.cursor + self.fixed, 1

    def watch_cursor(self) -> None:
        self.rebuild()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        if self.count:
            self.cursor = max(0, min(self.count - 1, self.cursor + by))

    def action_open(self) -> None:
        """Open what the row stands for."""

    def on_click(self, event: events.Click) -> None:
        """A click on a row chooses it, a second one opens it."""
        index = self.index_at(event.y) - self.fixed
        if 0 <= index < self.count:
            self.cursor = index
            if event.chain == 2:
                self.action_open()
