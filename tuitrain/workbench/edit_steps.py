"""The edits of a preset that can be undone and made again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: How many edits can be undone.
MOST = 500


@dataclass
class EditStep:
    """A preset and the settings of the lab as they were, and the edit that lies between there and the next step."""

    data: dict[str, Any]
    settings: dict[str, Any]
    label: str
    merge: str = ""  # edits with the same word in succession are undone together


@dataclass
class EditSteps:
    """What can be undone and redone, the newest last."""

    _undo: list[EditStep] = field(default_factory=list)
    _redo: list[EditStep] = field(default_factory=list)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._undo)

    def add(self, before: EditStep) -> None:
        """Keeps what was before an edit; what was undone can't be made again from here on."""
        if not (before.merge and self._undo and self._undo[-1].merge == before.merge):
            self._undo.append(before)
            del self._undo[:-MOST]
        self._redo.clear()

    def settle(self) -> None:
        """Ends a run of edits that are undone together."""
        if self._undo:
            self._undo[-1].merge = ""

    def undo(self, data: dict[str, Any], settings: dict[str, Any]) -> EditStep | None:
        """The step before, None where there is none; `data` and `settings` are what `redo` goes back to."""
        return self._travel(self._undo, self._redo, data, settings)

    def redo(self, data: dict[str, Any], settings: dict[str, Any]) -> EditStep | None:
        """The step that was undone last, None where there is none."""
        return self._travel(self._redo, self._undo, data, settings)

    @staticmethod
    def _travel(
        source: list[EditStep], target: list[EditStep], data: dict[str, Any], settings: dict[str, Any]
    ) -> EditStep | None:
        if not source:
            return None
        step = source.pop()
        target.append(EditStep(data, settings, step.label))
        return step
