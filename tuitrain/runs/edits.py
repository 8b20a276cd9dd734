"""What a user changes of the runs of a folder: tags, notes, the trash; and the last deletion undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain.errors import TuitrainError
from tuitrain.runs import trash
from tuitrain.runs.user_file import write_user

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary


class RunEdits:
    """Changes several runs at once: what can't be done for one of them is told, and the others are changed."""

    def __init__(self, runs_dir: Path, refused: Callable[[TuitrainError], None]) -> None:
        """Nothing is changed yet.

        Args:
            runs_dir: folder of the runs.
            refused: is told what can't be done.
        """
        self.runs_dir, self._refused = runs_dir, refused
        self._deleted: list[Path] = []  # where the runs lie in the trash that were deleted last

    def write(self, runs: Sequence[RunSummary], **values: Any) -> None:
        """Writes tags or a note, as `write_user` takes them."""
        for run in runs:
            try:
                write_user(Path(run.path), **values)
            except TuitrainError as error:
                self._refused(error)

    def delete(self, runs: Sequence[RunSummary]) -> None:
        """Moves runs to the trash."""
        gone: list[Path] = []
        for run in runs:
            try:
                gone.append(trash.remove_run(Path(run.path), self.runs_dir))
            except TuitrainError as error:
                self._refused(error)
        self._deleted = gone or self._deleted

    def undo(self) -> None:
        """Brings back what was deleted last."""
        gone, self._deleted = set(self._deleted), []
        try:
            removed = trash.list_removed(self.runs_dir) if gone else []
        except TuitrainError as error:
            self._refused(error)
            return
        for one in removed:
            if one.path in gone:
                try:
                    trash.restore_run(one, self.runs_dir)
                except TuitrainError as error:
                    self._refused(error)
