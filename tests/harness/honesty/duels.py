"""Duels drawn from pools of real runs, many at once, with a look after every pair.

What is proved is `stats.sequential`: its limits, its least variance and its intervals; some duels of each cell go
through `decide`, which must end them alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.honesty.pools import Right
from tuitrain.stats.noise_floor import disagreements
from tuitrain.stats.sequential import (
    FIRST_LOOK,
    Outcome,
    Plan,
    decide,
    least_variance_of_floors,
    repeated_intervals,
)

Floats = NDArray[np.float64]
Seeds = NDArray[np.intp]
_AT_ONCE = 2000


class Side:
    """The runs from which one side of duels is drawn, after one epoch: right and wrong (seeds, N)."""

    def __init__(self, right: Right) -> None:
        self.right = right
        self.images = right.shape[1]
        self.accuracies: Floats = right.mean(axis=1)
        self._apart = disagreements(right)

    @property
    def mean(self) -> float:
        """The true mean of what is drawn from it."""
        return float(self.accuracies.mean())

    @property
    def sd(self) -> float:
        """The true standard deviation of what is drawn from it."""
        return float(self.accuracies.std())

    def floors(self, seeds: Seeds) -> Floats:
        """The noise floor of the first seed, of the first two, and so on, of each draw (draws, n)."""
        count = np.arange(1, seeds.shape[1] + 1)
        each = self._apart[seeds[:, :, None], seeds[:, None, :]]
        of_pairs = np.cumsum(np.tril(each).sum(axis=2), axis=1)
        return np.asarray(of_pairs / (np.maximum(count * (count - 1), 1) * self.images**2))


@dataclass(frozen=True, slots=True)
class Shares:
    """How duels ended: shares of them, and pairs on average.

    `wrong` is the share whose interval left the true difference out at any look.
    """

    better: float
    worse: float
    no_gain: float
    wrong: float
    pairs: float

    def json(self) -> dict[str, Any]:
        """As plain figures."""
        return asdict(self)


class Duels:
    """Many duels of A against B, each drawn anew, that can be decided in several ways.

    Args:
        a, b: what is drawn from.
        draws, pairs: how many duels, of how many pairs each.
        how: "with" replacement; "without", where A and B are the same runs and share none in a duel; "same" for
            the same seeds on both sides, drawn with replacement.
    """

    def __init__(self, a: Side, b: Side, draws: int, pairs: int, how: str, seed: int = 0) -> None:
        random = np.random.default_rng([seed, pairs, draws])
        self.a, self.b = a, b
        self._ends: dict[Plan, tuple[Floats, Floats]] = {}
        if how == "without":
            every = np.broadcast_to(np.arange(len(a.accuracies)), (draws, len(a.accuracies)))
            drawn = random.permuted(every, axis=1)
            self.of_a, self.of_b = drawn[:, :pairs], drawn[:, pairs : 2 * pairs]
        else:
            self.of_a = random.integers(0, len(a.accuracies), (draws, pairs))
            self.of_b = self.of_a if how == "same" else random.integers(0, len(b.accuracies), (draws, pairs))
        parts = [slice(start, start + _AT_ONCE) for start in range(0, draws, _AT_ONCE)]
        self.first, self.second = a.accuracies[self.of_a], b.accuracies[self.of_b]
        self.floor = np.concatenate(
            [
                least_variance_of_floors(a.floors(self.of_a[part]) + b.floors(self.of_b[part]), a.images)
                for part in parts
            ]
        )

    def ended(self, plan: Plan, planted: float = 0.0) -> Shares:
        """By `stats.sequential`, with a gain planted in B, by which the intervals are moved."""
        low, high = self._intervals(Plan(plan.max_pairs, doublings=plan.doublings))
        return self._shares(low + planted, high + planted, plan, planted)

    def _intervals(self, plan: Plan) -> tuple[Floats, Floats]:
        if plan not in self._ends:
            self._ends[plan] = repeated_intervals(self.first, self.second, plan, self.floor)
        return self._ends[plan]

    def peeked(self, planted: float = 0.0) -> Shares:
        """By Student's t test after every pair from the third, as if it were the only look: what must not be done."""
        pairs = self.first.shape[1]
        count = np.arange(1, pairs + 1)
        centre = np.cumsum(self.second + planted - self.first, axis=1) / count
        variance = _running_variance(self.first) + _running_variance(self.second)
        half = special.stdtrit(np.maximum(2 * count - 2, 1), 0.975) * np.sqrt(variance / count)
        half[:, : FIRST_LOOK - 1] = np.inf
        return self._shares(centre - half, centre + half, Plan(pairs), planted)

    def fails_like_decide(self, plan: Plan, some: int) -> int:
        """How many of the first duels `decide` ends otherwise: at another pair, or with another outcome."""
        low, high = repeated_intervals(self.first[:some], self.second[:some], plan, self.floor[:some])
        outcome, pair = _ends(low, high, plan)
        wrong = 0
        for duel in range(some):
            got = decide(self.a.right[self.of_a[duel]], self.b.right[self.of_b[duel]], plan)
            wrong += got.outcome != outcome[duel] or got.pairs != pair[duel]
        return int(wrong)

    def _shares(self, low: Floats, high: Floats, plan: Plan, planted: float) -> Shares:
        truth = self.b.mean - self.a.mean + planted
        outcome, pair = _ends(low, high, plan)
        return Shares(
            better=float(np.mean(outcome == Outcome.BETTER)),
            worse=float(np.mean(outcome == Outcome.WORSE)),
            no_gain=float(np.mean(outcome == Outcome.NO_GAIN)),
            wrong=float(np.mean(((low > truth) | (high < truth)).any(axis=1))),
            pairs=float(pair.mean()),
        )


def _ends(low: Floats, high: Floats, plan: Plan) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """What each duel ended with, and after how many pairs."""
    better, worse = low > 0, high < 0
    no_gain = high < (-np.inf if plan.gain is None else plan.gain)
    decided = better | worse | no_gain
    at = np.where(decided.any(axis=1), decided.argmax(axis=1), low.shape[1] - 1)
    rows = np.arange(len(low))
    outcome = np.full(len(low), Outcome.UNDECIDED, dtype=object)
    for kind, said in ((Outcome.NO_GAIN, no_gain), (Outcome.WORSE, worse), (Outcome.BETTER, better)):
        outcome[said[rows, at]] = kind
    return outcome, at + 1


def _running_variance(values: Floats) -> Floats:
    count = np.arange(1, values.shape[1] + 1)
    centred = values - values[:, :1]
    square = np.cumsum(centred**2, axis=1) / count - (np.cumsum(centred, axis=1) / count) ** 2
    return np.asarray(np.maximum(square, 0) * count / np.maximum(count - 1, 1))
