"""What the terminal is told of runs while nobody may look: accuracy and epoch in its title, a word at their end."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from tuitrain.tui.shell.protocol import ShowsRuns, shell

if TYPE_CHECKING:
    from tuitrain.runs.on_finish import Finishing
    from tuitrain.runs.queue_entry import QueueEntry
    from tuitrain.tui.terminal.job import TerminalApp
    from tuitrain.watch.manners import Message

#: Between two looks at the terminal's title.
TITLE_S = 1.0


class RunTelling:
    """Tells of the runs that train in this process, and of the run that the monitor shows."""

    def __init__(self, app: TerminalApp, monitor: Callable[[], Screen[Any] | None]) -> None:
        self._app, self._monitor = app, monitor
        self._titled: tuple[object, int] = (None, 0)  # whose title it is, after how many of its events

    def begin(self) -> None:
        shell(self._app).manager.on_end = self.run_ended
        self._app.set_interval(TITLE_S, self.show_title)

    def show_title(self) -> None:
        """Accuracy and epoch of what trains here, else of the run that is shown."""
        from tuitrain.runs.history import History
        from tuitrain.watch.manners import title_text

        app = self._app
        trained = next((e.session for e in shell(app).manager.training() if e.session and e.directory), None)
        monitor = self._monitor()
        if trained is not None:
            records = trained.records
            if len(records) != self._titled[1] or trained is not self._titled[0]:
                self._titled = (trained, len(records))
                app.retitle(title_text(History.of(records)))
        elif isinstance(monitor, ShowsRuns) and (history := monitor.live_history()) is not None:
            app.retitle(title_text(history))
        else:
            app.retitle("tuitrain")

    def run_ended(self, entry: QueueEntry) -> None:
        """In the thread of the run: a word to who doesn't look, and what the user wants done."""
        if entry.study:
            self._study_ended(entry)
        elif entry.session is not None and entry.directory is not None:
            from tuitrain.runs.history import History
            from tuitrain.runs.run_json import run_json
            from tuitrain.watch.manners import ended_message

            history, path = History.of(entry.session.records), entry.directory.path
            self._app.call_later(self._tell_end, ended_message(history))
            self._run_command(lambda: run_json(history, path))

    def _study_ended(self, entry: QueueEntry) -> None:
        """The same of a study, which leaves what the command line's does."""
        from tuitrain.report.study_result import keep_results, study_object
        from tuitrain.study.reading import StudyReader
        from tuitrain.study.store import the_study
        from tuitrain.watch.manners import study_message

        study = the_study(shell(self._app).manager.runs_dir, entry.study)
        plan = study.plan()
        groups = StudyReader(study.runs_dir, plan).groups()
        took_s = time.monotonic() - entry.asked
        self._app.call_later(self._tell_end, study_message(study.name, groups, took_s))
        left = keep_results(study, plan, groups)
        self._run_command(lambda: study_object(study, plan, groups) | left)

    def _run_command(self, result: Callable[[], Mapping[str, Any]]) -> None:
        from tuitrain.runs import on_finish

        finishing = on_finish.begin(result)
        if finishing is not None:
            threading.Thread(target=self._await_command, args=(finishing,), daemon=True).start()

    def _await_command(self, finishing: Finishing) -> None:
        if problem := finishing.wait():
            print(problem, file=sys.stderr)  # the log of the run
            app = self._app
            app.call_later(partial(app.notify, problem, severity="warning", markup=False, timeout=12))

    def _tell_end(self, message: Message | None) -> None:
        app = self._app
        if message is not None and shell(app).settings.notify and not app.is_looked_at:
            app.tell(message)
