"""Compare: runs side by side, the differences of their settings first, the better value marked."""

from __future__ import annotations

import textwrap
import threading
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from tuitrain.errors import visible
from tuitrain.figures import percent_text
from tuitrain.tui.monitor.curves import SIGNS
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.runs import curves
from tuitrain.tui.runs.curves import LETTERS, LOOKS
from tuitrain.tui.runs.table import fit
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.watch.comparison import ComparisonLine, evidence_lines, result_lines, setting_lines
from tuitrain.watch.runlist import state_look

if TYPE_CHECKING:
    from tuitrain.runs.history import History
    from tuitrain.runs.index import RunSummary

LABEL = 24
TALL = 30  # lines from which the table and the chart are shown together


class ComparisonText(Static):
    """The comparison as text, with looks that follow the theme."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"sheet--head", "sheet--better", "sheet--dim"}
    DEFAULT_CSS = """
    Sheet { width: auto; min-width: 100%;
        & > .sheet--head { color: $accent; text-style: bold; }
        & > .sheet--better { color: $success; text-style: bold; }
        & > .sheet--dim { color: $text-muted; }
    }
    """


class CompareScreen(Screen[None]):
    """A column a run. What differs comes first; a single seed is said to be no evidence.

    Below it, or in its place where the terminal is low, the test accuracy of the runs in one chart (tab).
    """

    HELP_TITLE = "Compare"
    DEFAULT_CSS = """
    CompareScreen VerticalScroll { padding: 0 1; }
    CompareScreen #chart-title { height: 1; padding: 0 1; text-style: bold; }
    CompareScreen #chart-title, CompareScreen Chart { display: none; }
    CompareScreen.-chart #chart-title, CompareScreen.-chart Chart { display: block; }
    CompareScreen.-chart.-low VerticalScroll { display: none; }
    CompareScreen Chart { height: 1fr; }
    CompareScreen.-chart VerticalScroll { height: 60%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,c", "back", "Back", key_display="esc", priority=True, id="compare.back"),
        Binding("o", "overlay", "Overlay", id="compare.overlay"),
        Binding("tab", "chart", "Curves", id="compare.chart"),
        Binding("left", "turn(-1)", "Runs to the left", show=False, id="compare.left"),
        Binding("right", "turn(1)", "Runs to the right", show=False, id="compare.right"),
    ]

    def __init__(self, runs: list[RunSummary]) -> None:
        super().__init__()
        self.runs = runs
        self._results: list[History] = []
        self._first = 0

    def compose(self) -> ComposeResult:
        """Header, the table, keys."""
        yield HeaderLine(f"comparing {len(self.runs)} runs")
        with VerticalScroll():
            yield ComparisonText(Text("reading ..."), id="table")
        yield Static(id="chart-title", markup=False)
        yield Chart()
        yield KeyFooter()

    def on_mount(self) -> None:
        """Read the runs' logs in a thread."""
        self.set_class(self.size.height >= TALL, "-chart")
        self.query_one(VerticalScroll).focus()
        threading.Thread(target=self._read, daemon=True, name="tuitrain-compare").start()

    def _read(self) -> None:
        found, _ = curves.read_histories(self.runs)
        self.app.call_later(self._have, found)

    def _have(self, results: list[History]) -> None:
        self._results = results
        if self.query(ComparisonText):  # else closed meanwhile
            self._paint()

    def on_resize(self) -> None:
        """The columns fit the width; where it is low there is room for the table or the chart."""
        self.set_class(self.size.height < TALL, "-low")
        if self._results:
            self._paint()

    def shown(self) -> int:
        """How many columns there is room for."""
        return max(1, min(len(self.runs), (self.size.width - LABEL - 4) // 20))

    def action_turn(self, by: int) -> None:
        """Other columns, where there are more than fit."""
        self._first = max(0, min(len(self.runs) - self.shown(), self._first + by))
        if self._results:
            self._paint()

    def _paint(self) -> None:
        self.query_one("#table", Static).update(self.table())
        self.query_one(Chart).show(curves.runs_picture(self.runs, self._results))
        self.query_one("#chart-title", Static).update(self._legend())

    def table(self) -> Text:
        """The whole comparison as text."""
        sheet = self.query_one("#table", ComparisonText)
        accent, good, muted = (
            sheet.get_component_rich_style(f"sheet--{name}", partial=True)
            for name in ("head", "better", "dim")
        )
        chart = self.query_one(Chart)
        columns = self.shown()
        first = min(self._first, len(self.runs) - columns)
        width = (self.size.width - LABEL - 4) // columns
        text = Text(no_wrap=True)

        def section(title: str) -> None:
            text.append(f"── {title} ".ljust(self.size.width - 4, "─") + "\n", accent)

        def row(line: ComparisonLine) -> None:
            text.append(fit(line.label, LABEL))
            for index in range(first, first + columns):
                best = line.better == index
                value = f"{line.values[index]}{' ◂ better' if best else ''}"
                if line.label == "curve" and index < len(LOOKS):
                    look = chart.get_component_rich_style(f"chart--{LOOKS[index][0]}", partial=True)
                    text.append(fit(value, width), look)
                    continue
                text.append(fit(value, width), good if best else "")
            text.append("\n")

        for name, values in self._heads():
            row(ComparisonLine(name, values))
        settings = setting_lines([r.preset.to_dict() if r.preset is not None else {} for r in self._results])
        section("What differs")
        for line in settings or [ComparisonLine("nothing but the seed", ("",) * len(self.runs))]:
            row(line)
        section("Results")
        for line in result_lines(self.runs, self._results):
            row(line)
        section("What it shows")
        for said in evidence_lines(self.runs, self._results) or ["One setting only: nothing to compare."]:
            text.append(textwrap.fill(said, max(30, self.size.width - 4)) + "\n")
        if columns < len(self.runs):
            text.append(f"columns {first + 1} to {first + columns} of {len(self.runs)}: ← →\n", muted)
        return text

    def _legend(self) -> Text:
        """What the chart shows, and whose curve is whose: the table may be out of sight."""
        chart, text = self.query_one(Chart), Text("test accuracy", no_wrap=True, overflow="ellipsis")
        for name, (style, _), run in zip(_curve_names(self.runs), LOOKS, self.runs, strict=False):
            look = chart.get_component_rich_style(f"chart--{style}", partial=True)
            text.append("  ").append(name, look).append(
                f" {visible(run.preset)} {percent_text(run.best)}", "not bold"
            )
        return text

    def _heads(self) -> list[tuple[str, tuple[str, ...]]]:
        states = tuple(" ".join(state_look(run.state)[:2]) for run in self.runs)
        curves = _curve_names(self.runs)
        return [
            ("curve", curves + ("–",) * (len(self.runs) - len(curves))),
            ("preset", tuple(visible(run.preset) for run in self.runs)),
            ("run", tuple(visible(run.run.rpartition("_")[2] or run.run) for run in self.runs)),
            ("state", states),
        ]

    def action_back(self) -> None:
        """Back to the runs."""
        self.dismiss(None)

    def action_chart(self) -> None:
        """The curves, or without them again."""
        shown = not self.has_class("-chart")
        self.set_class(shown, "-chart")
        focus: type[VerticalScroll | Chart] = Chart if shown and self.has_class("-low") else VerticalScroll
        self.query_one(focus).focus()

    def action_overlay(self) -> None:
        """The curves in one chart."""
        from tuitrain.tui.runs.overlay import OverlayScreen

        self.app.push_screen(OverlayScreen(self.runs))


def _curve_names(runs: list[RunSummary]) -> tuple[str, ...]:
    """The letter and the pattern of each run's curve, as far as there are some."""
    looks = zip(LETTERS, LOOKS, runs, strict=False)
    return tuple(f"{letter} {SIGNS[pattern] * 2}" for letter, (_, pattern), _ in looks)
