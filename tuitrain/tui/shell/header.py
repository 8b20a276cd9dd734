"""The first line of every screen: the name, the three modes, and what the screen is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.reactive import reactive
from textual.strip import Strip
from textual.widgets import Input

from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line, cells, cut
from tuitrain.tui.shell.protocol import TakesDigits, shell
from tuitrain.tui.shell.strip import TextStrip

if TYPE_CHECKING:
    from textual.screen import Screen


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
