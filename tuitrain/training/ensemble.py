"""K seeds of one network trained at once: each by the steps of a run by itself, side by side in one launch.

Small networks leave a GPU idle; side by side they fill it. Each seed has initial weights, order, augmentation and
dropout of its own, keyed as in a run by itself, and its step is the very step of that run, so seed k gives what that
run gives, to the bit where torch computes alike. On CUDA the steps of all seeds are captured as one graph, on several
streams, so that those of different streams overlap. (Stacking them instead, into one network of K groups, would take
K times fewer launches, but grouped convolutions of few channels, which cuDNN is slow at, and other last bits.)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tuitrain.data.dataset import Dataset
from tuitrain.errors import UsageError
from tuitrain.spec.preset import Preset
from tuitrain.spec.schedule import LearningRate
from tuitrain.training import devices, machine
from tuitrain.training.command import RunControl
from tuitrain.training.epoch_images import EpochImages
from tuitrain.training.graph import GraphStepper, Pool, capture, side_by_side
from tuitrain.training.model import build
from tuitrain.training.norms import LastStep
from tuitrain.training.run_ahead import FILLED, RunAhead, bound
from tuitrain.training.runtime import Runtime
from tuitrain.training.state import copies
from tuitrain.training.step import Evaluation, Stepper

MAX_SEEDS = 512
#: Streams on which steps of different seeds overlap; the seeds of one stream follow each other and share its memory.
STREAMS = 8


@dataclass(frozen=True, slots=True)
class EnsembleEpoch:
    """One finished epoch of all seeds, each figure a tuple in the order of the seeds; see `EpochFinished`.

    A seed whose loss is no longer finite has NaN from there on; the others are not touched by it.
    """

    epoch: int
    epochs: int
    seeds: tuple[int, ...]
    train_loss: tuple[float, ...]
    train_acc: tuple[float, ...]
    test_loss: tuple[float, ...]
    test_acc: tuple[float, ...]
    lr: float
    train_s: float
    test_s: float
    images_per_s: float
    ema_test_loss: tuple[float, ...] = ()
    ema_test_acc: tuple[float, ...] = ()
    norms: tuple[dict[str, list[float]], ...] = ()


class Ensemble:
    """Trains a preset with several seeds at once.

    Args:
        preset: what to train; its own seed is not used.
        dataset: the data, shared.
        seeds: one network each.
        runtime: how to use the machine; on the CPU one thread where it names no number, and nothing is compiled.
        streams: of CUDA, on which seeds overlap.

    Raises:
        UsageError: no seeds, too many, one twice, or a schedule or end that would differ from seed to seed.
        DeviceError: the device is not there.
    """

    def __init__(
        self, preset: Preset, dataset: Dataset, seeds: Sequence[int], runtime: Runtime | None = None,
        streams: int = STREAMS,
    ) -> None:  # fmt: skip
        if not 1 <= len(seeds) <= MAX_SEEDS or len(set(seeds)) != len(seeds):
            raise UsageError(f"--seeds: {len(seeds)} seeds; give 1 to {MAX_SEEDS}, each once.")
        if reason := trained_apart(preset):
            raise UsageError(f"{reason}; train the seeds one by one.")
        self.preset, self.seeds, self.runtime = preset, tuple(seeds), runtime or Runtime()
        self.train, self.device = preset.train, devices.pick(self.runtime.device)
        self.table = preset.table()
        self._feeds = [_feed(preset, self.table, dataset, seed) for seed in self.seeds]
        self.images, self.steps = self._feeds[0].images, self._feeds[0].steps
        pool = Pool()
        self._steppers: list[Stepper] = [
            machine.make_stepper(
                build(preset, seed).to(self.device).train(),
                preset,
                self.device,
                self.runtime,
                seed=seed,
                pool=pool,
            )
            for seed in self.seeds
        ]
        # What a graph launches for all of them, in as many strands as there are streams.
        graphed = [stepper for stepper in self._steppers if isinstance(stepper, GraphStepper)]
        self._strands = [strand for first in range(streams) if (strand := graphed[first::streams])]
        self._pool = pool
        self._replay: Callable[[], None] | None = None
        self._ahead: RunAhead | None = bound() if self.device.type == "cuda" else None
        self._schedule = LearningRate(self.train, self.steps)
        self._seen: list[Evaluation] = []
        self._norms = [LastStep() for _ in self.seeds]

    def run(
        self, control: RunControl | None = None, *, begin: int = 0, leave: Callable[[], bool] = lambda: False
    ) -> Iterator[EnsembleEpoch]:
        """Trains, yielding each finished epoch.

        Args:
            control: can only stop it, between two epochs.
            begin: how many epochs the loaded state has.
            leave: looked at once a step: whether to end at once, without the epoch that was begun.
        """
        with devices.settings(self.runtime, self.device):
            if self.device.type == "cpu":
                torch.set_num_threads(self.runtime.threads or 1)
            judged = self._feeds[0].to(self.device)
            for feed in self._feeds[1:]:
                feed.share(self._feeds[0])
            for epoch in range(begin, self.train.epochs):
                finished = self._one_epoch(epoch, *judged, leave)
                if finished is None:
                    return
                yield finished
                command = control.take() if control else None
                if command is not None and command.action == "stop":
                    return

    def weights(self, index: int) -> dict[str, Tensor]:
        """The `state_dict` of one seed's network, on the CPU."""
        return copies(self._steppers[index].network.state_dict())

    def optimizer_state(self, index: int) -> dict[str, Tensor]:
        """The state of one seed's optimizer, as `Optimizer.tensors` of its own run has it."""
        return copies(self._steppers[index].optimizer.tensors())

    def averaged_state(self, index: int) -> dict[str, Tensor]:
        """The averaged weights of one seed, as `Averaged.tensors` of its own run has them; empty where none are kept."""
        averaged = self._steppers[index].averaged
        return {} if averaged is None else copies(averaged.tensors())

    def load(
        self,
        weights: Sequence[Mapping[str, Tensor]],
        optimizers: Sequence[Mapping[str, Tensor]],
        averages: Sequence[Mapping[str, Tensor]] = (),
    ) -> None:
        """Loads what `weights`, `optimizer_state` and `averaged_state` gave of each seed, in their order."""
        for index, stepper in enumerate(self._steppers):
            stepper.network.load_state_dict(weights[index])
            stepper.optimizer.load(dict(optimizers[index]))
            if stepper.averaged is not None:
                stepper.averaged.load(averages[index])

    def evaluation(self, index: int) -> Evaluation:
        """What the last epoch's judging saw of one seed."""
        return self._seen[index]

    # --------------------------------------------------------------------------------- one epoch

    def _one_epoch(
        self, epoch: int, images: Tensor, labels: Tensor, leave: Callable[[], bool]
    ) -> EnsembleEpoch | None:
        begun = time.monotonic()
        for stepper, feed in zip(self._steppers, self._feeds, strict=True):
            stepper.begin_epoch(epoch, *feed.epoch(epoch))
        for step in range(self.steps):
            if leave():
                return None
            lr = self._schedule.lr_at(epoch, step)
            for stepper in self._steppers:
                stepper.set_lr(lr)
            last = step == self.steps - 1
            measured = list(zip(self._norms, self._steppers, strict=True)) if last else []
            for norms, stepper in measured:
                norms.before(stepper)
            self._step((step + 1) * self.train.batch_size <= self.images)
            for norms, stepper in measured:
                norms.after(stepper)
            if self._ahead is not None:
                self._ahead.queued(step + 1)
            if epoch + 1 < self.train.epochs:
                self._make_ahead(epoch + 1, step + 1 - min(FILLED, self.steps))
        sums = [stepper.read() for stepper in self._steppers]
        trained = time.monotonic()
        batch = machine.judging_batch(self.table, self.device)
        self._seen = [stepper.evaluate(images, labels, batch) for stepper in self._steppers]
        averages = [stepper.evaluate_averaged(images, labels, batch) for stepper in self._steppers]
        finite = [
            math.isfinite(loss) and math.isfinite(seen.loss)
            for (loss, _), seen in zip(sums, self._seen, strict=True)
        ]

        def shown(values: Sequence[float]) -> tuple[float, ...]:
            return tuple(v if ok else math.nan for v, ok in zip(values, finite, strict=True))

        return EnsembleEpoch(
            epoch=epoch + 1,
            epochs=self.train.epochs,
            seeds=self.seeds,
            train_loss=shown([loss / self.images for loss, _ in sums]),
            train_acc=shown([correct / self.images for _, correct in sums]),
            test_loss=shown([seen.loss for seen in self._seen]),
            test_acc=shown([seen.accuracy for seen in self._seen]),
            lr=self._schedule.lr_at(epoch, self.steps - 1),
            train_s=trained - begun,
            test_s=time.monotonic() - trained,
            images_per_s=len(self.seeds) * self.images / max(trained - begun, 1e-9),
            ema_test_loss=shown([seen.loss for seen in averages if seen]) if all(averages) else (),
            ema_test_acc=shown([seen.accuracy for seen in averages if seen]) if all(averages) else (),
            norms=tuple(norms.read() for norms in self._norms),
        )

    def _make_ahead(self, epoch: int, index: int) -> None:
        """Makes the images of an epoch for one seed; one a step, so that the queue of steps stays filled."""
        if 0 <= index < len(self._feeds):
            self._feeds[index].make_ahead(epoch, index)

    # ---------------------------------------------------------------------------------- one step

    def _step(self, full: bool) -> None:
        """A step of every seed; those of full batches by one graph where they can be captured."""
        if not (self._strands and full):
            for stepper in self._steppers:
                stepper.step()
            return
        self._prepare()
        if self._replay is None:
            self._replay = self._captured()
            self._prepare()
        self._replay()
        for strand in self._strands:
            for stepper in strand:
                stepper.replayed()

    def _prepare(self) -> None:
        for strand in self._strands:
            for stepper in strand:
                stepper.prepare()

    def _captured(self) -> Callable[[], None]:
        def all_of_them(what: Callable[[GraphStepper], None]) -> Callable[[], None]:
            def strand_of(strand: list[GraphStepper]) -> Callable[[], None]:
                def work() -> None:
                    for stepper in strand:
                        what(stepper)

                return work

            strands = [strand_of(strand) for strand in self._strands]
            return lambda: side_by_side(strands, self.device)

        with ExitStack() as stack:
            for stepper in self._steppers:
                stack.enter_context(stepper.rehearsal())
            replay, self._pool.handle = capture(
                all_of_them(GraphStepper.launch), all_of_them(GraphStepper.warm_up), self._pool.handle
            )
            for strand in self._strands:
                for stepper in strand:
                    stepper.keep_gradients()
        return replay


def trained_apart(preset: Preset) -> str:
    """Why the seeds of a preset can't be trained at once; empty where they can."""
    if preset.train.schedule.name == "plateau":
        return "train.schedule plateau follows each seed's own loss"
    if preset.train.early_stop.on:
        return "train.early_stop would end each seed at an epoch of its own"
    return ""


def _feed(preset: Preset, table: Any, dataset: Dataset, seed: int) -> EpochImages:
    feed = EpochImages(preset, table, dataset)
    feed.seed = seed
    return feed
