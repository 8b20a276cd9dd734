"""The last line of every screen: the few keys that matter now, one widget and one line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.binding import Binding
from textual.strip import Strip

from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line

if TYPE_CHECKING:
    from textual.binding import ActiveBinding
    from textual.screen import Screen


def _places(cls: type) -> dict[str, int]:
    """Where the bindings of a class come in it, by their ids; those of its base classes come first."""
    named = (binding for base in reversed(cls.__mro__) for binding in base.__dict__.get("BINDINGS", ()))
    ids = [binding.id for binding in named if isinstance(binding, Binding) and binding.id]
    return {name: number for number, name in enumerate(dict.fromkeys(ids))}


class KeyFooter(Painted):
    """The shown bindings of the focused widget, the screen and the app; `? Help` always last."""

    DEFAULT_CSS = """
    KeyFooter { dock: bottom; height: 1; width: 100%; background: $panel; color: $foreground; }
    """

    _shown: object = None

    def __init__(self) -> None:
        super().__init__()
        self._notes: dict[str, str] = {}

    def on_mount(self) -> None:
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
        for active in self._in_order():
            hint = self._hint(active)
            if hint is None:
                continue
            if active.binding.action in {"help", "app.help"}:
                last = [hint]
            else:
                hints.setdefault(active.binding.action, hint)
        return [*hints.values(), *last]

    def _in_order(self) -> list[ActiveBinding]:
        """Those of each node as its classes name them; textual puts a key that it binds itself (tab) before all others."""
        active = list(self.screen.active_bindings.values())
        nodes = list(dict.fromkeys(binding.node for binding in active))
        places = [_places(type(node)) for node in nodes]

        def place(binding: ActiveBinding) -> tuple[int, int]:
            node = nodes.index(binding.node)
            return node, places[node].get(binding.binding.id or "", 0)

        return sorted(active, key=place)

    def _hint(self, active: ActiveBinding) -> tuple[str, str, bool, str] | None:
        if not active.binding.show:
            return None
        key = self.app.get_key_display(active.binding)
        note = self._notes.get(active.binding.action.rpartition(".")[2], "")
        title = f"{active.binding.description} ({note})" if note else active.binding.description
        return key, title, active.enabled, active.binding.key

    def render_line(self, y: int) -> Strip:
        """As many hints as fit, help always among them."""
        self._shown = hints = self._key_hints()
        line, width = Line(), self.size.width
        help_cells = len(hints[-1][0]) + len(hints[-1][1]) + 4 if hints else 0
        for number, (key, title, enabled, name) in enumerate(hints):
            start, last = line.x, number == len(hints) - 1
            if start + cell_len(f"  {key} {title}") + (0 if last else help_cells) > width:
                continue
            line.add("  " if start else " ").add(key, "accent" if enabled else "faint")
            line.add(f" {title}", "" if enabled else "faint").link(f"app.simulate_key('{name}')", start)
        self.links = line
        return self.strip(line, width)
