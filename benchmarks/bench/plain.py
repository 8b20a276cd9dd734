"""The published way: torchvision transforms on PIL images, a DataLoader, plain torch modules."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tuitrain.data.dataset import Dataset
from tuitrain.spec.preset import Preset

FILL = 1


class GlobalPool(nn.Module):
    """Mean over height and width, as the sources' AvgPool2d over the whole map."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C)."""
        return nn.functional.avg_pool2d(x, x.shape[-2:]).flatten(1)


def network(preset: Preset) -> nn.Sequential:
    """A preset's network out of torch's own modules, as the sources write it."""
    torch.manual_seed(preset.train.seed)
    channels, modules = 1, []
    for layer in preset.model.layers:
        match layer.kind:
            case "conv":
                modules.append(
                    nn.Conv2d(
                        channels,
                        layer.conv,
                        layer.kernel,
                        layer.stride,
                        padding=layer.padding,
                        bias=layer.bias,
                    )
                )
                channels = layer.conv
            case "maxpool":
                modules.append(nn.MaxPool2d(layer.maxpool, layer.stride))
            case "global_avgpool":
                modules.append(GlobalPool())
            case kind:
                raise ValueError(f"the published networks here have no {kind}")
        modules += [_op(op, channels, preset.train.dropout) for op in layer.then]
    return nn.Sequential(*modules)


def _op(op: Any, channels: int, dropout: float) -> nn.Module:
    match op.kind:
        case "relu":
            return nn.ReLU()
        case "batchnorm":
            return nn.BatchNorm2d(channels)
        case "dropout2d":
            return nn.Dropout2d(dropout if op.value is None else op.value)
        case "dropout":
            return nn.Dropout(dropout if op.value is None else op.value)
        case kind:
            raise ValueError(f"the published networks here have no {kind}")


def optimizer(model: nn.Module, preset: Preset) -> torch.optim.Optimizer:
    """SGD as the sources have it, fused where torch can."""
    settings = preset.train.optimizer
    return torch.optim.SGD(model.parameters(), lr=settings.lr, momentum=settings.momentum)


def write_idx(folder: Path, data: Dataset) -> None:
    """Writes a set as the files that torchvision's MNIST reads."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, images in (("train", data.train), ("t10k", data.test)):
        shape = images.images.shape
        head = struct.pack(">4B3I", 0, 0, 8, 3, *shape)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + np.ascontiguousarray(images.images).tobytes())
        head = struct.pack(">4BI", 0, 0, 8, 1, len(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(head + images.labels.tobytes())


def transforms(preset: Preset, *, train: bool) -> Any:
    """torchvision's transforms of the sources."""
    from torchvision import transforms as tv

    settings = preset.train
    steps = [tv.ToTensor(), tv.Normalize((settings.normalize.mean,), (settings.normalize.std,))]
    if train:
        steps.insert(0, tv.RandomRotation((-settings.rotation, settings.rotation), fill=(FILL,)))
    return tv.Compose(steps)


def loader(data: Dataset, preset: Preset, workers: int, **more: Any) -> Any:
    """A DataLoader over torchvision's own MNIST class, with persistent workers."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import MNIST

    folder = Path(tempfile.mkdtemp(prefix="tuitrain-bench-"))
    write_idx(folder, data)
    images = MNIST(str(folder), train=True, download=False, transform=transforms(preset, train=True))
    for path in sorted(folder.rglob("*"), reverse=True):  # read into memory by now
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    return DataLoader(
        images, batch_size=preset.train.batch_size, shuffle=True, num_workers=workers,
        persistent_workers=workers > 0, **more,
    )  # fmt: skip


def ready(data: Dataset, preset: Preset) -> list[tuple[Tensor, Tensor]]:
    """The training images as normalised batches in memory, in one order, not augmented."""
    mean, std, size = preset.train.normalize.mean, preset.train.normalize.std, preset.train.batch_size
    images = ((torch.from_numpy(data.train.images.astype(np.float32)) / 255 - mean) / std).unsqueeze(1)
    labels = torch.from_numpy(data.train.labels.astype(np.int64))
    return list(zip(images.split(size), labels.split(size), strict=True))


@torch.no_grad()
def accuracy(model: nn.Module, data: Dataset, preset: Preset) -> float:
    """The share of right answers on the judging set."""
    model.eval()
    mean, std = preset.train.normalize.mean, preset.train.normalize.std
    device = next(model.parameters()).device
    right = 0
    for start in range(0, len(data.test), 1000):
        images = torch.from_numpy(data.test.images[start : start + 1000].astype(np.float32))
        labels = torch.from_numpy(data.test.labels[start : start + 1000].astype(np.int64))
        ready = ((images / 255 - mean) / std).unsqueeze(1).to(device)
        right += int((model(ready).argmax(1).cpu() == labels).sum())
    model.train()
    return right / len(data.test)
