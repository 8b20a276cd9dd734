"""The first line of every screen: the name, the three modes, and what the screen is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tuitrain.tui.paint.sizes import MIN_HEIGHT, MIN_WIDTH
from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line, cells, cut
from tuitrain.tui.shell.protocol import TakesDigits, shell

if TYPE_CHECKING:
    from textual.screen import Screen


class TextStrip(Widget, can_focus=False):
    """Covers the screen while it is too small; says what trains, in as many lines as there are."""

    DEFAULT_CSS = """
    TextStrip { position: absolute; width: 100vw; height: 100vh; background: $background; color: $foreground; offset: 0 0; }
    """

    def on_mount(self) -> None:
        self._last: tuple[str, ...] = ()
        self.set_interval(1 / shell(self).settings.refresh_hz, self._poll)

    def _lines(self) -> tuple[str, ...]:
        return tuple(shell(self).strip_lines())

    def _poll(self) -> None:
        if self.size and self.display:
            lines = self._lines()
            if lines != self._last:
                self.refresh()

    def render(self) -> Text:
        self._last = self._lines()
        width, height = self.size
        rows = [*self._last[: max(1, height - 1)]]
        if height > len(rows):
            rows.append(
                f"{self.app.size.width}x{self.app.size.height} is too small, {MIN_WIDTH}x{MIN_HEIGHT} needed"
            )
        return Text("\n".join(row[:width] for row in rows), no_wrap=True, overflow="crop", end="")


#: Modes that are the monitor too, of a study.
STUDIES = ("group", "board", "duel")
MODE_KEYS = (("1", "lab", "Lab"), ("2", "monitor", "Monitor"), ("3", "runs", "Runs"))


class HeaderLine(Painted):
    """`tuitrain  1 Lab  2 Monitor  3 Runs      <context>`; screens set `.context`.

    The digits stand back while they would be typed into a field, or a dialog waits for an answer.
    """

    DEFAULT_CSS = "HeaderLine { dock: top; height: 1; width: 100%; background: $panel; color: $foreground; }"

    context: reactive[str] = reactive("", layout=False)

    _shown = True

    def __init__(self, context: str = "") -> None:
        super().__init__()
        self.set_reactive(HeaderLine.context, context)

    def on_mount(self) -> None:
        """Every screen with a header has the strip of text for small terminals too."""
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

    def render_line(self, y: int) -> Strip:
        self._shown = self.digits_work
        here = self.app.current_mode
        if here == "opening":
            here = shell(self).opening.mode
        here = "monitor" if here in STUDIES else here
        width, line = self.size.width, Line().add(" ").add("tuitrain", "primary bold")
        for key, mode, title in MODE_KEYS:
            start = line.add(" " if width < 40 else "  ").x
            if mode == here:
                line.add(f" {key} {title} ", "bold reverse")
            else:
                line.add(key, "accent" if self._shown else "dim").add(
                    "" if width < 40 else f" {title}", "dim"
                )
            line.link(f"app.mode('{mode}')", start)
        self.links, room = line, width - line.x - 3
        if room >= 4:
            context = cut([(self.context, "")], room)
            line.to(width - cells(context) - 1).extend(context)
        return self.strip(line, width)
