"""What all screens that are no dialogs share: the header on top and the keys below."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen, ScreenResultType

from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine


class FramedScreen(Screen[ScreenResultType]):
    """A screen between header and keys; `panes` says what is there, `about` what the header says at first."""

    about = ""

    def compose(self) -> ComposeResult:
        yield HeaderLine(self.about)
        yield from self.panes()
        yield KeyFooter()

    def panes(self) -> ComposeResult:
        """What is between header and keys."""
        yield from ()

    def set_context(self, text: str) -> None:
        """Has the header say something else."""
        self.query_one(HeaderLine).context = text
