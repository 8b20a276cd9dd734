"""Shares of seeds that reach a target: laws, scipy's own figures, and how often the interval covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuitrain.stats.shares import compare_shares, fisher

counts = st.integers(1, 40).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(counts, counts)
def test_fisher_is_that_of_scipy(a: tuple[int, int], b: tuple[int, int]) -> None:
    table = [[count, trials - count] for count, trials in (a, b)]
    assert fisher(*a, *b) == pytest.approx(stats.fisher_exact(table).pvalue)


@given(counts, counts)
def test_sides_swapped_swap_the_sign(a: tuple[int, int], b: tuple[int, int]) -> None:
    one, other = compare_shares(*a, *b), compare_shares(*b, *a)
    assert one.difference == pytest.approx(-other.difference) and one.p_value == other.p_value
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))
    assert -1 <= one.interval.low <= one.difference <= one.interval.high <= 1
    assert compare_shares(*a, *b, level=0.99).interval.half_width >= one.interval.half_width


def test_newcombe_is_that_of_his_paper() -> None:
    """Newcombe (1998), table II, method 10; his differences are the first share minus the second."""
    for b, a, expected in (
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ):
        got = compare_shares(*a, *b).interval
        assert (got.low, got.high) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("trials", [5, 16])
def test_coverage_and_level_over_all_shares(trials: int) -> None:
    """Exactly, from the binomial distributions: 95 % on average, and Fisher's test never above 5 %."""
    results = np.empty((trials + 1, trials + 1, 3))
    for of_a in range(trials + 1):
        for of_b in range(trials + 1):
            got = compare_shares(of_a, trials, of_b, trials)
            results[of_a, of_b] = got.interval.low, got.interval.high, got.p_value
    shares = np.linspace(0.05, 0.95, 19)
    likely = np.array([stats.binom.pmf(range(trials + 1), trials, share) for share in shares])
    covered, said = [], []
    for i, share_a in enumerate(shares):
        for j, share_b in enumerate(shares):
            weight = np.outer(likely[i], likely[j])
            inside = (results[..., 0] <= share_b - share_a) & (share_b - share_a <= results[..., 1])
            covered.append(float((weight * inside).sum()))
            if i == j:
                said.append(float((weight * (results[..., 2] <= 0.05)).sum()))
    assert 0.945 < np.mean(covered) < 0.975 and min(covered) > 0.89
    assert max(said) <= 0.05


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compare_shares(0, 0, 1, 2)
    with pytest.raises(ValueError, match="successes in"):
        compare_shares(3, 2, 1, 2)
