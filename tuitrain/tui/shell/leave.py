"""Leaving while something trains: detach, stop, or stay."""

from __future__ import annotations

from tuitrain.tui.shell.question import Question


class LeaveDialog(Question):
    """Asked by q and Ctrl-C; the result is "detach", "stop", or None to stay."""

    def __init__(self, training: str, resume: str = "tuitrain resume") -> None:
        """A question.

        Args:
            training: what would be left behind, in a line.
            resume: the command that goes on with it.
        """
        super().__init__(
            "Leave while this is training?",
            f"{training}\n\n"
            "Detach  training goes on; tuitrain attach comes back to it\n"
            f"Stop    a checkpoint is saved; {resume} goes on",
            (("detach", "Detach", "d"), ("stop", "Stop", "s"), ("stay", "Stay", "esc")),
            default="detach",
        )
