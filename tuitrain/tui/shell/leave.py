"""Leaving while something trains: detach, stop, or stay."""

from __future__ import annotations

from tuitrain.tui.shell.question import Question


class LeaveDialog(Question):
    """Asked by q and Ctrl-C; the result is "detach", "stop", or None to stay."""

    def __init__(self, training: str) -> None:
        """`training` says in a line what would be left behind."""
        super().__init__(
            "Leave while this is training?",
            f"{training}\n\n"
            "Detach  training goes on; tuitrain attach comes back to it\n"
            "Stop    a checkpoint is saved; tuitrain resume goes on",
            (("detach", "Detach", "d"), ("stop", "Stop", "s"), ("stay", "Stay", "esc")),
            default="detach",
        )
