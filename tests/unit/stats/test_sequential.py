"""Deciding while one watches: the limits, the laws, and how often it is wrong when one looks after every pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from support.seeds_simulated import images, seeds
from tuitrain.stats.sequential import (
    ERROR,
    FIRST_LOOK,
    Outcome,
    Plan,
    critical_values,
    decide,
    least_variance,
    pairs_to_go,
    repeated_intervals,
    smallest_gain,
)

plans = st.builds(Plan, st.integers(3, 20), st.none(), st.sampled_from((None, 0, 1)))


def test_limits_are_those_of_the_table() -> None:
    got = critical_values(Plan(64))
    table = {3: 7.2, 4: 5.8, 6: 4.4, 8: 3.9, 16: 3.3, 32: 2.9, 64: 2.6}
    assert {n: float(got[n - 1]) for n in table} == pytest.approx(table, abs=0.07)
    assert np.isinf(got[: FIRST_LOOK - 1]).all()


@settings(max_examples=20)
@given(plans)
def test_limits_fall_and_are_the_same_for_more_doublings(plan: Plan) -> None:
    got = critical_values(plan)
    assert len(got) == plan.last and plan.spent(0) == 0
    inside = got[FIRST_LOOK - 1 : plan.max_pairs]
    assert (np.diff(inside) < 0).all()
    unspent = 0 if plan.doublings is None else 0.5 ** (plan.doublings + 1)
    assert plan.spent(plan.last) == pytest.approx(ERROR * (1 - unspent))
    if plan.doublings is not None:
        more = critical_values(Plan(plan.max_pairs, None, plan.doublings + 1))
        assert more[: plan.last] == pytest.approx(got, abs=1e-6)


@pytest.mark.parametrize("plan", [Plan(16), Plan(64), Plan(16, doublings=2)])
def test_normal_sums_leave_the_limits_as_often_as_is_spent(plan: Plan) -> None:
    df = 2.0 * np.arange(plan.last)
    z = -special.ndtri(special.stdtr(df[2:], -critical_values(plan)[2:]))
    sums = np.cumsum(np.random.default_rng(1).standard_normal((40_000, plan.last)), axis=1)[:, 2:]
    left = np.maximum.accumulate(np.abs(sums) > z * np.sqrt(np.arange(3, plan.last + 1)), axis=1)
    assert critical_values(plan, df) == pytest.approx(critical_values(plan))
    for pair in (plan.last // 2, plan.last):
        assert left[:, pair - 3].mean() == pytest.approx(plan.spent(pair), abs=0.004)


def _streams(seed: int, count: int, pairs: int, excess: float, size: int = 300, gain: float = 0.0) -> tuple:
    """Accuracies of both and the floor of a difference, (count, pairs): A against A, or with `gain` planted in B."""
    rng = np.random.default_rng(seed)
    ease = images(rng, size)
    accuracies, least = [], []
    for some in _parts(count, 4_000_000 // (size * pairs)):
        a, b = seeds(rng, ease, (some, pairs), excess), seeds(rng, ease, (some, pairs), excess)
        accuracies.append((a.mean(axis=-1), b.mean(axis=-1)))
        least.append(least_variance(a, b))
    first, second = (np.concatenate(side) for side in zip(*accuracies, strict=True))
    return first, second + gain, np.concatenate(least)


def _parts(count: int, most: int) -> list[int]:
    return [min(most, count - begin) for begin in range(0, count, most)]


def _shares(lows: np.ndarray, highs: np.ndarray, truth: float = 0.0) -> dict[str, float]:
    """How often "better" and "worse" were said at any look, and after how many pairs on average one stopped."""
    better, worse = lows > 0, highs < 0
    decided = better | worse
    stopped = np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, lows.shape[1])
    at = np.arange(len(lows)), stopped - 1
    return {
        "better": float(better[at].mean()),
        "worse": float(worse[at].mean()),
        "wrong": float(((lows > truth) | (highs < truth)).any(axis=1).mean()),
        "pairs": float(stopped.mean()),
    }


def test_a_against_itself_is_seldom_called_better_and_peeking_would_be() -> None:
    a, b, floor = _streams(2, 600, 32, excess=1.4)
    got = _shares(*repeated_intervals(a, b, Plan(32), floor))
    assert got["better"] < 0.04 and got["worse"] < 0.04 and got["wrong"] < 0.075, got
    count = np.arange(1, 33)
    mean = np.cumsum(b - a, axis=1) / count
    variances = [np.stack([side[:, : max(n, 2)].var(axis=1, ddof=1) for n in count], 1) for side in (a, b)]
    half = special.stdtrit(np.maximum(2 * count - 2, 1), 0.975) * np.sqrt(sum(variances) / count)
    half[:, :2] = np.inf
    peeking = _shares(mean - half, mean + half)
    assert peeking["better"] > 0.08 < peeking["worse"], peeking


@pytest.mark.parametrize("ratio", [0.25, 16])
def test_sides_that_vary_differently_decide_no_more_often(ratio: float) -> None:
    """With the degrees of freedom of sides that vary alike, it was 8.5 and 10.5 %."""
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 1, (4000, 16)), rng.normal(0, ratio, (4000, 16))
    assert _shares(*repeated_intervals(a, b, Plan(16)))["wrong"] < 0.065


def test_a_true_gain_is_found() -> None:
    a, b, floor = _streams(3, 300, 32, excess=1.4)
    sd = float(a.std())
    got = _shares(*repeated_intervals(a, b + smallest_gain(sd, 32), Plan(32), floor), smallest_gain(sd, 32))
    assert 0.72 < got["better"] < 0.9 and got["worse"] == 0 and got["wrong"] < 0.075 and got["pairs"] < 27, (
        got
    )


@pytest.mark.long
@pytest.mark.parametrize("pairs", [16, 32, 64])
@pytest.mark.parametrize("excess", [1.0, 1.4, 3.4, 20.0])
def test_levels_of_ten_thousand_duels(pairs: int, excess: float) -> None:
    a, b, floor = _streams(pairs, 10_000, pairs, excess)
    got = _shares(*repeated_intervals(a, b, Plan(pairs), floor))
    gain = smallest_gain(float(a.std()), pairs)
    found = _shares(*repeated_intervals(a, b + gain, Plan(pairs), floor), gain)
    print(f"\nexcess {excess}, {pairs} pairs: A/A {got}; gain of 8 in 10 {found}")
    assert got["better"] <= 0.025 and got["worse"] <= 0.025 and got["wrong"] <= 0.05
    assert 0.72 < found["better"] < 0.88


@pytest.mark.long
@pytest.mark.parametrize("doublings", [0, 1, 2])
def test_levels_of_duels_that_go_on(doublings: int) -> None:
    plan = Plan(16, doublings=doublings)
    a, b, floor = _streams(doublings, 10_000, plan.last, excess=1.4)
    got = _shares(*repeated_intervals(a, b, plan, floor))
    gain = smallest_gain(float(a.std()), plan.last)
    found = _shares(*repeated_intervals(a, b + gain, plan, floor), gain)
    print(f"\n16 pairs, doubled {doublings} times: A/A {got}; gain {found}")
    assert got["better"] <= 0.025 and got["worse"] <= 0.025 and got["wrong"] <= 0.05


# Decisions.


@given(
    st.integers(0, 50), st.integers(1, 12), st.sampled_from((0.0, 0.01, 0.05)), st.sampled_from((None, 0.01))
)
def test_a_decision_is_what_the_intervals_say_and_stays(
    seed: int, pairs: int, gain: float, asked: float | None
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((12, 80)) < 0.9, rng.random((12, 80)) < 0.9 + gain
    plan = Plan(12, asked)
    got, before = (decide(a[:n], b[:n], plan) for n in (pairs, max(1, pairs - 1)))
    if before.outcome is not Outcome.OPEN:
        assert got == before
    assert got.pairs <= pairs and got.interval.low <= got.interval.high
    assert (got.interval.low > 0) == (got.outcome is Outcome.BETTER)
    assert (got.interval.high < 0) == (got.outcome is Outcome.WORSE)
    assert got.interval.low >= before.interval.low and got.interval.high <= before.interval.high
    other = decide(b[:pairs], a[:pairs], Plan(12))
    if asked is None:
        assert other.interval.low == pytest.approx(-got.interval.high) and other.pairs == got.pairs
    if pairs == 12:
        assert got.outcome is not Outcome.OPEN


def _right(wrong: list[int], size: int = 1000) -> np.ndarray:
    """A row a seed with so many wrong images, others for each seed."""
    rng = np.random.default_rng(len(wrong))
    return np.stack([rng.permutation(size) >= many for many in wrong])


def test_each_outcome() -> None:
    a, b = _right([50, 52, 49, 51, 48, 50, 53, 50]), _right([12, 10, 11, 12, 9, 11, 10, 12])
    assert decide(a[:2], b[:2], Plan(8)).outcome is Outcome.OPEN
    better = decide(a, b, Plan(8))
    assert better.outcome is Outcome.BETTER and better.pairs < 8 and 0.02 < better.difference < 0.05
    assert decide(b, a, Plan(8)).outcome is Outcome.WORSE
    assert decide(a, a, Plan(8)).outcome is Outcome.IDENTICAL and decide(a, a, Plan(8)).pairs == FIRST_LOOK
    assert decide(a, a[::-1], Plan(8)).outcome is Outcome.UNDECIDED
    assert decide(a, a[::-1], Plan(8, gain=0.1)).outcome is Outcome.NO_GAIN
    assert decide(a, a[::-1], Plan(8, doublings=1)).outcome is Outcome.OPEN


def test_equal_accuracies_of_few_images_decide_nothing() -> None:
    """Three pairs with one image between them each time: no spread at all, and no proof."""
    a, b = np.ones((3, 297), bool), np.ones((3, 297), bool)
    a[:, 0] = False
    got = decide(a, b, Plan(16))
    assert got.outcome is Outcome.OPEN and got.sd == pytest.approx(1 / 297)


@pytest.mark.parametrize("centre", [5.5, 6.5])
def test_few_wrong_images_decide_no_more_often(centre: float) -> None:
    """One to three of 300 wrong, so that accuracies are often equal: still seldom decided, at six pairs."""
    rng = np.random.default_rng(4)
    ease = rng.normal(centre, 2, 300).astype(np.float32)
    a, b = seeds(rng, ease, (2000, 6)), seeds(rng, ease, (2000, 6))
    lows, highs = repeated_intervals(a.mean(axis=-1), b.mean(axis=-1), Plan(6), least_variance(a, b))
    assert _shares(lows, highs)["wrong"] < 0.04


def test_pairs_to_go_come_true_where_nothing_changes() -> None:
    a, b = _right([30, 34, 28] * 8), _right([24, 27, 21] * 8)
    open_now = decide(a[:6], b[:6], Plan(24))
    assert open_now.outcome is Outcome.OPEN
    expected = pairs_to_go(open_now, Plan(24))
    assert expected is not None
    later, width = critical_values(Plan(24)) / np.sqrt(np.arange(1, 25)), open_now.difference / open_now.sd
    assert later[5 + expected] < abs(width) < later[4 + expected]
    assert decide(a, b, Plan(24)).pairs == pytest.approx(6 + expected, abs=2)
    assert pairs_to_go(decide(a, a[::-1], Plan(24)), Plan(24)) == 0
    assert pairs_to_go(decide(a, b, Plan(24)), Plan(24)) == 0
    asked = Plan(24, gain=0.001)  # which the difference passes, so that it is "better" one waits for
    assert pairs_to_go(decide(a[:6], b[:6], asked), asked) == expected
    assert pairs_to_go(decide(a[:1], b[:1], Plan(24)), Plan(24)) is None
    same = decide(a[:6], a[3:9], Plan(24))
    assert pairs_to_go(same, Plan(24)) is None
    assert pairs_to_go(same, Plan(24, gain=0.01)) is not None


def test_the_smallest_gain_of_a_plan() -> None:
    assert [round(smallest_gain(1, pairs), 2) for pairs in (16, 32, 64, 128)] == [1.14, 0.8, 0.57, 0.4]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="2 pairs can't decide"):
        Plan(2)
    with pytest.raises(ValueError, match="not as many seeds"):
        decide(_right([1, 2]), _right([1]), Plan(8))
    with pytest.raises(ValueError, match="at most 3 pairs"):
        decide(_right([1, 2, 3, 4]), _right([1, 2, 3, 4]), Plan(3))
    with pytest.raises(ValueError, match="a row of right and wrong"):
        decide(np.ones((0, 5)), np.ones((0, 5)), Plan(8))


def test_a_small_spread_beside_a_large_mean_is_not_lost() -> None:
    a = 1e6 + np.array([0.0, 1e-3, 2e-3, 1e-3])
    low, high = repeated_intervals(a, a, Plan(4))
    half = critical_values(Plan(4))[3] * math.sqrt(2 * np.var([0, 1e-3, 2e-3, 1e-3], ddof=1) / 4)
    assert high[3] <= half * 1.001 and low[3] == pytest.approx(-high[3])
