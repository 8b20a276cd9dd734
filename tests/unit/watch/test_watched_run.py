"""A run that is looked at: followed until it can't be read, steered where that can be, and ordered again."""

from __future__ import annotations

from typing import Any

import pytest

from support.monitor_recorded import recorded
from support.monitor_stage import FakeSensors, ListFeed, finished, live
from tuitrain.errors import RunDirectoryError
from tuitrain.watch.watched_run import WatchedRun


def watched(feed: ListFeed, **more: Any) -> WatchedRun:
    """A run that has told all so far."""
    run = WatchedRun(feed, make_sensors=FakeSensors, **more)  # type: ignore[arg-type]
    run.poll()
    return run


def test_a_run_that_can_not_be_read_any_more_stays_in_sight_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed = live()
    run = watched(feed)
    epochs = run.state.epochs
    assert run.refusal == "" and run.title.startswith("step13 · seed 0")

    def gone() -> None:
        raise RunDirectoryError("the directory is gone.")

    monkeypatch.setattr(feed, "poll", gone)
    with pytest.raises(RunDirectoryError):
        run.poll()
    assert run.state.epochs == epochs and not run.state.alive
    assert run.feed is None and run.refusal.startswith("no run is shown")
    run.poll()  # once is enough


def test_what_is_asked_stays_in_sight_only_where_it_was_sent() -> None:
    feed = live()
    feed.control.answers = False
    run = watched(feed)
    run.ask("paused", "pausing", lambda steering: steering.pause("keyboard"))
    assert feed.control.told == [("pause", "keyboard")] and run.state.asks
    before, feed.control.fails = run.state, True
    with pytest.raises(RunDirectoryError):
        run.ask("stop", "stopping", lambda steering: steering.stop("x"))
    assert run.state is before


def test_why_nothing_can_be_steered() -> None:
    assert watched(live(), readonly=True).refusal.startswith("only looking")
    assert watched(finished()).refusal.startswith("this run is over")
    assert WatchedRun().refusal.startswith("no run is shown")


def test_the_machine_is_read_while_the_run_goes_on() -> None:
    run = watched(live())
    assert not run.readings
    run.watch_machine()
    assert run.readings == (FakeSensors.reading,)
    run.leave_machine()
    assert not run.readings
    over = watched(finished())
    over.watch_machine()
    assert not over.readings


def test_the_next_seed_is_the_same_job() -> None:
    assert WatchedRun().next_seed("") is None
    run = watched(finished())
    started = run.state.started
    assert started is not None and started == recorded()[0].event
    job = run.next_seed("")
    assert job is not None and job.preset.train.seed == 1 and job.changed["train.seed"] == [0, 1]
    assert (
        job.runtime.to_dict() == started.runtime | {"keep": 2}
        and job.budget == started.budget
        and job.command == ""
    )


def test_the_next_seed_of_a_network_in_python_needs_its_name_from_the_user() -> None:
    import dataclasses

    feed = finished()
    first = feed.coming[0]
    own = dataclasses.replace(first.event, own_network={"model": "net.py:Net", "sha256": "0" * 64})  # type: ignore[type-var]
    feed.coming[0] = dataclasses.replace(first, event=own)
    run = watched(feed)
    assert run.next_seed("") is None and run.next_seed("other.py:Net") is None
    job = run.next_seed("net.py:Net")
    assert job is not None and job.model == "net.py:Net"
