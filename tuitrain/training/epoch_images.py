"""The images of an epoch, on the device, in the order of the training."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tuitrain.data.augment import Augment
from tuitrain.data.dataset import Dataset, Images
from tuitrain.errors import PresetError
from tuitrain.spec.preset import Preset
from tuitrain.spec.table import NetworkTable
from tuitrain.training.seeding import key

#: Memory that may be taken by images made before their epoch begins.
AHEAD_BYTES = 1 << 31
#: Streams on which they are made, one for each CUDA device: memory belongs to its stream.
_streams: dict[int, torch.cuda.Stream] = {}


class _Ahead(NamedTuple):
    """Images and labels of an epoch, and an event of CUDA's that comes when they are made."""

    epoch: int
    images: Tensor
    labels: Tensor
    made: Any


class EpochImages:
    """A data set as it is trained on.

    Args:
        preset: for batch size, augmentation and seed.
        table: of its network.
        dataset: the data.

    Attributes:
        images: training images an epoch.
        steps: batches an epoch; the last may be short.
        dropped: 1 where the last batch would be a single image that batch norm can't learn from, else 0.

    Raises:
        PresetError: every batch would be such a single image, or there are no images.
    """

    def __init__(self, preset: Preset, table: NetworkTable, dataset: Dataset) -> None:
        train = preset.train
        self.dataset, self.seed, self.batch = dataset, train.seed, train.batch_size
        self.augment = Augment.of(train)
        count = len(dataset.train.labels)
        self.dropped = _single_left_over(table, self.batch, count)
        self.images = count - self.dropped
        self.steps = -(-self.images // self.batch)
        self._train: tuple[Tensor, Tensor] | None = None
        self._ahead: _Ahead | None = None

    def to(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Puts the data on the device; the judging set's images and labels there."""
        self._train = _resident(self.dataset.train, device)
        return _resident(self.dataset.test, device)

    def share(self, other: EpochImages) -> None:
        """Uses the data that another object has on the device."""
        self._train = other._train

    def epoch(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Images uint8 (N, 28, 28) and labels int64 (N,) of an epoch (from 0), shuffled and augmented."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.epoch != epoch:
            return self._make(epoch)
        now = torch.cuda.current_stream(ahead.images.device)
        now.wait_event(ahead.made)
        # Their memory belongs to the other stream, which must not use it again while this one still reads it.
        for tensor in (ahead.images, ahead.labels):
            tensor.record_stream(now)
        return ahead.images, ahead.labels

    def make_ahead(self, epoch: int, index: int = 0) -> None:
        """Makes the images that `epoch` will return, on a CUDA stream of their own beside the queued steps.

        Where memory is short nothing is made, nor on other devices: a CPU trains meanwhile, and it won no time there.

        Args:
            epoch: from 0.
            index: of this data among those of seeds that train together; only the first that fit are made.
        """
        images = self._on_device()[0]
        if images.device.type != "cuda" or (index + 1) * images.nbytes > AHEAD_BYTES:
            return
        device = images.device.index
        if device not in _streams:
            _streams[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # It need not wait for the steps: the data was there before the first of them.
        with suppress(torch.OutOfMemoryError), torch.cuda.stream(_streams[device]):
            made = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._ahead = _Ahead(epoch, *self._make(epoch), made)
            made.record()

    def _on_device(self) -> tuple[Tensor, Tensor]:
        if self._train is None:
            raise RuntimeError("the data is not on a device yet")
        return self._train

    def _make(self, epoch: int) -> tuple[Tensor, Tensor]:
        images, labels = self._on_device()
        generator = torch.Generator().manual_seed(key(self.seed, "order", epoch))
        order = torch.randperm(len(labels), generator=generator)[: self.images].to(images.device)
        generator.manual_seed(key(self.seed, "augment", epoch))
        ordered = images.index_select(0, order)
        return self.augment.apply(ordered, generator, overwrite=True), labels.index_select(0, order)

    def release(self) -> None:
        """Lets go of the data."""
        self._train = self._ahead = None


def _resident(images: Images, device: torch.device) -> tuple[Tensor, Tensor]:
    # A set that is mapped from a file is read-only; torch wants memory of its own then.
    pixels = torch.from_numpy(np.require(images.images, np.uint8, ["C", "W"]))
    return pixels.to(device), torch.from_numpy(images.labels.astype(np.int64)).to(device)


def _single_left_over(table: NetworkTable, batch: int, images: int) -> int:
    if images == 0:
        raise PresetError("train.val_split leaves no images to train on; make it smaller.")
    # A norm over the batch of what has one value a channel; of a single image it has nothing to average.
    alone = any(row.kind == "batchnorm" and math.prod(row.output_shape[1:]) == 1 for row in table.rows)
    if not alone:
        return 0
    if batch == 1 or images == 1:
        raise PresetError(
            "train.batch_size is 1, but batch norm on a 1×1 map needs 2 images or more; use a larger batch."
        )
    return int(images % batch == 1)
