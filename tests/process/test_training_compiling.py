"""While a network is compiled its run hears what it is told, and nobody looks at the network."""

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch

from support.training_small import run, stripes, tiny
from tuitrain.training import compiling
from tuitrain.training.command import RunControl
from tuitrain.training.events import Control, EpochFinished, Event, Notice, Phase, StepProgress
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.training.step import Stepper
from tuitrain.training.trainer import Trainer

AUTO = Runtime(device="cpu", threads=1)


class Slow:
    """Compiles for as long as it is told, with weights that are wrong meanwhile, as in a rehearsal."""

    def __init__(self) -> None:
        self.begun, self.finish = threading.Event(), threading.Event()
        self.problem: str | None = None
        self.blocked: set[signal.Signals] = set()

    def __call__(self, stepper: Stepper) -> str | None:
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])  # type: ignore[assignment]
        with stepper.rehearsal(), torch.no_grad():
            for parameter in stepper.parameters:
                parameter.fill_(float("nan"))
            stepper.seek(3, float("nan"), 7)
            self.begun.set()
            assert self.finish.wait(60)
        if self.problem is None:
            stepper.use_compiled(stepper.logits)
        return self.problem


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """The network is compiled after the first epoch."""
    slow = Slow()
    monkeypatch.setattr(compiling, "compile_network", slow)
    monkeypatch.setattr(compiling, "first_epoch", lambda runtime, *_: None if runtime.compile == "off" else 1)
    yield slow
    slow.finish.set()
    for thread in threading.enumerate():
        if thread.name == "compile-network":
            thread.join(60)


class Running:
    """A run in a thread, its events, and when each came."""

    def __init__(self, trainer: Trainer) -> None:
        self.control, self.trainer = RunControl(), trainer
        self.events: list[tuple[float, Event]] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for event in self.trainer.run(self.control):
            if not isinstance(event, StepProgress):
                self.events.append((time.monotonic(), event))

    def actions(self) -> list[str]:
        return [event.action for _, event in list(self.events) if isinstance(event, Control)]

    def wait_for(self, true: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.events
            time.sleep(0.005)

    def ended(self, seconds: float = 30.0) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive()


def test_a_stop_while_compiling_ends_the_run_as_after_the_last_epoch(slow: Slow) -> None:
    whole, _ = run(tiny())
    running = Running(Trainer(Job(tiny(), AUTO), stripes()))
    assert slow.begun.wait(30)
    running.control.stop("enough", source="keyboard")
    running.ended()
    assert not slow.finish.is_set()
    last = running.events[-1][1]
    assert last.outcome == "stopped" and last.epochs == 1  # type: ignore[union-attr]
    state = running.trainer.state()
    assert state.finite() and (state.epoch, state.step) == (1, 0)
    assert state.meta["machine"]["compiled_from"] == 1
    slow.finish.set()
    assert run(tiny(), runtime=AUTO, resume=state)[0].state().sha256() == whole.state().sha256()


def test_a_pause_while_compiling_and_what_is_asked_for_in_it(slow: Slow) -> None:
    whole, _ = run(tiny())
    running = Running(Trainer(Job(tiny(), AUTO), stripes()))
    assert slow.begun.wait(30)
    running.control.pause("keyboard")
    running.wait_for(lambda: running.actions() == ["paused"])
    running.control.checkpoint()
    running.wait_for(lambda: running.actions() == ["paused", "checkpoint"])
    assert running.trainer.state().finite() and running.trainer.state().epoch == 1
    running.control.resume()
    running.wait_for(lambda: running.events[-1][1] == Phase("compiling", 2))
    running.control.pause()
    slow.finish.set()
    running.wait_for(lambda: running.actions().count("paused") == 2)
    time.sleep(0.2)
    assert running.actions()[-1] == "paused" and not any(
        isinstance(event, Notice) for _, event in running.events
    )
    running.control.resume()
    running.ended()
    phases = [event.phase for _, event in running.events if isinstance(event, Phase)]
    assert phases[4:6] == ["compiling", "paused"] and phases.count("compiling") >= 2
    assert running.trainer.state().sha256() == whole.state().sha256()


def test_compilers_that_the_signal_to_stop_ended_too_are_no_reason_to_go_on_without(slow: Slow) -> None:
    running = Running(Trainer(Job(tiny(), AUTO), stripes()))
    assert slow.begun.wait(30)
    slow.problem = "g++: fatal error: Terminated"
    slow.finish.set()
    time.sleep(0.2)
    running.control.stop("SIGTERM", source="SIGTERM")
    running.ended()
    assert running.trainer.state().meta["machine"]["compiled_from"] == 1
    assert not any(isinstance(event, Notice) for _, event in running.events)


def test_what_reaches_the_whole_foreground_does_not_reach_the_compilers(slow: Slow) -> None:
    running = Running(Trainer(Job(tiny(), AUTO), stripes()))
    assert slow.begun.wait(30)
    slow.finish.set()
    running.ended()
    assert {signal.SIGINT, signal.SIGHUP} <= slow.blocked and signal.SIGTERM not in slow.blocked
    assert sum(isinstance(event, EpochFinished) for _, event in running.events) == 3
