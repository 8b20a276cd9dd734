"""Overlay: the curves of several runs in one chart."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from tuitrain.errors import TuitrainError, visible
from tuitrain.tui.runlist import changed_text
from tuitrain.tui.scales import Curve, Pattern, Picture, Quantity
from tuitrain.tui.widgets.footer import KeyFooter
from tuitrain.tui.widgets.header import HeaderLine
from tuitrain.tui.widgets.mon_chart import Chart
from tuitrain.tui.widgets.runs_table import fit
from tuitrain.words import percent

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary
    from tuitrain.training.events import EpochFinished

#: Told apart by colour and by pattern: 12 runs.
LOOKS: tuple[tuple[str, Pattern], ...] = tuple(
    (style, pattern)
    for pattern in ("solid", "dash", "dot")
    for style in ("test", "train", "earlier", "cursor")
)
STROKES = {"solid": "━━", "dash": "╌╌", "dot": "┈┈"}
VIEWS: tuple[tuple[str, str, Quantity], ...] = (
    ("test accuracy", "test_acc", "accuracy"),
    ("test loss", "test_loss", "loss"),
    ("train accuracy", "train_acc", "accuracy"),
    ("train loss", "train_loss", "loss"),
    ("learning rate", "lr", "rate"),
)


class OverlayScreen(Screen[None]):
    """Up to twelve runs in one chart; m shows another quantity, L is logarithmic."""

    HELP_TITLE = "Overlay"
    DEFAULT_CSS = """
    OverlayScreen #legend-line { height: auto; max-height: 6; padding: 0 1; }
    OverlayScreen #title { height: 1; padding: 0 1; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,o", "back", "Back", key_display="esc", priority=True, id="overlay.back"),
        Binding("m,tab", "view(1)", "Next quantity", key_display="m", id="overlay.next"),
        Binding("L", "logarithmic", "Logarithmic", id="overlay.log"),
    ]

    def __init__(self, runs: list[RunSummary]) -> None:
        super().__init__()
        self.runs = runs[: len(LOOKS)]
        self._left_out = len(runs) - len(self.runs)
        self._histories: list[list[EpochFinished]] = []
        self._target: float | None = None
        self._view = 0
        self._log = False

    def compose(self) -> ComposeResult:
        """Header, title, chart, legend, keys."""
        yield HeaderLine(f"{len(self.runs)} runs in one chart")
        yield Static(id="title", markup=False)
        yield Chart()
        yield Static(id="legend-line", markup=False)
        yield KeyFooter()

    def on_mount(self) -> None:
        """Read the runs' logs in a thread."""
        self.query_one(Chart).focus()
        threading.Thread(target=self._read, daemon=True, name="tuitrain-overlay").start()

    def _read(self) -> None:
        from tuitrain.runs.directory import RunDirectory
        from tuitrain.runs.result import RunResult

        histories: list[list[EpochFinished]] = []
        targets: set[float] = set()
        for run in self.runs:
            result = RunResult()
            try:
                result = RunResult.of(RunDirectory.open(Path(run.path)).events())
                preset = result.preset
                if preset is not None and preset.challenge.target_accuracy is not None:
                    targets.add(preset.challenge.target_accuracy)
            except TuitrainError as error:
                self.app.call_later(self.notify, visible(error), severity="error", markup=False)
            histories.append(result.history)
        target = targets.pop() / 100 if len(targets) == 1 else None
        self.app.call_later(self._have, histories, target)

    def _have(self, histories: list[list[EpochFinished]], target: float | None) -> None:
        self._histories, self._target = histories, target
        if self.query(Chart):  # else closed meanwhile
            self._paint()

    def _paint(self) -> None:
        title, field, quantity = VIEWS[self._view]
        curves = []
        for (style, pattern), run, history in zip(LOOKS, self.runs, self._histories, strict=False):
            last = max((epoch.epoch for epoch in history), default=0)
            by_epoch = {epoch.epoch: float(getattr(epoch, field)) for epoch in history}
            values = tuple(by_epoch.get(number) for number in range(1, last + 1))
            curves.append(Curve(run.run, values, style, pattern))
        epochs = max((len(curve.values) for curve in curves), default=1)
        target = self._target if field == "test_acc" else None
        self.query_one(Chart).show(Picture(tuple(curves), max(epochs, 1), quantity, target, self._log))
        self.query_one("#title", Static).update(title + ("  logarithmic" if self._log else ""))
        self.query_one("#legend-line", Static).update(self._legend())

    def _legend(self) -> Text:
        chart = self.query_one(Chart)
        text = Text()
        width = max(20, (self.size.width - 2) // (2 if self.size.width >= 100 else 1))
        rows = []
        for (style, pattern), run in zip(LOOKS, self.runs, strict=False):
            changed = changed_text(run) if run.changed else ""
            what = " · ".join(filter(None, (visible(run.preset), changed, f"seed {run.seed}")))
            label = f" {what}  {percent(run.best)}"
            cell = Text(STROKES[pattern], chart.get_component_rich_style(f"chart--{style}", partial=True))
            rows.append(cell.append(fit(label, width - 2), "default"))
        per_line = 2 if self.size.width >= 100 else 1
        for number, row in enumerate(rows, 1):
            text.append_text(row)
            if number % per_line == 0:
                text.append("\n")
        if self._left_out:
            text.append(f" and {self._left_out} more that have no room here")
        return text

    def action_view(self, by: int) -> None:
        """Another quantity."""
        self._view = (self._view + by) % len(VIEWS)
        self._paint()

    def action_logarithmic(self) -> None:
        """Logarithmic or not."""
        self._log = not self._log
        self._paint()

    def action_back(self) -> None:
        """Back."""
        self.dismiss(None)
