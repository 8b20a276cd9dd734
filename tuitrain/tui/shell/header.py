"""The first line of every screen: the name, the three modes, and what the screen is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from tuitrain.tui.shell.protocol import TakesDigits, shell
from tuitrain.tui.shell.strip import TextStrip

if TYPE_CHECKING:
    from textual.screen import Screen

MODES = (("lab", "1", "Lab"), ("monitor", "2", "Monitor"), ("runs", "3", "Runs"))


class HeaderLine(Widget, can_focus=False):
    """`tuitrain  1 Lab  2 Monitor  3 Runs      <context>`; screens set `.context`.

    The digits stand back while they would be typed into a field, or a dialog waits for an answer.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "header--name",
        "header--key",
        "header--mode",
        "header--here",
        "header--context",
    }
    DEFAULT_CSS = """
    HeaderLine { dock: top; height: 1; width: 100%; background: $panel; color: $foreground;
        & > .header--name { text-style: bold; color: $primary; }
        & > .header--key { text-style: bold; color: $accent; }
        & > .header--mode { text-style: dim; }
        & > .header--here { text-style: bold reverse; }
        & > .header--context { color: $foreground; }
    }
    """

    context: reactive[str] = reactive("", layout=False)

    def __init__(self, context: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(HeaderLine.context, context)
        self._spans: list[tuple[int, int, str]] = []
        self._shown = True

    def on_mount(self) -> None:
        """Every screen with a header has the strip of text for small terminals too."""
        if not self.screen.query(TextStrip):
            self.screen.mount(TextStrip())
        self.screen.bindings_updated_signal.subscribe(self, self._digits_may_differ)

    def _digits_may_differ(self, screen: Screen[object]) -> None:
        if screen is self.screen and self.digits_work != self._shown:
            self.refresh()

    @property
    def digits_work(self) -> bool:
        """Whether 1, 2 and 3 change the mode now."""
        focused = self.screen.focused
        typed = isinstance(focused, Input) or (isinstance(focused, TakesDigits) and focused.takes_digits)
        return self.app.screen is self.screen and not typed

    def render(self) -> Text:
        """The line, its context cut from the left when there is no room."""
        style = self.get_component_rich_style
        text = Text(" ", no_wrap=True, end="")
        text.append("tuitrain", style("header--name", partial=True))
        self._spans.clear()
        self._shown = self.digits_work
        here = self.app.current_mode
        if here == "opening":
            here = shell(self).first_mode
        narrow = self.size.width < 40
        for mode, key, title in MODES:
            text.append(" " if narrow else "  ")
            start = text.cell_len
            name = style("header--here" if mode == here else "header--mode", partial=True)
            if mode == here:
                text.append(f" {key} {title} ", name)
            else:
                text.append(key, style("header--key", partial=True) if self._shown else name)
                text.append("" if narrow else f" {title}", name)
            self._spans.append((start, text.cell_len, mode))
        context = Text(self.context, style("header--context", partial=True), no_wrap=True, end="")
        room = self.size.width - text.cell_len - 3
        if room >= 4:
            context.truncate(room, overflow="ellipsis")
            text.append(" " * (self.size.width - text.cell_len - context.cell_len - 1))
            text.append_text(context)
        return text

    async def on_click(self, event: events.Click) -> None:
        """Go to the mode that was clicked."""
        for start, end, mode in self._spans:
            if start <= event.x < end:
                await self.run_action(f"app.mode('{mode}')")
