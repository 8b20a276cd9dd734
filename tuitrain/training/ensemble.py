"""K seeds of one network trained at once: stacked parameters, one launch for all of them.

Small networks leave a GPU idle; side by side they fill it. Each seed has initial weights, order, augmentation
and dropout of its own, keyed as in a run by itself, so seed k gives what that run gives, but for rounding.
(On the CPU one after the other is faster: 0.65 of the speed was measured for this.)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from tuitrain.data.augment import normalize
from tuitrain.data.dataset import Dataset
from tuitrain.errors import UsageError
from tuitrain.spec.preset import Preset
from tuitrain.spec.schedule import LearningRate
from tuitrain.training import devices
from tuitrain.training.command import RunControl
from tuitrain.training.ema import Averaged
from tuitrain.training.epoch_images import EpochImages
from tuitrain.training.graph import capture
from tuitrain.training.layers.dropout import draw_bits
from tuitrain.training.machine import judging_batch
from tuitrain.training.model import build
from tuitrain.training.optimizer import Optimizer
from tuitrain.training.runtime import Runtime
from tuitrain.training.seeding import key
from tuitrain.training.step import Evaluation, bits_shape

MAX_SEEDS = 512


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


class Ensemble:
    """Trains a preset with several seeds at once.

    Args:
        preset: what to train; its own seed is not used.
        dataset: the data, shared.
        seeds: one network each.
        runtime: how to use the machine; threads and compile are left alone.

    Raises:
        UsageError: no seeds, too many, one twice, or a schedule or end that would differ from seed to seed.
        DeviceError: the device is not there.
    """

    def __init__(
        self, preset: Preset, dataset: Dataset, seeds: Sequence[int], runtime: Runtime | None = None
    ) -> None:
        if not 1 <= len(seeds) <= MAX_SEEDS or len(set(seeds)) != len(seeds):
            raise UsageError(f"--seeds: {len(seeds)} seeds; give 1 to {MAX_SEEDS}, each once.")
        if reason := trained_apart(preset):
            raise UsageError(f"{reason}; train the seeds one by one.")
        self.preset, self.seeds, self.runtime = preset, tuple(seeds), runtime or Runtime()
        self.train, self.device = preset.train, devices.pick(self.runtime.device)
        self.table = preset.table()
        self._feeds = [_feed(preset, self.table, dataset, seed) for seed in self.seeds]
        self.images, self.steps = self._feeds[0].images, self._feeds[0].steps
        networks = [build(preset, seed).to(self.device).train() for seed in self.seeds]
        self._network = networks[0]
        self._parameters, self._buffers = stack_module_state(networks)
        self._graphed = self.device.type == "cuda" and self.runtime.graph
        self._optimizer = Optimizer(self.train, self._parameters, capturable=self._graphed, stacked=True)
        self._averaged = None
        if self.train.ema:
            self._averaged = Averaged(self.train.ema, {**self._parameters, **self._buffers})
        self._schedule = LearningRate(self.train, self.steps)

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
            judged = self._feeds[0].to(self.device)
            for feed in self._feeds[1:]:
                feed.share(self._feeds[0])
            self._allocate()
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
        both = {**self._parameters, **self._buffers}
        return {name: tensor[index].detach().cpu().clone() for name, tensor in both.items()}

    def optimizer_state(self, index: int) -> dict[str, Tensor]:
        """The state of one seed's optimizer, as `Optimizer.tensors` of its own run has it."""
        return {
            name: (tensor if name.endswith(".step") else tensor[index]).detach().cpu().clone()
            for name, tensor in self._optimizer.tensors().items()
        }

    def averaged_state(self, index: int) -> dict[str, Tensor]:
        """The averaged weights of one seed, as `Averaged.tensors` of its own run has them; empty where none are kept."""
        state = {} if self._averaged is None else self._averaged.tensors()
        return {
            name: (tensor[index] if tensor.dim() else tensor)
            .detach()
            .cpu()
            .clone()  # the weight is all seeds'
            for name, tensor in state.items()
        }

    @torch.no_grad()
    def load(
        self,
        weights: Sequence[Mapping[str, Tensor]],
        optimizers: Sequence[Mapping[str, Tensor]],
        averages: Sequence[Mapping[str, Tensor]] = (),
    ) -> None:
        """Loads what `weights`, `optimizer_state` and `averaged_state` gave of each seed, in their order."""
        both = {**self._parameters, **self._buffers}
        for name, tensor in both.items():
            tensor.copy_(torch.stack([one[name] for one in weights]))
        for name, tensor in self._optimizer.tensors().items():
            stacked = [one[name] for one in optimizers]
            tensor.copy_(stacked[0] if name.endswith(".step") else torch.stack(stacked))
        if self._averaged is not None:
            for name, tensor in self._averaged.tensors().items():
                kept = [one[name] for one in averages]
                tensor.copy_(torch.stack(kept) if tensor.dim() else kept[0])

    def evaluation(self, index: int) -> Evaluation:
        """What the last epoch's judging saw of one seed."""
        loss, correct = self._judged[0][index], self._judged[1][index]
        predictions, confidences = self._seen
        count = predictions.shape[1]
        return Evaluation(
            loss / count, correct / count, predictions[index].cpu().numpy(), confidences[index].cpu().numpy()
        )

    # --------------------------------------------------------------------------------- one epoch

    def _allocate(self) -> None:
        count, device, batch = len(self.seeds), self.device, self.train.batch_size
        self._images = torch.empty(count, self.images, 28, 28, dtype=torch.uint8, device=device)
        self._labels = torch.empty(count, self.images, dtype=torch.int64, device=device)
        self._rows, self._words = bits_shape(self._network, batch, device)
        self._bits = torch.zeros(count, self._rows, self._words, dtype=torch.int64, device=device)
        self._row = torch.zeros(1, dtype=torch.int64, device=device)
        self._position = torch.zeros((), dtype=torch.int64, device=device)
        self._arange = torch.arange(batch, device=device)
        self._loss_sum = torch.zeros(count, dtype=torch.float64, device=device)
        self._correct = torch.zeros(count, dtype=torch.int64, device=device)
        self._steps_by_count: dict[int, Callable[[], None]] = {}
        self._pool: Any = None

    def _one_epoch(
        self, epoch: int, images: Tensor, labels: Tensor, leave: Callable[[], bool]
    ) -> EnsembleEpoch | None:
        begun = time.monotonic()
        for index, feed in enumerate(self._feeds):
            own_images, own_labels = feed.epoch(epoch)
            self._images[index].copy_(own_images)
            self._labels[index].copy_(own_labels)
        self._reset()
        for step in range(self.steps):
            if step % self._rows == 0:
                self._draw(epoch, step // self._rows)
            if leave():
                return None
            self._optimizer.set_lr(self._schedule.lr_at(epoch, step))
            self._take(min(self.train.batch_size, self.images - step * self.train.batch_size))
        loss, correct = self._loss_sum.tolist(), self._correct.tolist()
        trained = time.monotonic()
        averaged = self._judge_averaged(images, labels)
        self._judged = test_loss, test_correct = self._judge(images, labels)
        finite = [math.isfinite(a) and math.isfinite(b) for a, b in zip(loss, test_loss, strict=True)]

        def shown(values: list[float], divisor: int) -> tuple[float, ...]:
            return tuple(v / divisor if ok else math.nan for v, ok in zip(values, finite, strict=True))

        return EnsembleEpoch(
            epoch=epoch + 1,
            epochs=self.train.epochs,
            seeds=self.seeds,
            train_loss=shown(loss, self.images),
            train_acc=shown(correct, self.images),
            test_loss=shown(test_loss, len(labels)),
            test_acc=shown(test_correct, len(labels)),
            lr=self._schedule.lr_at(epoch, self.steps - 1),
            train_s=trained - begun,
            test_s=time.monotonic() - trained,
            images_per_s=len(self.seeds) * self.images / max(trained - begun, 1e-9),
            ema_test_loss=shown(averaged[0], len(labels)) if averaged else (),
            ema_test_acc=shown(averaged[1], len(labels)) if averaged else (),
        )

    def _reset(self) -> None:
        for tensor in (self._position, self._row, self._loss_sum, self._correct):
            tensor.zero_()

    def _draw(self, epoch: int, chunk: int) -> None:
        if not self._words:
            return
        generator = torch.Generator(device=self.device)
        for index, seed in enumerate(self.seeds):
            generator.manual_seed(key(seed, "dropout", epoch, chunk))
            draw_bits(self._bits[index], generator)

    # ---------------------------------------------------------------------------------- one step

    def _take(self, count: int) -> None:
        if not self._graphed:
            self._body(count)
            return
        if count not in self._steps_by_count:
            self._steps_by_count[count] = self._captured(count)
        self._steps_by_count[count]()

    def _captured(self, count: int) -> Callable[[], None]:
        held = [*self._parameters.values(), *self._buffers.values(), *self._optimizer.tensors().values()]
        held += [self._position, self._row, self._loss_sum, self._correct]
        held += self._averaged.tensors().values() if self._averaged is not None else ()
        copies = [tensor.detach().clone() for tensor in held]

        def at_start() -> None:
            self._reset()
            self._body(count)

        replay, self._pool = capture(lambda: self._body(count), at_start, self._pool)
        with torch.no_grad():
            for tensor, copy in zip(held, copies, strict=True):
                tensor.copy_(copy)
        return replay

    def _body(self, count: int) -> None:
        index = self._arange[:count] + self._position
        images, labels = self._images.index_select(1, index), self._labels.index_select(1, index)
        bits = None
        if self._words:
            bits = self._bits.index_select(1, self._row)[:, 0].view(torch.int16)
        with devices.tuning(self.device) if count == self.train.batch_size else nullcontext():
            gradients, (losses, logits) = vmap(
                grad_and_value(self._loss, has_aux=True), in_dims=(0, 0, 0, 0, 0 if self._words else None)
            )(self._parameters, self._buffers, images, labels, bits)
        plain, outputs = logits
        for name, parameter in self._parameters.items():
            parameter.grad = gradients[name]
        self._optimizer.step()
        if self._averaged is not None:
            self._averaged.update()
        del losses
        self._loss_sum += plain.detach() * count
        self._correct += (outputs.detach().argmax(2) == labels).sum(1)
        self._position += count
        self._row += 1
        self._row.remainder_(self._rows)

    def _loss(
        self,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        images: Tensor,
        labels: Tensor,
        bits: Any,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The loss to minimise of one seed's batch; with it the loss to report, and the logits."""
        with self._autocast():
            logits = functional_call(self._network, (parameters, buffers), (self._normalized(images), bits))
        logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.train.label_smoothing)
        total = loss
        if self.train.l1:
            total = loss + self.train.l1 * torch.stack([p.abs().sum() for p in parameters.values()]).sum()
        return total, (loss, logits)

    def _normalized(self, images: Tensor) -> Tensor:
        return normalize(images, self.train.normalize.mean, self.train.normalize.std)

    def _autocast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.runtime.precision == "bf16")

    def _judge_averaged(self, images: Tensor, labels: Tensor) -> tuple[list[float], list[float]] | None:
        """What `_judge` says of the averaged weights; None where none are kept."""
        if self._averaged is None:
            return None
        with self._averaged.in_the_network():
            return self._judge(images, labels)

    @torch.no_grad()
    def _judge(self, images: Tensor, labels: Tensor) -> tuple[list[float], list[float]]:
        """For each seed the sum of the losses and the number of right predictions on the judging set."""
        loss = torch.zeros(len(self.seeds), dtype=torch.float64, device=self.device)
        correct = torch.zeros(len(self.seeds), dtype=torch.int64, device=self.device)
        predictions = torch.empty(len(self.seeds), len(labels), dtype=torch.uint8, device=self.device)
        confidences = torch.empty(len(self.seeds), len(labels), dtype=torch.float32, device=self.device)
        batch = max(1, judging_batch(self.table, self.device) // len(self.seeds))

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Tensor:
            with self._autocast():
                logits: Tensor = functional_call(self._network, (parameters, buffers), (inputs,))
            return logits.float()

        self._network.eval()
        try:
            for start in range(0, len(labels), batch):
                part = labels[start : start + batch]
                inputs = self._normalized(images[start : start + batch])
                logits = vmap(one, in_dims=(0, 0, None))(self._parameters, self._buffers, inputs)
                losses = F.cross_entropy(logits.flatten(0, 1), part.repeat(len(self.seeds)), reduction="none")
                loss += losses.view(len(self.seeds), -1).double().sum(1)
                surest, predicted = logits.softmax(2).max(2)
                predictions[:, start : start + batch] = predicted.to(torch.uint8)
                confidences[:, start : start + batch] = surest
                correct += (predicted == part).sum(1)
        finally:
            self._network.train()
        self._seen = predictions, confidences
        return loss.tolist(), correct.tolist()


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
