"""The one list that scrolls: only the lines that came out different are painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingsMap, BindingType
from textual.containers import Vertical
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line, Parts, cut

WHEEL = 3  # lines
FAR = 99_999


def cursor_keys(
    prefix: str, what: str, *, page: int = 0, ends: tuple[str, str] = ("home", "end")
) -> list[Binding]:
    """Keys for `action_move`, which takes by how many rows; `page` is 0 for as many as are in sight."""
    up, down = (f"move({by * page})" if page else f"page({by})" for by in (-1, 1))
    some = f"{page or 'A page of'} {what}s"
    return [
        Binding(key, action, said, show=False, id=f"{prefix}.{name}")
        for key, action, said, name in (
            ("up,k", "move(-1)", f"Previous {what}", "up"),
            ("down,j", "move(1)", f"Next {what}", "down"),
            (ends[0], f"move({-FAR})", f"First {what}", "first"),
            (ends[1], f"move({FAR})", f"Last {what}", "last"),
            ("pageup", up, f"{some} up", "page_up"),
            ("pagedown", down, f"{some} down", "page_down"),
        )
    ]


class LinesView(Painted, can_focus=True):
    """Lines without a scroll bar; at the right edge is what says that there are more.

    A view says what its lines are in `build`, and which of them has to be in sight in `cursor_span`. One of
    very many lines leaves `build` alone and has `total` and `line` instead.
    """

    DEFAULT_CSS = "LinesView { width: 1fr; height: 1fr; color: $foreground; }"
    fixed = 0  # lines at the top that stay
    thumb = False  # where one is, as a thin bar, in place of ▴ and ▾
    lines: Sequence[Parts] = ()
    top = 0  # of the lines that scroll, the first in sight
    _painted: Sequence[Parts] = ()
    _own_bindings: BindingsMap | None = None

    class Focused(Message):
        """The pane got or lost the focus."""

    class Resized(Message):
        """The pane has another size."""

    def build(self, width: int) -> Sequence[Parts]:
        """The lines for a width."""
        return self.lines

    @property
    def total(self) -> int:
        """How many lines there are."""
        return len(self.lines)

    def line(self, index: int) -> Parts:
        """One of them."""
        return self.lines[index]

    def cursor_span(self) -> tuple[int, int]:
        """First line and number of lines that must be in sight."""
        return self.top + self.fixed, 1

    def rebuild(self, *, follow: bool = True) -> None:
        """Builds the lines again and keeps the cursor in sight."""
        if not self.is_mounted or not self.size.width:
            return
        self.lines = self.build(self.size.width)
        if follow:
            first, count = self.cursor_span()
            self.top = min(self.top, first - self.fixed)
            if first + count > self.top + self.size.height:
                self.top = min(first - self.fixed, first + count - self.size.height)
        self.scroll_lines(self.top)

    def scroll_lines(self, top: int) -> None:
        """Puts this line on top, as far as there are lines, and paints what differs from what is shown."""
        width, height = self.size
        self.top = max(0, min(top, self.total - height))
        before, self._painted = self._painted, [self._in_sight(y) for y in range(height)]
        if len(before) != height:
            self.refresh()
            return
        changed = [y for y, (old, new) in enumerate(zip(before, self._painted, strict=False)) if old != new]
        if changed and width:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def index_at(self, y: int) -> int:
        """Which line is shown at a height."""
        return y if y < self.fixed else y + self.top

    @property
    def room(self) -> int:
        """Cells of a line."""
        return self.size.width - 2 * (self.thumb and self.total > self.size.height)

    def _in_sight(self, y: int) -> Parts:
        (width, height), index, total = self.size, self.index_at(y), self.total
        parts = self.line(index) if index < total else ()
        more = total - height
        if more <= 0 or width < 4:
            return parts
        if self.thumb:
            size = max(1, height * height // total)
            start = self.top * (height - size) // more
            mark = ("┃", "primary") if start <= y < start + size else ("│", "track")
        elif (y == 0 and self.top) or (y == height - 1 and self.top < more):
            mark = ("▾" if y else "▴", "accent")
        else:
            return parts
        parts = cut(parts, self.room) if self.thumb else cut(parts, width - 1, "")
        return [*Line(parts).to(width - 1), mark]

    def render_line(self, y: int) -> Strip:
        return self.strip(self._painted[y] if y < len(self._painted) else (), self.size.width)

    def on_row(self, parts: Parts, width: int, *, idle: bool = False) -> Parts:
        """A line on the ground of the cursor."""
        ground = "idle" if idle or not self.has_focus else "cursor"
        return [(text, f"{ground} {style}") for text, style in Line(parts).to(width)]

    def on_resize(self, event: events.Resize) -> None:
        self.rebuild()
        self.post_message(self.Resized())

    async def on_key(self, event: events.Key) -> None:
        """Runs the pane's own bindings at once.

        Textual would look for them when the key has travelled up to the app, and then among those of
        whatever has the focus by then: keys that come in a burst (after a pause of the machine, or
        from a script) would act on the pane that a later Tab went to.
        """
        if self._own_bindings is None:
            self._own_bindings = self._bindings.copy()
            self._own_bindings.apply_keymap(self.app._keymap)
        for binding in self._own_bindings.key_to_bindings.get(event.key, ()):
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return

    def notify_style_update(self) -> None:
        """Another theme; some pictures have colours of their own."""
        super().notify_style_update()
        self.call_later(self.rebuild)

    def on_focus(self) -> None:
        self.rebuild()
        self.post_message(self.Focused())

    def on_blur(self) -> None:
        self.on_focus()

    def action_move(self, by: int) -> None:
        self.scroll_lines(self.top + by)

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self.size.height - self.fixed - 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_lines(self.top + WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_lines(self.top - WHEEL)


class DrawnView(LinesView, can_focus=False):
    """What a function draws for so many cells and lines; `rebuild` draws it again."""

    def __init__(self, draw: Callable[[int, int], Sequence[Parts]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines_for = draw

    def build(self, width: int) -> Sequence[Parts]:
        return self._lines_for(width, self.size.height)


class SheetLines(LinesView):
    """Lines to read, scrolled with the arrow keys; at its end it follows what is added."""

    HELP_TITLE = "The sheet"
    HELP = "Arrow keys, page up and down, home and end scroll; at the end it follows what is added."
    BINDINGS: ClassVar[list[BindingType]] = [*cursor_keys("sheet", "line")]
    thumb = True
    _follow = _at_end = False

    def set(self, lines: Sequence[Parts]) -> None:
        self.lines = lines
        self.rebuild()

    def rebuild(self, *, follow: bool = True) -> None:
        """At the end it stays there."""
        super().scroll_lines(self.total if self._at_end else self.top)

    def turn_to(self, top: int | None, *, follow: bool) -> None:
        """Before other lines are set: where their reader was (None for the beginning or the followed end)."""
        self._follow = follow
        self._at_end = follow and top is None
        self.top = top or 0

    @property
    def place(self) -> int | None:
        """Where the reader is, for `turn_to`."""
        return None if self._at_end else self.top

    def scroll_lines(self, top: int) -> None:
        """As any list's; at the end it begins to follow."""
        super().scroll_lines(top)
        self._at_end = self._follow and self.top >= self.total - self.size.height


class Sheet(Vertical):
    """A heading line over lines to read."""

    DEFAULT_CSS = "Sheet { height: 1fr; width: 1fr; padding: 0; }"

    def __init__(self) -> None:
        super().__init__()
        self.heading = Field(classes="sheet--heading")
        self.lines = SheetLines()

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.lines

    def set(self, heading: Parts, rows: Sequence[Parts]) -> None:
        self.heading.set(*heading)
        self.lines.set(rows)
