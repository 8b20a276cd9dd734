"""Trains a study in a thread of its own, as a session trains a run: what a queue of runs asks for."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tuitrain.errors import ExitCode, TuitrainError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.report_files import Reporter
from tuitrain.study.duel import duel_of
from tuitrain.study.executors import executor_for
from tuitrain.study.reading import StudyReader
from tuitrain.study.store import StudyDirectory
from tuitrain.study.training import StudyTraining
from tuitrain.training.command import RunControl
from tuitrain.training.events import Record


class StudySession:
    """Trains what a study has not trained yet, on this machine.

    Attributes:
        directory: none: it is no run.
        records: none: its members have them.
        reporter: makes the report that each member leaves in its directory.
    """

    directory: RunDirectory | None = None
    records: Sequence[Record] = ()

    def __init__(self, study: StudyDirectory, control: RunControl, data_dir: Path | None = None) -> None:
        """Takes the study.

        Args:
            study: that is to be trained.
            control: its commands are passed on; only a stop means something to a study.
            data_dir: where the data lies.

        Raises:
            RunDirectoryError: another process trains it, or its plan can't be read.
        """
        study.acquire()
        try:
            plan = study.plan()
            self._workers, local = executor_for(study, plan)
            plan = replace(plan, runtime=local.runtime)
            self.study, self.control = study, control
            self._reader = StudyReader(study.runs_dir, plan)
            self._training = StudyTraining(
                study, plan, self._workers, at_once=local.at_once, together=local.together, data_dir=data_dir,
                enough=(lambda: duel_of(plan, self._reader.groups()).decided) if plan.kind == "duel" else lambda: False,
            )  # fmt: skip
        except BaseException:
            study.release()
            raise
        self._thread = threading.Thread(target=self._run, name=f"study-{study.name}", daemon=True)
        self.reporter: Reporter | None = None
        self.error = ""
        self.exit_code: int = ExitCode.DONE

    def start(self) -> None:
        """Begins."""
        self._training.reporter = self.reporter
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Waits until it has ended; returns whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def abandon(self, message: str, source: str) -> bool:
        """Nothing to record: each member's process saves what it has when this one is gone."""
        return self._training.abandon(message, source)

    def detached(self, source: str) -> None:
        """The terminal is gone; it goes on."""
        self._training.detached(source)

    def _run(self) -> None:
        try:
            self._training.run(self._pass_on)
        except TuitrainError as error:
            self.error, self.exit_code = str(error), int(error.exit_code)
        except Exception as error:  # a thread must not die silently: what went wrong is shown
            traceback.print_exc()
            self.error, self.exit_code = f"{type(error).__name__}: {error}", int(ExitCode.FAILED)
        finally:
            self._workers.shutdown(wait=False, cancel_futures=True)
            self.study.release()
        bad = [end for end in self._training.endings.values() if end.outcome in ("refused", "failed")]
        if bad and not self.error:
            self.error, self.exit_code = bad[0].message, bad[0].exit_code or int(ExitCode.FAILED)

    def _pass_on(self) -> None:
        while (command := self.control.take()) is not None:
            self._training.control.post(command)
