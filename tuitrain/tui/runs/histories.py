"""What the screens of several runs share: their logs are read behind the screen, then painted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tuitrain.tui.runs import curves
from tuitrain.tui.shell.framed_screen import FramedScreen

if TYPE_CHECKING:
    from tuitrain.runs.history import History
    from tuitrain.runs.index import RunSummary


class HistoriesScreen(FramedScreen[None]):
    """A screen of runs; `paint` draws it once their histories are there, and again for each size."""

    def __init__(self, runs: list[RunSummary]) -> None:
        super().__init__()
        self.runs = runs
        self.histories: list[History] = []

    def paint(self) -> None:
        """Draws the histories."""
        raise NotImplementedError

    def on_mount(self) -> None:
        threading.Thread(target=self.read, daemon=True, name="tuitrain-histories").start()

    def read(self) -> None:
        """Reads what is painted; in a thread."""
        found, troubles = curves.read_histories(self.runs)
        for trouble in troubles:
            self.call_later(self.notify, trouble, severity="error", markup=False)
        self.call_later(self._have, found)

    def _have(self, found: list[History]) -> None:
        self.histories = found
        self.paint_again()

    @property
    def ready(self) -> bool:
        return bool(self.histories)

    def paint_again(self) -> None:
        if self.ready and self.is_mounted:
            self.paint()

    def on_resize(self) -> None:
        self.paint_again()

    def action_back(self) -> None:
        self.dismiss(None)
