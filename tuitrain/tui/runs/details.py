"""A text that is cut elsewhere, whole."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tuitrain.tui.shell.modal import Dialog


class Details(Dialog[None]):
    """A title and a text that scrolls; Esc closes it."""

    HELP_TITLE = "Details"
    DEFAULT_CSS = """
    Details > VerticalScroll { width: 90%; max-width: 100; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,w,q", "dismiss(None)", "Close", key_display="esc", id="details.close"),
    ]

    def __init__(self, title: str, body: str) -> None:
        super().__init__()
        self.details_title, self.body = title, body

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = self.details_title.replace("[", "\\[")
            box.border_subtitle = "esc close"
            yield Static(self.body, markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
