"""The noise floor: its two forms, the moderated estimate, and how near it comes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from support.seeds_simulated import images, seeds
from tuitrain.stats.intervals import mean
from tuitrain.stats.noise_floor import (
    Prior,
    cochran_q,
    disagreements,
    least_floor,
    mean_accuracy,
    noise_floor,
    running_noise_floor,
    spread,
)

matrices = st.tuples(st.integers(2, 9), st.integers(1, 40)).flatmap(lambda shape: arrays.arrays(bool, shape))


@given(matrices)
def test_both_forms_are_one_number(right: np.ndarray) -> None:
    count = len(right)
    p = right.mean(axis=0)
    by_hand = count / (count - 1) * (p * (1 - p)).sum() / right.shape[1] ** 2
    pairs = disagreements(right)
    assert noise_floor(right) == pytest.approx(by_hand, abs=1e-15)
    by_pairs = pairs[np.triu_indices(count, k=1)].mean() / (2 * right.shape[1] ** 2)
    assert by_pairs == pytest.approx(noise_floor(right), abs=1e-15)
    assert pairs[0, 1] == (right[0] ^ right[1]).sum() and not np.diag(pairs).any()


@given(matrices)
def test_the_running_floor_is_the_floor_of_each_beginning(right: np.ndarray) -> None:
    got = running_noise_floor(right)
    assert got[0] == 0
    assert got[1:] == pytest.approx([noise_floor(right[:n]) for n in range(2, len(right) + 1)], abs=1e-15)
    assert running_noise_floor(np.stack([right, ~right])) == pytest.approx(np.stack([got, got]), abs=1e-15)


@given(matrices)
def test_order_and_side_make_no_difference(right: np.ndarray) -> None:
    rows = np.random.default_rng(len(right)).permutation(len(right))
    columns = np.random.default_rng(right.shape[1]).permutation(right.shape[1])
    assert noise_floor(right[rows][:, columns]) == pytest.approx(noise_floor(right), abs=1e-15)
    assert noise_floor(~right) == pytest.approx(noise_floor(right), abs=1e-15)


@given(matrices)
def test_cochran_is_the_ratio_of_variances(right: np.ndarray) -> None:
    """Against Cochran's own formula, from the totals of rows and columns."""
    q, p = cochran_q(right)
    count, rows, columns = len(right), right.sum(axis=1), right.sum(axis=0)
    below = (columns * (count - columns)).sum()
    expected = (count - 1) * (count * (rows**2).sum() - rows.sum() ** 2) / below if below else 0.0
    assert q == pytest.approx(expected, abs=1e-9)
    assert p == pytest.approx(stats.chi2.sf(q, count - 1) if below else 1.0)


def test_cochran_of_two_is_mcnemar() -> None:
    right = np.array([[1] * 9 + [0] * 3 + [1] * 20, [0] * 9 + [1] * 3 + [1] * 20], dtype=bool)
    assert cochran_q(right)[0] == pytest.approx((9 - 3) ** 2 / 12)


def test_too_little_is_refused() -> None:
    for bad in (np.ones((1, 5)), np.ones(5), np.ones((3, 0))):
        with pytest.raises(ValueError, match="a row of right and wrong a seed"):
            noise_floor(bad)


@given(matrices, st.floats(0.5, 3), st.floats(0.5, 10))
def test_spread_lies_between_prior_and_plain(right: np.ndarray, excess: float, df: float) -> None:
    got = spread(right, Prior(excess, df))
    if not got.settled:
        assert got.sd == pytest.approx(got.plain) and got.df == len(right) - 1
    elif got.floor**2 >= least_floor(right.shape[1]):
        ends = sorted((got.plain, math.sqrt(excess) * got.floor))
        assert ends[0] - 1e-12 <= got.sd <= ends[1] + 1e-12 and got.df == len(right) - 1 + df
    assert got.interval().high > got.interval().low >= 0


def test_seeds_that_agree_on_all_are_not_certain() -> None:
    got = spread(np.ones((4, 297), bool))
    assert got.floor == got.plain == 0 and got.settled
    assert 0.3 / 297 < got.sd < 1 / 297


def test_unsettled_seeds_are_named_and_taken_as_they_are() -> None:
    rng = np.random.default_rng(2)
    got = spread(seeds(rng, images(rng, 2000), (8,), excess=20))
    assert not got.settled and got.sd == got.plain and got.excess > 5 and got.p_value < 1e-6


def _errors(excess: float, count: int, draws: int, size: int, seed: int) -> dict[str, float]:
    """Root mean square error of three estimates of the standard deviation, relative to the true one."""
    rng = np.random.default_rng(seed)
    ease = images(rng, size)
    truth = float(seeds(rng, ease, (20_000_000 // size // 4,), excess).mean(axis=-1).std())
    each = [spread(seeds(rng, ease, (count,), excess)) for _ in range(draws)]
    wanted = {name: np.array([getattr(one, name) for one in each]) for name in ("sd", "plain", "floor")}
    return {name: float(np.sqrt(np.mean((got / truth - 1) ** 2))) for name, got in wanted.items()}


def test_four_seeds_of_settled_runs_are_enough() -> None:
    got = _errors(excess=1.4, count=4, draws=400, size=2000, seed=3)
    assert got["sd"] < 0.21 < 0.31 < got["plain"]


@pytest.mark.long
@pytest.mark.parametrize(("excess", "most"), [(1.1, 0.19), (1.4, 0.21), (2.0, 0.29)])
def test_four_seeds_over_the_range_of_finished_runs(excess: float, most: float) -> None:
    got = _errors(excess, count=4, draws=4000, size=2000, seed=4)
    print(excess, got)
    assert got["sd"] < most < 0.36 < got["plain"]


def test_cochran_holds_its_level_and_finds_mid_training() -> None:
    rng = np.random.default_rng(5)
    ease = images(rng)
    found = {
        excess: np.mean([cochran_q(seeds(rng, ease, (4,), excess))[1] < 0.05 for _ in range(600)])
        for excess in (1.0, 3.4)
    }
    assert found[1.0] < 0.08 and 0.4 < found[3.4] < 0.7  # 52 % was measured on real runs


@given(matrices)
def test_mean_accuracy_is_in_the_middle_and_never_certain(right: np.ndarray) -> None:
    got = mean_accuracy(right)
    assert got.value == pytest.approx(right.mean()) and got.interval().half_width > 0


@pytest.mark.parametrize(("excess", "count"), [(1.4, 2), (1.4, 4), (3.4, 4)])
def test_mean_accuracy_covers(excess: float, count: int) -> None:
    """Of two seeds the interval is a third as wide as by their accuracies alone, and covers all the same."""
    rng = np.random.default_rng(6)
    ease = images(rng, 2000)
    truth = float(seeds(rng, ease, (2000,), excess).mean())
    draws = seeds(rng, ease, (600, count), excess)
    got = [mean_accuracy(each).interval() for each in draws]
    assert 0.91 < np.mean([truth in one for one in got]) < 0.995
    plain = np.median([mean(each.mean(axis=1)).interval().half_width for each in draws])
    if count == 2:
        assert np.median([one.half_width for one in got]) < plain / 2.5
