"""What the monitor knows of a run: the fold of its events, and the time left."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.monitor_recorded import STEPS, after, at, begun, epoch, recorded, report, up_to
from tuitrain.training.events import (
    CheckpointSaved,
    Control,
    EpochFinished,
    Notice,
    Phase,
    Record,
    RunFinished,
    StepProgress,
)
from tuitrain.watch import alerts
from tuitrain.watch.state import Ghost, MonitorState, ahead, asked, reduce, reduce_all, with_alive, with_phase

# ------------------------------------------------------------------------------ the fold


def items() -> st.SearchStrategy[list[Record | StepProgress | Phase]]:
    accuracy = st.one_of(st.floats(0, 1), st.just(math.nan))
    record = st.one_of(
        st.sampled_from(recorded()),
        st.builds(lambda n, a: at(epoch(n, a)), st.integers(1, 20), accuracy),
        st.builds(
            lambda a, n, v: at(Control(a, n, 3, v, "why", "shell")),
            st.sampled_from(
                [
                    "paused",
                    "resumed",
                    "learning_rate",
                    "extended",
                    "detached",
                    "attached",
                    "stop",
                    "checkpoint",
                    "restarted",
                ]
            ),
            st.integers(0, 20),
            st.one_of(st.none(), st.floats(allow_nan=True)),
        ),
        st.builds(lambda m: at(Notice(m, "do this")), st.text(max_size=20)),
        st.just(at(CheckpointSaved(3, 0, "x", "0" * 64, True))),
    )
    phase = st.builds(
        Phase, st.sampled_from(["loading data", "warming up", "training", "evaluating", "saving", "paused"])
    )
    step = st.builds(
        lambda e, s, t: dataclasses.replace(report(1, 1), epoch=e, step=s, elapsed_s=t),
        st.integers(1, 20),
        st.integers(0, STEPS),
        st.floats(0, 1e6),
    )
    return st.lists(st.one_of(record, phase, step), max_size=40)


@given(items(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_replay_in_chunks_equals_a_replay_at_once(stream: list[Record], data: st.DataObject) -> None:
    whole = reduce_all(MonitorState(), stream)
    state, rest = MonitorState(), stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        state, rest = reduce_all(state, rest[:size]), rest[size:]
    assert repr(state) == repr(whole)


@given(items())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_the_state_stays_sound(stream: list[Record]) -> None:
    state = MonitorState()
    for item in stream:
        state = reduce(state, item)
        numbers = [e.epoch for e in state.epochs]
        assert numbers == sorted(set(numbers)), "an epoch done twice counts once, the later one"
        known = [e.test_acc for e in state.epochs if math.isfinite(e.test_acc)]
        assert (state.best.test_acc if state.best else None) == max(known, default=None)
        assert 0.0 <= state.run_fraction <= 1.0
        assert state.eta_s is None or (state.eta_s >= 0 and math.isfinite(state.eta_s))
        assert not any(unicodedata.category(c) == "Cc" for line in state.log for c in line.text)


@given(items())
@settings(max_examples=60, deadline=None)
def test_progress_never_changes_what_is_lossless(stream: list[Record]) -> None:
    lossless = [item for item in stream if isinstance(item, Record)]
    with_steps, without = reduce_all(MonitorState(), stream), reduce_all(MonitorState(), lossless)
    assert repr(with_steps.epochs) == repr(without.epochs)
    assert with_steps.log == without.log
    assert repr(with_steps.finished) == repr(without.finished)


def test_the_recorded_run() -> None:
    state = reduce_all(MonitorState(), recorded())
    assert state.status == "completed" and state.over
    assert state.best is not None and (state.best.epoch, round(state.best.test_acc, 4)) == (13, 0.9930)
    assert state.target == 99.4 and state.hits == ()
    assert state.run_fraction == 1.0 and state.eta_s is None
    assert state.log[-1].text.startswith("done after 14 epochs")


def test_the_target_is_reached_once_and_counted() -> None:
    state = after(0.9939, 0.9940, 0.9935, 0.9941)
    assert state.hits == (2, 4)
    lines = [line.text for line in state.log if "target 99.40 % reached" in line.text]
    assert len(lines) == 1 and lines[0].startswith("epoch 2:")


def test_a_restart_takes_back_what_came_after_its_epoch() -> None:
    state = reduce(
        after(0.95, 0.99, 0.98), at(RunFinished("stopped", 3, 0.99, 2, 0.98, 0.98, 0.03, 30, 6000))
    )
    assert state.over
    state = reduce(state, at(Control("restarted", 1, 0, source="trainer")))
    assert not state.over and [e.epoch for e in state.epochs] == [1]
    assert state.best is not None and state.best.epoch == 1
    state = reduce(state, at(epoch(2, 0.97)))
    assert state.best is not None and (state.best.epoch, state.best.test_acc) == (2, 0.97)


def test_pause_resume_and_what_was_asked() -> None:
    state = asked(begun(), "paused", "pausing")
    assert [a.text for a in state.asks] == ["pausing"]
    state = reduce(state, at(Control("paused", 0, 5, source="keyboard")))
    assert state.paused and state.status == "paused" and not state.asks
    state = reduce(asked(state, "resumed", "resuming"), at(Control("resumed", 0, 5)))
    assert not state.paused and not state.asks


def test_a_pause_ends_with_its_event_or_a_later_step_not_with_a_late_word() -> None:
    state = reduce_all(begun(), [report(1, 300), at(Control("paused", 0, 310))])
    assert with_phase(state, "training").paused, "the word of another process comes late"
    assert reduce(state, report(1, 310)).paused
    assert not reduce(state, report(1, 311)).paused
    assert not reduce(state, at(Control("resumed", 0, 310))).paused


def test_a_process_that_has_only_begun_is_not_in_the_pause_of_the_one_before() -> None:
    state = reduce_all(begun(), [report(1, 300), at(Control("paused", 0, 310))])
    assert not with_phase(state, "loading data").paused
    assert with_phase(state, "warming up").status == "warming up"


def test_compiling_and_standing_still_are_told_with_their_time() -> None:
    state = reduce_all(begun(), [report(1, 300), at(epoch(1))])
    state = with_phase(state, "compiling", 12.3)
    assert (state.status, state.status_text) == ("compiling", "compiling 12 s")
    assert reduce(state, report(1, 300)).status == "compiling", "the last step of the epoch before"
    assert with_phase(state, "compiling", 12.9) is state, "nothing to paint anew"
    assert with_phase(state, "compiling", 190.0).status_text == "compiling 3:10"
    assert with_phase(state, "training", 2.0).status_text == "training"
    stalled = with_phase(state, "training", 70.0, 63.4)
    assert (stalled.status, stalled.status_text) == ("stalled", "stalled 63 s")
    assert with_phase(stalled, "training", 71.0).status == "training"


def test_a_checkpoint_that_was_asked_for_is_answered_by_the_file() -> None:
    state = asked(asked(begun(), "paused", "pausing"), "checkpoint", "saving")
    before = len(state.log)
    assert reduce(state, at(CheckpointSaved(1, 0, "x", "0" * 64, True))).log[before:] != ()
    quiet = asked(begun(), "paused", "pausing")
    assert reduce(quiet, at(CheckpointSaved(1, 0, "x", "0" * 64, True))).log == quiet.log
    state = reduce(state, at(CheckpointSaved(2, 17, "checkpoints/x", "0" * 64, False)))
    assert [a.action for a in state.asks] == ["paused"] and state.log[before:][
        0
    ].text == "checkpoint saved in epoch 3, step 17"


def test_added_epochs_move_the_end() -> None:
    state = reduce(after(0.9), at(Control("extended", 1, value=3.0)))
    assert state.planned == 17 and "3 epochs added, 17 in all" in state.log[-1].text


def test_a_dead_process_is_an_interrupted_run() -> None:
    state = with_alive(after(0.9), False)
    assert state.status == "interrupted" and state.over
    assert [a.code for a in alerts.alerts(state)] == ["interrupted"]


def test_text_of_a_run_can_steer_no_terminal() -> None:
    state = reduce(begun(), at(Notice("evil \x1b]0;x\x07 [bold]", "\u202e")))
    assert "\x1b" not in state.log[-1].text and "\\x1b" in state.log[-1].text
    assert "[bold]" in state.log[-1].text


def test_any_word_of_a_feed_is_a_phase_before_the_run() -> None:
    assert with_phase(MonitorState(), "queued").status == "queued"
    assert with_phase(MonitorState(), None).status == "waiting"


# ------------------------------------------------------------------------------ time left


def play(
    state: MonitorState, number: int, seconds: float, *, start: float, reports: int = 20
) -> MonitorState:
    for i in range(1, reports + 1):
        step = STEPS * i // reports
        state = reduce(
            state,
            dataclasses.replace(
                report(1, 1), epoch=number, step=step, elapsed_s=start + seconds * i / reports
            ),
        )
    return state


def test_the_first_epoch_is_told_from_its_steps() -> None:
    state = play(begun(), 1, 9.0, start=5.0, reports=10)
    assert state.eta_s == pytest.approx(13 * 9.0, rel=0.05)


def test_warm_up_is_left_out() -> None:
    slow_first = reduce_all(begun(), [at(epoch(1, train_s=60.0)), at(epoch(2)), at(epoch(3))])
    assert slow_first.eta_s == pytest.approx(11 * 10.0)


def test_a_pause_does_not_lengthen_the_estimate() -> None:
    state = reduce_all(begun(), [at(epoch(1)), at(epoch(2))])
    state = play(state, 3, 4.5, start=21.0, reports=10)
    plain = state.eta_s
    state = reduce(state, at(Control("paused", 2, 400)))
    state = reduce(state, at(Control("resumed", 2, 400)))
    later = reduce(state, dataclasses.replace(report(1, 1), epoch=3, step=STEPS, elapsed_s=3600.0))
    later = reduce(later, dataclasses.replace(report(1, 1), epoch=3, step=STEPS - 1, elapsed_s=3600.1))
    assert plain is not None and later.eta_s is not None
    assert later.eta_s == pytest.approx(plain, abs=0.1)


def test_a_stall_that_nobody_announced_is_one_outlier() -> None:
    state = play(reduce(begun(), at(epoch(1))), 2, 9.0, start=10.0, reports=20)
    before = state.eta_s
    state = reduce(state, dataclasses.replace(report(1, 1), epoch=2, step=STEPS, elapsed_s=500.0))
    assert before is not None and state.eta_s is not None and state.eta_s < before * 1.2


def test_after_a_restart_its_first_epoch_is_warm_up_again() -> None:
    state = reduce_all(begun(), [at(epoch(1)), at(epoch(2)), at(Control("restarted", 2))])
    state = reduce_all(state, [at(epoch(3, train_s=100.0)), at(epoch(4))])
    assert state.eta_s == pytest.approx(10 * 10.0)


def test_a_run_that_is_taken_up_again_is_not_shown_as_stopped_while_it_loads() -> None:
    stopped = at(RunFinished("stopped", 1, 0.99, 1, 0.99, 0.98, 0.03, 30, 6000))
    state = reduce(after(0.99), stopped)
    assert state.over and state.status == "stopped"
    for phase in ("loading data", "warming up"):
        state = with_phase(state, phase)
        assert (state.status, state.over) == (phase, False)
    # Stopped before its first step: what was said last holds once its process is gone.
    state = with_phase(with_alive(reduce(state, stopped), False), None)
    assert (state.status, state.over) == ("stopped", True)
    # Restarted: the old end is forgotten.
    state = with_phase(with_alive(state, True), "warming up")
    state = with_phase(reduce(state, at(Control("restarted", 1, 0))), "training")
    assert (state.status, state.over, state.finished) == ("training", False, None)


# ------------------------------------------------------------------------------ against others


def test_ahead_and_behind_at_the_same_epoch() -> None:
    ghost = Ghost("published", (0.98, 0.99, None))
    assert ahead(after(0.981, 0.9912), ghost) == pytest.approx(0.0012)
    assert ahead(after(0.97), ghost) == pytest.approx(-0.01)
    assert ahead(after(0.9, 0.9, 0.9), ghost) is None, "the source has no number there"
    assert ahead(after(0.9, 0.9, 0.9, 0.9), ghost) is None, "the curve is shorter"
    assert ahead(begun(), ghost) is None


def test_the_reducer_needs_no_textual_and_no_torch() -> None:
    code = (
        "import sys, tuitrain.watch.state, tuitrain.watch.alerts, tuitrain.tui.monitor.curves, tuitrain.tui.monitor.sheets;"
        "print(sorted({'textual', 'torch', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_up_to_ends_with_its_epoch() -> None:
    assert isinstance(up_to(recorded(), 8)[-1].event, EpochFinished)
