"""Questions with a few answers: arrow keys or letters choose, Enter takes, Esc cancels."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from tuitrain.tui.shell.modal import Dialog


class Question(Dialog[str | None]):
    """A modal question; its result is the chosen answer's key, or None when cancelled."""

    DEFAULT_CSS = """
    Question .question--body { margin: 1 0; width: 100%; }
    Question Horizontal { height: auto; width: 100%; align-horizontal: right; }
    Question Button { min-width: 8; margin: 0 0 0 2; }
    Question Button:focus { text-style: bold reverse; }
    Question.-too-short > VerticalScroll { border: none; }
    Question.-too-short .question--body { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel"),
        Binding("left,up,shift+tab", "app.focus_previous", "Previous", show=False, id="dialog.previous"),
        Binding("right,down,tab", "app.focus_next", "Next", show=False, id="dialog.next"),
    ]

    #: Results that mean the same as Esc.
    CANCELS: ClassVar[set[str]] = {"stay", "no"}

    def __init__(
        self, title: str, body: str, answers: tuple[tuple[str, str, str], ...], default: str
    ) -> None:
        """`answers` are (result, label, key) of each button, the safe one first; `default` has the focus."""
        super().__init__()
        self.question_title, self.body, self.answers, self.default = title, body, answers, default

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(self.question_title, classes="title", markup=False)
            yield Static(self.body, classes="question--body", markup=False)
            with Horizontal():
                for result, label, key in self.answers:
                    yield Button(Content(f"{label} ({key})"), id=f"answer-{result}", compact=True)

    def on_mount(self) -> None:
        """The safe answer has the focus."""
        self.query_one(f"#answer-{self.default}", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self._take((event.button.id or "").removeprefix("answer-"))

    def on_key(self, event: events.Key) -> None:
        for result, _label, key in self.answers:
            if event.character == key:
                event.stop()
                self._take(result)
                return

    def _take(self, result: str) -> None:
        self.dismiss(None if result in self.CANCELS else result)


class ConfirmDialog(Question):
    """Yes or no, no first: for what can't be undone; the result is "yes" or None."""

    def __init__(self, title: str, body: str, yes: str = "Yes", no: str = "Cancel") -> None:
        super().__init__(title, body, (("no", no, "n"), ("yes", yes, "y")), default="no")


class LeaveDialog(Question):
    """Asked by q and Ctrl-C; the result is "detach", "stop", or None to stay."""

    def __init__(self, training: str, resume: str = "tuitrain resume") -> None:
        """`training` says what would be left behind, in a line; `resume` is the command that goes on with it."""
        super().__init__(
            "Leave while this is training?",
            f"{training}\n\n"
            "Detach  training goes on; tuitrain attach comes back to it\n"
            f"Stop    a checkpoint is saved; {resume} goes on",
            (("detach", "Detach", "d"), ("stop", "Stop", "s"), ("stay", "Stay", "esc")),
            default="detach",
        )
