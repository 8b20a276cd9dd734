"""The app, shown on a terminal: here the processes of `terminal/` and the app come together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuitrain.tui.terminal.launch import launch

if TYPE_CHECKING:
    from tuitrain.tui.terminal.job import TerminalApp
    from tuitrain.workbench.opening import Opening


def show(opening: Opening) -> int:
    """Show the app in a process of its own until it is left; the exit code of it all."""

    def make_app() -> TerminalApp:
        from tuitrain.tui.app import TuitrainApp

        return TuitrainApp(opening, frame_first=True)

    return launch(make_app)
