"""A second opinion on a comparison, which rests on nothing but that seeds can be swapped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: With 3 seeds of each side there are 20 ways to swap them, and the least p-value is 0.1.
LEAST_SEEDS = 4
#: Up to here all ways are gone through: 10 seeds of each side.
EXACT_WAYS = 200_000
SAMPLED_WAYS = 20_000


@dataclass(frozen=True, slots=True)
class Permutation:
    """The two-sided p-value of no difference, from so many ways to share out the seeds; `exact` if from all."""

    p_value: float
    ways: int
    exact: bool


def permutation_test(a: ArrayLike, b: ArrayLike, seed: int = 0) -> Permutation:
    """Whether A and B differ, from their accuracies (KA,) and (KB,), at least 4 each.

    The p-value is the share of all ways to call KA of the seeds A at which the means are as far apart as they are.
    With more than 10 seeds each it is taken from ways drawn at random, always the same ones for a `seed`. If A and B
    are the same setting, it is 0.05 or less in at most 5 of 100 comparisons, whatever the accuracies are like.

    Raises:
        ValueError: fewer than 4 seeds on a side.
    """
    of_a, of_b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if of_a.ndim != 1 or of_b.ndim != 1 or min(len(of_a), len(of_b)) < LEAST_SEEDS:
        raise ValueError(
            f"{of_a.shape} and {of_b.shape} accuracies: a permutation test needs {LEAST_SEEDS} seeds a side"
        )
    both, of_each = np.concatenate([of_a, of_b]), (len(of_a), len(of_b))
    ways, exact = math.comb(len(both), len(of_a)), True
    if ways <= EXACT_WAYS:
        sums = both[_all_choices(len(both), len(of_a))].sum(axis=1)
    else:
        ways, exact = SAMPLED_WAYS + 1, False
        random = np.random.default_rng(seed)
        order = random.permuted(np.broadcast_to(both, (SAMPLED_WAYS, len(both))), axis=1)
        sums = np.concatenate([[of_a.sum()], order[:, : len(of_a)].sum(axis=1)])
    apart = np.abs((both.sum() - sums) / of_each[1] - sums / of_each[0])
    # Sums in another order differ in their last bits, and accuracies by no less than one image.
    as_far = apart >= abs(of_b.mean() - of_a.mean()) - 1e-9
    return Permutation(float(as_far.mean()), ways, exact)


def _all_choices(of: int, count: int) -> NDArray[np.intp]:
    """Each choice of so many places (ways, count)."""
    places = np.fromiter(chain.from_iterable(combinations(range(of), count)), dtype=np.intp)
    return places.reshape(-1, count)
