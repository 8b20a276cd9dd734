"""Lists of which one row has the cursor: a table of lines below a heading, and rows of several lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

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


Key = TypeVar("Key", int, str)


class RowsView(LinesView, Generic[Key]):
    """Says in `rows_for` what its rows are, each with a key."""

    cursor: Key
    _where: Sequence[Key | None] = ()  # key of the row that each line belongs to

    class Moved(Message):
        """The cursor is on another row."""

    def rows_for(self, width: int) -> Iterable[tuple[Key | None, Sequence[Parts]]]:
        """Key and lines of each row for a width; no key for what can't have the cursor."""
        raise NotImplementedError

    def build(self, width: int) -> list[Parts]:
        rows = [(key, line) for key, lines in self.rows_for(width) for line in lines]
        self._where = [key for key, _ in rows]
        return [line for _, line in rows]

    def cursor_span(self) -> tuple[int, int]:
        if self.cursor not in self._where:
            return 0, 1
        return self._where.index(self.cursor), self._where.count(self.cursor)

    def go_to(self, key: Key) -> None:
        """Puts the cursor on a row."""
        self.cursor = key
        self.rebuild()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        keys = [key for key in dict.fromkeys(self._where) if key is not None]
        if keys:
            at = keys.index(self.cursor) if self.cursor in keys else 0
            self.go_to(keys[max(0, min(len(keys) - 1, at + by))])

    def key_at(self, y: int) -> Key | None:
        """The row that is shown at a height."""
        index = self.index_at(y)
        return self._where[index] if 0 <= index < len(self._where) else None
