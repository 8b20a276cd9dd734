"""The error over the training steps: one learning rate beside the lesson, or all of them on a screen."""

from __future__ import annotations

import math
import string
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuitrain.lessons.lesson import Lesson
from tuitrain.lessons.terms import number_text
from tuitrain.tui.paint import axes
from tuitrain.tui.paint.axes import Curve, Pattern, Picture
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.shell.framed_screen import FramedScreen
from tuitrain.workbench.lesson_state import LessonState

#: Colours and patterns of other learning rates, neighbours differing in both.
LOOKS: tuple[tuple[str, Pattern], ...] = (
    ("good", "dash"), ("primary", "dot"), ("warn", "dashdot"), ("violet", "dash"), ("second", "dot"), ("good", "dot"),
    ("primary", "dash"), ("warn", "dot"), ("violet", "dashdot"),
)  # fmt: skip
OWN = "accent"


class ErrorChart(Chart):
    """Curves by training step, counted from 0, from an error of 0 on."""

    HELP_TITLE = "The error"
    HELP = "The error over the training steps. + and - zoom, shift with the arrows moves, r shows everything again."

    def _limits(self) -> tuple[float, float]:
        if self.picture.logarithmic:
            return super()._limits()
        values = [
            v for curve in self.picture.curves for v in curve.values if v is not None and math.isfinite(v)
        ]
        return 0.0, 1.06 * max(values, default=1.0) or 1.0

    def _ticks_of_x(self, most: int) -> list[tuple[float, str]]:
        ticks = axes.scale("loss", False).ticks(self._x_min - 1, self._x_max - 1, most + 1)
        return [(at + 1, f"{at:.0f}") for at, _ in ticks if at >= 0 and abs(at - round(at)) < 1e-9]


def so_far(lesson: Lesson, *, logarithmic: bool) -> Picture:
    """The curve up to the training step, and behind it what is to come."""
    losses = lesson.losses()
    return Picture(
        (
            Curve("so far", tuple(losses[: lesson.step + 1]), OWN),
            Curve("to come", tuple(losses), "faint", "dot", "beside"),
        ),
        lesson.rows,
        "loss",
        None,
        logarithmic,
    )


def all_rates(lesson: Lesson, *, logarithmic: bool) -> Picture:
    """The curves of all learning rates, each with its letter, the lesson's own on top."""
    curves = [
        Curve(f"{lr:g}", tuple(lesson.losses(lr)), style, pattern, "own", letter)
        for letter, lr, (style, pattern) in zip(
            string.ascii_lowercase, lesson.sheet.learning_rates, looks(lesson), strict=False
        )
    ]
    return Picture(tuple(curves), lesson.rows, "loss", None, logarithmic, lesson.step + 1)


def looks(lesson: Lesson) -> list[tuple[str, Pattern]]:
    """Style and pattern of the curve of each learning rate."""
    others = len(lesson.sheet.learning_rates) - 1
    return [(OWN, "solid"), *(LOOKS[at % len(LOOKS)] for at in range(others))]


CELLS = 13


class CurvesScreen(FramedScreen[None]):
    """A curve a learning rate. Below it the error at the step of the line, and at the last, in both variants."""

    about = "the error by learning rate"
    HELP_TITLE = "Curves"
    DEFAULT_CSS = "CurvesScreen SheetLines { height: auto; max-height: 40%; }"
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

    def panes(self) -> ComposeResult:
        yield Field(id="title")
        yield ErrorChart()
        yield SheetLines()

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
