"""Compare: runs side by side, the differences of their settings first, the better value marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuitrain.errors import TuitrainError, visible
from tuitrain.figures import percent_text, plural
from tuitrain.tui.paint import text
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.tui.paint.sizes import TALL
from tuitrain.tui.paint.text import Parts
from tuitrain.tui.runs import curves
from tuitrain.tui.runs.curves import LOOKS
from tuitrain.tui.runs.histories import HistoriesScreen
from tuitrain.watch.comparison import ComparisonLine, result_lines, setting_lines
from tuitrain.watch.evidence import figure_rows
from tuitrain.watch.runlist import RunRow, state_look

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary
    from tuitrain.study.sides import Side
    from tuitrain.watch.group import Group

LABEL = 24


class CompareScreen(HistoriesScreen):
    """A column a run, or a column a group. What differs comes first; then whether it is a gain, or luck.

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

    def __init__(self, runs: Sequence[RunSummary], load: Callable[[], list[Side]]) -> None:
        """`runs` have a column each, none where each side has one; `load` reads the sides, in a thread."""
        super().__init__(list(runs))
        self.about = f"comparing {plural(len(runs), 'run')}" if runs else "comparing groups"
        self._load = load
        self.sides: list[Side] = []
        self._shows: list[list[str]] = []
        self._first = 0

    @classmethod
    def of_rows(cls, rows: Sequence[RunRow]) -> CompareScreen:
        """Of the rows of a list: single runs have a column each, with groups among them each side has one."""
        runs = [] if any(row.members for row in rows) else [run for row in rows for run in row.runs]

        def load() -> list[Side]:
            from tuitrain.study.marked import marked_sides

            return marked_sides(rows)

        return cls(runs, load)

    def panes(self) -> ComposeResult:
        yield SheetLines()
        yield Field(id="chart-title")
        yield Chart()

    def on_mount(self) -> None:
        self.set_class(self.size.height >= TALL, "-chart")
        self.query_one(SheetLines).set([[(" reading ...", "")]])

    def read(self) -> None:
        """The sides and what they show, beside the runs' histories."""
        from tuitrain.study.marked import what_sides_show

        try:
            self.sides = self._load()
            self._shows = what_sides_show(self.sides)
        except TuitrainError as error:
            self._shows = [[visible(error)]]
        super().read()

    @property
    def ready(self) -> bool:
        return bool(self._shows)

    @property
    def columns(self) -> int:
        """How many there are, of runs or of sides."""
        return len(self.runs) or len(self.sides)

    def on_resize(self) -> None:
        """Where it is low there is room for the table or the chart."""
        self.set_class(self.size.height < TALL, "-low")

    def shown(self) -> int:
        """How many columns there is room for."""
        return max(1, min(self.columns, (self.size.width - LABEL - 4) // 20))

    def action_turn(self, by: int) -> None:
        self._first = max(0, min(self.columns - self.shown(), self._first + by))
        self.paint_again()

    def paint(self) -> None:
        self.query_one(SheetLines).set(self.table())
        picture = curves.runs_picture(self.runs, self.histories) if self.runs else curves.bands(self._groups)
        self.query_one(Chart).show(picture)
        self.query_one("#chart-title", Field).set(*self._legend())

    def table(self) -> list[Parts]:
        columns = self.shown()
        first = min(self._first, self.columns - columns)
        width = (self.size.width - LABEL - 4) // columns

        def section(title: str) -> Parts:
            return text.section(title, self.size.width - 3)

        def row(line: ComparisonLine) -> Parts:
            out = text.Line().add(" ").add(line.label, "", LABEL - 1).add(" ")
            for index in range(first, first + columns):
                best = line.better == index
                style = "good bold" if best else ""
                if line.label == "curve" and index < len(LOOKS):
                    style = LOOKS[index][0]
                out.add(f"{line.values[index]}{' ◂ better' if best else ''}", style, width - 1).add(" ")
            return out

        presets = (
            [r.preset.to_dict() if r.preset is not None else {} for r in self.histories]
            if self.runs
            else [side.preset for side in self.sides]
        )
        differs = setting_lines(presets) or [ComparisonLine("nothing but the seed", ("",) * self.columns)]
        turned = f" columns {first + 1} to {first + columns} of {self.columns}: ← →"
        return [
            *(row(ComparisonLine(name, values)) for name, values in self._heads()),
            section("What differs"),
            *map(row, differs),
            section("Results"),
            *map(row, self._results()),
            section("What it shows"),
            *(
                line
                for lines in self._shows
                for number, said in enumerate(lines)
                for line in text.wrap(((f" {said}", "" if number else "bold"),), self.size.width - 3, 1)
            ),
            *([[(turned, "dim")]] if columns < self.columns else ()),
        ]

    @property
    def _groups(self) -> list[Group]:
        return [side.group for side in self.sides]

    def _results(self) -> list[ComparisonLine]:
        if self.runs:
            return result_lines(self.runs, self.histories)
        return [ComparisonLine(label, tuple(values)) for label, *values in figure_rows(*self._groups)]

    def _legend(self) -> Parts:
        """What the chart shows, and whose curve is whose: the table may be out of sight."""
        line = text.Line().add(" test accuracy", "bold")
        if not self.runs:
            line.add("  lowest to highest ", "dim").add("░░").add(", mean", "dim")
            for name, (style, _), group in zip(curves.names(self._groups), LOOKS, self._groups, strict=False):
                line.add("  ").add(name, style).add(f" {visible(group.label)}")
            return line
        for name, (style, _), run in zip(curves.names(self.runs), LOOKS, self.runs, strict=False):
            line.add("  ").add(name, style).add(f" {visible(run.preset)} {percent_text(run.best)}")
        return line

    def _heads(self) -> list[tuple[str, tuple[str, ...]]]:
        if not self.runs:
            names = curves.names(self._groups)
            return [
                ("curve", names + ("–",) * (self.columns - len(names))),
                ("group", tuple(visible(side.text) for side in self.sides)),
            ]
        states = tuple(" ".join(state_look(run.state)[:2]) for run in self.runs)
        names = curves.names(self.runs)
        return [
            ("curve", names + ("–",) * (len(self.runs) - len(names))),
            ("preset", tuple(visible(run.preset) for run in self.runs)),
            ("run", tuple(visible(run.run.rpartition("_")[2] or run.run) for run in self.runs)),
            ("state", states),
        ]

    def action_chart(self) -> None:
        shown = not self.has_class("-chart")
        self.set_class(shown, "-chart")
        focus: type[SheetLines | Chart] = Chart if shown and self.has_class("-low") else SheetLines
        self.query_one(focus).focus()

    def action_overlay(self) -> None:
        from tuitrain.tui.runs.overlay import OverlayScreen

        if self.runs:
            self.app.push_screen(OverlayScreen(self.runs))
        else:
            self.action_chart()
