"""What is changed of the runs on disk from their list: tags, notes, the trash; each asked for first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from tuitrain.errors import TuitrainError, visible
from tuitrain.runs.index import HELD
from tuitrain.tui.shell.modal import ask
from tuitrain.tui.shell.prompt import Prompt
from tuitrain.tui.shell.question import ConfirmDialog

if TYPE_CHECKING:
    from tuitrain.runs.edits import RunEdits
    from tuitrain.runs.index import RunSummary

#: How long is shown why something was not done.
SAID_S = 10.0


class RunChanges:
    """Asks, changes, and has the list read again: `changed` is called, and told whether runs were deleted."""

    def __init__(self, screen: Screen[Any], runs_dir: Path, changed: Callable[[bool], None]) -> None:
        self._screen, self._runs_dir, self._changed = screen, runs_dir, changed

    @cached_property
    def _edits(self) -> RunEdits:
        from tuitrain.runs.edits import RunEdits

        return RunEdits(self._runs_dir, self._refused)

    def _refused(self, error: TuitrainError) -> None:
        self._screen.notify(visible(error), severity="error", markup=False, timeout=SAID_S)

    def _write(self, runs: Sequence[RunSummary], **values: Any) -> None:
        self._edits.write(runs, **values)
        self._changed(False)

    def tag(self, runs: Sequence[RunSummary]) -> None:
        if runs:
            title = f"Tags of {runs[0].run}" if len(runs) == 1 else f"Tags of {len(runs)} runs"
            prompt = Prompt(visible(title), " ".join(runs[0].tags), "words between spaces; empty for none")
            ask(self._screen, prompt, lambda text: self._write(runs, tags=tuple(text.split())))

    def note(self, run: RunSummary) -> None:
        prompt = Prompt(visible(f"Note on {run.run}"), visible(run.note))
        ask(self._screen, prompt, lambda text: self._write([run], note=text))

    def delete(self, runs: Sequence[RunSummary]) -> None:
        busy = [run for run in runs if run.state in HELD]
        if busy:
            said = f"{busy[0].run} is training; stop it first (Enter, then x)"
            self._screen.notify(said, severity="warning", markup=False)
        elif runs:
            title = f"Delete {runs[0].run}?" if len(runs) == 1 else f"Delete {len(runs)} runs?"
            names = "\n".join(visible(run.run) for run in runs[:6]) + ("\n..." if len(runs) > 6 else "")
            body = f"{names}\n\nTo the trash beside the runs: u undoes, `tuitrain runs restore` too."
            dialog = ConfirmDialog(visible(title), body, yes="Delete", no="Keep")
            ask(self._screen, dialog, lambda _: self._delete(runs))

    def _delete(self, runs: Sequence[RunSummary]) -> None:
        self._edits.delete(runs)
        self._changed(True)

    def undo(self) -> None:
        self._edits.undo()
        self._changed(False)
