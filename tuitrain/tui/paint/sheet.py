"""A scrolling sheet of painted lines that sends only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Region
from textual.strip import Strip

from tuitrain.tui.paint.cells import Field, Painted
from tuitrain.tui.paint.text import Parts


class Lines(Painted, can_focus=True):
    """Lines of text, scrolled with the arrow keys; at its end it follows what is added."""

    HELP_TITLE = "The sheet"
    HELP = "Arrow keys, page up and down, home and end scroll; at the end it follows what is added."
    DEFAULT_CSS = """
    Lines { height: 1fr; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_by(-1)", "A line up", show=False, id="sheet.up"),
        Binding("down", "scroll_by(1)", "A line down", show=False, id="sheet.down"),
        Binding("pageup", "page(-1)", "A page up", show=False, id="sheet.page_up"),
        Binding("pagedown", "page(1)", "A page down", show=False, id="sheet.page_down"),
        Binding("home", "edge(-1)", "The first line", show=False, id="sheet.first"),
        Binding("end", "edge(1)", "The last line", show=False, id="sheet.last"),
    ]

    def __init__(self, *, follow: bool = False, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: Sequence[Parts] = ()
        self._painted: list[Parts] = []
        self._top = 0
        self._follow = follow
        self._at_end = follow

    @property
    def rows(self) -> Sequence[Parts]:
        """What it holds."""
        return self._rows

    @property
    def top(self) -> int:
        """The first row in sight."""
        return self._top

    def set(self, rows: Sequence[Parts]) -> None:
        """Show these rows; only those in sight that differ are painted."""
        before = self._painted
        self._rows = rows
        self._top = self._limit(len(rows) if self._at_end else self._top)
        self._paint_changes(before)

    def turn_to(self, top: int | None, *, follow: bool) -> None:
        """Before other rows are set: where their reader was (None for the beginning or the followed end)."""
        self._follow = follow
        self._at_end = follow and top is None
        self._top = top or 0

    @property
    def place(self) -> int | None:
        """Where the reader is, for `turn_to`."""
        return None if self._at_end else self._top

    def _window(self) -> list[Parts]:
        return list(self._rows[self._top : self._top + self.size.height])

    def _limit(self, top: int) -> int:
        return max(0, min(top, len(self._rows) - self.size.height))

    def _paint_changes(self, before: list[Parts]) -> None:
        after, height, width = self._window(), self.size.height, self.size.width
        self._painted = after
        if not width:
            return
        changed = [
            y
            for y in range(height)
            if (before[y] if y < len(before) else ()) != (after[y] if y < len(after) else ())
        ]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def scroll_rows(self, top: int) -> None:
        """Put this row on top, as far as there are rows."""
        before = self._painted
        self._top = self._limit(top)
        self._at_end = self._follow and self._top == self._limit(len(self._rows))
        self._paint_changes(before)

    def action_scroll_by(self, rows: int) -> None:
        """Up or down by so many rows."""
        self.scroll_rows(self._top + rows)

    def action_page(self, direction: int) -> None:
        """Up or down by a page."""
        self.scroll_rows(self._top + direction * max(1, self.size.height - 1))

    def action_edge(self, direction: int) -> None:
        """To the first or last row."""
        self.scroll_rows(0 if direction < 0 else len(self._rows))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls."""
        event.stop()
        self.scroll_rows(self._top + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls."""
        event.stop()
        self.scroll_rows(self._top - 3)

    def on_resize(self) -> None:
        """Stay within the rows."""
        self._top = self._limit(len(self._rows) if self._at_end else self._top)
        self._painted = self._window()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A row, with a thin mark of where one is at the right edge."""
        width, height, total = self.size.width, self.size.height, len(self._rows)
        index = self._top + y
        parts = self._rows[index] if index < total else ()
        if total <= height or width < 4:
            return self.strip(parts, width)
        thumb = max(1, height * height // total)
        start = self._top * (height - thumb) // max(1, total - height)
        mark = ("┃", "fill") if start <= y < start + thumb else ("│", "track")
        line = self.strip(parts, width - 2)
        return Strip([*line, *self.strip(((" ", ""), mark), 2)])


class Sheet(Vertical):
    """A heading line over a scrolling sheet."""

    DEFAULT_CSS = """
    Sheet { height: 1fr; width: 1fr; padding: 0; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.heading = Field(classes="sheet--heading")
        self.lines = Lines()

    def compose(self) -> ComposeResult:
        """The heading stays, the lines scroll."""
        yield self.heading
        yield self.lines

    def set(self, heading: Parts, rows: Sequence[Parts]) -> None:
        """Show this heading and these rows."""
        self.heading.set(*heading)
        self.lines.set(rows)
