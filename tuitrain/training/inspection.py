"""What an evaluation said of each image, and the weights of the first layer at that time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CLASSES = 10


@dataclass(frozen=True)
class Predictions:
    """What an evaluation said of each image of the judging set.

    Attributes:
        labels: uint8 (N,), the actual classes.
        predictions: uint8 (N,).
        confidences: float32 (N,), the probability given to the prediction.
        epoch: after how many epochs.
    """

    labels: NDArray[np.uint8]
    predictions: NDArray[np.uint8]
    confidences: NDArray[np.float32]
    epoch: int

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,): whether each image was judged right."""
        return np.asarray(self.labels == self.predictions)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(10, 10): rows are the actual classes, columns the predicted ones."""
        pairs = self.labels.astype(np.int64) * CLASSES + self.predictions
        return np.bincount(pairs, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)

    @cached_property
    def class_accuracy(self) -> NDArray[np.float64]:
        """(10,): the fraction of each class that is right; NaN for a class without images."""
        counts = self.confusion.sum(1)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.diag(self.confusion) / np.where(counts == 0, np.nan, counts))

    def wrong(self) -> NDArray[np.int64]:
        """Indices of the misjudged images, the most confident first."""
        index = np.flatnonzero(~self.right)
        return index[np.argsort(-self.confidences[index], kind="stable")]

    def pairs(self) -> list[tuple[int, int, int]]:
        """What was taken for what: (actual, predicted, how often), the most frequent first."""
        counts = self.confusion.tolist()
        found = [
            (i, j, counts[i][j]) for i in range(CLASSES) for j in range(CLASSES) if i != j and counts[i][j]
        ]
        return sorted(found, key=lambda pair: -pair[2])


@dataclass(frozen=True)
class LastEvaluation(Predictions):
    """The last evaluation; needs no further pass.

    Attributes:
        first_layer: float32 (filters, height, width) of the first layer's weights (of its first input
            channel), or None where they are no picture.
    """

    first_layer: NDArray[np.float32] | None


def kernels(weight: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """A first layer's weights as pictures: (filters, kh, kw), or (features, 28, 28) of a linear layer."""
    if weight.ndim == 4:
        return np.ascontiguousarray(weight[:, 0])
    if weight.ndim == 2 and weight.shape[1] == 28 * 28:
        return weight.reshape(-1, 28, 28)
    return None
