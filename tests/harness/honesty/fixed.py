"""A fixed number of seeds drawn from pools of real runs: what `compare`, `spread` and `mean_accuracy` say of them.

Seeds are drawn with replacement, so that the pool's own mean and standard deviation are the truth, exactly.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from harness.honesty.duels import Side
from tuitrain.stats.comparison import compare, compare_accuracies
from tuitrain.stats.intervals import Interval
from tuitrain.stats.mcnemar import mcnemar
from tuitrain.stats.noise_floor import FINISHED_RUNS, Prior, mean_accuracy, noise_floor, spread
from tuitrain.stats.permutation import permutation_test


def these_images(
    a: Side, b: Side, count: int, draws: int, prior: Prior = FINISHED_RUNS, seed: int = 1
) -> dict[str, Any]:
    """How often intervals from `count` seeds of each side hold the true difference of means, and what they say.

    Beside them the t test of the accuracies alone, and the noise floor taken for the variance (as if the excess
    were 1 and known), which must cover too little where runs are not settled. Half widths are medians.
    """
    random = np.random.default_rng([seed, count])
    truth = b.mean - a.mean
    covered = better = worse = by_floor = by_t = 0
    half: list[float] = []
    half_t: list[float] = []
    for _ in range(draws):
        of_a, of_b = a.right[_some(random, a, count)], b.right[_some(random, b, count)]
        got = compare(of_a, of_b, prior).these_images
        interval, plain = got.interval(), compare_accuracies(of_a.mean(axis=1), of_b.mean(axis=1)).interval()
        floor = 1.96 * math.sqrt((noise_floor(of_a) + noise_floor(of_b)) / count)
        covered += truth in interval
        by_t += truth in plain
        by_floor += abs(got.value - truth) <= floor
        better += interval.low > 0
        worse += interval.high < 0
        half.append(interval.half_width)
        half_t.append(plain.half_width)
    return {
        "covered": covered / draws, "better": better / draws, "worse": worse / draws, "half": float(np.median(half)),
        "covered by t": by_t / draws, "half of t": float(np.median(half_t)), "covered by the floor": by_floor / draws,
    }  # fmt: skip


def new_images(a: Side, b: Side, count: int, draws: int, how: str, seed: int = 2) -> dict[str, Any]:
    """How often the interval for new images holds the difference over all images.

    The seeds are judged by images drawn from all of them: "drawn" as many as there are, with replacement, which
    makes the whole set the truth exactly; "halves" by a half of them, which flatters, as the truth is half known.
    """
    random = np.random.default_rng([seed, count])
    truth, size = b.mean - a.mean, a.images
    covered = by_seeds = 0
    half: list[float] = []
    for _ in range(draws):
        columns = random.integers(0, size, size) if how == "drawn" else random.permutation(size)[: size // 2]
        of_a, of_b = (side.right[_some(random, side, count)][:, columns] for side in (a, b))
        got = compare(of_a, of_b)
        interval = got.new_images.interval()
        covered += truth in interval
        by_seeds += truth in got.these_images.interval()
        half.append(interval.half_width)
    return {
        "covered": covered / draws, "half": float(np.median(half)), "covered by seeds alone": by_seeds / draws
    }  # fmt: skip


def spreads(
    side: Side, count: int, draws: int, prior: Prior = FINISHED_RUNS, seed: int = 3
) -> dict[str, Any]:
    """How far the estimate of the standard deviation from `count` seeds is off, and how often they say "unsettled"."""
    random = np.random.default_rng([seed, count])
    each = [spread(side.right[_some(random, side, count)], prior) for _ in range(draws)]
    figures: dict[str, Any] = {"unsettled": float(np.mean([not one.settled for one in each]))}
    for name in ("sd", "plain", "floor"):
        off = np.array([getattr(one, name) for one in each]) / side.sd - 1
        figures[name] = {
            "bias": float(off.mean()),
            "rmse": float(np.sqrt(np.mean(off**2))),
            "within 20 %": float(np.mean(np.abs(off) <= 0.2)),
        }
    return figures


def means(side: Side, count: int, draws: int, seed: int = 4) -> dict[str, Any]:
    """How often the interval for a mean covers, and how often it lies too high or too low."""
    random = np.random.default_rng([seed, count])
    each: list[Interval] = [
        mean_accuracy(side.right[_some(random, side, count)]).interval() for _ in range(draws)
    ]
    high = float(np.mean([one.low > side.mean for one in each]))
    low = float(np.mean([one.high < side.mean for one in each]))
    half = float(np.median([one.half_width for one in each]))
    return {"covered": 1 - high - low, "too high": high, "too low": low, "half": half}


def permuted(side: Side, count: int, draws: int, seed: int = 5) -> float:
    """How often a permutation test tells `count` seeds from as many others of the same setting, p <= 0.05."""
    random = np.random.default_rng([seed, count])
    found = 0
    for _ in range(draws):
        of_a, of_b = (side.accuracies[_some(random, side, count)] for _ in range(2))
        found += permutation_test(of_a, of_b).p_value <= 0.05
    return found / draws


def told_apart(side: Side, most: int = 2000) -> float:
    """How often McNemar's test tells two seeds of one setting apart, p <= 0.05, over pairs of seeds."""
    pairs = list(combinations(range(len(side.right)), 2))
    some = np.random.default_rng(6).permutation(len(pairs))[:most]
    return float(np.mean([mcnemar(*(side.right[seed] for seed in pairs[k])) <= 0.05 for k in some]))


def _some(random: np.random.Generator, side: Side, count: int) -> np.ndarray:
    return random.integers(0, len(side.right), count)
