"""The whole table of the sheet: a line a training step, 31 columns."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuitrain.lessons.backprop import COLUMNS
from tuitrain.lessons.check import EQUAL, apart, check
from tuitrain.lessons.lesson import Lesson
from tuitrain.lessons.terms import symbol
from tuitrain.tui.lesson.drawing import fitted, style_of
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.lines import cursor_keys
from tuitrain.tui.paint.rows import TableView
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.shell.framed_screen import FramedScreen

STEP, COLUMN = 7, 11  # cells


class StepTable(TableView):
    """A line a training step; Enter goes to it. Left and right show other columns.

    What a figure of the sheet confirms to 1e-11 is green; where the sheet has another figure, it is underlined.
    """

    HELP_TITLE = "The table"
    DEFAULT_CSS = "StepTable { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *cursor_keys("steps", "step"),
        Binding("left", "turn(-1)", "Columns to the left", show=False, id="steps.left"),
        Binding("right", "turn(1)", "Columns", key_display="← →", id="steps.right"),
    ]

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.lesson, self.first = lesson, 0
        self.set_reactive(StepTable.cursor, lesson.step)
        self.figures = {
            (one.step, one.column): one.value
            for one in lesson.sheet.figures
            if one.lr == lesson.lr and one.variant in (None, lesson.variant)
        }

    @property
    def shown(self) -> tuple[str, ...]:
        count = max(1, (self.size.width - 2 - STEP) // COLUMN)
        return COLUMNS[self.first : self.first + count]

    @property
    def count(self) -> int:
        return self.lesson.rows

    def line(self, index: int) -> Parts:
        if index == 0:
            line = Line().add("step", "dim", STEP - 1, right=True)
            for name in self.shown:
                line.add(symbol(name), f"{style_of(name)} bold", COLUMN, right=True)
            return line
        step = index - 1
        values, here = self.lesson.table()[step], step == self.cursor
        line = Line().add(f"{step}", "bold" if here else "dim", STEP - 1, right=True)
        for name in self.shown:
            text = fitted(values[name], COLUMN - 2)
            line.to(line.x + COLUMN - len(text)).add(text, self._agreement(step, name))
        return self.on_row(line, self.room) if here else line

    def _agreement(self, step: int, name: str) -> str:
        """The style of a value: good where the sheet has the same, a warning where it has another."""
        figure = self.figures.get((step, name))
        if figure is None:
            return ""
        return "good" if apart(self.lesson.table()[step][name], figure) <= EQUAL else "warn underline"

    def action_turn(self, by: int) -> None:
        self.first = max(0, min(len(COLUMNS) - len(self.shown), self.first + by))
        self.rebuild()
        self.post_message(self.Focused())


class TableScreen(FramedScreen[int | None]):
    """The 31 columns of the published sheet, worked out for every training step."""

    HELP_TITLE = "Table of the sheet"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Go to the step", id="steps.take"),
        Binding("escape,t", "dismiss(None)", "Back", key_display="esc", id="steps.back"),
    ]

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.lesson = lesson
        self.about = f"learning rate {lesson.lr:g}, {lesson.variant}"

    def panes(self) -> ComposeResult:
        yield Field(id="figures")
        yield StepTable(self.lesson)

    def on_mount(self) -> None:
        self.query_one("#figures", Field).set(*self._figures())

    def _figures(self) -> Parts:
        found = check(self.lesson.sheet, self.lesson.variant)
        if not found.count:
            return ((" Enter goes to a step.", "dim"),)
        line = (
            Line().add(f" {found.equal:,} of {found.count:,} figures", "good").add(" as in the sheet", "dim")
        )
        if found.first is not None:
            line.add("; the first other: ", "dim")
            line.add(f"{symbol(found.first.column)} at step {found.first.step}", "warn underline")
        return line

    def on_lines_view_focused(self) -> None:
        table = self.query_one(StepTable)
        seen = f"columns {table.first + 1} to {table.first + len(table.shown)} of {len(COLUMNS)}"
        self.set_context(f"lr {self.lesson.lr:g}, {self.lesson.variant}, {seen}")

    def action_take(self) -> None:
        self.dismiss(self.query_one(StepTable).cursor)
