"""One line of text to type: Enter takes it, Esc cancels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from tuitrain.errors import UsageError, visible
from tuitrain.paths import expand
from tuitrain.tui.shell.modal import Dialog, ask


class Prompt(Dialog[str | None]):
    """A labelled line; the result is its text, or None when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="prompt.cancel")]

    def __init__(self, title: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self._title, self._value = title, value
        self._hint = "\n".join(filter(None, (hint, "enter accepts, esc cancels")))

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Input(self._value, select_on_focus=False, compact=True)
            yield Static(self._hint, classes="hint", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)


def save_as(screen: Screen[Any], title: str, name: str, contents: Callable[[Path], bytes]) -> None:
    """Asks for a file, `name` to begin with, and writes what its path is to contain unless there is one of that name."""

    def save(text: str) -> None:
        from tuitrain.lessons.export import write_file

        if not text.strip():
            return
        path = expand(text.strip())
        try:
            write_file(path, contents(path))
        except UsageError as error:
            said = visible(error).removesuffix(", or use --force.")
            screen.notify(said, title="not saved", severity="error", markup=False)
        else:
            screen.notify(f"wrote {visible(path)}", markup=False)

    ask(screen, Prompt(title, name), save)
