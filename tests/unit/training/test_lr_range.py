"""The learning-rate range test: what it reads from a curve, and that it leaves no trace."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from support.training_small import CPU, run, stripes, tiny
from tuitrain.errors import UsageError
from tuitrain.training.job import Job
from tuitrain.training.lr_range import SETTLING, RatePoint, range_test, read_curve


def curve(loss, low: float = 1e-5, high: float = 10.0, steps: int = 120) -> list[RatePoint]:
    rates = [low * (high / low) ** (n / (steps - 1)) for n in range(steps)]
    return [RatePoint(rate, loss(rate)) for rate in rates]


@given(st.floats(-3.5, -1.0), st.floats(0.2, 0.8), st.floats(0.3, 0.9))
def test_a_fall_and_an_explosion_are_found_where_they_are(middle: float, width: float, after: float) -> None:
    """Loss 2.3 falls like a logistic curve around 10**middle and explodes from one and a half widths later on."""

    def loss(rate: float) -> float:
        place = math.log10(rate)
        falling = 2.3 - 2.0 / (1 + math.exp(-(place - middle) / (width / 4)))
        return falling + (10 * (place - middle - width - after) if place > middle + width + after else 0.0)

    found = read_curve(curve(loss))
    assert found.suggested is not None and found.lowest is not None
    assert abs(math.log10(found.suggested) - middle) < 0.15
    assert middle < math.log10(found.lowest) <= middle + width + after + 0.1
    assert found.exploded is not None and found.exploded > found.lowest > found.suggested


@pytest.mark.parametrize("loss", [lambda rate: 2.3, lambda rate: 2.3 + rate, lambda rate: math.nan])
def test_a_loss_that_never_falls_suggests_nothing(loss) -> None:
    assert read_curve(curve(loss)).suggested is None


def test_no_points_suggest_nothing() -> None:
    assert (
        read_curve([]).suggested is None and read_curve(curve(lambda rate: 1.0)[:SETTLING]).suggested is None
    )


def test_the_test_finds_a_rate_that_trains_and_ends_when_the_loss_explodes() -> None:
    job = Job(tiny(), CPU)
    found = range_test(job, stripes(), steps=150, high=1e4)
    assert found.suggested is not None and found.exploded is not None
    assert found.points[-1].lr < 1e4
    assert [p.lr for p in found.points] == sorted(p.lr for p in found.points)
    again = range_test(job, stripes(), steps=150, high=1e4)
    assert again == found


def test_it_leaves_no_trace_on_a_run_that_follows() -> None:
    threads = torch.get_num_threads()
    before, _ = run(tiny())
    range_test(Job(tiny(), CPU), stripes(), steps=40)
    after, _ = run(tiny())
    assert after.state().sha256() == before.state().sha256()
    assert torch.get_num_threads() == threads


def test_it_can_be_ended() -> None:
    assert len(range_test(Job(tiny(), CPU), stripes(), look=lambda points: len(points) == 7).points) == 7


@pytest.mark.parametrize(
    ("low", "high", "steps"), [(0, 1, 100), (1, 1, 100), (2, 1, 100), (1e-3, math.inf, 100), (1e-3, 1, 5)]
)
def test_ranges_that_are_none_are_refused(low: float, high: float, steps: int) -> None:
    with pytest.raises(UsageError, match="lr-find"):
        range_test(Job(tiny(), CPU), stripes(), low=low, high=high, steps=steps)
