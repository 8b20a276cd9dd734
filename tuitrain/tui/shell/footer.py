"""The last line of every screen: the few keys that matter now, one widget and one line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.binding import ActiveBinding
    from textual.screen import Screen


class KeyFooter(Widget, can_focus=False):
    """The shown bindings of the focused widget, the screen and the app; `? Help` always last."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--off"}
    DEFAULT_CSS = """
    KeyFooter { dock: bottom; height: 1; width: 100%; background: $panel; color: $foreground;
        & > .footer--key { text-style: bold; color: $accent; }
        & > .footer--off { color: $text-disabled; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spans: list[tuple[int, int, str]] = []
        self._shown: object = None
        self._notes: dict[str, str] = {}

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def note(self, action: str, text: str) -> None:
        """Says something beside the key of an action, such as how long it takes; nothing takes it away."""
        if self._notes.get(action, "") != text:
            self._notes[action] = text
            self.refresh()

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if screen is self.screen and self._key_hints() != self._shown:
            self.refresh()

    def _key_hints(self) -> list[tuple[str, str, bool, str]]:
        hints: dict[str, tuple[str, str, bool, str]] = {}
        last: list[tuple[str, str, bool, str]] = []
        for active in self.screen.active_bindings.values():
            hint = self._hint(active)
            if hint is None:
                continue
            if active.binding.action in {"help", "app.help"}:
                last = [hint]
            else:
                hints.setdefault(active.binding.action, hint)
        return [*hints.values(), *last]

    def _hint(self, active: ActiveBinding) -> tuple[str, str, bool, str] | None:
        if not active.binding.show:
            return None
        key = self.app.get_key_display(active.binding)
        note = self._notes.get(active.binding.action.rpartition(".")[2], "")
        title = f"{active.binding.description} ({note})" if note else active.binding.description
        return key, title, active.enabled, active.binding.key

    def render(self) -> Text:
        """As many hints as fit, help always among them."""
        self._shown = hints = self._key_hints()
        style = self.get_component_rich_style
        key_style, off = style("footer--key", partial=True), style("footer--off", partial=True)
        text = Text("", no_wrap=True, end="")
        self._spans.clear()
        room = self.size.width
        help_cells = len(hints[-1][0]) + len(hints[-1][1]) + 4 if hints else 0
        for number, (key, title, enabled, name) in enumerate(hints):
            cells = Text(f"  {key} {title}").cell_len
            reserve = 0 if number == len(hints) - 1 else help_cells
            if text.cell_len + cells + reserve > room:
                continue
            start = text.cell_len
            text.append(" " if not start else "  ").append(key, key_style if enabled else off)
            text.append(f" {title}", None if enabled else off)
            self._spans.append((start, text.cell_len, name))
        return text

    def on_click(self, event: events.Click) -> None:
        """Do what the key would do."""
        for start, end, key in self._spans:
            if start <= event.x < end:
                self.app.simulate_key(key)
