"""What the monitor warns of."""

from __future__ import annotations

import dataclasses
import math

import pytest

from support.monitor_recorded import after, at, begun, epoch, recorded, report
from tuitrain.nvml import OtherProcess
from tuitrain.watch import alerts
from tuitrain.watch.machine import Reading
from tuitrain.watch.state import MonitorState, reduce, reduce_all, with_phase

# ------------------------------------------------------------------------------ alerts


def codes(state: MonitorState, *readings: Reading) -> list[str]:
    return [a.code for a in alerts.alerts(state, readings)]


def test_a_loss_that_is_not_finite_comes_first() -> None:
    state = reduce(begun(), at(epoch(1, train_loss=math.nan, test_acc=0.1)))
    found = alerts.alerts(state, [Reading(disk_free=1)])
    assert found[0].code == "not_finite" and "(l)" in found[0].remedy
    assert codes(reduce(begun(), dataclasses.replace(report(1, 1), train_loss=math.inf))) == ["not_finite"]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((0.05, 0.06, 0.07, 0.08), True),
        ((0.05, 0.051, 0.052, 0.053), False),
        ((0.05, 0.06, 0.055, 0.08), False),
    ],
)
def test_a_rising_loss(losses: tuple[float, ...], expected: bool) -> None:
    state = reduce_all(begun(), [at(epoch(i, 0.9 + i / 100, train_loss=x)) for i, x in enumerate(losses, 1)])
    assert ("loss_rising" in codes(state)) is expected


def test_a_plateau_only_while_something_can_be_done() -> None:
    flat = [0.99, *[0.985] * 5]
    assert codes(after(*flat)) == ["plateau"]
    assert codes(after(*flat[:5])) == []
    assert codes(after(0.99, *[0.985] * 12)) == [], "one epoch is left: nothing to do"


def test_guessing_is_not_learning() -> None:
    assert "not_learning" in codes(after(0.1135, 0.1135))


def test_the_machine() -> None:
    state = after(0.9, 0.95)
    assert codes(state, Reading()) == [], "figures that can't be had raise no alarm"
    other = Reading(others=(OtherProcess(4711, "evil\x1b", "ann", 2**30),))
    (found,) = alerts.alerts(state, [other])
    assert found.code == "gpu_shared" and "4711" in found.message and "\x1b" not in found.message
    idle = Reading(gpu_util=0.1)
    training = with_phase(state, "training")
    assert codes(training, *[idle] * 15) == ["data_bound"]
    assert codes(training, *[idle] * 14) == []
    assert codes(training, *[Reading(gpu_util=0.9)] * 15) == []
    assert codes(state, Reading(disk_free=2**30)) == ["disk"]
    assert codes(reduce_all(MonitorState(), recorded()), Reading(disk_free=2**30)) == [], "the run is over"
