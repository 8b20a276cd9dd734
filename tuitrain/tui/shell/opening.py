"""What is painted first, while the lab's presets are still being read: the frame of every screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen

from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine


class OpeningScreen(Screen[None]):
    """The first and the last line; the app goes on to the lab as soon as this was painted."""

    def compose(self) -> ComposeResult:
        yield HeaderLine("opening ...")
        yield KeyFooter()
