"""Intervals: laws, scipy's own figures, and how often they cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuitrain.stats.intervals import Estimate, Interval, mean, sd_interval, skewness, wilson

shares = st.integers(1, 10_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
levels = st.sampled_from((0.8, 0.9, 0.95, 0.99))


@given(shares, levels)
def test_wilson_is_that_of_scipy(share: tuple[int, int], level: float) -> None:
    expected = stats.binomtest(*share).proportion_ci(level, method="wilson")
    got = wilson(*share, level)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(shares)
def test_wilson_holds_the_share_and_mirrors(share: tuple[int, int]) -> None:
    successes, trials = share
    got, other = wilson(successes, trials), wilson(trials - successes, trials)
    assert 0 <= got.low <= successes / trials <= got.high <= 1
    assert (got.low, got.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)
    assert wilson(successes, trials, 0.99).half_width >= got.half_width


def test_wilson_at_its_ends() -> None:
    assert wilson(0, 0) == Interval(0, 1)
    assert wilson(0, 16).low == 0 and wilson(16, 16).high == 1
    assert wilson(16, 16).low == pytest.approx(0.806, abs=5e-4)
    for successes, trials in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match=r"successes in 3 trials"):
            wilson(successes, trials)


def test_wilson_covers_few_seeds() -> None:
    """For each true share, exactly: the average over shares is near 95 %, where the textbook's is 77 % for 5."""
    for trials in (5, 16):
        covered = []
        for p in np.linspace(0.05, 0.95, 91):
            each = [p in wilson(k, trials) for k in range(trials + 1)]
            covered.append(float(stats.binom.pmf(range(trials + 1), trials, p) @ each))
        assert 0.94 < np.mean(covered) < 0.965 and min(covered) > 0.82


some_values = st.lists(st.floats(0, 1), min_size=2, max_size=20)


@given(some_values, levels)
def test_mean_is_that_of_scipy(values: list[float], level: float) -> None:
    got, sem = mean(values), stats.sem(values)
    assert (got.value, got.standard_error) == pytest.approx((np.mean(values), sem), abs=1e-12)
    if sem > 1e-9:
        low, high = stats.t.interval(level, len(values) - 1, np.mean(values), sem)
        assert (got.interval(level).low, got.interval(level).high) == pytest.approx((low, high))
        assert got.p_value(0.5) == pytest.approx(stats.ttest_1samp(values, 0.5).pvalue)


@given(some_values, st.floats(-1, 1), st.floats(0.1, 10))
def test_mean_moves_and_grows_with_the_values(values: list[float], shift: float, factor: float) -> None:
    before, after = mean(values).interval(), mean(np.array(values) * factor + shift).interval()
    expected = (before.low * factor + shift, before.high * factor + shift)
    assert (after.low, after.high) == pytest.approx(expected, abs=1e-9)


def test_one_seed_says_nothing_of_others() -> None:
    assert mean([0.99]).interval() == Interval(-math.inf, math.inf)
    assert mean([0.99]).p_value(0) == 1
    assert Estimate(0.99, 0.001, 4).interval().half_width == pytest.approx(2.776e-3, rel=1e-3)
    for nothing in ([], [[0.9]]):
        with pytest.raises(ValueError, match="one value a seed"):
            mean(nothing)


@given(st.floats(-1, 1), st.floats(1e-3, 1), st.floats(0.5, 100), levels)
def test_interval_and_p_value_agree(value: float, error: float, df: float, level: float) -> None:
    estimate = Estimate(value, error, df)
    p = estimate.p_value()
    if abs(p - (1 - level)) > 1e-6:
        assert (0 in estimate.interval(level)) == (p > 1 - level)


def test_no_error_is_no_doubt() -> None:
    assert Estimate(0.0, 0.0, 3).p_value() == 1 and Estimate(0.1, 0.0, 3).p_value() == 0


def test_equal_counts_leave_some_doubt() -> None:
    """Three seeds with 290 of 297 right: the mean is not known to be 290/297 exactly."""
    got = mean(np.array([290, 290, 290]) / 297, images=297)
    assert got.interval().half_width * 297 == pytest.approx(4.303 / 6, rel=1e-3)
    assert mean(np.array([290, 280]) / 297, images=297) == mean(np.array([290, 280]) / 297)


def test_the_mean_covers_where_counts_tie() -> None:
    """Accuracies that vary by half an image: plain t says 'certain' of equal counts, and covers less."""
    rng = np.random.default_rng(1)
    counts = np.rint(rng.normal(290.3, 0.5, (2000, 3)))
    expected = float(np.rint(rng.normal(290.3, 0.5, 200_000)).mean()) / 297
    plain = np.mean([expected in mean(row / 297).interval() for row in counts])
    ours = np.mean([expected in mean(row / 297, images=297).interval() for row in counts])
    assert plain < 0.8 < 0.94 < ours


@given(st.floats(0.01, 10), st.integers(1, 60), levels)
def test_sd_interval_is_the_one_of_chi_squared(sd: float, df: int, level: float) -> None:
    got = sd_interval(sd, df, level)
    assert got.low < sd < got.high or df < 3
    assert stats.chi2.cdf(df * sd**2 / got.low**2, df) == pytest.approx((1 + level) / 2)
    assert stats.chi2.cdf(df * sd**2 / got.high**2, df) == pytest.approx((1 - level) / 2)


def test_sd_of_one_seed_is_unknown() -> None:
    assert sd_interval(1.0, 0) == Interval(0, math.inf)


@given(st.lists(st.integers(0, 100), min_size=3, max_size=20))
def test_skewness_is_that_of_scipy(values: list[int]) -> None:
    expected = 0.0 if len(set(values)) == 1 else stats.skew(values, bias=False)
    assert skewness(values) == pytest.approx(expected, abs=1e-9)


def test_skewness_of_two_is_none() -> None:
    assert skewness([0.1, 0.9]) == 0
