"""Intervals for a share, a mean and a standard deviation, from few values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, both included."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the distance from `low` to `high`."""
        return (self.high - self.low) / 2

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error, which was itself estimated with `df` degrees of freedom."""

    value: float
    standard_error: float
    df: float

    def interval(self, level: float = LEVEL) -> Interval:
        """Student's t interval; unbounded where there are no degrees of freedom."""
        if self.df <= 0:
            return Interval(-math.inf, math.inf)
        half = t_quantile(1 - (1 - level) / 2, self.df) * self.standard_error
        return Interval(self.value - half, self.value + half)

    def p_value(self, null: float = 0.0) -> float:
        """The two-sided p-value of a true value of `null`."""
        if self.df <= 0:
            return 1.0
        if self.standard_error == 0:
            return 1.0 if self.value == null else 0.0
        return 2 * float(special.stdtr(self.df, -abs(self.value - null) / self.standard_error))


def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t distribution."""
    return float(special.stdtrit(df, probability))


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval for a share: of seeds that reach a target, or of images that one network gets right.

    From 0 to 1 where there were no trials. Source: Wilson (1927); Brown, Cai and DasGupta (2001) advise it for
    few trials. Raises ValueError unless 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return Interval(0.0, 1.0)
    z = float(special.ndtri(1 - (1 - level) / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    # At the ends the formula gives exactly 0 and 1, but for rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return Interval(low, high)


def mean(values: ArrayLike, *, images: int = 0) -> Estimate:
    """The mean of the values (K,), one a seed, for images that stay the same; unbounded with one value.

    Where it is known which images each seed gets right, `noise_floor.mean_accuracy` says more of few seeds. The
    lower end is too high where the values are skewed to the left: see `skewness`.

    An accuracy of `images` images is a count, so equal ones don't say that the seeds don't vary: the standard deviation
    is taken to be no less than that of rounding, 1/sqrt(12) of an image (Sheppard).
    """
    each = _vector(values)
    if len(each) == 1:
        return Estimate(float(each[0]), math.inf, 0)
    sd = max(float(each.std(ddof=1)), 1 / (math.sqrt(12) * images) if images else 0.0)
    return Estimate(float(each.mean()), sd / math.sqrt(len(each)), len(each) - 1)


def one_more(values: ArrayLike, *, images: int, level: float = LEVEL) -> Interval:
    """The prediction interval for one more accuracy of the same kind: Student's t, with the values (K,) as fractions.

    Unbounded with one value. Equal values, of `images` images each, are taken to vary by their rounding (see
    `mean`). It supposes a normal distribution.
    """
    each = _vector(values)
    if len(each) == 1:
        return Interval(-math.inf, math.inf)
    sd = max(float(each.std(ddof=1)), 1 / (math.sqrt(12) * images))
    half = t_quantile(1 - (1 - level) / 2, len(each) - 1) * sd * math.sqrt(1 + 1 / len(each))
    return Interval(float(each.mean()) - half, float(each.mean()) + half)


def sd_interval(sd: float, df: float, level: float = LEVEL) -> Interval:
    """The interval for a standard deviation that was estimated with `df` degrees of freedom (chi-squared)."""
    if df <= 0:
        return Interval(0.0, math.inf)
    tail = (1 - level) / 2
    low, high = (math.sqrt(df / float(special.chdtri(df, upper))) for upper in (tail, 1 - tail))
    return Interval(sd * low, sd * high)


def skewness(values: ArrayLike) -> float:
    """The adjusted Fisher-Pearson skewness of the values (K,); 0 for fewer than three, or equal ones.

    Where it is below -0.5, the lower end of an interval for a mean is too high: measured 6 to 8 % of the time at
    -0.8 and 13 to 15 % at -2, instead of 2.5 %. A difference of two groups suffers less.
    """
    each = _vector(values)
    count, centred = len(each), each - each.mean()
    square = float((centred**2).mean())
    if count < 3 or np.ptp(each) == 0:
        return 0.0
    correction = math.sqrt(count * (count - 1)) / (count - 2)
    return float((centred**3).mean()) / math.pow(square, 1.5) * correction


def _vector(values: ArrayLike) -> np.ndarray:
    each = np.asarray(values, dtype=np.float64)
    if each.ndim != 1 or each.size == 0:
        raise ValueError(f"one value a seed is needed, at least one, not an array of shape {each.shape}")
    return each
