"""The monitor's reducer, estimate, alerts, curves and sheets, without Textual."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
import time
import unicodedata
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.monitor_recorded import recorded, report, until
from tuitrain import figures
from tuitrain.nvml import OtherProcess, visible_devices
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
from tuitrain.tui.monitor import curves, sheets
from tuitrain.tui.paint import axes
from tuitrain.tui.paint.text import HeadedLines, cells, cut, wrap
from tuitrain.watch import alerts
from tuitrain.watch.machine import Reading, Sensors
from tuitrain.watch.state import Ghost, MonitorState, ahead, asked, reduce, reduce_all, with_alive, with_phase

STEPS = 938


def epoch(number: int, acc: float = 0.99, **changes: object) -> EpochFinished:
    plain = EpochFinished(
        epoch=number, epochs=14, train_loss=0.05, train_acc=0.98, test_loss=0.03, test_acc=acc, lr=0.019,
        train_s=9.0, test_s=1.0, elapsed_s=10.0 * number, images_per_s=6000.0, test_images=10000,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def at(event: object, time: float = 100.0) -> Record:
    return Record(event, time, time)  # type: ignore[arg-type]


def begun() -> MonitorState:
    return reduce(MonitorState(), recorded()[0])


def after(*accuracies: float) -> MonitorState:
    return reduce_all(begun(), [at(epoch(i, acc)) for i, acc in enumerate(accuracies, 1)])


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


def test_a_title_says_by_how_much() -> None:
    state, ghosts = after(0.981, 0.9912), (Ghost("published", (0.98, 0.99)),)
    shown = curves.picture(state, ghosts, "accuracy")
    text = "".join(t for t, _ in curves.title(state, ghosts, shown, smooth=False, width=78))
    assert "published: ahead by 0.12 at this epoch" in text
    level = after(0.98, 0.99)
    text = "".join(
        t
        for t, _ in curves.title(
            level, ghosts, curves.picture(level, ghosts, "accuracy"), smooth=False, width=78
        )
    )
    assert "published: level at this epoch" in text
    two = (*ghosts, Ghost("best here", (0.985, 0.9915)))
    wide, narrow = (
        "".join(
            t
            for t, _ in curves.title(
                state, two, curves.picture(state, two, "accuracy"), smooth=False, width=w
            )
        )
        for w in (90, 56)
    )
    assert "published: ahead by 0.12" in wide and "best here: behind by 0.03" in wide
    assert "· published" in narrow and narrow.endswith("best here"), "whose line is whose comes first"
    at_cursor = dataclasses.replace(shown, cursor=1)
    text = "".join(t for t, _ in curves.title(state, ghosts, at_cursor, smooth=False, width=78))
    assert "epoch 1" in text and "test 98.10" in text and "published 98.00" in text


def test_smoothing_keeps_a_constant_and_its_gaps() -> None:
    assert curves.smoothed([0.5, None, 0.5, math.nan, 0.5]) == (
        pytest.approx(0.5), None, pytest.approx(0.5), None, pytest.approx(0.5),
    )  # fmt: skip
    rough = curves.smoothed([0.0, 1.0, 0.0, 1.0])
    assert all(0 <= v <= 1 for v in rough if v is not None)


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


# ------------------------------------------------------------------------------ sensors


def test_sensors_without_a_gpu_make_nothing_up() -> None:
    sensors = Sensors("cuda:0" if not _has_nvml() else "cpu")
    sensors.start()
    for _ in range(1200):
        if sensors.readings:
            break
        time.sleep(0.05)
    sensors.stop()
    first = sensors.readings[0]
    assert first.gpu_util is None and first.power_w is None and first.temperature_c is None
    assert first.cpu is None, "the first sample has nothing to measure from"
    assert first.ram_total and first.ram_used and 0 < first.ram_used < first.ram_total


def _has_nvml() -> bool:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:
        return False
    return True


class FakeNvml:
    """NVML of one card; what is in `broken` fails as an unsupported sensor does."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *pids: int, broken: tuple[str, ...] = ()) -> None:
        self.pids, self.broken = pids, broken
        self.asked: list[object] = []

    def __getattribute__(self, name: str) -> object:
        if name.startswith("nvml") and name in object.__getattribute__(self, "broken"):
            raise RuntimeError("Not Supported")
        return object.__getattribute__(self, name)

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return 4

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        self.asked.append(index)
        return "card"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self.asked.append(uuid)
        return "card"

    def nvmlDeviceGetName(self, _: str) -> bytes:
        return b"NVIDIA H200"

    def nvmlDeviceGetUtilizationRates(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(gpu=41)

    def nvmlDeviceGetMemoryInfo(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(free=400, used=600, total=1000)

    def nvmlDeviceGetPowerUsage(self, _: str) -> int:
        return 210_500

    def nvmlDeviceGetTemperature(self, _: str, __: int) -> int:
        return 38

    def nvmlDeviceGetComputeRunningProcesses(self, _: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=100) for pid in self.pids]


def first_reading(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, device: str = "cuda:0") -> Reading:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    sensors = Sensors(device)
    sensors.start()
    for _ in range(3000):
        if sensors.readings:
            break
        time.sleep(0.02)
    sensors.stop()
    return sensors.readings[0]


def test_a_card_is_read_in_our_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml = FakeNvml(os.getpid())
    reading = first_reading(nvml, monkeypatch, "cuda:3")
    assert nvml.asked == [3]
    assert (reading.gpu, reading.gpu_util, reading.power_w, reading.temperature_c) == (
        "NVIDIA H200",
        0.41,
        210.5,
        38.0,
    )
    assert (reading.gpu_memory_used, reading.gpu_memory_total, reading.others) == (600, 1000, ())


def test_a_sensor_that_is_missing_takes_nothing_else_along(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetComputeRunningProcesses",
    )
    reading = first_reading(FakeNvml(broken=broken), monkeypatch)
    assert reading.gpu_util is None and reading.power_w is None and reading.others == ()
    assert reading.temperature_c == 38.0 and reading.gpu_memory_used == 600
    assert first_reading(FakeNvml(broken=("nvmlInit",)), monkeypatch).temperature_c is None


def test_others_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    (other,) = first_reading(FakeNvml(os.getpid(), os.getppid()), monkeypatch).others
    assert other.pid == os.getppid() and other.memory == 100
    unknown = 2**22 + 7  # no such process here: in a container, our own by the host's number
    assert first_reading(FakeNvml(unknown), monkeypatch).others == ()
    assert len(first_reading(FakeNvml(unknown, unknown + 1), monkeypatch).others) == 1


@pytest.mark.parametrize(
    ("setting", "places"),
    [
        (None, [0, 1, 2]),
        ("2,5", [2, 5]),
        ("GPU-ab12", ["GPU-ab12"]),
        ("1, GPU-ab12", [1, "GPU-ab12"]),
        ("", []),
    ],
)
def test_the_card_that_torch_means(
    setting: str | None, places: list[int | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if setting is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert visible_devices(3) == places


# ------------------------------------------------------------------------------ sheets


def text_of(sheet: HeadedLines) -> str:
    heading, rows = sheet
    return "\n".join("".join(text for text, _ in row) for row in (heading, *rows))


def test_the_epoch_table_says_how_much_of_the_training_waited_for_data() -> None:
    assert "wait" not in text_of(sheets.epochs(after(0.98, 0.99)))
    events = [epoch(1, 0.98, train_s=4.0, data_wait_s=None), epoch(2, 0.99, train_s=4.0, data_wait_s=0.5)]
    heading, first, second, _ = text_of(sheets.epochs(reduce_all(begun(), map(at, events)))).splitlines()
    assert heading.rstrip().endswith("wait %")
    assert first.split()[-1] == "–" and second.split()[-1] == "12"


def test_the_epoch_table_marks_the_best_and_the_target() -> None:
    text = text_of(sheets.epochs(after(0.98, 0.9941, 0.994), (Ghost("published", (0.985, 0.99)),)))
    lines = text.splitlines()
    assert lines[0].split() == [
        "epoch",
        "test",
        "%",
        "loss",
        "train",
        "%",
        "loss",
        "gap",
        "lr",
        "seconds",
        "ahead",
    ]
    assert lines[-1] == " ahead: test accuracy above (+) or below (−) published, in points"
    assert "−0.50" in lines[1] and "★" in lines[2] and "+0.41" in lines[2] and "✓" in lines[3]


def test_the_verdict() -> None:
    assert "when the run has ended" in text_of(sheets.verdict(after(0.9), (), 78))
    text = text_of(sheets.verdict(reduce_all(MonitorState(), recorded()), (), 78))
    assert "✗ Challenge not met: accuracy, consistency" in text
    assert "✓ parameters" in text and "claimed" in text and "−0.10" in text and "another seed" in text


@given(st.text(max_size=60), st.integers(1, 40))
def test_lines_are_cut_and_broken_to_their_width(text: str, width: int) -> None:
    clean = "".join(c for c in text if c.isprintable())
    assert cells(cut(((clean, ""),), width)) <= width
    assert all(cells(line) <= width for line in wrap(((clean, ""),), width))


def test_words() -> None:
    assert [figures.duration_text(s) for s in (0, 59.6, 61, 3600, 90061, 200000, None, math.nan)] == [
        "0:00", "1:00", "1:01", "1:00:00", "25:01:01", "2 d 7 h", "–", "–",
    ]  # fmt: skip
    assert figures.percent_text(0.9938) == "99.38" and figures.percent_text(math.nan) == "–"
    assert figures.plural(1, "epoch") == "1 epoch" and figures.plural(5, "epoch") == "5 epochs"
    assert figures.loss_text(math.inf) == "not finite"


def test_the_reducer_needs_no_textual_and_no_torch() -> None:
    code = (
        "import sys, tuitrain.watch.state, tuitrain.watch.alerts, tuitrain.tui.monitor.curves, tuitrain.tui.monitor.sheets;"
        "print(sorted({'textual', 'torch', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_until_ends_with_its_epoch() -> None:
    assert isinstance(until(recorded(), 8)[-1].event, EpochFinished)
