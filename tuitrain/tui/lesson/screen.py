"""The lesson: the network at the top, below it the term that is looked at, and at the right the error so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from tuitrain.errors import visible
from tuitrain.lessons import export
from tuitrain.lessons.backprop import WEIGHTS
from tuitrain.lessons.lesson import Lesson, typed_numbers, typed_rates
from tuitrain.lessons.sheet import published
from tuitrain.lessons.terms import as_text, in_numbers, in_symbols, number_text, symbol
from tuitrain.tui.lesson.curves import ErrorChart, so_far
from tuitrain.tui.lesson.drawing import network
from tuitrain.tui.lesson.formula import formula_lines
from tuitrain.tui.paint.cells import Field, SectionLine
from tuitrain.tui.paint.lines import DrawnView
from tuitrain.tui.paint.sizes import WIDE
from tuitrain.tui.shell.framed_screen import FramedScreen
from tuitrain.tui.shell.modal import ask
from tuitrain.tui.shell.prompt import Prompt, save_as
from tuitrain.tui.shell.protocol import shell
from tuitrain.workbench.lesson_state import LessonState

PLAY_S = 0.25  # a training step


def _typed(values: Sequence[float]) -> str:
    """Numbers as one would type them, with every digit."""
    return ", ".join(repr(value).removesuffix(".0") for value in values)


class ErrorSoFar(ErrorChart, can_focus=False, inherit_bindings=False):
    """The curve, without keys of its own."""


class LessonScreen(FramedScreen[None]):
    """Backpropagation worked by hand on a network of eight weights, one term at a time.

    Left and right go from term to term, down and up from training step to training step. What the term is made of
    has its colour in the drawing and in the formula; what it gives is reversed. ∂h1 in the drawing is how the error
    changes with h1.
    """

    about = "backpropagation by hand"
    HELP_TITLE = "Lesson"
    DEFAULT_CSS = """
    LessonScreen { layout: vertical; }
    LessonScreen #network { height: 12; }
    LessonScreen Horizontal { height: 1fr; }
    LessonScreen #error { width: 28; }
    LessonScreen.-wide #error, LessonScreen.-columns #error, LessonScreen.-very-wide #error { width: 46; }
    LessonScreen.-tall #network { height: 14; }
    LessonScreen.-very-tall #network { height: 45%; max-height: 21; }
    LessonScreen.-narrow #error { display: none; }
    LessonScreen.-low #network { height: 9; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "go(1)", "Term", key_display="→", id="lesson.next"),
        Binding("left", "go(-1)", "Term back", show=False, id="lesson.back"),
        Binding("down", "step(1)", "Step", key_display="↓", id="lesson.step"),
        Binding("up", "step(-1)", "Step back", show=False, id="lesson.step_back"),
        Binding("l", "rates", "Rates", id="lesson.rates"),
        Binding("t", "table", "Table", id="lesson.table"),
        Binding("w", "weights", "Weights", id="lesson.weights"),
        Binding("v", "variant", "Mistake", id="lesson.variant"),
        Binding("o", "curves", "Curves", id="lesson.curves"),
        Binding("L", "logarithmic", "Error logarithmic or not", show=False, id="lesson.log"),
        Binding("space", "play", "Train on, a step at a time", show=False, id="lesson.play"),
        Binding("e", "ends", "Inputs and targets", show=False, id="lesson.ends"),
        Binding("tab", "section(1)", "Next part", show=False, id="lesson.section"),
        Binding("shift+tab", "section(-1)", "Part back", show=False, id="lesson.section_back"),
        Binding("pagedown", "step(10)", "10 steps on", show=False, id="lesson.steps"),
        Binding("pageup", "step(-10)", "10 steps back", show=False, id="lesson.steps_back"),
        Binding("home", "step(-99999)", "First step", show=False, id="lesson.first"),
        Binding("end", "step(99999)", "Last step", show=False, id="lesson.last"),
        Binding("s", "save", "Save the table", show=False, id="lesson.save"),
        Binding("r", "again", "Begin again", show=False, id="lesson.again"),
        Binding("escape", "leave", "Back", key_display="esc", id="lesson.leave"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.state = LessonState(shell(self).opening.lesson or Lesson(published()))
        self._timer: Timer | None = None

    def panes(self) -> ComposeResult:
        ascii_only = shell(self).settings.ascii_only
        yield DrawnView(partial(network, self.state), id="network")
        yield SectionLine("", id="where")
        with Horizontal():
            yield DrawnView(partial(formula_lines, self.state, ascii_only=ascii_only), id="formula")
            with Vertical(id="error"):
                yield Field(id="rate")
                yield ErrorSoFar()

    def on_mount(self) -> None:
        self.paint()

    def on_resize(self) -> None:
        self.set_class(self.size.height < 24, "-low")
        self.call_after_refresh(self.paint)

    # -- what is shown ---------------------------------------------------------------------------

    def paint(self) -> None:
        state, lesson = self.state, self.state.lesson
        for view in self.query(DrawnView):
            view.rebuild()
        wrong = lesson.variant == "published"
        right = [
            ("published mistake  " if wrong else "corrected  ", "warn" if wrong else "dim"),
            (f"lr {lesson.lr:g}  ", ""),
            (f"step {lesson.step} of {lesson.rows - 1}", "bold"),
        ]
        term = f"{state.at + 1} of {len(state.terms)}"
        self.query_one("#where", SectionLine).set(
            title=state.term.section, after=[(term, "dim")], right=right
        )
        self.query_one("#rate", Field).set(
            ("  E ", "dim"),
            (number_text(state.values["E_total"]), "accent"),
            (" by step", "dim"),
            (", logarithmic"[: 5 if self.size.width < WIDE else None] if state.logarithmic else "", "dim"),
        )
        self.query_one(ErrorChart).show(so_far(lesson, logarithmic=state.logarithmic))

    def strip_lines(self) -> list[str]:
        term, values = self.state.term, self.state.values
        name = symbol(term.quantity)
        return [
            f"step {self.state.lesson.step}, {term.section.lower()}",
            f"{name} = {as_text(in_symbols(term.formula))}",
            f"= {as_text(in_numbers(term.formula, values, 4))} = {number_text(values[term.quantity])}",
        ]

    # -- keys ------------------------------------------------------------------------------------

    def action_go(self, by: int) -> None:
        self.state.go(by)
        self.paint()

    def action_section(self, by: int) -> None:
        self.state.go_to_section(by)
        self.paint()

    def action_step(self, by: int) -> None:
        self.state.go_to_step(self.state.lesson.step + by)
        self.paint()

    def action_variant(self) -> None:
        self.state.turn_variant()
        self.paint()

    def action_logarithmic(self) -> None:
        self.state.logarithmic = not self.state.logarithmic
        self.paint()

    def action_again(self) -> None:
        self.state.begin_again()
        self.paint()

    def action_play(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        else:
            self._timer = self.set_interval(max(PLAY_S, 1 / shell(self).settings.refresh_hz), self._play)

    def _play(self) -> None:
        if self.app.screen is not self:
            return
        if self.state.lesson.step + 1 >= self.state.lesson.rows:
            self.action_play()
        else:
            self.action_step(1)

    def action_rates(self) -> None:
        title = "Learning rates: the first for the steps, all for the curves (o)"
        rates = self.state.lesson.sheet.learning_rates
        self._ask(
            title, _typed(rates), lambda text: self.state.take_rates(typed_rates("the learning rate", text))
        )

    def action_weights(self) -> None:
        start = self.state.lesson.sheet.start

        def take(text: str) -> None:
            self.state.take_start(replace(start, weights=typed_numbers("the weights", WEIGHTS, text)))

        self._ask("Weights w1 to w8 at step 0, or one number for all", _typed(start.weights), take)

    def action_ends(self) -> None:
        start = self.state.lesson.sheet.start

        def take(text: str) -> None:
            i1, i2, t1, t2 = typed_numbers("inputs and targets", ("i1", "i2", "t1", "t2"), text)
            self.state.take_start(replace(start, inputs=(i1, i2), targets=(t1, t2)))

        self._ask("Inputs i1, i2 and targets t1, t2", _typed((*start.inputs, *start.targets)), take)

    def _ask(self, title: str, now: str, take: Callable[[str], None], hint: str = "") -> None:
        """Asks for numbers until they are right or nobody wants to."""

        def typed(text: str) -> None:
            try:
                take(text)
            except ValueError as error:
                self._ask(title, text, take, f"{visible(error)}.")
            self.paint()

        ask(self, Prompt(title, now, hint), typed)

    def action_table(self) -> None:
        from tuitrain.tui.lesson.table import TableScreen

        now = self.state.lesson.step
        ask(self, TableScreen(self.state.lesson), lambda step: self.action_step(step - now))

    def action_curves(self) -> None:
        from tuitrain.tui.lesson.curves import CurvesScreen

        self.app.push_screen(CurvesScreen(self.state), lambda _: self.paint())

    def action_save(self) -> None:
        lesson = self.state.lesson

        def contents(path: Path) -> bytes:
            if path.suffix.lower() == ".xlsx":
                return export.workbook(lesson.table(), lesson.variant)
            return export.csv_text(lesson.table()).encode()

        save_as(self, "Save the table as FILE.csv, or with formulas as FILE.xlsx", "backprop.xlsx", contents)

    def action_leave(self) -> None:
        shell(self).leave_aside()
