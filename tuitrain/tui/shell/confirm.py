"""Yes or no, no first."""

from __future__ import annotations

from tuitrain.tui.shell.question import Question


class ConfirmDialog(Question):
    """Something that can't be undone; the result is "yes" or None."""

    def __init__(self, title: str, body: str, yes: str = "Yes", no: str = "Cancel") -> None:
        super().__init__(title, body, (("no", no, "n"), ("yes", yes, "y")), default="no")
