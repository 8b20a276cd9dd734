"""The training loop: a generator of events; it writes no files and knows no screen."""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tuitrain.data.dataset import Dataset
from tuitrain.errors import DivergedError
from tuitrain.figures import plural
from tuitrain.training import devices, machine
from tuitrain.training.clock import Stopwatch
from tuitrain.training.command import Command, RunControl
from tuitrain.training.compiling import Compilation
from tuitrain.training.early_stop import early_stop
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Event,
    Notice,
    Outcome,
    Phase,
    PhaseName,
    StepProgress,
)
from tuitrain.training.job import Job
from tuitrain.training.memory import out_of_memory_message
from tuitrain.training.norms import LastStep
from tuitrain.training.run import Run
from tuitrain.training.run_ahead import FILLED, Report
from tuitrain.training.state import TrainerState
from tuitrain.training.step import Stepper

LOOK_S = 0.05  # between two looks at commands and at the compilation while the network is compiled
UNTOLD_S = 0.5  # a signal that ended the compilers has become a command by then


class Trainer(Run):
    """Trains a run by steps of its own. Arguments and errors as of `Run`."""

    def __init__(self, job: Job, dataset: Dataset, **settings: Any) -> None:
        self._watch = Stopwatch()
        self._stop: Command | None = None
        self._stepper: Any = None  # a Stepper from _prepare to _release
        self._compiling: Compilation | None = None  # then the network is not ours to look at
        self._data_wait_s = 0.0
        self._norms = LastStep()
        self._pause_after, self._pause_source = 0, ""
        super().__init__(job, dataset, **settings)

    # ---------------------------------------------------------------------------------- the run

    def run(self, control: RunControl | None = None) -> Iterator[Event]:
        """The events of the run, from RunStarted (resumed: Control "restarted") to RunFinished.

        What goes wrong outside the design (not divergence, not memory) is raised.
        """
        control = control or RunControl()
        self._begun = time.monotonic()
        outcome: Outcome = "completed"
        message = ""
        try:
            with devices.settings(self.runtime, self.device):
                yield from self._prepare()
                while self._goes_on() and self._stop is None:
                    yield from self._one_epoch(self._stepper, control)
            if self.position.ended_early:
                message = self.position.early[2]
            elif self._stop is not None and self.position.epoch < self.position.epochs:
                outcome, message = "stopped", self._stop.reason
        except DivergedError as error:
            outcome, message = "diverged", str(error)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            outcome = "out_of_memory"
            message = out_of_memory_message(str(self.device), self.preset.train.batch_size)
            if not self._announced:
                yield self._first_event()
        finally:
            self._release()
        yield self.position.finished(
            outcome,
            message,
            images=self.feed.images,
            seconds=self._elapsed(),
            model_sha256=self._state.model_sha256(),
        )

    # ------------------------------------------------------------------------------- its parts

    def _prepare(self) -> Iterator[Event]:
        epoch = self.position.epoch
        yield Phase("loading data", epoch + 1)
        self._judged = self.feed.to(self.device)
        yield Phase("warming up", epoch + 1)
        self.network.to(self.device).train()
        self._stepper = stepper = machine.make_stepper(self.network, self.preset, self.device, self.runtime)
        if self._resumed is not None and (self._resumed.optimizer or epoch or self.position.step):
            stepper.optimizer.load(self._resumed.optimizer)
            if stepper.averaged is not None:
                stepper.averaged.load(self._resumed.ema)
        self._load_epoch(stepper)
        self.machine, notices = machine.choose(
            stepper, self.runtime, self.machine, self.table, self.preset.train.epochs
        )
        # Only now is it known how the run uses the machine, which its first event tells.
        yield self._first_event()
        yield from notices
        if reason := devices.passed_over(self.runtime.device):
            remedy = "install a torch that is built for it, or name another --device"
            yield Notice(f"training on the CPU: {reason}", remedy, code="gpu_unsupported")
        if self.feed.dropped:
            yield Notice(
                "the single image left over at each epoch's end is not trained on, as batch norm can't learn from it",
                "choose another batch size",
                level="info",
                code="single_image_dropped",
            )

    def _load_epoch(self, stepper: Stepper) -> None:
        begun = time.monotonic()
        stepper.begin_epoch(self.position.epoch, *self.feed.epoch(self.position.epoch))
        if self.device.type == "cuda":  # the first step would wait for it anyway; so the time is known
            torch.cuda.current_stream(self.device).synchronize()
        self._data_wait_s = time.monotonic() - begun
        stepper.seek(self.position.step, self.position.loss_sum, self.position.correct)

    def _one_epoch(self, stepper: Stepper, control: RunControl) -> Iterator[Event]:
        now, steps = self.position, self.feed.steps
        if machine.compile_is_due(stepper, self.machine, now.epoch):
            yield from self._compile(stepper, control)
            if self._stopped_now:
                return
        yield Phase("training", now.epoch + 1)
        self._watch = watch = Stopwatch(now.train_s, self._watch.rate)
        if stepper.epoch != now.epoch:
            self._load_epoch(stepper)
        watch.restart(stepper.position, now.step)
        while now.step < steps:
            if control.pending:
                yield from self._obey(control)
                if self._stopped_now:
                    return
            stepper.set_lr(self.schedule.lr_at(now.epoch, now.step))
            last = now.step == steps - 1
            if last:
                self._norms.before(stepper)
            stepper.step()
            if last:
                self._norms.after(stepper)
            now.step += 1
            if now.step == min(FILLED, steps) and now.epoch + 1 < now.epochs:
                self.feed.make_ahead(now.epoch + 1)
            if watch.due() and (report := stepper.report()) is not None and report.step > watch.step:
                yield self._progress(report)
        self._read(stepper)
        yield Phase("evaluating", now.epoch + 1)
        yield self._end_epoch(stepper)
        if self._pause_after == now.epoch and now.epoch < now.epochs:
            control.pause(source=self._pause_source)
        if control.pending:
            yield from self._obey(control)
        if self._stop is not None and self._stop.when == "epoch":
            yield Control("stop", now.epoch, detail=self._stop.reason, source=self._stop.source)

    def _compile(self, stepper: Stepper, control: RunControl) -> Iterator[Event]:
        """Compiles the network and carries out commands meanwhile; a stop doesn't wait for the compilation."""
        yield Phase("compiling", self.position.epoch + 1)
        self._compiling, notices = machine.begin_compiling(stepper)
        compilation = self._compiling
        yield from notices
        patience_s = UNTOLD_S
        while compilation.running or (compilation.failed and patience_s > 0):
            if not compilation.running:  # perhaps by the signal that stops the run, which says so in a moment
                patience_s -= LOOK_S
            if control.wait(LOOK_S):
                yield from self._obey(control)
                if self._stopped_now:
                    return
        self._compiling = None
        self.machine, notices = machine.after_compiling(self.machine, compilation)
        yield from notices

    @property
    def _stopped_now(self) -> bool:
        return self._stop is not None and self._stop.when == "now"

    def _end_epoch(self, stepper: Stepper) -> EpochFinished:
        now, begun = self.position, time.monotonic()
        batch = machine.judging_batch(self.table, self.device)
        seen = stepper.evaluate(*self._judged, batch)
        averaged = stepper.evaluate_averaged(*self._judged, batch)
        if not math.isfinite(seen.loss):
            raise self._diverged("the test loss is not finite")
        finished = EpochFinished(
            epoch=now.epoch + 1,
            epochs=now.epochs,
            train_loss=now.loss_sum / self.feed.images,
            train_acc=now.correct / self.feed.images,
            test_loss=seen.loss,
            test_acc=seen.accuracy,
            lr=self.schedule.lr_at(now.epoch, self.feed.steps - 1),
            train_s=now.train_s,
            test_s=time.monotonic() - begun,
            elapsed_s=self._elapsed(),
            images_per_s=self.feed.images / max(now.train_s, 1e-9),
            test_images=len(self.dataset.test.labels),
            data_wait_s=self._data_wait_s,
            norms=self._norms.read(),
            ema_test_loss=averaged.loss if averaged else None,
            ema_test_acc=averaged.accuracy if averaged else None,
        )
        self.schedule.observe(seen.loss)
        now.next_epoch(finished)
        self._look_for_early_stop()
        self._keep(seen)
        return finished

    def _goes_on(self) -> bool:
        return self.position.epoch < self.position.epochs and not self.position.ended_early

    def _look_for_early_stop(self) -> None:
        """Whether the run ends here; at its last planned epoch it ends anyway."""
        now = self.position
        if self.preset.train.early_stop.on and now.epoch < now.epochs:
            why, sentence = early_stop(self.preset, now.history[now.early[0] :])
            if why:
                now.early = (now.epoch, why, sentence)

    def _progress(self, done: Report) -> StepProgress:
        now, images = self.position, max(min(done.step * self._stepper.batch, self.feed.images), 1)
        if not math.isfinite(done.loss_sum):
            raise self._diverged("the training loss is not finite")
        step_ms = self._watch.lap(images, done.step)
        return StepProgress(
            epoch=now.epoch + 1,
            step=done.step,
            steps=self.feed.steps,
            train_loss=done.loss_sum / images,
            train_acc=done.correct / images,
            lr=self.schedule.lr_at(now.epoch, max(done.step - 1, 0)),
            images_per_s=self._watch.rate,
            step_ms=step_ms,
            elapsed_s=self._elapsed(),
        )

    def _read(self, stepper: Stepper) -> None:
        """The running sums; the one place where training waits for the device."""
        now = self.position
        now.loss_sum, now.correct = stepper.read()
        now.train_s = self._watch.seconds()
        if not math.isfinite(now.loss_sum):
            raise self._diverged("the training loss is not finite")

    def _obey(self, control: RunControl) -> Iterator[Event]:
        """Carries out the waiting commands; returns when there are no more and the run is not paused."""
        now, paused = self.position, False
        working: PhaseName = "training" if self._compiling is None else "compiling"
        while (command := control.take()) is not None or paused:
            if command is None:
                control.wait()
                continue
            if self._compiling is None and self._stepper is not None and now.step:
                self._read(self._stepper)
            event = Control("paused", now.epoch, now.step, command.value, source=command.source)
            match command.action:
                case "pause" if command.value is not None and not 0 < command.value <= now.epoch:
                    self._pause_after, self._pause_source = int(command.value), command.source
                    yield replace(event, action="pause_after")
                case "pause" if not paused:
                    paused = True
                    self._watch.hold()
                    yield event
                    yield Phase("paused", now.epoch + 1)
                case "resume" if paused:
                    paused = False
                    yield replace(event, action="resumed")
                    yield Phase(working, now.epoch + 1)
                case "checkpoint":
                    self._state = self._capture()
                    yield replace(event, action="checkpoint")
                case "set_lr" if command.value is not None:
                    self.schedule.rebase(command.value, now.epoch, now.step)
                    yield replace(event, action="learning_rate")
                case "add_epochs" if command.value is not None:
                    now.epochs = self.schedule.epochs = now.epochs + int(command.value)
                    yield replace(event, action="extended", detail=plural(now.epochs, "epoch"))
                case "stop":
                    # Between two epochs there is nothing to finish first.
                    self._stop = replace(command, when="now") if now.step == 0 else command
                    if self._stop.when == "now":
                        self._state = self._capture()
                        yield replace(event, action="stop", detail=command.reason)
                        return
                    if paused:
                        paused = False
                        yield Phase(working, now.epoch + 1)
        self._watch.go()

    def _capture(self) -> TrainerState:
        if self._compiling is not None:  # the last state is of this very step
            return replace(self._state, meta=self._meta())
        return super()._capture()

    def _tensors(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if self._stepper is None:
            return super()._tensors()
        averaged = self._stepper.averaged
        return self._stepper.optimizer.tensors(), {} if averaged is None else averaged.tensors()

    def _release(self) -> None:
        """Frees the memory for the next run in this process."""
        self._stepper = None
        self._judged = None  # type: ignore[assignment]
        self.feed.release()
        if self._compiling is not None:  # left behind: it still has them in hand
            return
        # A device that has failed answers every call with an error, which must not hide what ended the run.
        with contextlib.suppress(RuntimeError):
            self.network.to("cpu")
        for parameter in self.network.parameters():
            parameter.grad = None
        if self.device.type == "cuda":
            gc.collect()  # stops every thread, so it is left out where memory is not scarce
            with contextlib.suppress(RuntimeError):
                torch.cuda.empty_cache()
