"""Runs that wait for each other: one after the other on a device, side by side on two."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.queue_fake import Line
from support.until import until
from tuitrain.errors import TuitrainError, UsageError


def test_one_after_the_other_on_a_device_side_by_side_on_two(tmp_path: Path) -> None:
    line = Line(tmp_path)
    first, second = line.start("cpu", 1), line.start("cpu", 2)
    other = line.start("cuda:1", 3)
    until(lambda: len(line.sessions) == 2)
    assert {session.entry for session in line.sessions} == {first.entry, other.entry}
    assert second.entry.state == "queued" and line.manager.waiting() == [second.entry]
    assert line.manager.busy()
    first.control.stop()
    until(lambda: second.entry.state == "training")
    second.control.stop()
    other.control.stop()
    assert line.manager.join(60)
    assert not line.manager.busy()


def test_a_waiting_run_can_be_taken_out_moved_and_steered_before_it_begins(tmp_path: Path) -> None:
    line = Line(tmp_path)
    first, second, third = line.start(), line.start(seed=1), line.start(seed=2)
    until(lambda: first.entry.state == "training")
    line.manager.move(third.entry, -1)
    assert line.manager.waiting() == [third.entry, second.entry]
    second.control.stop()
    assert second.entry.state == "cancelled"
    update = second.poll()
    assert not update.alive and "queue" in update.records[0].event.message
    third.control.set_lr(0.5)
    first.control.stop()
    until(lambda: len(line.sessions) == 2)
    assert line.sessions[1].entry is third.entry
    line.manager.stop_all("test", "test")
    assert line.manager.join(60)
    with pytest.raises(UsageError):
        line.start()


def test_what_can_not_begin_is_shown_and_the_next_one_runs(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.trouble = TuitrainError("no such device\x1b[2J")
    feed = line.start()
    until(lambda: feed.entry.state == "failed")
    assert "no such device" in feed.poll().records[0].event.message
    assert "\x1b" not in feed.entry.error
    assert line.manager.exit_code() == 1
    line.trouble = None
    again = line.start()
    until(lambda: again.entry.state == "training")
    again.control.stop()
    assert line.manager.join(60)


def test_abandoning_says_so_to_every_session(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.start()
    until(lambda: len(line.sessions) == 1 and line.manager.training()[0].session is not None)
    line.manager.abandon_all("too long", "signal")
    assert line.sessions[0].abandoned == "too long"
    line.manager.stop_all("test", "test")
