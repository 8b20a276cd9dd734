"""The axes of the charts: their range, their ticks, and what stays in sight."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tuitrain.tui.paint import axes

# ------------------------------------------------------------------------------ axes


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1), st.just(math.nan)), max_size=30),
    st.one_of(st.none(), st.floats(0.01, 1)),
    st.sampled_from(["accuracy", "loss", "rate"]),
    st.booleans(),
    st.integers(2, 12),
)
@settings(max_examples=300, deadline=None)
def test_an_axis_has_a_range_and_its_ticks_lie_in_it(
    values: list[float | None], target: float | None, quantity: axes.Quantity, logarithmic: bool, most: int
) -> None:
    low, high = axes.limits(quantity, logarithmic, [values], target)
    assert math.isfinite(low) and math.isfinite(high) and low < high
    ticks = axes.scale(quantity, logarithmic).ticks(low, high, most)
    assert all(low - 1e-9 <= at <= high + 1e-9 and len(text) <= 6 for at, text in ticks)
    assert len(ticks) <= most + 1


def test_a_bad_first_epoch_does_not_flatten_the_rest() -> None:
    low, high = axes.limits("accuracy", False, [[0.1, 0.985, 0.988, 0.989, 0.99, 0.991, 0.992]], 0.994)
    assert low > 95 and 99.4 < high < 100


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1), st.just(math.nan)), max_size=30),
    st.lists(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=30), max_size=3),
    st.one_of(st.none(), st.floats(0.01, 1)),
    st.sampled_from(["accuracy", "loss", "rate"]),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_the_latest_and_the_best_of_a_run_are_in_sight_whatever_is_beside_it(
    own: list[float | None],
    others: list[list[float | None]],
    target: float | None,
    quantity: axes.Quantity,
    logarithmic: bool,
) -> None:
    ghosts = [axes.Curve(str(i), tuple(values), "ghost", "dot", "beside") for i, values in enumerate(others)]
    shown = axes.Picture((axes.Curve("test", tuple(own), "test"), *ghosts), 30, quantity, target, logarithmic)
    low, high = shown.limits()
    axis = axes.scale(quantity, logarithmic).to_axis
    known = [v for v in own if v is not None and math.isfinite(axis(v))]
    if not known:
        return
    best = min(known) if quantity == "loss" else max(known)
    for value in (known[-1], best, *(known[:1] if len(known) < axes.FEW else ())):
        assert low <= axis(value) <= high


def test_a_ghost_does_not_push_the_first_epoch_of_a_run_out_of_sight() -> None:
    own = (0.975, 0.983, 0.986)
    ghost = axes.Curve("published", (0.99, *(0.9935,) * 13), "ghost", "dot", "beside")
    low, _ = axes.Picture((axes.Curve("test", own, "test"), ghost), 14, target=0.994).limits()
    assert low < 97.5
    later = axes.Curve("published", (0.9, 0.91, *(0.99,) * 12), "ghost", "dot", "beside")
    low, high = axes.Picture((later,), 2).limits()
    assert low < 90 and 91 < high < 95, "its first two epochs, where there are no more on the axis"
    # As a curve among equals the ghost alone decides what is extreme.
    assert axes.limits("accuracy", False, [], 0.994, [own, ghost.values])[0] > 97.5


def test_epochs_on_the_axis_are_whole_and_even() -> None:
    assert axes.epoch_ticks(0.9, 14.1, 8) == [1, 3, 5, 7, 9, 11, 13]
    assert axes.epoch_ticks(0.5, 100.5, 7) == [1, 20, 40, 60, 80, 100]
    assert axes.epoch_ticks(-2, 3, 10) == [1, 2, 3]


def test_a_long_run_begins_with_a_short_axis() -> None:
    assert axes.horizon(0, 14) == 14
    assert [axes.horizon(done, 400) for done in (0, 12, 13, 60, 100, 400)] == [20, 20, 50, 100, 200, 400]


def test_a_logarithmic_accuracy_shows_the_error() -> None:
    labels = [text for _, text in axes.scale("accuracy", True).ticks(-1.0, 1.0, 20)]
    assert "99" in labels and "99.9" in labels and "90" in labels
