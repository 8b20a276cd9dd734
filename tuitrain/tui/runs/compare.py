"""Compare: runs side by side, the differences of their settings first, the better value marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuitrain.errors import visible
from tuitrain.figures import percent_text
from tuitrain.tui.paint import text
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.tui.paint.sizes import TALL
from tuitrain.tui.paint.text import Parts
from tuitrain.tui.runs import curves
from tuitrain.tui.runs.curves import LOOKS
from tuitrain.tui.runs.histories import HistoriesScreen
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.watch.comparison import ComparisonLine, evidence_lines, result_lines, setting_lines
from tuitrain.watch.runlist import state_look

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary

LABEL = 24


class CompareScreen(HistoriesScreen):
    """A column a run. What differs comes first; a single seed is said to be no evidence.

    Below it, or in its place where the terminal is low, the test accuracy of the runs in one chart (tab).
    """

    HELP_TITLE = "Compare"
    DEFAULT_CSS = """
    CompareScreen #chart-title, CompareScreen Chart { display: none; }
    CompareScreen.-chart #chart-title, CompareScreen.-chart Chart { display: block; }
    CompareScreen.-chart.-low SheetLines { display: none; }
    CompareScreen Chart { height: 1fr; }
    CompareScreen.-chart SheetLines { height: 60%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,c", "back", "Back", key_display="esc", priority=True, id="compare.back"),
        Binding("o", "overlay", "Overlay", id="compare.overlay"),
        Binding("tab", "chart", "Curves", id="compare.chart"),
        Binding("left", "turn(-1)", "Runs to the left", show=False, id="compare.left"),
        Binding("right", "turn(1)", "Runs to the right", show=False, id="compare.right"),
    ]

    def __init__(self, runs: list[RunSummary]) -> None:
        super().__init__(runs)
        self._first = 0

    def compose(self) -> ComposeResult:
        """Header, the table, keys."""
        yield HeaderLine(f"comparing {len(self.runs)} runs")
        yield SheetLines()
        yield Field(id="chart-title")
        yield Chart()
        yield KeyFooter()

    def on_mount(self) -> None:
        """The keys are the table's."""
        self.set_class(self.size.height >= TALL, "-chart")
        self.query_one(SheetLines).focus()
        self.query_one(SheetLines).set([[(" reading ...", "")]])

    def on_resize(self) -> None:
        """Where it is low there is room for the table or the chart."""
        self.set_class(self.size.height < TALL, "-low")

    def shown(self) -> int:
        """How many columns there is room for."""
        return max(1, min(len(self.runs), (self.size.width - LABEL - 4) // 20))

    def action_turn(self, by: int) -> None:
        """Other columns, where there are more than fit."""
        self._first = max(0, min(len(self.runs) - self.shown(), self._first + by))
        self.paint_again()

    def paint(self) -> None:
        """Table, chart and whose curve is whose."""
        self.query_one(SheetLines).set(self.table())
        self.query_one(Chart).show(curves.runs_picture(self.runs, self.histories))
        self.query_one("#chart-title", Field).set(*self._legend())

    def table(self) -> list[Parts]:
        """The whole comparison."""
        columns = self.shown()
        first = min(self._first, len(self.runs) - columns)
        width = (self.size.width - LABEL - 4) // columns

        def section(title: str) -> Parts:
            return [(f" ── {title} ".ljust(self.size.width - 3, "─"), "accent")]

        def row(line: ComparisonLine) -> Parts:
            out = text.Line().add(" ").add(line.label, "", LABEL)
            for index in range(first, first + columns):
                best = line.better == index
                style = "good bold" if best else ""
                if line.label == "curve" and index < len(LOOKS):
                    style = LOOKS[index][0]
                out.add(f"{line.values[index]}{' ◂ better' if best else ''}", style, width)
            return out

        settings = setting_lines([r.preset.to_dict() if r.preset is not None else {} for r in self.histories])
        differs = settings or [ComparisonLine("nothing but the seed", ("",) * len(self.runs))]
        proof = evidence_lines(self.runs, self.histories) or ["One setting only: nothing to compare."]
        turned = f" columns {first + 1} to {first + columns} of {len(self.runs)}: ← →"
        return [
            *(row(ComparisonLine(name, values)) for name, values in self._heads()),
            section("What differs"),
            *map(row, differs),
            section("Results"),
            *map(row, result_lines(self.runs, self.histories)),
            section("What it shows"),
            *(line for said in proof for line in text.wrap(((f" {said}", ""),), self.size.width - 3, 1)),
            *([[(turned, "dim")]] if columns < len(self.runs) else ()),
        ]

    def _legend(self) -> Parts:
        """What the chart shows, and whose curve is whose: the table may be out of sight."""
        line = text.Line().add(" test accuracy", "bold")
        for name, (style, _), run in zip(curves.names(self.runs), LOOKS, self.runs, strict=False):
            line.add("  ").add(name, style).add(f" {visible(run.preset)} {percent_text(run.best)}")
        return line

    def _heads(self) -> list[tuple[str, tuple[str, ...]]]:
        states = tuple(" ".join(state_look(run.state)[:2]) for run in self.runs)
        names = curves.names(self.runs)
        return [
            ("curve", names + ("–",) * (len(self.runs) - len(names))),
            ("preset", tuple(visible(run.preset) for run in self.runs)),
            ("run", tuple(visible(run.run.rpartition("_")[2] or run.run) for run in self.runs)),
            ("state", states),
        ]

    def action_chart(self) -> None:
        """The curves, or without them again."""
        shown = not self.has_class("-chart")
        self.set_class(shown, "-chart")
        focus: type[SheetLines | Chart] = Chart if shown and self.has_class("-low") else SheetLines
        self.query_one(focus).focus()

    def action_overlay(self) -> None:
        """The curves in one chart."""
        from tuitrain.tui.runs.overlay import OverlayScreen

        self.app.push_screen(OverlayScreen(self.runs))
