"""Which epoch of a run is its best: one rule, for runs and for challenges."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Protocol, TypeVar


class EpochLike(Protocol):
    """The fields of a finished epoch that are used; accuracy as a fraction."""

    @property
    def epoch(self) -> int:
        """Counted from 1."""

    @property
    def test_acc(self) -> float:
        """Of the judging set."""


E = TypeVar("E", bound=EpochLike)


def better(best: E | None, epoch: E) -> E | None:
    """The better of the best epoch so far and the next: the first with the highest accuracy that is finite."""
    if not math.isfinite(epoch.test_acc):
        return best
    return epoch if best is None or epoch.test_acc > best.test_acc else best


def best_epoch(epochs: Iterable[E]) -> E | None:
    """The best of the epochs, given in order; None where none has an accuracy."""
    best: E | None = None
    return functools.reduce(better, epochs, best)
