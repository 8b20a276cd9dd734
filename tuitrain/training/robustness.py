"""How well a network still judges images that are turned, moved or noisy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuitrain.data.augment import affine, rotate
from tuitrain.data.dataset import Images
from tuitrain.training.judging import Judge, losses

Kind = Literal["rotation", "shift", "noise"]
#: The most there can be of each: degrees, pixels, standard deviations of the noise (1 is black to white).
MOST: dict[Kind, float] = {"rotation": 180.0, "shift": 28.0, "noise": 10.0}
STEPS = 5  # of a curve, beside the images as they are
MOST_SHIFTS = 8  # of a curve; all whole pixels up to there


@dataclass(frozen=True)
class Robustness:
    """A curve of one network.

    Attributes:
        kind: what was done to the images.
        levels: how much of it, from 0 on: degrees, pixels, standard deviations.
        accuracies: fractions, one for each level.
        losses: mean cross-entropy an image in nats, one for each level.
    """

    kind: Kind
    levels: tuple[float, ...]
    accuracies: tuple[float, ...]
    losses: tuple[float, ...]


def levels(kind: Kind, most: float) -> tuple[float, ...]:
    """The levels of a curve that ends at `most`: 0 and five more at equal distances; of shifts whole pixels."""
    if kind != "shift":
        return tuple(round(i * most / STEPS, 6) for i in range(STEPS + 1))
    whole = int(most)
    step = -(-whole // MOST_SHIFTS)
    return (*(float(n) for n in range(0, whole, step)), float(whole))


def distorted(images: Tensor, kind: Kind, level: float) -> Tensor:
    """Images (N, 28, 28), uint8, as they look at a level; the same every time.

    `rotation` turns every other image to the left, the rest to the right, by so many degrees. `shift` moves the
    images by so many pixels, to the right, down, to the left and up in turn. `noise` adds normal noise with this
    standard deviation, where 1 is the distance from black to white, and cuts off what is darker or brighter than
    these. What comes in from outside is black.
    """
    if level == 0:
        return images
    count = torch.arange(len(images))
    if kind == "rotation":
        return rotate(images, torch.where(count % 2 == 0, level, -level), fill=0)
    if kind == "shift":
        ways = torch.tensor([(1, 0), (0, 1), (-1, 0), (0, -1)])[count % 4] * level
        none = torch.zeros(len(images))
        return affine(images, none, ways, none + 1, none, fill=0)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + 255 * level * noise).round_().clamp_(0, 255).to(torch.uint8)


def robustness(
    judge: Judge, images: Images, kind: Kind, most: float, plain: tuple[float, float] | None = None
) -> Robustness:
    """The curve of a network.

    Args:
        judge: the network.
        images: that it is judged by.
        kind: what is done to them.
        most: the last level.
        plain: accuracy and loss of the images as they are, where they are known already.
    """
    pixels = torch.from_numpy(np.require(images.images, np.uint8, ["C", "W"]))
    curve = levels(kind, most)
    results = [plain or accuracy_and_loss(judge, pixels, images.labels)]
    results += [
        accuracy_and_loss(judge, distorted(pixels, kind, level), images.labels) for level in curve[1:]
    ]
    accuracies, mean_losses = zip(*results, strict=True)
    return Robustness(kind, curve, accuracies, mean_losses)


def accuracy_and_loss(
    judge: Judge, images: NDArray[np.uint8] | Tensor, labels: NDArray[np.uint8]
) -> tuple[float, float]:
    """Accuracy as a fraction, and mean loss an image in nats."""
    found = judge.log_probabilities(images)
    right = int((found.argmax(1) == labels).sum())
    return right / len(labels), float(losses(found, labels).astype(np.float64).mean())
