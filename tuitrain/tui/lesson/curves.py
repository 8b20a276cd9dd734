"""The error with all learning rates in one chart, and what the published mistake does to each."""

from __future__ import annotations

import math
import string
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tuitrain.lessons.terms import number_text
from tuitrain.tui.lesson.curve import ErrorChart, all_rates, looks
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.workbench.lesson_state import LessonState

CELLS = 13


class CurvesScreen(Screen[None]):
    """A curve a learning rate. Below it the error at the step of the line, and at the last, in both variants."""

    HELP_TITLE = "Curves"
    DEFAULT_CSS = """
    CurvesScreen SheetLines { height: auto; max-height: 40%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,o", "dismiss", "Back", key_display="esc", priority=True, id="rates.back"),
        Binding("L", "logarithmic", "Logarithmic", id="rates.log"),
        Binding("v", "variant", "Mistake", id="rates.variant"),
        Binding("left", "step(-1)", "Step back", show=False, priority=True, id="rates.left"),
        Binding("right", "step(1)", "Step", key_display="← →", priority=True, id="rates.right"),
    ]

    def __init__(self, state: LessonState) -> None:
        super().__init__()
        self.state = state

    def compose(self) -> ComposeResult:
        yield HeaderLine("the error by learning rate")
        yield Field(id="title")
        yield ErrorChart()
        yield SheetLines()
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one(SheetLines).can_focus = False
        self.paint()

    def on_resize(self) -> None:
        self.paint()

    def paint(self) -> None:
        lesson = self.state.lesson
        scale = "logarithmic" if self.state.logarithmic else "linear"
        gradients = "the published mistake" if lesson.variant == "published" else "corrected gradients"
        self.query_one("#title", Field).set(
            (" Error by step", "bold"), (f"  {scale}, with {gradients}", "dim")
        )
        self.query_one(ErrorChart).show(all_rates(lesson, logarithmic=self.state.logarithmic))
        legend, lines = self.legend(), self.query_one(SheetLines)
        lines.styles.height = len(legend)
        lines.set(legend)

    def legend(self) -> list[Parts]:
        lesson = self.state.lesson
        last, out = lesson.rows - 1, []
        head = Line().add(" rate", "dim", 12)
        for text in (f"step {lesson.step}", f"step {last}", "published", "corrected"):
            head.add(text, "dim", CELLS, right=True)
        out.append(head)
        for letter, lr, (style, _) in zip(
            string.ascii_lowercase, lesson.sheet.learning_rates, looks(lesson), strict=False
        ):
            line = Line().add(f" {letter}  {lr:g}", style, 12)
            losses = lesson.losses(lr)
            wrong, right = lesson.losses(lr, "published")[last], lesson.losses(lr, "corrected")[last]
            for value in (losses[lesson.step], losses[last], wrong, right):
                line.add(number_text(value, 5), "", CELLS, right=True)
            if right and math.isfinite(wrong / right):
                line.add(f"  {100 * (wrong / right - 1):+.2f} %".replace("-", "−"), "warn")
            out.append(line)
        return list(out)

    def action_logarithmic(self) -> None:
        self.state.logarithmic = not self.state.logarithmic
        self.paint()

    def action_variant(self) -> None:
        self.state.turn_variant()
        self.paint()

    def action_step(self, by: int) -> None:
        self.state.go_to_step(self.state.lesson.step + by)
        self.paint()
