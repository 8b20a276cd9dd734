"""Runs: every run of the runs folder and what waits in line; open, compare, tag, delete, queue."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tuitrain.errors import visible
from tuitrain.figures import percent_text, plural
from tuitrain.runs import wording
from tuitrain.runs.index import HELD
from tuitrain.study.runs_reader import RunsReader
from tuitrain.tui.runs.below import Below, FilterLine
from tuitrain.tui.runs.changes import SAID_S, RunChanges
from tuitrain.tui.runs.frontier import FrontierView
from tuitrain.tui.runs.table import EMPTY, NO_MATCH, RunTable
from tuitrain.tui.shell.framed_screen import FramedScreen
from tuitrain.tui.shell.modal import ask
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.shell.told import told
from tuitrain.watch.folding import group_details
from tuitrain.watch.runlist import RESUMABLE, SORTS, arrange, details

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary
    from tuitrain.training.job import Job
    from tuitrain.tui.shell.protocol import Shell
    from tuitrain.watch.runlist import RunRow

#: How often the folder is looked at while the screen shows.
RELOAD_S = 1.0


class RunsScreen(FramedScreen[None]):
    """All runs in a table, the queue on top."""

    about = "reading the runs ..."
    HELP_TITLE = "Runs"
    DEFAULT_CSS = """
    RunsScreen #filter { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    RunsScreen #filter.-shown { display: block; }
    RunsScreen #frontier { display: none; height: 60%; }
    RunsScreen.-frontier #frontier { display: block; }
    RunsScreen.-frontier Below.-shown { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "compare", "Compare", id="runs.compare"),
        Binding("o", "overlay", "Overlay", id="runs.overlay"),
        Binding("plus,equals_sign", "add", "Queue", key_display="+", id="runs.queue"),
        Binding("B", "branch", "Branch from an epoch", show=False, id="runs.branch"),
        Binding("t", "tag", "Tag", id="runs.tag"),
        Binding("D,delete", "delete", "Delete", key_display="D", id="runs.delete"),
        Binding("f", "frontier", "Frontier", id="runs.frontier"),
        Binding("w", "details", "Details", id="runs.details"),
        Binding("slash", "filter", "Filter", key_display="/", id="runs.filter"),
        Binding("h", "draw", "Draw a digit by hand for it", show=False, id="runs.draw"),
        Binding("n", "note", "Note", id="runs.note"),
        Binding("R", "resume", "Resume", id="runs.resume"),
        Binding(
            "greater_than_sign",
            "sort",
            "Sort by the next column",
            key_display=">",
            show=False,
            id="runs.sort",
        ),
        Binding(
            "less_than_sign", "reverse", "Reverse the order", key_display="<", show=False, id="runs.reverse"
        ),
        Binding("shift+up,K", "earlier", "Move up in the queue", show=False, id="runs.earlier"),
        Binding("shift+down,J", "later", "Move down in the queue", show=False, id="runs.later"),
        Binding("u", "undo", "Undo the last deletion", show=False, id="runs.undo"),
        Binding("U", "unmark", "Unmark all", show=False, id="runs.unmark"),
        Binding("escape", "clear", "Clear the filter", show=False, id="runs.clear"),
        Binding("f5", "reload", "Read the folder again", show=False, id="runs.reload"),
    ]

    _trouble = ""

    @property
    def shell(self) -> Shell:
        return shell(self)

    @cached_property
    def reader(self) -> RunsReader:
        return RunsReader(self.shell.settings.runs_dir, self.call_later, self._have)

    @cached_property
    def changes(self) -> RunChanges:
        """What is changed of the runs on disk."""
        return RunChanges(self, self.shell.settings.runs_dir, self._changed)

    @property
    def table(self) -> RunTable:
        return self.query_one(RunTable)

    def panes(self) -> ComposeResult:
        yield RunTable()
        yield Below(self._say_marked)
        yield FrontierView(id="frontier")
        yield FilterLine(
            placeholder="step13 done best>99.3 seed=1", id="filter", select_on_focus=False, compact=True
        )

    def on_mount(self) -> None:
        self.table.focus()
        self.reload()
        self.set_interval(RELOAD_S, self._tick)

    def on_screen_resume(self) -> None:
        self.reload()

    def _tick(self) -> None:
        if self.is_current:
            self.reload()

    # -- reading -------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the list of runs in a thread; one at a time."""
        self.reader.look()

    def _have(self, trouble: str) -> None:
        if not self.query(RunTable):  # closed meanwhile
            return
        if trouble and trouble != self._trouble:
            self.notify(trouble, title="runs", severity="error", markup=False)
        self._trouble = trouble
        self.show_rows()

    @on(RunTable.Folded)
    @on(Input.Changed)
    def show_rows(self) -> None:
        """Filter, sort and show."""
        table, wanted = self.table, self.query_one("#filter", Input).value
        rows = self.reader.rows(self.shell.manager.entries)
        shown = arrange(rows, wanted, table.sort, table.reverse, table.opened)
        table.show(shown, NO_MATCH if wanted and rows else EMPTY)
        total = plural(len(self.reader.summaries), "run")
        count = sum(max(1, len(row.runs)) for row in shown if not row.inside)
        context = f"{count} of {total}  /{visible(wanted)}" if wanted else f"{total}  /"
        live = sum(run.state in HELD for run in self.reader.summaries)
        waiting = len(self.shell.manager.waiting())
        extra = [f"{live} live"] if live else []
        extra += [f"{waiting} queued"] if waiting else []
        self.set_context("  ".join([*extra, context]))
        self._say_marked()

    def strip_lines(self) -> list[str]:
        runs = self.reader.summaries
        lines = [f"tuitrain 3 Runs: {plural(len(runs), 'run')}"]
        for run in runs[:5]:
            best = f" {percent_text(run.best)}" if run.best is not None else ""
            lines.append(f"{wording.state_text(run.activity)} {visible(run.preset)}{best}")
        return lines

    def _changed(self, deleted: bool) -> None:
        if deleted:
            self.table.marked.clear()
        self.reload()

    # -- the pane below ------------------------------------------------------------------------

    @on(RunTable.Marked)
    @on(RunTable.Moved)
    def _say_marked(self) -> None:
        if not self.query(RunTable):  # closed meanwhile
            return
        table = self.table
        if self.has_class("-frontier"):
            shown = [run for row in table.rows if not row.inside for run in row.runs]
            self.query_one(FrontierView).show(shown, table.current.summary if table.current else None)
        self.query_one(Below).show(table, self._sides() if table.marked else ())

    # -- opening -------------------------------------------------------------------------------

    def on_run_table_opened(self, event: RunTable.Opened) -> None:
        """In the monitor: live, or replayed at once."""
        row = event.row
        if row.members:
            run = row.runs[0]
            self.shell.open_study(run.study, "" if row.is_board else run.setting)
        elif row.entry is not None and row.entry.study:
            self.shell.open_study(row.entry.study)
        elif row.entry is not None:
            self.shell.open_run(self.shell.manager.feed(row.entry))
        elif row.summary is not None:
            self.shell.open_run_named(row.summary.path)

    def action_compare(self) -> None:
        from tuitrain.tui.runs.compare import CompareScreen

        rows = self._sides()
        if len(rows) >= 2:
            self.app.push_screen(CompareScreen.of_rows(rows))
        else:
            self.notify("mark two or more runs with space, then compare them", markup=False, timeout=4)

    def _sides(self) -> list[RunRow]:
        """The chosen runs and groups; of a leaderboard all its settings."""
        return [side for row in self.table.chosen() for side in row.groups if side.runs]

    def action_overlay(self) -> None:
        chosen = self._chosen()
        if chosen:
            from tuitrain.tui.runs.overlay import OverlayScreen

            self.app.push_screen(OverlayScreen(chosen))

    def _chosen(self) -> list[RunSummary]:
        """The runs of the marked rows, else of the one under the cursor."""
        return list({run.run: run for row in self.table.chosen() for run in row.runs}.values())

    def action_frontier(self) -> None:
        self.toggle_class("-frontier")
        self._say_marked()

    def action_details(self) -> None:
        from tuitrain.tui.runs.dialogs import Details

        row = self.table.current
        if row is not None:
            text = "\n".join(group_details(row)) if row.members else details(row)
            name = " · ".join((row.preset, row.changed)) if row.members else row.key
            self.app.push_screen(Details(visible(name), text))

    def action_draw(self) -> None:
        run = self._summary_here()
        self.shell.open_drawing(run.path if run is not None else "")

    # -- tags, notes, deleting -----------------------------------------------------------------

    def _summary_here(self) -> RunSummary | None:
        row = self.table.current
        return row.summary if row is not None else None

    def action_tag(self) -> None:
        self.changes.tag(self._chosen())

    def action_note(self) -> None:
        run = self._summary_here()
        if run is not None:
            self.changes.note(run)

    def action_delete(self) -> None:
        """Move runs to the trash, after a question; a waiting one leaves the line at once."""
        row = self.table.current
        if row is not None and row.entry is not None:
            self.shell.manager.forget(row.entry)
            self.show_rows()
        else:
            self.changes.delete(self._chosen())

    def action_undo(self) -> None:
        self.changes.undo()

    # -- filter and order ----------------------------------------------------------------------

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.add_class("-shown")
        box.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the table; an empty filter closes."""
        self.table.focus()
        event.input.set_class(bool(event.value), "-shown")

    def action_clear(self) -> None:
        box = self.query_one("#filter", Input)
        box.value = ""
        box.remove_class("-shown")
        self.table.focus()

    def action_sort(self) -> None:
        here = SORTS.index(self.table.sort) if self.table.sort in SORTS else -1
        self._sort_by(SORTS[(here + 1) % len(SORTS)])

    def action_sort_by(self, name: str) -> None:
        """By the column that was clicked, twice reverses."""
        if name == self.table.sort:
            self.action_reverse()
        else:
            self._sort_by(name)

    def _sort_by(self, name: str) -> None:
        self.table.sort, self.table.reverse = name, name not in {"preset", "changed", "state", "params"}
        self.show_rows()
        self.table.rebuild()

    def action_reverse(self) -> None:
        self.table.reverse = not self.table.reverse
        self.show_rows()
        self.table.rebuild()

    def action_unmark(self) -> None:
        self.table.marked.clear()
        self.table.rebuild()
        self._say_marked()

    def action_reload(self) -> None:
        self.reload()

    # -- queue ---------------------------------------------------------------------------------

    def action_add(self) -> None:
        from tuitrain.tui.runs.dialogs import QueueDialog

        ask(self, QueueDialog(), self._add)

    def _add(self, plan: list[Job]) -> None:
        for job in plan:
            with told(self, timeout=SAID_S):
                self.shell.manager.start(job)
        self.notify(f"{plural(len(plan), 'run')} in line", timeout=3)
        self.show_rows()

    def action_resume(self) -> None:
        row, run = self.table.current, self._summary_here()
        if row is not None and row.members:
            from tuitrain.study.store import the_study

            with told(self, timeout=SAID_S):
                self.shell.resume_study(the_study(self.shell.settings.runs_dir, row.runs[0].study))
        if run is None:
            return
        if run.state in RESUMABLE:
            with told(self, timeout=SAID_S):
                self.shell.resume_run(run.path)
        else:
            self.notify(
                f"this run is {run.state}; stopped and cut-off runs can go on", markup=False, timeout=4
            )

    def action_branch(self) -> None:
        from tuitrain.runs.directory import RunDirectory
        from tuitrain.tui.monitor.branching import ask_branch

        run = self._summary_here()
        if run is not None:
            with told(self, timeout=SAID_S):
                ask_branch(self, RunDirectory.open(Path(run.path)))

    def action_earlier(self) -> None:
        self._move(-1)

    def action_later(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        row = self.table.current
        if row is not None and row.entry is not None:
            self.shell.manager.move(row.entry, by)
            self.show_rows()
            self.table.action_move(by)
