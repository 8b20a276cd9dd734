"""Which values a sweep combines: typed as on the command line, with how much that is below."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tuitrain.errors import visible
from tuitrain.tui.shell.behind import Behind
from tuitrain.tui.shell.modal import Dialog

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan
    from tuitrain.workbench.sweep_order import SweepOrder


class SweepDialog(Dialog["tuple[str, Plan] | None"]):
    """A line with a grid; the result is what was typed and its plan."""

    HELP_TITLE = "Sweep"
    DEFAULT_CSS = """
    SweepDialog > Vertical { width: 76; }
    SweepDialog Input { margin: 1 0; }
    SweepDialog #sweep-says { height: auto; min-height: 2; width: 100%; }
    SweepDialog .-refused { color: $warning; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="sweep.cancel")]

    def __init__(self, order: SweepOrder, text: str) -> None:
        super().__init__()
        self._order, self._text = order, text
        self._found = Behind(self, "sweep-plan", order.look, self._show)
        self._wanted = False  # Enter was pressed before the plan was there

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Sweep: train all combinations of some values", classes="title", markup=False)
            yield Input(
                self._text, placeholder="lr=0.01,0.02 dropout=0,0.05", select_on_focus=False, compact=True
            )
            yield Static("", id="sweep-says", markup=False)
            yield Static(
                f"seeds {self._order.seeds}, as the field says; enter starts, esc cancels",
                classes="hint",
                markup=False,
            )

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._wanted = False
        if event.value.strip():
            self._say("…")
            self._found.ask(event.value, event.value)
        else:
            self._found.forget()
            self._say("settings and their values, such as lr=0.01,0.02 dropout=0,0.05")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Starts it, as soon as it is worked out."""
        event.stop()
        self._wanted = bool(event.value.strip())
        self._start()

    def _show(self, found: tuple[Plan | None, str]) -> None:
        plan, says = found
        self._say(says, refused=plan is None)
        self._start()

    def _start(self) -> None:
        plan = self._found.answer[0] if self._found.answer is not None else None
        if self._wanted and plan is not None:
            self.dismiss((self.query_one(Input).value, plan))

    def _say(self, text: str, *, refused: bool = False) -> None:
        line = self.query_one("#sweep-says", Static)
        line.set_class(refused, "-refused")
        line.update(visible(text))
