"""A form below its heading, and what it edits: the settings of a training, or those of one layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from tuitrain.tui.lab.form import FormView
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.lines import LinesView
from tuitrain.workbench.editor import EditError
from tuitrain.workbench.fields import FormData


@dataclass(frozen=True)
class Subject:
    """What a form edits.

    Attributes:
        title: the heading.
        data: fields and values as they stand.
        set: gives a field (its key) a value, which may be refused; True while it is being typed.
        reset: takes a field (all of them, key "") back to the preset's value.
        settle: ends a run of edits that are undone together.
        edited: shows what follows from an edit, in the form and elsewhere.
    """

    title: str
    data: FormData
    set: Callable[[str, Any, bool], object]
    reset: Callable[[str], object]
    settle: Callable[[], None]
    edited: Callable[[], None]


class SettingsForm(Vertical):
    """A heading with the range of the field that has the cursor, over the fields."""

    DEFAULT_CSS = "SettingsForm { height: 1fr; }"

    def __init__(self, name: str, *, starts: bool = True) -> None:
        """`name` is the id of the form; its heading's has `-head` after it. `starts`: whether Enter starts a run."""
        super().__init__()
        self._form_id, self._starts = name, starts
        self._subject: Subject | None = None

    def compose(self) -> ComposeResult:
        yield SectionLine("", id=f"{self._form_id}-head")
        yield FormView(id=self._form_id, starts=self._starts)

    @property
    def view(self) -> FormView:
        return self.query_one(FormView)

    def show(self, subject: Subject) -> None:
        self._subject = subject
        self.view.show(subject.data)
        self.show_head()

    @on(LinesView.Focused)
    def show_head(self) -> None:
        """The range of the field with the cursor."""
        form = self.view
        hint = form.field.range_text() if form.field is not None and form.has_focus else ""
        title = self._subject.title if self._subject else ""
        self.query_one(SectionLine).set(
            title=title, right=((hint, "dim"),) if hint else (), here=form.has_focus
        )

    @on(FormView.Changed)
    @on(FormView.Reset)
    def _edit(self, event: FormView.Changed | FormView.Reset) -> None:
        event.stop()
        subject = self._subject
        if subject is None:
            return
        try:
            if isinstance(event, FormView.Changed):
                subject.set(event.key, event.value, event.typing)
            else:
                subject.reset(event.key)
        except EditError as error:
            # Without the place that it begins with, which is this field.
            self.view.refuse(event.key, re.sub(r"^[^:;]*: ", "", str(error)))
        else:
            subject.edited()

    @on(FormView.Moved)
    def _moved(self, event: FormView.Moved) -> None:
        event.stop()
        if self._subject is not None and not self.view.editing:
            self._subject.settle()
        self.show_head()
