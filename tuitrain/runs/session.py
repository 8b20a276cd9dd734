"""One run in this process: a plain training thread that drives a trainer and never calls a screen.

A second thread, the keeper, looks at `control.jsonl` and replaces `progress.json` five times a second,
so that other shells see and steer the run while a step, an evaluation or a pause lasts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tuitrain.errors import CheckpointError, ExitCode, TuitrainError, visible
from tuitrain.runs import checkpoint, durable, neighbours, report_files
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import waits_text
from tuitrain.runs.keeper import Keeper
from tuitrain.runs.recorder import Recorder
from tuitrain.runs.run_files import RunFiles, StateLike
from tuitrain.runs.snapshot import Snapshot
from tuitrain.training.command import RunControl
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Event,
    Notice,
    Phase,
    Record,
    RunFinished,
    RunStarted,
    StepProgress,
)

if TYPE_CHECKING:
    from tuitrain.data.dataset import Dataset

OUTCOME_CODES = {
    "completed": ExitCode.DONE,
    "stopped": ExitCode.DONE,
    "diverged": ExitCode.DIVERGED,
    "out_of_memory": ExitCode.DEVICE,
    "failed": ExitCode.FAILED,
}


class TrainerLike(Protocol):
    """The trainer of a session."""

    def run(self, control: RunControl) -> Iterator[Event]:
        """The stream of events."""

    def state(self) -> StateLike:
        """The state between two steps."""

    def inspection(self) -> Any:
        """What the last evaluation saw."""


#: Makes the trainer, on the training thread: loads data, imports torch. Given the state to resume from.
Factory = Callable[[Any, Callable[[Event], None]], TrainerLike]


class Session:
    """Runs a trainer in a thread and writes its run directory, whose lock it holds.

    Args:
        factory: makes the trainer, on the training thread, from a state to resume (or None) and a
            function that takes early events (a Phase while data is loaded, a Notice).
        directory: created, or opened and acquired; released when the run ends.
        resume: go on from the newest checkpoint that is whole.
        summary: gives the text of `summary.txt`; called on the training thread before training.
        keep: how many of the last checkpoints are kept, beside the best.
        dataset: whose test images judge the run; for the pictures of its report.

    Attributes:
        reporter: makes the report that the run leaves in its directory; there is none without it. Set before `start`.
        until: the epoch after which the run is stopped, before its last; None for none. Set before `start`.
    """

    def __init__(
        self,
        factory: Factory,
        directory: RunDirectory,
        *,
        resume: bool = False,
        summary: Callable[[], str] | None = None,
        control: RunControl | None = None,
        keep: int = 2,
        dataset: Dataset | None = None,
    ) -> None:
        self.directory = directory
        self.control = control or RunControl()
        self.snapshot = Snapshot()
        self.recorder = Recorder(directory, directory.events() if resume else ())
        self.error: BaseException | None = None
        self._files = RunFiles(directory, self.recorder, summary=summary, keep=keep, resume=resume)
        self._factory, self._resume, self._dataset = factory, resume, dataset
        self.reporter: report_files.Reporter | None = None
        self.until: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._main, name=f"train-{directory.name}", daemon=True)
        self._keeper = Keeper(
            directory, self.recorder, self.control, lambda: self.snapshot, self._look_after_directory
        )

    # For other threads

    @property
    def records(self) -> list[Record]:
        """The lossless records so far, append-only; read it by index."""
        return self.recorder.records

    @property
    def running(self) -> bool:
        """Whether the run's thread is still at work."""
        return self._thread.ident is not None and not self._ended.is_set()

    @property
    def ended(self) -> bool:
        """Whether the run is over and its directory released."""
        return self._ended.is_set()

    @property
    def outcome(self) -> str | None:
        """How the run ended; None while it goes on."""
        finished = self.recorder.finished
        return finished.outcome if finished else None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the process, without signals."""
        if isinstance(self.error, TuitrainError):
            return self.error.exit_code
        code = OUTCOME_CODES.get(self.outcome or "failed", ExitCode.FAILED)
        if code == ExitCode.DONE and self.recorder.trouble:
            return ExitCode.RUN_DIRECTORY
        return code

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()
        self._keeper.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the run has ended and its directory is released; returns whether it has.

        A signal handler of the main thread runs while it waits here.
        """
        return self._ended.wait(timeout)

    def note(self, event: Control | Notice) -> None:
        """Record something that happened outside training: a viewer came or went, a screen broke."""
        self.recorder.add(event)

    def detached(self, source: str) -> None:
        """Record that the terminal is gone and the run goes on without it."""
        step = self.snapshot.progress.step if self.snapshot.progress else 0
        self.note(Control("detached", self._finished_epochs(), step, source=source))
        if self.snapshot.phase == "paused":
            name = visible(self.directory.name)
            remedy = f"`tuitrain attach {name}` shows it, `tuitrain resume {name}` lets it go on"
            self.note(Notice("paused, and its terminal has gone", remedy, code="paused_no_terminal"))

    def abandon(self, message: str, source: str) -> bool:
        """Record that the run stopped, if its thread does not do it in time."""
        return self.recorder.abandon(message, source)

    def _finished_epochs(self) -> int:
        last = self.recorder.history.last
        return last.epoch if last is not None else 0

    # The training thread

    def _main(self) -> None:
        try:
            self._train()
        except TuitrainError as error:
            self.error = error
            self._end_badly(str(error))
        except BaseException as error:  # any error must be recorded in the directory, and the lock released
            self.error = error
            self._end_badly(f"{type(error).__name__}: {visible(error)}{self._say_traceback(error)}")
        finally:
            try:
                self._close()
            finally:  # those who wait for the end must be woken, whatever went wrong
                self.directory.close()
                self._ended.set()

    def _close(self) -> None:
        self._publish(Phase("saving"))
        self._keeper.finish()
        self._write_report()
        self.recorder.finish()
        neighbours.withdraw_run(self.directory)
        with contextlib.suppress(OSError):
            (self.directory.path / "progress.json").unlink(missing_ok=True)

    def _write_report(self) -> None:
        """What goes wrong with it never fails a run."""
        history, data = self.recorder.history, self._dataset
        if self.reporter is None or not report_files.is_reported(history):
            return
        images, classes = (data.test.images, data.classes) if data is not None else (None, ())
        try:
            texts = self.reporter(history, self._files.evaluations, images, classes)
            report_files.write(self.directory.path, texts)
        except OSError as error:
            self.recorder.failed(report_files.REPORT, error)
        except Exception as error:
            told = f"its report could not be made: {type(error).__name__}: {visible(error)}{self._say_traceback(error)}"
            self.note(Notice(told, remedy="`tuitrain report` tries again", code="no_report"))

    def _end_badly(self, message: str) -> None:
        if self.recorder.finished is None:
            self.recorder.add(self.recorder.ending("failed", message))

    def _say_traceback(self, error: BaseException) -> str:
        """Writes it where what a run prints goes; how the message names that place."""
        path = self.directory.path / "output.txt"
        with contextlib.suppress(OSError), os.fdopen(durable.open_append(path), "a") as file:
            traceback.print_exception(error, file=file)
            return f"; the traceback is in {visible(path)}"
        return ""

    def _train(self) -> None:
        """Run a trainer, from the newest checkpoint that is complete and fits it."""
        self._publish(Phase("loading data"))
        folder = self.directory.path / "checkpoints"
        found = list(reversed(checkpoint.entries(folder))) if self._resume else []
        if not found:
            self._drive(self._factory(None, self._publish))
            return
        damaged: list[checkpoint.CheckpointEntry] = []
        refused: CheckpointError | None = None
        for entry in found:
            try:
                stored = checkpoint.load_checkpoint(entry)
            except CheckpointError as error:
                damaged.append(entry)
                self._skipped(error)
                continue
            try:
                from tuitrain.training.state import TrainerState

                state = TrainerState.from_tensors(stored.tensors, stored.metadata)
                trainer = self._factory(state, self._publish)
                self._files.saved = (entry.epoch, entry.step)
                self._drive(trainer, damaged)
                return
            except CheckpointError as error:  # whole, but of other data or another network
                refused = refused or error
                self._skipped(error)
        raise refused or CheckpointError(
            f"all {len(found)} checkpoints in {visible(folder)} are damaged; "
            f"train it again with the command in {visible(self.directory.path / 'preset.toml')}."
        )

    def _skipped(self, error: CheckpointError) -> None:
        self.recorder.add(Notice(str(error), remedy="trying the one before", code="checkpoint_skipped"))

    def _drive(self, trainer: TrainerLike, damaged: Sequence[checkpoint.CheckpointEntry] = ()) -> None:
        self._files.write_summary()
        if self.reporter is not None and self._resume:
            report_files.remove(self.directory.path)  # it tells of an earlier end
        events = trainer.run(self.control)
        try:
            for event in events:
                if damaged and not isinstance(event, Control | Notice | Phase):
                    for entry in damaged:  # only once training really goes on without them
                        checkpoint.set_aside(entry)
                    damaged = ()
                self._take(event, trainer)
        finally:
            try:
                close = getattr(events, "close", None)
                if close is not None:
                    close()
            finally:
                self._files.settle()

    def _publish(self, event: Event) -> None:
        now, cpu = time.monotonic(), time.thread_time()
        old = self.snapshot
        if isinstance(event, StepProgress):
            since = old.since if old.phase == "training" else now
            self.snapshot = Snapshot(event, "training", event.epoch, now, cpu, since)
        elif isinstance(event, Phase):
            self.snapshot = Snapshot(old.progress, event.phase, event.epoch or old.epoch, now, cpu, now)
        else:
            self.recorder.add(event)

    def _take(self, event: Event, trainer: TrainerLike) -> None:
        self._look_after_directory()
        if not isinstance(event, StepProgress | Phase):
            self._files.settle()  # what is recorded now comes after the checkpoint before it
        if isinstance(event, EpochFinished):
            self.recorder.add(event)
            # Before the checkpoint: a run that is resumed from it evaluates its epoch no more.
            self._files.keep_evaluation(trainer.inspection())
            self._files.begin_checkpoint(trainer.state(), best=self.recorder.history.best is event)
            if self.until is not None and event.epoch >= self.until:
                self.control.stop(waits_text(event.epoch), source="study")
        elif isinstance(event, Control):
            self.recorder.add(event)
            if event.action in ("checkpoint", "stop"):
                self._save(trainer, best=False)
            elif event.action == "restarted":
                self._look_for_neighbours(event.detail)
        elif isinstance(event, RunFinished):
            if self._files.catch_up():
                best = self.recorder.history.best
                self._save(trainer, best=best is not None and best is self.recorder.history.last)
            self._files.sync_evaluations()
            self.recorder.add(self._files.save_model(event, trainer.state))
        else:
            self._publish(event)
            if isinstance(event, RunStarted):
                self._look_for_neighbours(event.device)

    def _look_for_neighbours(self, device: str) -> None:
        started = next((r.event for r in self.records if isinstance(r.event, RunStarted)), None)
        threads = started.runtime.get("threads") if started else None
        notice = neighbours.announce_run(self.directory, device, threads if isinstance(threads, int) else 0)
        if notice is not None:
            self.recorder.add(notice)

    def _save(self, trainer: TrainerLike, *, best: bool) -> None:
        before = self.snapshot
        self._publish(Phase("saving"))
        self._files.save_checkpoint(trainer.state(), best=best)
        self.snapshot = dataclasses.replace(self.snapshot, phase=before.phase, since=before.since)

    def _look_after_directory(self) -> None:
        """A directory that was removed during the run is made again, with a checkpoint as soon as possible."""
        if self.recorder.remake_if_gone():
            self._files.written_anew()
            self.control.checkpoint(source="keeper")
