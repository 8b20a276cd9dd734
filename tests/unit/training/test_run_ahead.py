"""How far the host runs ahead of the device, with a device that takes its time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuitrain.training.run_ahead import EVERY, OPEN, Report, RunAhead


class Device:
    """Does what is queued only when somebody waits for it, or when it is let go on."""

    def __init__(self) -> None:
        self.queued = self.done = 0
        self.loss, self.correct = 0.0, 0

    def step(self) -> None:
        self.queued += 1

    def go_on(self, steps: int) -> None:
        for _ in range(min(steps, self.queued - self.done)):
            self.done += 1
            self.loss += 0.5
            self.correct += 2

    def copy(self) -> Callable[[], tuple[float, int]]:
        at = self.queued
        return lambda: (0.5 * at, 2 * at)

    def event(self) -> Event:
        return Event(self, self.queued)


class Event:
    def __init__(self, device: Device, at: int) -> None:
        self.device, self.at = device, at

    def query(self) -> bool:
        return self.device.done >= self.at

    def synchronize(self) -> None:
        self.device.go_on(self.at - self.device.done)


@pytest.fixture
def device() -> Device:
    return Device()


def test_the_host_is_never_far_ahead(device: Device) -> None:
    ahead = RunAhead(device.copy, device.event)
    for step in range(1, 1000):
        device.step()
        ahead.queued(step)
        assert device.queued - device.done <= (OPEN + 1) * EVERY


def test_nothing_waits_for_a_device_that_keeps_up(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Event, "synchronize", lambda self: pytest.fail("waited"))
    ahead = RunAhead(device.copy, device.event)
    for step in range(1, 1000):
        device.step()
        ahead.queued(step)
        device.go_on(1)
        ahead.report()


@given(st.lists(st.integers(0, 40), max_size=200))
def test_a_report_is_of_steps_that_were_done(pauses: list[int]) -> None:
    device = Device()
    ahead = RunAhead(device.copy, device.event)
    last = 0
    for step, pause in enumerate(pauses, 1):
        device.step()
        ahead.queued(step)
        device.go_on(pause)
        report = ahead.report()
        if report is not None:
            assert last <= report.step <= device.done
            assert report == Report(report.step, 0.5 * report.step, 2 * report.step)
            assert device.done - report.step < EVERY  # and it is not an old one
            last = report.step
        else:
            assert device.done < EVERY


def test_another_epoch_knows_nothing_of_the_last(device: Device) -> None:
    ahead = RunAhead(device.copy, device.event)
    for step in range(1, 100):
        device.step()
        ahead.queued(step)
    device.go_on(100)
    assert ahead.report() is not None
    ahead.restart()
    assert ahead.report() is None
