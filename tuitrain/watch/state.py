"""What the monitor shows, as a pure reduction of a run's events. No textual.

`reduce` takes a state and one record, progress report or phase and gives the next state; a live run,
a re-attached one, a replay of a finished one and a run on another machine are the same fold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.runs import wording
from tuitrain.runs.history import History
from tuitrain.spec.describe import describe_changes, layers_of
from tuitrain.training.events import (
    CheckpointSaved,
    Control,
    EpochFinished,
    Event,
    Notice,
    Phase,
    Record,
    RunFinished,
    RunStarted,
    StepProgress,
)
from tuitrain.watch.pace import Pace, remaining_s

Level = Literal["info", "good", "warning", "error"]
LOG_LINES = 5000
#: Phases before the first step; a run that has ended is in none of them, unless it was resumed.
BEGINNING = ("starting", "loading data", "warming up", "compiling")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log; `time` in unix seconds."""

    time: float
    text: str
    level: Level = "info"


@dataclass(frozen=True, slots=True)
class Ask:
    """A command that the run has not carried out yet."""

    action: str  # as in Control.action
    text: str  # "pausing", "stopping after this epoch"


@dataclass(frozen=True, slots=True)
class MonitorState:
    """All that the monitor shows of one run, except sensors and ghost curves."""

    history: History = field(default_factory=History)
    progress: StepProgress | None = None
    phase: str = "waiting"
    phase_s: float = 0.0  # whole seconds in it, while it is compiling
    stalled_s: float = 0.0  # whole seconds for which the process has stood still
    paused: bool = False
    paused_at: tuple[int, int] = (0, 0)  # epoch and step of the pause
    pause_after: int = 0  # the epoch after which it will pause; 0 for none
    stopping: str = ""
    begun_again: bool = False  # it had ended, and a process is at it again
    alive: bool = True
    log: tuple[LogLine, ...] = ()
    asks: tuple[Ask, ...] = ()
    pace: Pace = field(default_factory=Pace)

    @property
    def started(self) -> RunStarted | None:
        """How the run began."""
        return self.history.started

    @property
    def epochs(self) -> tuple[EpochFinished, ...]:
        """The finished epochs."""
        return self.history.epochs

    @property
    def planned(self) -> int:
        """Epochs that the run is to have."""
        return self.history.planned

    @property
    def best(self) -> EpochFinished | None:
        """The best epoch."""
        return self.history.best

    @property
    def finished(self) -> RunFinished | None:
        """How the run ended."""
        return self.history.finished

    @property
    def target(self) -> float | None:
        """The challenge's accuracy in percent."""
        return self.history.target

    @property
    def hits(self) -> tuple[int, ...]:
        """Epochs at or above the target."""
        return self.history.at_target

    @property
    def status(self) -> str:
        """Its phase or outcome, `paused`, `stalled` or `interrupted`; a feed's own word while the run hasn't begun."""
        if self.finished is not None and not self.begun_again:
            return self.finished.outcome
        if not self.alive:
            return "interrupted"
        if self.stalled_s:
            return "stalled"
        return "paused" if self.paused else self.phase

    @property
    def status_text(self) -> str:
        """The state in words, with the time where one waits for its end: `compiling 12 s`."""
        return figures.activity_text(wording.state_text(self.status), self.stalled_s or self.phase_s)

    @property
    def over(self) -> bool:
        """Whether nothing more is to come."""
        return (self.finished is not None and not self.begun_again) or not self.alive

    @property
    def last(self) -> EpochFinished | None:
        """The latest finished epoch."""
        return self.history.last

    @property
    def epoch(self) -> int:
        """The epoch it is in, from 1; the last finished one when the run is over."""
        done = self.history.done
        if self.over:
            return done
        return min(max(done + 1, self.progress.epoch if self.progress else 1), max(1, self.planned))

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        if self.progress is not None:
            return self.progress.steps
        return self.started.steps_per_epoch if self.started else 0

    @property
    def step(self) -> int:
        """Steps done of the epoch it is in."""
        done = self.history.done
        if self.progress is not None and self.progress.epoch > done:
            return self.progress.step
        return self.steps if self.over and self.epochs else 0

    @property
    def run_fraction(self) -> float:
        """How much of the run is done, 0 to 1."""
        if not self.planned:
            return 0.0
        done = float(self.history.done)
        if not self.over and self.steps:
            done += min(1.0, self.step / self.steps)
        return min(1.0, done / self.planned)

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end, or None where it can't be told."""
        if self.over:
            return None
        return remaining_s(self.pace, self.epochs, self.planned, self.steps, self.progress, self.history.done)

    @property
    def elapsed_s(self) -> float:
        """Seconds of the run so far."""
        if self.finished is None and self.progress is not None:
            return max(self.history.seconds, self.progress.elapsed_s)
        return self.history.seconds

    @property
    def train_now(self) -> StepProgress | EpochFinished | None:
        """What has the newest train loss and accuracy: the epoch it is in, else the last finished one."""
        last = self.last
        if self.progress is not None and not self.over and (last is None or self.progress.epoch > last.epoch):
            return self.progress
        return last

    @property
    def lr(self) -> float | None:
        """The learning rate now."""
        if self.progress is not None:
            return self.progress.lr
        return self.epochs[-1].lr if self.epochs else None


@dataclass(frozen=True, slots=True)
class Ghost:
    """A curve to be measured against; fractions, one an epoch, None where none is known."""

    name: str
    test_acc: tuple[float | None, ...]
    test_loss: tuple[float | None, ...] = ()


def ahead(state: MonitorState, ghost: Ghost) -> float | None:
    """How far the last epoch's test accuracy is ahead of the curve at that epoch; a fraction."""
    last = state.last
    if last is None or not 1 <= last.epoch <= len(ghost.test_acc):
        return None
    there = ghost.test_acc[last.epoch - 1]
    if there is None or not math.isfinite(last.test_acc):
        return None
    return last.test_acc - there


def reduce(state: MonitorState, item: Record | StepProgress | Phase) -> MonitorState:
    """The state after one more record, progress report or phase. Never raises on an event of ours."""
    if isinstance(item, StepProgress):
        return _progress(state, item)
    if isinstance(item, Phase):
        return with_phase(state, item.phase)
    event = item.event
    if isinstance(event, StepProgress):
        return _progress(state, event)
    if isinstance(event, Phase):
        return with_phase(state, event.phase)
    return _event(replace(state, history=state.history.add(item)), event, item.time)


def reduce_all(state: MonitorState, items: Iterable[Record | StepProgress | Phase]) -> MonitorState:
    """The fold of `reduce` over several."""
    for item in items:
        state = reduce(state, item)
    return state


def asked(state: MonitorState, action: str, text: str) -> MonitorState:
    """The state after a command was given; the run's answer takes it back out."""
    asks = tuple(a for a in state.asks if a.action != action)
    return replace(state, asks=(*asks, Ask(action, text)))


def with_alive(state: MonitorState, alive: bool) -> MonitorState:
    """The state with what is known of the process behind the run."""
    return state if state.alive == alive else replace(state, alive=alive)


def with_phase(
    state: MonitorState, phase: str | None, phase_s: float = 0.0, stalled_s: float = 0.0
) -> MonitorState:
    """The state with the phase as a feed names it; before a run begins that may be any word.

    A pause ends with its event or with a later step, not with a phase: a viewer of another process
    may see that half a second late. But a process that has only begun with the run is not in the pause of another.
    """
    phase_s = float(int(phase_s)) if phase == "compiling" else 0.0
    if (phase_s, int(stalled_s)) != (state.phase_s, state.stalled_s):
        state = replace(state, phase_s=phase_s, stalled_s=float(int(stalled_s)))
    begun_again = state.finished is not None and phase in BEGINNING
    if begun_again != state.begun_again:
        state = replace(state, begun_again=begun_again)
    if begun_again:
        return replace(state, phase=phase or state.phase)
    if phase is None or state.finished is not None:
        return state
    if phase in ("loading data", "warming up") and state.paused:
        state = replace(state, paused=False)
    if phase == state.phase:
        return state
    if phase == "paused":
        return state if state.paused else replace(state, paused=True, pace=state.pace.interrupted())
    return replace(state, phase=phase)


def _answered(state: MonitorState, action: str) -> tuple[Ask, ...]:
    return tuple(a for a in state.asks if a.action != action) if state.asks else state.asks


def _progress(state: MonitorState, progress: StepProgress) -> MonitorState:
    if progress == state.progress or state.finished is not None:
        return state
    phase = state.phase if state.phase in ("evaluating", "saving", "warming up", "compiling") else "training"
    if state.last is not None and progress.epoch <= state.last.epoch:
        return state  # an older report than what is known already
    paused = state.paused and (progress.epoch, progress.step) <= state.paused_at
    return replace(state, progress=progress, pace=state.pace.seen(progress), phase=phase, paused=paused)


def _event(state: MonitorState, event: Event, time: float) -> MonitorState:
    """What the screen alone shows, beside the history, which has the event already."""
    match event:
        case RunStarted():
            new = MonitorState(
                history=state.history,
                phase="loading data",
                pace=Pace().restarted(state.history.done + 1),
                asks=state.asks,
                alive=state.alive,
            )
            changed = ", ".join(map(str, describe_changes(event.changed, layers_of(event.preset))))
            text = f"{event.name or 'run'} on {event.device_name or event.device}, seed {event.seed}"
            return _log(new, time, f"{text}, {changed} changed" if changed else text)
        case EpochFinished():
            return _epoch(state, event, time)
        case Control():
            return _control(state, event, time)
        case CheckpointSaved():
            asks = _answered(state, "checkpoint")
            new = replace(state, asks=asks)
            if len(asks) == len(state.asks) and event.step == 0:
                return new  # the one that every epoch writes: not worth a line
            return _log(new, time, wording.checkpoint_text(event), "good")
        case Notice():
            levels: dict[str, Level] = {"info": "info", "warning": "warning", "error": "error"}
            return _log(state, time, wording.notice_text(event), levels.get(event.level, "warning"))
        case RunFinished():
            new = replace(state, paused=False, asks=(), stopping="")
            good = event.outcome in ("completed", "stopped")
            return _log(new, time, wording.end_text(state.history), "good" if good else "error")
    return state


def _epoch(state: MonitorState, event: EpochFinished, time: float) -> MonitorState:
    text = f"epoch {event.epoch}: {state.history.judged_by} loss {figures.loss_text(event.test_loss)}"
    if math.isfinite(event.test_acc):
        correct = round(event.test_acc * event.test_images)
        text += f", {correct}/{event.test_images} ({figures.accuracy_text(event.test_acc)})"
    if event.ema_test_acc is not None:
        text += f", ema {figures.accuracy_text(event.ema_test_acc)}"
    new = replace(state, phase="training", pace=replace(state.pace, last=None))
    level: Level = "info"
    if state.hits == (event.epoch,):  # the first
        text, level = f"{text}, target {state.target:.2f} % reached", "good"
    elif not math.isfinite(event.train_loss) or not math.isfinite(event.test_loss):
        level = "error"
    return _log(new, time, text, level)


def _control(state: MonitorState, event: Control, time: float) -> MonitorState:
    new = replace(state, asks=_answered(state, event.action))
    level: Level = "info"
    match event.action:
        case "paused":
            place = (event.epoch + 1, event.step)
            new = replace(new, paused=True, paused_at=place, pace=state.pace.interrupted())
            if (event.epoch, event.step) == (state.pause_after, 0):
                new = replace(new, pause_after=0)
            level = "warning"
        case "pause_after":
            known = event.value is not None and math.isfinite(event.value)
            new = replace(new, pause_after=round(event.value or 0) if known else 0)
        case "resumed":
            new = replace(new, paused=False, asks=_answered(new, "paused"), pace=state.pace.interrupted())
        case "stop":
            new, level = replace(new, stopping=event.detail or "stopping"), "warning"
        case "restarted":
            new = replace(
                new, alive=True, paused=False, stopping="", progress=None, phase="warming up", pause_after=0,
                pace=state.pace.restarted(event.epoch + 1),
            )  # fmt: skip
    return _log(new, time, wording.control_text(event, state.planned), level)


def _log(state: MonitorState, time: float, text: str, level: Level = "info") -> MonitorState:
    return replace(state, log=(*state.log[-LOG_LINES:], LogLine(time, visible(text), level)))
