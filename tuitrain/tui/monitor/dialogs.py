"""Questions before a run is steered: how to stop, which learning rate, how many epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tuitrain import figures
from tuitrain.tui.shell.modal import Dialog
from tuitrain.tui.shell.question import Question


class StopDialog(Question):
    """Stop after this epoch, or now with a checkpoint; the result is "epoch", "now" or None."""

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"Stop in epoch {epoch}?",
            "After this epoch: the epoch is finished and evaluated first.\n"
            "Now: a checkpoint is saved, and the run can be resumed from this step.",
            (("stay", "Keep training", "k"), ("epoch", "After this epoch", "e"), ("now", "Now", "n")),
            default="epoch",
        )


KEYS = "enter takes it, esc cancels"


class NumberDialog(Dialog[float | None]):
    """A number, checked at each key with the reason beside it; Enter takes it, Esc leaves it."""

    DEFAULT_CSS = """
    NumberDialog .hint { width: 100%; margin-bottom: 1; }
    NumberDialog Input { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel")]

    def __init__(self, title: str, body: str, value: str, check: Callable[[str], float | str]) -> None:
        """`check` gives the number of a text, or in words why it is none."""
        super().__init__()
        self.question_title, self.body, self.value, self.check = title, body, value, check

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self.question_title, classes="title", markup=False)
            yield Static(self.body, classes="hint", markup=False)
            yield Input(self.value, id="number", select_on_focus=True, compact=True)
            yield Static(KEYS, classes="reason -keys", markup=False)

    def on_input_changed(self) -> None:
        """Say at once what is wrong."""
        found = self.check(self.query_one(Input).value.strip())
        if isinstance(found, str):
            self.say(found)
        else:
            self.say(KEYS, refused=False)

    def on_input_submitted(self) -> None:
        found = self.check(self.query_one(Input).value.strip())
        if not isinstance(found, str):
            self.dismiss(found)


def check_rate(text: str) -> float | str:
    """A learning rate, or why it is none."""
    try:
        value = float(text)
    except ValueError:
        return "type a number such as 0.01 or 1e-3"
    if not math.isfinite(value) or value <= 0:
        return "a learning rate is above 0"
    return value if value <= 10 else "above 10 nothing learns; use at most 10"


def check_epochs(text: str) -> float | str:
    """A number of epochs, or why it is none."""
    try:
        value = int(text)
    except ValueError:
        return "type a whole number of epochs"
    return float(value) if 1 <= value <= 10_000 else "use a number from 1 to 10,000"


def rate_dialog(lr: float | None) -> NumberDialog:
    """Ask for a learning rate."""
    body = f"Now {figures.rate_text(lr)}. It holds from the next step on; the rest of the schedule scales with it."
    return NumberDialog("Learning rate", body, figures.rate_text(lr) if lr else "", check_rate)


def epochs_dialog(planned: int) -> NumberDialog:
    """Ask for more epochs."""
    body = f"Now {figures.plural(planned, 'epoch')} in all. How many more?"
    return NumberDialog("Add epochs", body, "1", check_epochs)


def pause_dialog(epoch: int, planned: int, before: int = 0) -> NumberDialog:
    """Ask after which epoch to pause, 0 for none; `before` is the one after which it will pause already, or 0."""

    def check(text: str) -> float | str:
        try:
            value = int(text)
        except ValueError:
            return "type the number of an epoch"
        if value == 0:
            return 0.0 if before else "no pause is set"
        if value >= planned:
            return f"with epoch {planned} the run ends; name an earlier one"
        return float(value) if value >= epoch else f"the run is in epoch {epoch} already"

    body = f"Now in epoch {epoch} of {planned}. It trains and judges up to the end of the epoch, then waits."
    if before:
        body += f"\nIt will pause after epoch {before}; 0 takes that back."
    return NumberDialog("Pause after epoch", body, str(before or min(epoch, max(1, planned - 1))), check)
