"""The commands that a trainer obeys."""

import functools
import math
import threading
import time
from collections.abc import Callable

import pytest

from support.training_small import CPU, kinds, run, stripes, tiny
from tuitrain.errors import UsageError
from tuitrain.spec.preset import Preset
from tuitrain.training.command import RunControl
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Event,
    Phase,
    RunFinished,
    StepProgress,
)
from tuitrain.training.job import Job
from tuitrain.training.trainer import Trainer

# ------------------------------------------------------------------------------------ commands


def commanded(
    act: Callable[[RunControl, Event], None], preset: Preset | None = None
) -> tuple[Trainer, list[Event]]:
    """The lossless events of a run whose events are shown to `act`."""
    control, trainer, events = RunControl(), Trainer(Job(preset or tiny(), CPU), stripes()), []
    for event in trainer.run(control):
        events.append(event)
        act(control, event)
    return trainer, [event for event in events if not isinstance(event, StepProgress)]


def at_training(epoch: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Phase) and event.phase == "training" and event.epoch == epoch


def test_stop_now_stops_within_a_step() -> None:
    def act(control: RunControl, event: Event) -> None:
        if at_training(2)(event):
            control.stop("enough", source="keyboard")

    trainer, events = commanded(act)
    assert kinds(events) == ["RunStarted", "EpochFinished", "Control", "RunFinished"]
    stop = next(event for event in events if isinstance(event, Control))
    assert (stop.action, stop.epoch, stop.detail, stop.source) == ("stop", 1, "enough", "keyboard")
    assert (
        isinstance(events[-1], RunFinished)
        and events[-1].outcome == "stopped"
        and events[-1].message == "enough"
    )
    assert trainer.state().epoch == 1


def test_stop_after_the_epoch_finishes_it() -> None:
    trainer, control, events, taken = Trainer(Job(tiny(), CPU), stripes()), RunControl(), [], []

    def step(take: Callable[[], None]) -> None:
        taken.append(trainer.position.step)
        take()
        if len(taken) == 2:
            control.stop("enough", when="epoch")

    for event in trainer.run(control):
        events.append(event)
        if at_training(2)(event):
            trainer._stepper.step = functools.partial(step, trainer._stepper.step)
    assert kinds(events) == ["RunStarted", "EpochFinished", "EpochFinished", "Control", "RunFinished"]
    assert events[-1].outcome == "stopped" and trainer.state().epoch == 2 and taken == [0, 1, 2, 3, 4]


def test_pause_waits_without_burning_time_and_obeys_meanwhile() -> None:
    control, trainer = RunControl(), Trainer(Job(tiny(), CPU), stripes())
    seen: list[Event] = []
    paused = threading.Event()

    def consume() -> None:
        for event in trainer.run(control):
            seen.append(event)
            if isinstance(event, Phase) and event.phase == "paused":
                paused.set()

    control.pause("keyboard")
    thread = threading.Thread(target=consume)
    thread.start()
    assert paused.wait(30)
    assert thread.ident is not None
    clock = time.pthread_getcpuclockid(thread.ident)  # of this thread: others may be at work
    before, cpu = len(seen), time.clock_gettime(clock)
    time.sleep(0.3)
    assert len(seen) == before and time.clock_gettime(clock) - cpu < 0.15
    control.checkpoint()
    control.set_lr(0.02)
    control.resume("keyboard")
    thread.join(60)
    actions = [event.action for event in seen if isinstance(event, Control)]
    assert actions == ["paused", "checkpoint", "learning_rate", "resumed"]
    epochs = [event for event in seen if isinstance(event, EpochFinished)]
    assert len(epochs) == 3 and epochs[0].train_s < epochs[0].elapsed_s - 0.3


def test_a_paused_run_can_be_stopped() -> None:
    control = RunControl()
    control.pause()
    control.stop("while paused")
    _, events = run(tiny(), control=control)
    assert [event.action for event in events if isinstance(event, Control)] == ["paused", "stop"]
    assert events[-1].outcome == "stopped"


def test_resuming_what_is_not_paused_and_pausing_twice_change_nothing() -> None:
    control = RunControl()
    for command in (control.resume, control.pause, control.pause, control.resume, control.resume):
        command()
    trainer, events = run(tiny(), control=control)
    assert [event.action for event in events if isinstance(event, Control)] == ["paused", "resumed"]
    assert trainer.state().sha256() == run(tiny())[0].state().sha256()


def test_the_learning_rate_follows_a_command_and_the_schedule_after_it() -> None:
    def act(control: RunControl, event: Event) -> None:
        if isinstance(event, EpochFinished) and event.epoch == 1:
            control.set_lr(0.02, "keyboard")

    preset = tiny(epochs=4, schedule={"name": "step", "step_size": 2, "gamma": 0.1})
    _, events = commanded(act, preset)
    rates = [event.lr for event in events if isinstance(event, EpochFinished)]
    assert rates == pytest.approx([0.05, 0.02, 0.002, 0.002])
    assert [event.value for event in events if isinstance(event, Control)] == [0.02]


def test_more_epochs_can_be_asked_for_even_after_the_last() -> None:
    def act(control: RunControl, event: Event) -> None:
        if isinstance(event, EpochFinished) and event.epoch == event.epochs == 3:
            control.add_epochs(2, "keyboard")

    trainer, events = commanded(act)
    assert [event.epoch for event in events if isinstance(event, EpochFinished)] == [1, 2, 3, 4, 5]
    extended = next(event for event in events if isinstance(event, Control))
    assert (extended.action, extended.value) == ("extended", 2)
    assert trainer.state().meta["epochs"] == 5 and events[-1].outcome == "completed"


@pytest.mark.parametrize("lr", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_learning_rate_is_refused_at_once(lr: float) -> None:
    with pytest.raises(UsageError):
        RunControl().set_lr(lr)


def test_commands_from_many_threads_all_arrive() -> None:
    control = RunControl()
    threads = [threading.Thread(target=lambda: [control.add_epochs(1) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, events = run(tiny(epochs=1), control=_stopped_after(control, 400))
    assert sum(isinstance(event, Control) and event.action == "extended" for event in events) == 400


def _stopped_after(control: RunControl, count: int) -> RunControl:
    assert control.pending
    control.stop(f"after {count}")
    return control


def test_a_pause_after_an_epoch_waits_for_its_end_and_goes_on_to_the_same_bits() -> None:
    whole, _ = run(tiny())
    control = RunControl()
    control.pause("a test", after_epoch=1)
    control.pause(after_epoch=0)  # taken back
    control.pause("a test", after_epoch=2)
    trainer = Trainer(Job(tiny(), CPU), stripes())
    seen: list[Event] = []
    for event in trainer.run(control):
        seen.append(event)
        if isinstance(event, Control) and event.action == "paused":
            assert (event.epoch, event.step, event.source) == (2, 0, "a test")
            control.resume()
    names = [type(event).__name__ for event in seen if isinstance(event, Control | EpochFinished)]
    assert names == [
        *["Control"] * 3,
        "EpochFinished",
        "EpochFinished",
        "Control",
        "Control",
        "EpochFinished",
    ]
    told = [(e.action, e.value) for e in seen if isinstance(e, Control)]
    assert told[:3] == [("pause_after", 1), ("pause_after", 0), ("pause_after", 2)]
    assert trainer.state().sha256() == whole.state().sha256()
