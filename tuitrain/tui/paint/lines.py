"""What the lab's panes share: a line built cell by cell, a list of lines that scrolls, a section line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingsMap
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget


class Line:
    """A line of text in the making: pieces one after the other, or from a given column on."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.x = 0

    def add(
        self,
        text: str,
        style: Style | None = None,
        width: int | None = None,
        align: Literal["left", "right"] = "left",
    ) -> Line:
        """Adds a text, padded or cut to `width` cells where one is given."""
        if width is not None:
            cells = cell_len(text)
            if cells > width:
                text = (
                    set_cell_size(text, max(0, width - 1)) + "…"
                    if width > 1
                    else set_cell_size(text, max(width, 0))
                )
            elif align == "right":
                text = " " * (width - cells) + text
            else:
                text += " " * (width - cells)
        if text:
            self.segments.append(Segment(text, style))
            self.x += cell_len(text)
        return self

    def to(self, column: int, style: Style | None = None, fill: str = " ") -> Line:
        """Fills up to a column."""
        if column > self.x:
            self.add(fill * (column - self.x), style)
        return self

    def strip(self) -> Strip:
        """The finished line."""
        return Strip(self.segments, self.x)


class LinesView(ScrollView, can_focus=True):
    """Lines that scroll without a scroll bar; `▴` and `▾` at the right edge say that there is more."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "lab--dim",
        "lab--bold",
        "lab--cursor",
        "lab--cursor-idle",
        "lab--primary",
        "lab--accent",
        "lab--good",
        "lab--warn",
        "lab--bad",
        "lab--caret",
    }
    DEFAULT_CSS = """
    LinesView { scrollbar-size: 0 0; overflow-x: hidden; overflow-y: auto; width: 1fr; height: 1fr;
        background: transparent; color: $foreground;
        & > .lab--dim { text-style: dim; }
        & > .lab--bold { text-style: bold; }
        & > .lab--cursor { background: $primary 25%; }
        & > .lab--cursor-idle { background: $foreground 7%; }
        & > .lab--primary { color: $primary; }
        & > .lab--accent { color: $accent; }
        & > .lab--good { color: $success; }
        & > .lab--warn { color: $warning; }
        & > .lab--bad { color: $error; text-style: bold; }
        & > .lab--caret { text-style: reverse; }
    }
    LinesView:ansi {
        & > .lab--cursor { background: ansi_blue; color: ansi_bright_white; }
        & > .lab--cursor-idle { background: ansi_default; }
    }
    """

    class Focused(Message):
        """The pane got or lost the focus."""

    class Resized(Message):
        """The pane has another size."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        # Inline, because the app's own rule for scroll bars is stronger than a widget's default.
        self.styles.scrollbar_size_vertical = 0
        self.styles.scrollbar_size_horizontal = 0
        self._strips: list[Strip] = []
        self._base = Style()
        self._own_bindings: BindingsMap | None = None

    def css(self, name: str) -> Style:
        """The style of a component class, without the background it stands on."""
        return self.get_component_rich_style(f"lab--{name}", partial=name not in ("cursor", "cursor-idle"))

    def build(self, width: int) -> Sequence[Strip]:
        """The lines for a width; each pane's own."""
        raise NotImplementedError

    def cursor_span(self) -> tuple[int, int]:
        """First line and number of lines that must be in sight."""
        return 0, 1

    def rebuild(self, *, follow: bool = True) -> None:
        """Builds the lines again and keeps the cursor in sight."""
        if not self.is_mounted or not self.size.width:
            return
        old, top = self._strips, round(self.scroll_y)
        self._strips = list(self.build(self.size.width))
        if len(old) != len(self._strips):
            self.virtual_size = Size(self.size.width, len(self._strips))
        if follow:
            self._follow()
        base = self.rich_style
        if len(old) != len(self._strips) or round(self.scroll_y) != top or base != self._base:
            self._base = base
            self.refresh()
            return
        for y, (before, after) in enumerate(zip(old[top:], self._strips[top:], strict=True)):
            if y < self.size.height and before != after:
                self.refresh(Region(0, y, self.size.width, 1))

    def _follow(self) -> None:
        top, count = self.cursor_span()
        height = self.size.height
        y = round(self.scroll_y)
        if top < y:
            y = top
        elif top + count > y + height:
            y = min(top, top + count - height)
        y = max(0, min(y, len(self._strips) - height))
        if y != round(self.scroll_y):
            self.scroll_to(y=y, animate=False, immediate=True, force=True)

    def on_resize(self, event: events.Resize) -> None:
        """Another width, other lines."""
        self._strips = []
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
        """Another theme, other colours."""
        super().notify_style_update()
        if self.is_mounted:
            self.call_later(self.rebuild)

    def on_focus(self) -> None:
        """The cursor stands out while the pane has the focus."""
        self.rebuild()
        self.post_message(self.Focused())

    def on_blur(self) -> None:
        """And stands back when it has not."""
        self.rebuild()
        self.post_message(self.Focused())

    def render_line(self, y: int) -> Strip:
        """One line of what is in sight."""
        width, height = self.size
        top = round(self.scroll_y)
        index = top + y
        strip = self._strips[index] if index < len(self._strips) else Strip.blank(width)
        strip = strip.adjust_cell_length(width)
        more = (
            "▴" if y == 0 and top > 0 else "▾" if y == height - 1 and top + height < len(self._strips) else ""
        )
        if more and width > 2:
            strip = Strip([*strip.crop(0, width - 1), Segment(more, self.css("accent"))], width)
        return strip.apply_style(self._base)

    def on_row(self, strip: Strip, width: int, *, idle: bool = False) -> Strip:
        """A strip on the ground of the cursor."""
        ground = self.css("cursor-idle" if idle or not self.has_focus else "cursor")
        return strip.adjust_cell_length(width).apply_style(ground)


class SectionLine(Widget, can_focus=False):
    """`── Title ─────────── right ──`: heads a pane; heavy while the pane has the focus."""

    class Pressed(Message):
        """The line was clicked."""

        def __init__(self, line: SectionLine) -> None:
            super().__init__()
            self.line = line

        @property
        def control(self) -> SectionLine:
            """The line."""
            return self.line

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "section--line",
        "section--title",
        "section--here",
        "section--good",
        "section--warn",
        "section--bad",
        "section--dim",
    }
    DEFAULT_CSS = """
    SectionLine { height: 1; width: 1fr; color: $foreground; background: transparent;
        & > .section--line { color: $foreground; text-style: dim; }
        & > .section--title { text-style: bold; }
        & > .section--here { color: $primary; text-style: bold; }
        & > .section--good { color: $success; }
        & > .section--warn { color: $warning; text-style: bold; }
        & > .section--bad { color: $error; text-style: bold; }
        & > .section--dim { text-style: dim; }
    }
    """

    def __init__(self, title: str, *, rest: str = "", id: str | None = None) -> None:
        """A line.

        Args:
            title: of the pane.
            rest: how to see what comes after the title, said where that is cut.
            id: of the widget.
        """
        super().__init__(id=id)
        self.title, self.rest = title, rest
        self.right: tuple[tuple[str, str], ...] = ()
        self.after: tuple[tuple[str, str], ...] = ()
        self.here = False

    def set(
        self,
        *,
        title: str | None = None,
        right: Sequence[tuple[str, str]] | None = None,
        after: Sequence[tuple[str, str]] | None = None,
        here: bool | None = None,
    ) -> None:
        """Sets title, the pieces right after it and at the right (text and style's name), and the focus."""
        old = (self.title, self.right, self.after, self.here)
        self.title = self.title if title is None else title
        self.right = self.right if right is None else tuple(right)
        self.after = self.after if after is None else tuple(after)
        self.here = self.here if here is None else here
        if old != (self.title, self.right, self.after, self.here):
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; the right side gives way when there is no room."""

        def css(name: str) -> Style | None:
            return self.get_component_rich_style(f"section--{name}", partial=True) if name else None

        width = self.size.width
        rule, line = ("━", css("here")) if self.here else ("─", css("line"))
        out = Line().add(rule * 2 + " ", line).add(self.title, css("here" if self.here else "title"))
        out.add(" ", line)
        right = self.right
        if self.after:
            out.add(rule * 2 + " ", line)
            end = width - 2
            if self.rest and sum(cell_len(text) for text, _ in self.after) > end - out.x:
                right = (("… ", "dim"), (self.rest, "title"))
                end -= cell_len(self.rest) + 5
            for text, name in self.after:
                room = end - out.x
                if room > 1:
                    out.add(text, css(name), min(cell_len(text), room))
            out.add(" ", line)
        while right and sum(cell_len(text) for text, _ in right) + 3 > width - out.x:
            right = right[1:]
        cells = sum(cell_len(text) for text, _ in right)
        out.to(width - cells - (3 if right else 0), line, rule)
        if right:
            out.add(" ", line)
            for text, name in right:
                out.add(text, css(name))
            out.add(" ", line)
        out.to(width, line, rule)
        return out.strip().adjust_cell_length(width).apply_style(self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Said to the screen."""
        self.post_message(self.Pressed(self))


def wrap(text: str, width: int) -> list[str]:
    """A sentence in lines of a width, broken at spaces."""
    out: list[str] = []
    line = ""
    for word in text.split():
        while len(word) > max(width, 1):
            if line:
                out.append(line)
                line = ""
            out.append(word[: max(width, 1)])
            word = word[max(width, 1) :]
        if line and len(line) + 1 + len(word) > width:
            out.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*out, line] if line else out
