"""A text that is cut elsewhere, whole."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tuitrain.tui.shell.modal import Modal


class Details(Modal[None]):
    """A title and a text that scrolls; Esc closes it."""

    HELP_TITLE = "Details"
    DEFAULT_CSS = """
    Details { align: center middle; background: $background 60%; }
    Details > VerticalScroll { width: 90%; max-width: 100; height: auto; max-height: 100%; border: round $accent;
        border-title-style: bold; background: $surface; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,w,q", "dismiss(None)", "Close", key_display="esc", id="details.close"),
    ]

    def __init__(self, title: str, body: str) -> None:
        super().__init__()
        self.details_title, self.body = title, body

    def compose(self) -> ComposeResult:
        """The text, in a box that scrolls."""
        with VerticalScroll() as box:
            box.border_title = self.details_title.replace("[", "\\[")
            box.border_subtitle = "esc close"
            yield Static(self.body, markup=False)

    def on_mount(self) -> None:
        """Arrow keys scroll."""
        self.query_one(VerticalScroll).focus()
