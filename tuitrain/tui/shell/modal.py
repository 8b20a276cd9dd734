"""Screens above another one, that can be left only once; most are a box in its middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen, ScreenResultType
from textual.widgets import Static

from tuitrain.tui.shell.header import HeaderLine

Answer = TypeVar("Answer")


def ask(where: DOMNode, question: Screen[Answer | None], take: Callable[[Answer], None]) -> None:
    """Shows a screen that asks something, and has its answer taken unless there is none."""

    def answered(answer: Answer | None) -> None:
        if answer is not None:
            take(answer)

    where.app.push_screen(question, answered)


class Modal(ModalScreen[ScreenResultType]):
    """A modal screen that ignores a second answer.

    Two keys can come in one go, from a key that repeats or over a slow line; the second one would take the screen
    below away with it.
    """

    # The app's own keys end at a dialog.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "app.help", "Help", key_display="?", id="modal.help"),
        Binding("f1", "app.help_focused", "Explain the focused pane", show=False, id="modal.explain"),
    ]

    def on_mount(self) -> None:
        """The screen below stands back."""
        self._header_again()

    def on_unmount(self) -> None:
        self._header_again()

    def _header_again(self) -> None:
        for screen in self.app.screen_stack:
            for header in screen.query(HeaderLine):
                header.refresh()

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Leave with a result, unless that has happened."""
        return super().dismiss(result) if self.is_current else AwaitComplete()


class Dialog(Modal[ScreenResultType]):
    """A box in the middle of the screen below: the frame of every question."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%;
        & > Vertical, & > VerticalScroll { width: 64; max-width: 100%; height: auto; max-height: 100%;
            border: round $accent; border-title-style: bold; background: $surface; padding: 0 1; }
        & Input { background: $panel; }
        & .title { text-style: bold; width: 100%; }
        & .hint { color: $text-muted; }
        & .reason { color: $warning; height: 1; width: 100%; }
        & .reason.-keys { color: $text-muted; }
    }
    """

    def say(self, text: str, *, refused: bool = True) -> None:
        """In the line below the fields: why a value is refused, else what the keys do."""
        said = self.query_one(".reason", Static)
        said.set_class(not refused, "-keys")
        said.update(text)
