"""The permutation test: laws, scipy's own figures, and its level."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tuitrain.stats.permutation import SAMPLED_WAYS, permutation_test

counts = st.lists(st.integers(280, 297), min_size=4, max_size=6).map(lambda right: np.array(right) / 297)


@settings(max_examples=30)
@given(counts, counts)
def test_it_is_that_of_scipy(a: np.ndarray, b: np.ndarray) -> None:
    expected = stats.permutation_test(
        (a, b), lambda x, y: np.round(abs(y.mean() - x.mean()), 9), alternative="greater", n_resamples=1000
    )
    got = permutation_test(a, b)
    assert got.exact and got.ways == math.comb(len(a) + len(b), len(a))
    assert got.p_value == pytest.approx(expected.pvalue)


@given(counts, counts, st.floats(0.5, 2), st.floats(-0.1, 0.1))
def test_sides_and_scale_make_no_difference(
    a: np.ndarray, b: np.ndarray, factor: float, shift: float
) -> None:
    p = permutation_test(a, b).p_value
    assert permutation_test(b, a).p_value == pytest.approx(p)
    assert permutation_test(a * factor + shift, b * factor + shift).p_value == pytest.approx(p)
    assert 2 / math.comb(len(a) + len(b), len(a)) - 1e-12 <= p <= 1 or len(a) != len(b)


def test_the_least_p_value_is_that_of_sides_that_do_not_overlap() -> None:
    a, b = [0.90, 0.91, 0.92, 0.93], [0.94, 0.95, 0.96, 0.97]
    assert permutation_test(a, b).p_value == pytest.approx(2 / 70)
    assert permutation_test(a, a).p_value == 1
    for few in ((a[:3], b), (a, b[:3]), ([a], [b])):
        with pytest.raises(ValueError, match="needs 4 seeds a side"):
            permutation_test(*few)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 12), min_size=9, max_size=9), st.sampled_from((4, 5)))
def test_its_level_is_exact(values: list[int], count: int) -> None:
    """Of all ways to share out the same values, those with p <= 0.05 are 5 % at most: no distribution is assumed."""
    every, each = set(range(9)), np.array(values) / 12
    found = []
    for of_a in combinations(range(9), count):
        rest = sorted(every - set(of_a))
        found.append(permutation_test(each[list(of_a)], each[rest]).p_value <= 0.05)
    assert np.mean(found) <= 0.05


def test_many_seeds_are_sampled_always_alike() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.99, 0.001, 30), rng.normal(0.9905, 0.001, 25)
    got = permutation_test(a, b)
    assert not got.exact and got.ways == SAMPLED_WAYS + 1 and got == permutation_test(a, b)
    expected = stats.ttest_ind(a, b).pvalue
    assert got.p_value == pytest.approx(expected, rel=0.2)
    assert permutation_test(a, b + 1).p_value == pytest.approx(1 / (SAMPLED_WAYS + 1))  # never 0


@pytest.mark.parametrize(("count", "expected"), [(4, 2 / 70), (5, 12 / 252), (12, 0.05)])
def test_how_often_it_finds_a_difference_of_one_setting(count: int, expected: float) -> None:
    rng = np.random.default_rng(count)
    draws = 2000 if count < 10 else 200
    a, b = rng.normal(0, 1, (2, draws, count))
    found = np.mean([permutation_test(*pair).p_value <= 0.05 for pair in zip(a, b, strict=True)])
    assert found == pytest.approx(expected, abs=3 * math.sqrt(0.05 / draws))
