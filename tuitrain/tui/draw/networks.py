"""The list of the networks that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tuitrain.figures import percent_text
from tuitrain.tui.draw.panes import network_name
from tuitrain.tui.paint.lines import cursor_keys
from tuitrain.tui.paint.rows import TableView
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.runs.table import KINDS
from tuitrain.tui.shell.modal import Dialog
from tuitrain.watch.runlist import state_look

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary


class NetworkList(TableView):
    """A line a run."""

    HELP_TITLE = "Networks"
    BINDINGS: ClassVar[list[BindingType]] = [*cursor_keys("networks", "network")]
    fixed = 0

    def __init__(self, runs: Sequence[RunSummary], cursor: int) -> None:
        super().__init__()
        self.runs = runs
        self.set_reactive(NetworkList.cursor, cursor)

    @property
    def count(self) -> int:
        return len(self.runs)

    def line(self, index: int) -> Parts:
        run = self.runs[index]
        glyph, word, kind = state_look(run.activity)
        line = Line().add(f" {glyph} ", KINDS.get(kind, kind)).add(word, "dim", 9)
        line.add(f"{percent_text(run.last):>6} ", "bold").add(network_name(run, None))
        return self.on_row(line, self.room) if index == self.cursor else line

    def on_click(self, event: events.Click) -> None:
        if self.index_at(event.y) < self.count:
            self.app.simulate_key("enter")


class NetworksDialog(Dialog[str | None]):
    """Which run's network is asked; the result is the path of the run."""

    HELP_TITLE = "Networks"
    DEFAULT_CSS = "NetworksDialog NetworkList { height: auto; max-height: 14; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Ask this one", id="networks.take"),
        Binding("escape", "dismiss(None)", "Cancel", id="networks.cancel"),
    ]

    def __init__(self, runs: Sequence[RunSummary], cursor: int) -> None:
        super().__init__()
        self.runs, self._cursor = runs, cursor

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Which network is asked?", classes="title", markup=False)
            yield NetworkList(self.runs, self._cursor)
            yield Static("state, last accuracy in percent; enter asks this one", classes="hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(NetworkList).styles.height = min(14, len(self.runs))

    def action_take(self) -> None:
        self.dismiss(self.runs[self.query_one(NetworkList).cursor].path)
