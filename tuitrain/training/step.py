"""One optimizer step on data that lives on the device: without transfers, random numbers or waits.

What a step needs is on the device already: the epoch's images in the order in which they are seen, the random
bits of the dropouts, and the learning rate. So the same parts run eagerly, with a compiled network, or captured as a
CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tuitrain.data.augment import normalize
from tuitrain.spec.train import Train
from tuitrain.training import devices
from tuitrain.training.ema import Averaged
from tuitrain.training.layers.batchnorm import BatchNorm2d
from tuitrain.training.layers.dropout import draw_bits
from tuitrain.training.layers.pooling import MaxPool2d
from tuitrain.training.model import Network
from tuitrain.training.optimizer import Optimizer
from tuitrain.training.run_ahead import Report, RunAhead, on_cuda
from tuitrain.training.seeding import key

#: Random bits are drawn for several steps at once, up to this much, and for at most so many steps.
BITS_BYTES = {"cpu": 1 << 20, "cuda": 1 << 25, "mps": 1 << 24}
BITS_STEPS = 64


#: Logits (N, 10) of uint8 images (N, 28, 28) and the dropouts' bits.
Forward = Callable[[Tensor, Tensor | None], Tensor]


def bits_shape(network: nn.Module, batch: int, device: torch.device) -> tuple[int, int]:
    """The number of steps for which bits are drawn at once, and the int64 words of a step."""
    words = -(-network.bits_per_image * batch // 4) if isinstance(network, Network) else 0
    budget = BITS_BYTES.get(device.type, 1 << 20)
    return max(1, min(BITS_STEPS, budget // max(1, 8 * words))), words


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One pass over the judging set: mean loss per image, and the prediction and confidence of each image."""

    loss: float
    accuracy: float
    predictions: NDArray[np.uint8]
    confidences: NDArray[np.float32]


class Stepper:
    """Performs the steps of a training.

    Args:
        network: on the device.
        train: the settings.
        device: where everything lives.
        precision: fp32, tf32 or bf16.
        seed: of the dropouts.
        capturable: for a CUDA graph, whose addresses must not change.
    """

    def __init__(
        self,
        network: nn.Module,
        train: Train,
        device: torch.device,
        *,
        precision: str = "fp32",
        capturable: bool = False,
        seed: int = 0,
    ) -> None:
        self.network, self.train, self.device = network, train, device
        self.precision, self.seed = precision, seed
        self._compiled: Forward | None = None
        # oneDNN's backward convolutions of few channels are up to three times faster on channels_last maps, and a
        # step of the presets' networks 1.1 to 1.3 times. On CUDA, max pooling would not be deterministic there.
        # A user's network may rely on torch's default memory layout.
        self._channels_last = device.type == "cpu" and isinstance(network, Network)
        if self._channels_last:
            network.to(memory_format=torch.channels_last)
            for module in network.modules():
                if isinstance(module, BatchNorm2d | MaxPool2d):
                    module.by_rows = True
        self.batch = train.batch_size
        self.parameters = list(network.parameters())
        self.optimizer = Optimizer(train, dict(network.named_parameters()), capturable=capturable)
        self.averaged = Averaged(train.ema, network.state_dict(keep_vars=True)) if train.ema else None
        self._lr = float("nan")
        # Added to on the device alone, so that a step never waits for the host.
        wide = torch.float32 if device.type == "mps" else torch.float64
        self._loss_sum = torch.zeros((), dtype=wide, device=device)
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        self._images = torch.empty(0, 28, 28, dtype=torch.uint8, device=device)
        self._labels = torch.empty(0, dtype=torch.int64, device=device)
        self._rows, self._words = bits_shape(network, self.batch, device)
        self._bits = torch.zeros(self._rows, self._words, dtype=torch.int64, device=device)
        self._one = torch.ones((), device=device)
        self._generator = torch.Generator(device="cpu" if device.type == "mps" else device)
        self.epoch, self._step = -1, 0
        self._drawn = -1
        self._ahead: RunAhead | None = None
        if device.type == "cuda":
            self._ahead = on_cuda(self._sums)

    # ------------------------------------------------------------------------------- the epoch

    def begin_epoch(self, epoch: int, images: Tensor, labels: Tensor) -> None:
        """Takes the images of an epoch in the order in which they will be seen.

        Args:
            epoch: from 0, the key of its random numbers.
            images: uint8 (N, 28, 28) on the device, augmented.
            labels: int64 (N,) on the device.
        """
        self._images, self._labels, self.epoch = images, labels, epoch
        self.seek(0, 0.0, 0)

    def seek(self, step: int, loss_sum: float, correct: int) -> None:
        """Goes to a step of the epoch, with the running sums up to there."""
        self._step, self._drawn = step, -1
        self._loss_sum.fill_(loss_sum)
        self._correct.fill_(correct)
        if self._ahead is not None:
            self._ahead.restart()

    @property
    def position(self) -> int:
        """Images of this epoch that were used so far."""
        return min(self._step * self.batch, len(self._images))

    @property
    def images(self) -> int:
        """Images of an epoch."""
        return len(self._images)

    def report(self) -> Report | None:
        """The latest finished steps, without waiting for the device; None if none is known to be finished."""
        if self._ahead is not None:
            return self._ahead.report()
        return Report(self._step, *self.read())

    def read(self) -> tuple[float, int]:
        """The running sums of loss and of right predictions; waits for the device.

        Afterwards the network is as the steps so far have left it, batch norms' counts included.
        """
        loss, correct = self._sums()
        return float(loss.item()), int(correct.item())

    def _sums(self) -> tuple[Tensor, Tensor]:
        """The running sums, on the device."""
        return self._loss_sum, self._correct

    def set_lr(self, lr: float) -> None:
        """The learning rate of the steps from here on."""
        if lr == self._lr:
            return
        self._lr = lr
        self.optimizer.set_lr(lr)

    # -------------------------------------------------------------------------------- one step

    def step(self) -> None:
        """One optimizer update with the next batch; the last of an epoch may be short."""
        self._draw()
        self._take(min(self.batch, len(self._images) - self._step * self.batch))
        self._step += 1
        if self._ahead is not None:
            self._ahead.queued(self._step)

    def step_eagerly(self) -> None:
        """The same update, neither captured nor replayed."""
        self._draw()
        self._body(min(self.batch, len(self._images) - self._step * self.batch))
        self._step += 1

    def gradients(self) -> list[Tensor | None]:
        """The gradients of the last step, in the order of the parameters."""
        return [parameter.grad for parameter in self.parameters]

    def _draw(self) -> None:
        """Draws random bits for the next steps when the present ones are used up."""
        if not self._words:
            return
        chunk = self._step // self._rows
        if chunk != self._drawn:
            self._generator.manual_seed(key(self.seed, "dropout", self.epoch, chunk))
            if self._generator.device == self._bits.device:
                draw_bits(self._bits, self._generator)
            else:
                bits = torch.empty(self._bits.shape, dtype=torch.int64)
                draw_bits(bits, self._generator)
                self._bits.copy_(bits)
            self._drawn = chunk

    def _take(self, count: int) -> None:
        """A step with `count` images; subclasses change only how it is run."""
        self._body(count)

    def logits(self, images: Tensor, bits: Tensor | None) -> Tensor:
        """Logits (N, 10) of uint8 images (N, 28, 28); this is the part that is compiled."""
        return self._apply(self.pixels(images), bits)

    def pixels(self, images: Tensor) -> Tensor:
        """What the network is given of uint8 images (N, 28, 28): float (N, 1, 28, 28), normalised.

        Such pixels themselves are taken as they are.
        """
        settings = self.train.normalize
        pixels = images if images.is_floating_point() else normalize(images, settings.mean, settings.std)
        if self._channels_last:
            # The same memory: of a single channel, torch takes a map for channels_last by its strides alone.
            pixels = pixels.squeeze(1).unsqueeze(3).permute(0, 3, 1, 2)
        return pixels

    def _apply(self, pixels: Tensor, bits: Tensor | None) -> Tensor:
        return self.network(pixels, bits)  # type: ignore[no-any-return]

    @property
    def compiled(self) -> bool:
        """Whether full batches go through a compiled network."""
        return self._compiled is not None

    def use_compiled(self, compiled: Forward | None) -> None:
        """Takes a compiled `logits` for full batches; the short last one would be compiled for itself alone."""
        self._compiled = compiled

    def _body(self, count: int) -> None:
        images, labels, bits = self._batch(count)
        loss, logits = self._learn(count, images, labels, bits)
        self._tally(count, loss, logits, labels)

    def _learn(
        self, count: int, images: Tensor, labels: Tensor, bits: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Forward pass, backward pass and update, which are captured too; mean loss and logits."""
        with devices.tuning(self.device) if count == self.batch else nullcontext():
            loss, logits = self._forward(count, images, labels, bits)
            self._backward(loss)
        self.optimizer.step()
        if self.averaged is not None:
            self.averaged.update()
        return loss.detach(), logits.detach()

    def _batch(self, count: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Images, labels and dropout bits of this step."""
        begin = self._step * self.batch
        part = slice(begin, begin + count)
        bits = self._bits[self._step % self._rows].clone().view(torch.int16) if self._words else None
        # Copies, since a compiled network would be compiled again for each place in memory.
        return self._images[part].clone(), self._labels[part].clone(), bits

    def _forward(
        self, count: int, images: Tensor, labels: Tensor, bits: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Mean loss, as reported, and logits."""
        forward = self._compiled if self._compiled and count == self.batch else self.logits
        with self._autocast():
            logits = forward(images, bits).float()
        return F.cross_entropy(logits, labels, label_smoothing=self.train.label_smoothing), logits

    def _backward(self, loss: Tensor) -> None:
        for parameter in self.parameters:
            parameter.grad = None
        if self.train.l1:
            loss = loss + self.train.l1 * torch.stack([p.abs().sum() for p in self.parameters]).sum()
        # One kernel less in a captured step; on the CPU the whole step took 1.2 times as long with it.
        loss.backward(self._one if self.device.type == "cuda" else None)  # type: ignore[no-untyped-call]

    def _tally(self, count: int, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Adds to the running sums."""
        self._loss_sum += loss * count
        self._correct += (logits.argmax(1) == labels).sum()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    # ------------------------------------------------------------------------------ evaluation

    @torch.no_grad()
    def evaluate(self, images: Tensor, labels: Tensor, batch: int) -> Evaluation:
        """Judges uint8 images (N, 28, 28) with int64 labels (N,), both on the device, `batch` at a time."""
        self.network.eval()
        try:
            losses, predictions, confidences = self._judge_all(images, labels, batch)
        finally:
            self.network.train()
        right = int((predictions == labels).sum().item())
        return Evaluation(
            loss=float(losses.cpu().double().mean()),
            accuracy=right / len(labels),
            predictions=predictions.cpu().numpy().astype(np.uint8),
            confidences=confidences.cpu().numpy(),
        )

    def evaluate_averaged(self, images: Tensor, labels: Tensor, batch: int) -> Evaluation | None:
        """The same of the averaged weights; None where none are kept."""
        if self.averaged is None:
            return None
        with self.averaged.in_the_network():
            return self.evaluate(images, labels, batch)

    def _judge_all(self, images: Tensor, labels: Tensor, batch: int) -> list[Tensor]:
        """Loss, prediction and confidence of each image."""
        starts = range(0, len(images), batch)
        parts = [
            self._judge(images[start : start + batch], labels[start : start + batch]) for start in starts
        ]
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def _judge(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with self._autocast():
            logits = self.logits(images, None).float()
        confidences, predictions = logits.softmax(1).max(1)
        return F.cross_entropy(logits, labels, reduction="none"), predictions, confidences

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Steps taken inside are undone: for warm-up, measuring and capturing."""
        place = (self._step, *self.read())
        held = [*self.parameters, *self.network.buffers(), *self.optimizer.tensors().values()]
        held += self.averaged.tensors().values() if self.averaged is not None else ()
        copies = [tensor.detach().clone() for tensor in held]

        def restore() -> None:
            # In place, since a graph holds the addresses.
            with torch.no_grad():
                for tensor, copy in zip(held, copies, strict=True):
                    tensor.copy_(copy)
            for parameter in self.parameters:
                parameter.grad = None
            self.seek(*place)

        try:
            yield
        except BaseException:
            with suppress(RuntimeError):  # a device that has failed answers every call with an error
                restore()
            raise
        restore()
