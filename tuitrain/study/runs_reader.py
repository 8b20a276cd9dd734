"""What the Runs screen reads in threads: the list of runs with its studies, and what marked ones show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain.errors import TuitrainError, visible
from tuitrain.watch.folding import fold
from tuitrain.watch.runlist import RunRow, row_of, waiting_rows

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary
    from tuitrain.runs.queue_entry import QueueEntry


class RunsReader:
    """Reads the folder of runs, one look at a time.

    Args:
        runs_dir: the folder.
        on_screen: calls a function on the screen's thread.
        changed: called there after each look.
    """

    def __init__(self, runs_dir: Path, on_screen: Callable[..., Any], changed: Callable[[str], None]) -> None:
        self.runs_dir, self._on_screen, self._changed = runs_dir, on_screen, changed
        self.summaries: list[RunSummary] = []
        self._rows: list[RunRow] = []
        self._begun: frozenset[str] = frozenset()
        self._loading = False
        self._listing: Any = None

    def rows(self, entries: Sequence[QueueEntry]) -> list[RunRow]:
        """Every row: the queue of this process, then the runs on disk, those of a study as one."""
        return waiting_rows(entries, self._begun) + self._rows

    def look(self) -> None:
        """Read the folder in a thread, unless it is being read."""
        if not self._loading:
            self._loading = True
            threading.Thread(target=self._read, name="tuitrain-runs", daemon=True).start()

    def _read(self) -> None:
        from tuitrain.runs.index import list_runs

        found: list[RunSummary] | None = None
        rows: list[RunRow] = []
        trouble = ""
        try:
            found = list_runs(self.runs_dir)
            rows = self._folded([row_of(run) for run in found])
        except TuitrainError as error:
            trouble = visible(error)
        except Exception as error:  # one unreadable run must not close the list
            trouble = visible(f"{type(error).__name__}: {error}")
        try:
            self._on_screen(self._have, found, rows, trouble)
        except RuntimeError:  # the app is gone
            return

    def _folded(self, rows: list[RunRow]) -> list[RunRow]:
        if not any(run.study for row in rows for run in row.runs):
            return rows
        from tuitrain.study.listing import StudyListing

        if self._listing is None:
            self._listing = StudyListing(self.runs_dir)
        self._listing.look(rows)
        return fold(rows, self._listing.studies, self._listing.means)

    def _have(self, found: list[RunSummary] | None, rows: list[RunRow], trouble: str) -> None:
        self._loading = False
        if found is not None:
            self.summaries, self._rows, self._begun = found, rows, frozenset(run.run for run in found)
        self._changed(trouble)


class MarkedReader:
    """Reads what marked rows show of each other; the latest question is answered."""

    def __init__(self, on_screen: Callable[..., Any], changed: Callable[[], None]) -> None:
        self._on_screen, self._changed = on_screen, changed
        self._question: object = None
        self._lines: list[str] = []

    def lines(self, rows: Sequence[RunRow]) -> list[str]:
        """What they are, and the finding; that it is being read where it is not known yet."""
        question = [(row.key, row.state, row.last) for row in rows]
        if question != self._question:
            self._question, self._lines = question, ["reading ..."]
            target = threading.Thread(
                target=self._read, args=(question, list(rows)), name="tuitrain-marked", daemon=True
            )
            target.start()
        return self._lines

    def _read(self, question: object, rows: list[RunRow]) -> None:
        from tuitrain.study.marked import marked_sides, named_sides, what_sides_show

        names = list(map(visible, named_sides(rows)))
        more = f"   and {len(names) - 2} more marked" if len(names) > 2 else ""
        lines = [f"Compare  {'  ▸  '.join(names[:2])}{more}"]
        try:
            first, *_ = what_sides_show(marked_sides(rows))
            lines += first[: 1 if len(names) > 1 else 2]
        except TuitrainError as error:
            lines.append(visible(error))
        except Exception as error:  # a run that can't be read must not close the screen
            lines.append(visible(f"{type(error).__name__}: {error}"))
        try:
            self._on_screen(self._have, question, lines)
        except RuntimeError:  # the app is gone
            return

    def _have(self, question: object, lines: list[str]) -> None:
        if question == self._question:
            self._lines = lines
            self._changed()
