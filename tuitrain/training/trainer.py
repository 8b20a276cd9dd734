"""The training loop: a generator of events that writes no file and knows no screen."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tuitrain.data.augment import Augment
from tuitrain.data.mnist import Dataset
from tuitrain.errors import CheckpointError, PresetError, visible
from tuitrain.spec.preset import Preset
from tuitrain.spec.schedule import LearningRate
from tuitrain.training import devices, events
from tuitrain.training.control import Command, RunControl
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Event,
    Notice,
    Phase,
    RunFinished,
    RunStarted,
    StepProgress,
)
from tuitrain.training.inspection import Inspection, kernels
from tuitrain.training.model import build
from tuitrain.training.runtime import Runtime
from tuitrain.training.seeding import key
from tuitrain.training.state import SCHEMA, TrainerState
from tuitrain.training.step import Evaluation, Stepper
from tuitrain.training.tune import Machine, choose_threads, judging_batch

REPORT_S = (
    0.1  # between two progress events, and so the longest time until a loss that is not finite is found
)


class _Diverged(Exception):
    """The loss or a weight is no longer finite."""


class Trainer:
    """Trains one preset on one data set.

    Args:
        preset: what to train.
        dataset: the data; `test` is the judging set.
        runtime: how to use the machine.
        run_name: of the run's directory, for the first event.
        changed: what differs from the preset as published, `[old, new]` by dotted key.
        budget: the parameter budget the user set.
        command: the command line that repeats the run.
        resume: the state to go on from.

    Raises:
        PresetError: the network can't be built, or can't be trained with this batch size.
        DeviceError: the device is not there.
        CheckpointError: the state to resume belongs to something else.
    """

    def __init__(
        self,
        preset: Preset,
        dataset: Dataset,
        runtime: Runtime | None = None,
        *,
        run_name: str = "",
        changed: dict[str, list[Any]] | None = None,
        budget: int | None = None,
        command: str = "",
        resume: TrainerState | None = None,
    ) -> None:
        self.preset, self.dataset, self.runtime = preset, dataset, runtime or Runtime()
        self.table = preset.table()
        self.device = devices.pick(self.runtime.device)
        self.run_name, self.changed, self.budget, self.command = run_name, changed or {}, budget, command
        train = preset.train
        self.images = len(dataset.train.labels)
        self.dropped = _images_to_drop(preset, self.images)
        self.images -= self.dropped
        self.steps = -(-self.images // train.batch_size)
        self.epochs, self.epoch, self.step = train.epochs, 0, 0
        self.schedule = LearningRate(train, self.steps)
        self.history: list[EpochFinished] = []
        self.machine = Machine()
        self._totals = (0.0, 0)
        self._train_s = self._elapsed_before = 0.0
        self._resume = resume
        if resume is not None:
            self._take_meta(resume)
        self._state: TrainerState | None = resume
        self._stepper: Stepper | None = None
        self._evaluation: tuple[int, Evaluation] | None = None
        self._first_layer: Tensor | None = None
        self._stop: Command | None = None
        self._begun = time.monotonic()
        self._watch = _Stopwatch()

    # ---------------------------------------------------------------------------------- the run

    def run(self, control: RunControl | None = None) -> Iterator[Event]:
        """The events of the run, from RunStarted (resumed: Control "restarted") to RunFinished.

        What goes wrong outside the design (not divergence, not memory) is raised.
        """
        control = control or RunControl()
        self._begun = time.monotonic()
        yield self._first_event()
        outcome: events.Outcome = "completed"
        message = ""
        try:
            with devices.settings(self.runtime, self.device):
                yield from self._prepare()
                while self.epoch < self.epochs and self._stop is None:
                    yield from self._one_epoch(control)
            if self._stop is not None and self.epoch < self.epochs:
                outcome, message = "stopped", self._stop.reason
        except _Diverged as error:
            outcome, message = "diverged", str(error)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            outcome, message = "out_of_memory", self._memory_message()
        finally:
            self._release()
        yield self._finished(outcome, message)

    def state(self) -> TrainerState:
        """The state at the last epoch's end or the last checkpoint or stop that was yielded; always finite."""
        if self._state is None:
            self._state = self._capture(build(self.preset).state_dict(), {}, (0.0, 0))
        return self._state

    def inspection(self) -> Inspection | None:
        """What the last evaluation saw, or None before the first."""
        if self._evaluation is None:
            return None
        epoch, seen = self._evaluation
        weight = self._first_layer
        return Inspection(
            epoch=epoch,
            labels=self.dataset.test.labels,
            predictions=seen.predictions,
            confidences=seen.confidences,
            first_layer=None if weight is None else kernels(weight.numpy()),
        )

    # ------------------------------------------------------------------------------- its parts

    def _prepare(self) -> Iterator[Event]:
        yield Phase("loading data", self.epoch + 1)
        train, test, device = self.dataset.train, self.dataset.test, self.device
        self._train_images, self._train_labels = _to_device(train.images, train.labels, device)
        self._test_images, self._test_labels = _to_device(test.images, test.labels, device)
        if self.dropped:
            yield Notice(
                "batch norm can't learn from the single image that is left over at each epoch's end; it is left out",
                "choose a batch size that divides the training set otherwise",
                level="info",
                code="single_image_dropped",
            )
        yield Phase("warming up", self.epoch + 1)
        network = build(self.preset)
        if self._resume is not None:
            _load_model(network, self._resume)
        network.to(device).train()
        self._judge_batch = judging_batch(self.table, device)
        self._stepper = Stepper(
            network, self.preset.train, device, precision=self.runtime.precision, seed=self.preset.train.seed
        )
        if self._resume is not None:
            self._stepper.load_optimizer(self._resume.optimizer)
        self._load_epoch(self._stepper)
        self.machine = choose_threads(self._stepper, self.runtime, self.machine)

    def _load_epoch(self, stepper: Stepper) -> None:
        """Puts the images of the current epoch before the stepper: shuffled, augmented, at the current step."""
        seed, epoch = self.preset.train.seed, self.epoch
        order = torch.randperm(
            len(self._train_labels), generator=torch.Generator().manual_seed(key(seed, "order", epoch))
        )[: self.images].to(self.device)
        images = self._train_images.index_select(0, order)
        generator = torch.Generator().manual_seed(key(seed, "augment", epoch))
        images = _augment(self.preset).apply(images, generator)
        stepper.begin_epoch(epoch, images, self._train_labels.index_select(0, order))
        stepper.seek(self.step, *self._totals)

    def _one_epoch(self, control: RunControl) -> Iterator[Event]:
        assert self._stepper is not None
        stepper = self._stepper
        yield Phase("training", self.epoch + 1)
        self._watch = _Stopwatch(self._train_s, self._watch.rate)
        self._load_epoch(stepper)
        self._watch.restart(stepper.position, self.step)
        while self.step < self.steps:
            if control.pending:
                yield from self._obey(control)
                if self._stop is not None and self._stop.when == "now":
                    return
            stepper.set_lr(self.schedule.lr_at(self.epoch, self.step))
            stepper.step()
            self.step += 1
            if self._watch.due():
                yield self._progress()
        self._read()
        self._train_s = self._watch.seconds()
        yield Phase("evaluating", self.epoch + 1)
        yield self._end_epoch()
        if control.pending:
            yield from self._obey(control)
        if self._stop is not None and self._stop.when == "epoch":
            yield Control("stop", self.epoch, detail=self._stop.reason, source=self._stop.source)

    def _end_epoch(self) -> EpochFinished:
        assert self._stepper is not None
        begun = time.monotonic()
        seen = self._stepper.evaluate(self._test_images, self._test_labels, self._judge_batch)
        if not math.isfinite(seen.loss):
            raise _Diverged(self._diverged_message(f"test loss is {seen.loss}"))
        loss_sum, correct = self._totals
        finished = EpochFinished(
            epoch=self.epoch + 1,
            epochs=self.epochs,
            train_loss=loss_sum / self.images,
            train_acc=correct / self.images,
            test_loss=seen.loss,
            test_acc=seen.accuracy,
            lr=self.schedule.lr_at(self.epoch, self.steps - 1),
            train_s=self._train_s,
            test_s=time.monotonic() - begun,
            elapsed_s=self._elapsed(),
            images_per_s=self.images / max(self._train_s, 1e-9),
            test_images=len(self._test_labels),
        )
        self.schedule.observe(seen.loss)
        self.history.append(finished)
        self.epoch, self.step, self._totals, self._train_s = self.epoch + 1, 0, (0.0, 0), 0.0
        self._save_state()
        self._evaluation = (self.epoch, seen)
        first = self._stepper.network.first_layer()
        self._first_layer = None if first is None else first[1].detach().float().cpu()
        return finished

    def _progress(self) -> StepProgress:
        loss_sum, correct = self._read()
        assert self._stepper is not None
        seen = max(self._stepper.position, 1)
        step_ms = self._watch.lap(self._stepper.position, self.step)
        return StepProgress(
            epoch=self.epoch + 1,
            step=self.step,
            steps=self.steps,
            train_loss=loss_sum / seen,
            train_acc=correct / seen,
            lr=self.schedule.lr_at(self.epoch, self.step - 1),
            images_per_s=self._watch.rate,
            step_ms=step_ms,
            elapsed_s=self._elapsed(),
        )

    def _read(self) -> tuple[float, int]:
        """The running sums; the one place where training waits for the device, and looks at the loss."""
        assert self._stepper is not None
        self._totals = self._stepper.read()
        if not math.isfinite(self._totals[0]):
            raise _Diverged(self._diverged_message("the training loss is not finite"))
        return self._totals

    def _obey(self, control: RunControl) -> Iterator[Event]:
        """Carries out what was commanded; returns when no command is left and the run is not paused."""
        paused = False
        while (command := control.take()) is not None or paused:
            if command is None:
                control.wait()
                continue
            place = {"epoch": self.epoch, "step": self.step, "source": command.source}
            match command.action:
                case "pause" if not paused:
                    paused = True
                    self._read()
                    self._watch.hold()
                    yield Control("paused", **place)
                    yield Phase("paused", self.epoch + 1)
                case "resume" if paused:
                    paused = False
                    yield Control("resumed", **place)
                    yield Phase("training", self.epoch + 1)
                case "checkpoint":
                    self._save_state()
                    yield Control("checkpoint", **place)
                case "set_lr" if command.value is not None:
                    self.schedule.rebase(command.value, self.epoch, self.step)
                    yield Control("learning_rate", value=command.value, **place)
                case "add_epochs" if command.value is not None:
                    self.epochs = self.schedule.epochs = self.epochs + int(command.value)
                    yield Control("extended", value=command.value, detail=f"{self.epochs} epochs", **place)
                case "stop":
                    # Between two epochs there is nothing to finish first.
                    self._stop = replace(command, when="now") if self.step == 0 else command
                    if self._stop.when == "now":
                        self._save_state()
                        yield Control("stop", detail=command.reason, **place)
                        return
                    if paused:
                        paused = False
                        yield Phase("training", self.epoch + 1)
        self._watch.go()

    # ---------------------------------------------------------------------------------- state

    def _save_state(self) -> None:
        assert self._stepper is not None
        totals = self._read() if self.step else (0.0, 0)
        if self.step:
            self._train_s = self._watch.seconds()
        model, optimizer = self._stepper.network.state_dict(), self._stepper.optimizer_tensors()
        for tensor in (*model.values(), *optimizer.values()):
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise _Diverged(self._diverged_message("a weight is not finite"))
        self._state = self._capture(model, optimizer, totals)

    def _capture(
        self, model: dict[str, Tensor], optimizer: dict[str, Tensor], totals: tuple[float, int]
    ) -> TrainerState:
        meta = {
            "schema": SCHEMA,
            "epoch": self.epoch,
            "step": self.step,
            "epochs": self.epochs,
            "seed": self.preset.train.seed,
            "schedule": self.schedule.state_dict(),
            "totals": {"loss_sum": totals[0], "correct": totals[1], "train_s": self._train_s},
            "history": [events.to_dict(event) for event in self.history],
            "elapsed_s": self._elapsed(),
            "preset": self.preset.to_dict(),
            "dataset": self.dataset.name,
            "judged_by": self.dataset.judged_by,
            "train_images": self.images,
            "device": self.device.type,
            "machine": self.machine.to_dict(),
        }
        return TrainerState(
            {name: _on_cpu(tensor) for name, tensor in model.items()},
            {name: _on_cpu(tensor) for name, tensor in optimizer.items()},
            meta,
        )

    def _take_meta(self, state: TrainerState) -> None:
        meta = state.meta
        if meta.get("dataset") != self.dataset.name or meta.get("train_images") != self.images:
            raise CheckpointError(
                f"the checkpoint was trained on {visible(meta.get('train_images'))} images of "
                f"{visible(meta.get('dataset'))}, this is {self.images} of {self.dataset.name}; resume with the same data."
            )
        try:
            self.epoch, self.step, self.epochs = state.epoch, state.step, int(meta["epochs"])
            self.schedule.load_state_dict(meta["schedule"])
            totals = meta["totals"]
            self._totals = (float(totals["loss_sum"]), int(totals["correct"]))
            self._train_s, self._elapsed_before = float(totals["train_s"]), float(meta["elapsed_s"])
            self.history = [
                event
                for data in meta["history"]
                if isinstance(event := events.from_dict(data), EpochFinished)
            ]
            self.machine = Machine.from_dict(meta["machine"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"the checkpoint is not complete ({visible(error)[:80]}); resume from another."
            ) from None
        if self.step >= self.steps or meta.get("seed") != self.preset.train.seed:
            raise CheckpointError(
                "the checkpoint belongs to other settings (batch size or seed); resume with the run's own preset."
            )

    # --------------------------------------------------------------------------------- events

    def _first_event(self) -> Event:
        if self._resume is not None:
            return Control("restarted", self.epoch, self.step, detail=str(self.device), source="trainer")
        return RunStarted(
            run=self.run_name,
            name=self.preset.name,
            preset=self.preset.to_dict(),
            seed=self.preset.train.seed,
            device=str(self.device),
            device_name=devices.describe(self.device),
            versions=devices.versions(self.device),
            runtime=self.runtime.to_dict(),
            parameters=self.table.parameters,
            mult_adds=self.table.mult_adds,
            dataset=self.dataset.name,
            train_images=self.images,
            test_images=len(self.dataset.test.labels),
            judged_by=self.dataset.judged_by,
            epochs=self.epochs,
            steps_per_epoch=self.steps,
            changed=self.changed,
            budget=self.budget,
            command=self.command,
        )

    def _finished(self, outcome: events.Outcome, message: str) -> RunFinished:
        best = max(self.history, key=lambda event: event.test_acc, default=None)
        last = self.history[-1] if self.history else None
        trained_s = sum(event.train_s for event in self.history)
        return RunFinished(
            outcome=outcome,
            epochs=self.epoch,
            best_test_acc=best.test_acc if best else math.nan,
            best_epoch=best.epoch if best else 0,
            last_test_acc=last.test_acc if last else math.nan,
            last_train_acc=last.train_acc if last else math.nan,
            last_test_loss=last.test_loss if last else math.nan,
            seconds=self._elapsed(),
            images_per_s=self.images * len(self.history) / trained_s if trained_s else 0.0,
            message=message,
            model_sha256=self.state().model_sha256(),
        )

    def _elapsed(self) -> float:
        return self._elapsed_before + time.monotonic() - self._begun

    def _diverged_message(self, what: str) -> str:
        lr = self.schedule.lr_at(self.epoch, max(self.step - 1, 0))
        return f"{what} in epoch {self.epoch + 1}, step {self.step}; try a learning rate below {lr:g}."

    def _memory_message(self) -> str:
        batch = self.preset.train.batch_size
        if batch == 1:
            return f"out of memory on {self.device} with a batch of 1; make the network smaller."
        smaller = 1 << (batch - 1).bit_length() - 1
        return f"out of memory on {self.device} with batch size {batch}; try --batch-size {smaller}."

    def _release(self) -> None:
        """Gives the memory back, so that the next run in this process finds it free."""
        self._stepper = None
        for name in ("_train_images", "_train_labels", "_test_images", "_test_labels"):
            self.__dict__.pop(name, None)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class _Stopwatch:
    """Time of training without the pauses, on the monotonic clock, and the rate over the last reports."""

    def __init__(self, before: float = 0.0, rate: float = 0.0) -> None:
        self._seconds, self._since, self._held = before, time.monotonic(), False
        self._lap = (self._since, 0, 0)
        self.rate = rate

    def due(self) -> bool:
        """Whether it is time for the next report."""
        return time.monotonic() - self._lap[0] >= REPORT_S

    def restart(self, images: int, step: int) -> None:
        """Begins a lap here."""
        self._lap = (time.monotonic(), images, step)

    def lap(self, images: int, step: int) -> float:
        """Ends a lap and begins the next; milliseconds a step in it. `rate` follows, smoothed."""
        (before, images_before, step_before), now = self._lap, time.monotonic()
        self._lap = (now, images, step)
        rate = (images - images_before) / (now - before)
        self.rate = rate if not self.rate else 0.7 * self.rate + 0.3 * rate
        return 1000 * (now - before) / max(step - step_before, 1)

    def seconds(self) -> float:
        """Seconds so far."""
        return self._seconds + (0.0 if self._held else time.monotonic() - self._since)

    def hold(self) -> None:
        """Stops the watch."""
        self._seconds, self._held = self.seconds(), True

    def go(self) -> None:
        """Lets it run again; the pause is no part of a lap."""
        if self._held:
            self._held, self._since = False, time.monotonic()
            self._lap = (self._since, *self._lap[1:])


def _on_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()


def _to_device(images: Any, labels: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """uint8 images and int64 labels as tensors on the device."""
    pixels = torch.from_numpy(np.require(images, np.uint8, ["C", "W"]))
    return pixels.to(device), torch.from_numpy(np.asarray(labels).astype(np.int64)).to(device)


def _augment(preset: Preset) -> Augment:
    train = preset.train
    return Augment(
        rotation=train.rotation, shift=train.shift, zoom=train.zoom, shear=train.shear, erase=train.erase
    )


def _images_to_drop(preset: Preset, images: int) -> int:
    """1 where the last batch would be a single image and a batch norm could not learn from it, else 0.

    Raises:
        PresetError: every batch would be a single image.
    """
    rows = preset.table().rows
    alone = any(row.kind == "batchnorm" and math.prod(row.output_shape[1:]) == 1 for row in rows)
    batch = preset.train.batch_size
    if not alone:
        return 0
    if batch == 1 or images == 1:
        raise PresetError(
            "train.batch_size is 1, but batch norm on a 1×1 map needs at least 2 images; use 2 or more."
        )
    return int(images % batch == 1)


def _load_model(network: torch.nn.Module, state: TrainerState) -> None:
    own = network.state_dict()
    for name in sorted({*own, *state.model}):
        mine, theirs = own.get(name), state.model.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape or mine.dtype != theirs.dtype:
            raise CheckpointError(
                f"the checkpoint does not fit the network at '{visible(name)[:80]}'; resume with the run's own preset."
            )
    network.load_state_dict(state.model)
