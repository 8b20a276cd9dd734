"""The lines below the list of runs: what the marked ones differ in, else what is known of the row under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.keys import REPLACED_KEYS
from textual.widgets import Input, Static

from tuitrain.errors import visible
from tuitrain.study.runs_reader import MarkedReader
from tuitrain.tui.runs.table import RunTable
from tuitrain.watch.runlist import RunRow


class Below(Static):
    """Out of sight while there is nothing to say."""

    DEFAULT_CSS = """
    Below { height: auto; max-height: 6; padding: 0 1; color: $foreground; border-top: solid $panel; display: none; }
    Below.-shown { display: block; }
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when what was read of marked rows can be shown."""
        super().__init__(markup=False)
        self._changed = changed
        self._said = ""

    @cached_property
    def _marked(self) -> MarkedReader:
        return MarkedReader(self.call_later, self._changed)

    def show(self, table: RunTable, sides: Sequence[RunRow]) -> None:
        """Of the row under the cursor, unless these runs and groups are two or more."""
        lines: list[str] = []
        if len(sides) >= 2:
            lines = self._marked.lines(sides)
        elif table.current is not None:
            row = table.current
            message = row.summary.message if row.summary is not None else ""
            changed = f"changed  {row.changed}" if table.cuts(row) and not row.inside else ""
            tags = row.tags and f"tags  {row.tags}"
            lines = [text for text in (visible(message), changed, tags, row.note) if text]
        text = "\n".join(lines)
        self.set_class(bool(text), "-shown")
        if text != self._said:
            self._said = text
            self.update(text)


class FilterLine(Input):
    """Words that every shown run must have."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Back to the runs", id="filter.done"),
        Binding("escape", "screen.clear", "All runs", id="filter.clear"),
    ]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """What is typed is no key of the screen, nor are those whose names textual has shortened (plus, slash)."""
        return super().check_consume_key(key, character) or key in REPLACED_KEYS
