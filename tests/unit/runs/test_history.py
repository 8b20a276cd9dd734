"""The one fold of a run's events: what it comes to, whatever happened to the run."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tuitrain.runs.eventlog import current
from tuitrain.runs.history import History
from tuitrain.spec.best import best_epoch
from tuitrain.training.events import (
    CheckpointSaved,
    Control,
    EpochFinished,
    Event,
    Notice,
    Record,
    RunFinished,
    RunStarted,
)

STARTED = RunStarted(
    run="r", name="step13", preset={"challenge": {"target_accuracy": 99.4}}, seed=0, device="cpu", device_name="a CPU",
    versions={}, runtime={}, parameters=5854, mult_adds=1, dataset="mnist", train_images=100, test_images=50,
    judged_by="test", epochs=5, steps_per_epoch=3,
)  # fmt: skip


def epoch(number: int, accuracy: float = 0.5, epochs: int = 5) -> EpochFinished:
    return EpochFinished(
        epoch=number, epochs=epochs, train_loss=1.0, train_acc=0.4, test_loss=1.0, test_acc=accuracy, lr=0.1,
        train_s=1.0, test_s=0.1, elapsed_s=1.1 * number, images_per_s=100.0, test_images=50,
    )  # fmt: skip


def finished(outcome: str = "completed") -> RunFinished:
    return RunFinished(
        outcome=outcome, epochs=0, best_test_acc=math.nan, best_epoch=0, last_test_acc=math.nan,
        last_train_acc=math.nan, last_test_loss=math.nan, seconds=7.0, images_per_s=1.0,
    )  # type: ignore[arg-type] # fmt: skip


accuracies = st.one_of(st.floats(0, 1), st.just(math.nan))
events = st.one_of(
    st.builds(epoch, st.integers(1, 9), accuracies, st.integers(1, 9)),
    st.builds(
        lambda e, s: Control("restarted", e, s, source="trainer"), st.integers(0, 9), st.integers(0, 2)
    ),
    st.builds(lambda n: Control("extended", 0, value=float(n)), st.integers(1, 9)),
    st.builds(lambda e: CheckpointSaved(e, 0, "f", "0" * 64, False), st.integers(0, 9)),
    st.builds(finished, st.sampled_from(["completed", "stopped", "diverged"])),
    st.builds(Notice, st.just("something")),
)
#: A run whose epochs follow each other, which may be restarted at an epoch that it has finished.
streams = st.lists(events, max_size=30).map(lambda more: [STARTED, *more])


def of(stream: list[Event]) -> History:
    return History.of(Record(event, 100.0 + i, float(i)) for i, event in enumerate(stream))


@given(streams)
def test_epochs_ascend_and_the_best_is_the_first_of_the_highest(stream: list[Event]) -> None:
    history = of(stream)
    numbers = [e.epoch for e in history.epochs]
    assert numbers == sorted(set(numbers))
    finite = [e for e in history.epochs if math.isfinite(e.test_acc)]
    highest = max((e.test_acc for e in finite), default=None)
    if highest is None:
        assert history.best is None
    else:
        assert history.best is next(e for e in finite if e.test_acc == highest)
    assert history.best == best_epoch(history.epochs)


@given(streams)
def test_a_log_without_what_a_restart_took_back_gives_the_same(stream: list[Event]) -> None:
    records = [Record(event, 100.0, 1.0) for event in stream]
    whole, kept = History.of(records), History.of(current(records))
    # `current` has the later of two ends and epochs in place; the fold goes through them in order.
    ordered = [e.epoch for r in records if isinstance(e := r.event, EpochFinished)]
    if ordered == sorted(set(ordered)):
        assert whole.epochs == kept.epochs and whole.best == kept.best
    assert (whole.started, whole.notices) == (kept.started, kept.notices)


@given(streams, st.integers(1, 5))
def test_a_second_start_is_another_run(stream: list[Event], number: int) -> None:
    again = replace(STARTED, seed=1)
    history = of([*stream, again, epoch(number)])
    assert (
        history.started == again and [e.epoch for e in history.epochs] == [number] and history.notices == ()
    )


def test_the_target_and_the_epochs_that_reach_it() -> None:
    history = of([STARTED, epoch(1, 0.99), epoch(2, 0.994), epoch(3, 0.9941)])
    assert history.target == 99.4 and history.at_target == (2, 3)


def test_longer_and_shorter() -> None:
    history = of([STARTED, epoch(1), Control("extended", 1, value=4.0)])
    assert history.planned == 9
    assert of([STARTED, Control("extended", 0, value=math.nan)]).planned == 5
    # An extension that no checkpoint knew is gone after a kill: the epochs say how many there will be.
    assert of([STARTED, epoch(1), Control("extended", 1, value=4.0), epoch(2, epochs=5)]).planned == 5


def test_a_restart_takes_back_the_end_and_later_epochs() -> None:
    history = of([STARTED, epoch(1, 0.9), epoch(2, 0.99), finished("stopped"), Control("restarted", 1, 2)])
    assert history.finished is None and history.outcome == "unfinished"
    assert [e.epoch for e in history.epochs] == [1] and history.best is history.epochs[0]


def test_an_epoch_after_an_end_says_that_the_run_goes_on() -> None:
    assert of([STARTED, epoch(1), finished(), epoch(2)]).finished is None


def test_nothing_is_known_of_nothing() -> None:
    history = of([])
    assert history == History() and history.points() == [] and history.target is None and history.best is None
    assert math.isnan(history.last_mean) and history.seconds == 0.0
