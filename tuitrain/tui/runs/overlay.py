"""Overlay: the curves of several runs in one chart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuitrain.figures import percent_text
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.runs import curves
from tuitrain.tui.runs.curves import LOOKS, VIEWS
from tuitrain.tui.runs.histories import HistoriesScreen
from tuitrain.watch.comparison import why_not_comparable
from tuitrain.watch.runlist import told_apart_text

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary


class OverlayScreen(HistoriesScreen):
    """Up to twelve runs in one chart, each with a letter; m shows another quantity, L is logarithmic."""

    HELP_TITLE = "Overlay"
    DEFAULT_CSS = "OverlayScreen SheetLines { height: auto; max-height: 7; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,o", "back", "Back", key_display="esc", priority=True, id="overlay.back"),
        Binding("m,tab", "view(1)", "Next quantity", key_display="m", id="overlay.next"),
        Binding("L", "logarithmic", "Logarithmic", id="overlay.log"),
    ]

    def __init__(self, runs: list[RunSummary]) -> None:
        super().__init__(runs[: len(LOOKS)])
        self.about = f"{len(self.runs)} runs in one chart"
        self._left_out = len(runs) - len(self.runs)
        self._view = 0
        self._log = False

    def panes(self) -> ComposeResult:
        yield Field(id="title")
        yield Chart()
        yield SheetLines()

    def on_mount(self) -> None:
        self.query_one(SheetLines).can_focus = False

    def paint(self) -> None:
        view = VIEWS[self._view]
        self.query_one(Chart).show(
            curves.runs_picture(self.runs, self.histories, view, logarithmic=self._log)
        )
        apart = why_not_comparable(self.runs, self.histories)
        title = view.title + ("  logarithmic" if self._log else "") + (f"  {apart}" if apart else "")
        self.query_one("#title", Field).set((f" {title}", "bold"))
        legend, lines = self._legend(), self.query_one(SheetLines)
        lines.styles.height = len(legend)
        lines.set(legend)

    def _legend(self) -> list[Parts]:
        per_line = 2 if self.size.width >= 100 or len(self.runs) > 6 else 1
        width = max(20, (self.size.width - 2) // per_line)
        rows: list[Line] = []
        apart = _without_common(self.runs)
        for number, (name, (style, _), run) in enumerate(
            zip(curves.names(self.runs), LOOKS, self.runs, strict=False)
        ):
            what = told_apart_text(apart[number])
            if number % per_line == 0:
                rows.append(Line().add(" "))
            rows[-1].add(name, style)
            rows[-1].add(f" {percent_text(run.best):>6}  {what}", "", width - 6).add("  ")
        if self._left_out:
            have = "has" if self._left_out == 1 else "have"
            rows.append(Line().add(f" and {self._left_out} more that {have} no room here"))
        return list(rows)

    def action_view(self, by: int) -> None:
        self._view = (self._view + by) % len(VIEWS)
        self.paint()

    def action_logarithmic(self) -> None:
        self._log = not self._log
        self.paint()


def _without_common(runs: Sequence[RunSummary]) -> Sequence[RunSummary]:
    """The runs without the changes that all of them have: those would leave no room for what tells them apart."""
    if len(runs) < 2:
        return runs
    common = [
        key for key, change in runs[0].changed.items() if all(r.changed.get(key) == change for r in runs)
    ]
    return [
        dataclasses.replace(run, changed={key: c for key, c in run.changed.items() if key not in common})
        for run in runs
    ]
