"""Do more seeds of B than of A reach a target: for networks of which some seeds collapse.

There a difference of means says little: a few seeds that lose a point each widen its interval so much that a gain of
the others is not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuitrain.stats.intervals import LEVEL, Interval, wilson


@dataclass(frozen=True, slots=True)
class Shares:
    """B's share minus A's, its interval (Newcombe), and the two-sided p-value of no difference (Fisher)."""

    difference: float
    interval: Interval
    p_value: float


def compare_shares(
    successes_a: int, trials_a: int, successes_b: int, trials_b: int, level: float = LEVEL
) -> Shares:
    """B's share of successes minus A's, from counts of both, a trial of each at least.

    The interval is Newcombe's of 1998 (his method 10), made of the two Wilson intervals; the p-value that of Fisher's
    exact test, which is the more careful of the two: it may exceed 0.05 where the interval leaves 0 out.

    Raises:
        ValueError: no trial, or more successes than trials.
    """
    if min(trials_a, trials_b) < 1:
        raise ValueError(f"{trials_a} and {trials_b} trials: both sides need at least one")
    of_a, of_b = wilson(successes_a, trials_a, level), wilson(successes_b, trials_b, level)
    share_a, share_b = successes_a / trials_a, successes_b / trials_b
    difference = share_b - share_a
    below = math.hypot(share_b - of_b.low, of_a.high - share_a)
    above = math.hypot(of_b.high - share_b, share_a - of_a.low)
    return Shares(
        difference,
        Interval(max(-1.0, difference - below), min(1.0, difference + above)),
        fisher(successes_a, trials_a, successes_b, trials_b),
    )


def fisher(successes_a: int, trials_a: int, successes_b: int, trials_b: int) -> float:
    """The two-sided p-value of Fisher's exact test: of all tables with these sums, the share no likelier than this."""
    successes = successes_a + successes_b
    # Whole numbers, so that tables that are equally likely are found equal.
    ways = {
        of_a: math.comb(trials_a, of_a) * math.comb(trials_b, successes - of_a)
        for of_a in range(max(0, successes - trials_b), min(trials_a, successes) + 1)
    }
    here = ways[successes_a]
    return sum(way for way in ways.values() if way <= here) / sum(ways.values())
