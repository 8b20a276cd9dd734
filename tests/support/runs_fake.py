"""A trainer without a network, for what surrounds training; also a program that can be killed.

Its weights depend on every step and on nothing else, so that a run which was interrupted shows it.
    python tests/support/runs_fake.py RUNS_DIR --name a --epochs 6 --steps 20 --step-s 0.002 [--resume]
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support import warm
from tuitrain.errors import CheckpointError
from tuitrain.runs import inspect
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.session import Session
from tuitrain.training.command import Command, RunControl
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Event,
    Notice,
    Phase,
    Record,
    RunFinished,
    RunStarted,
    StepProgress,
    from_dict,
    to_dict,
    to_line,
)
from tuitrain.training.inspection import LastEvaluation, Predictions
from tuitrain.training.state import SCHEMA, TrainerState

#: This file, which is also a program.
FAKE = Path(__file__)
PRESET = {"schema": 1, "name": "fake", "challenge": {"target_accuracy": 99.0}}


class FakeTrainer:
    """Same events and state as the real one; `unkeyed` draws from torch's own generator instead.

    `pace` is called after each step, with how many epochs are over; `step_s` is a pace that is always the same.
    """

    def __init__(
        self,
        *,
        epochs: int = 4,
        steps: int = 6,
        step_s: float = 0.0,
        pace: Callable[[int], object] | None = None,
        resume: TrainerState | None = None,
        checkpoint_every: int = 0,
        raises: BaseException | None = None,
        outcome: str = "completed",
        unkeyed: bool = False,
        size: int = 64,
        run_name: str = "",
    ) -> None:
        self.epochs, self.steps = epochs, steps
        self.pace = pace or ((lambda _: time.sleep(step_s)) if step_s else None)
        self.checkpoint_every, self.raises, self.outcome = checkpoint_every, raises, outcome
        self.unkeyed, self.run_name = unkeyed, run_name
        self.epoch = self.step = 0
        self.weights = torch.zeros(size)
        self.momentum = torch.zeros(size)
        self.history: list[EpochFinished] = []
        self.resumed = resume is not None
        if resume is not None:
            weights = resume.model.get("weights")
            if weights is None or weights.shape != self.weights.shape:
                raise CheckpointError("the checkpoint does not fit; resume with the run's own preset")
            self.weights, self.momentum = weights.clone(), resume.optimizer["momentum"].clone()
            self.epoch, self.step = resume.epoch, resume.step
            self.epochs = max(self.epochs, int(resume.meta["epochs"]))
            self.history = [from_dict(data) for data in resume.meta["history"]]  # type: ignore[misc]

    def run(self, control: RunControl) -> Iterator[Event]:
        if self.resumed:
            yield Control("restarted", self.epoch, self.step, source="trainer")
        else:
            yield RunStarted(
                run=self.run_name, name="fake", preset=PRESET, seed=0, device="cpu", device_name="CPU",
                versions={}, runtime={}, parameters=64, mult_adds=64, dataset="digits", train_images=60,
                test_images=100, judged_by="test", epochs=self.epochs, steps_per_epoch=self.steps,
            )  # fmt: skip
        if self.raises is not None:
            raise self.raises
        stopped: Command | None = None
        while self.epoch < self.epochs and stopped is None:
            yield Phase("training", self.epoch + 1)
            while self.step < self.steps:
                for event in self._obey(control):
                    yield event
                    if isinstance(event, Control) and event.action == "stop":
                        stopped = Command("stop", reason=event.detail)
                if stopped:
                    break
                self._one_step()
                yield self._progress()
                if (
                    self.checkpoint_every
                    and self.step % self.checkpoint_every == 0
                    and self.step < self.steps
                ):
                    yield Control("checkpoint", self.epoch, self.step, source="test")
            else:
                yield self._end_epoch()
        if self.outcome == "diverged":
            yield self._finished("diverged", "the loss is not finite")
        elif stopped:
            yield self._finished("stopped", stopped.reason)
        else:
            yield self._finished(self.outcome, "")

    def _one_step(self) -> None:
        if self.unkeyed:
            noise = torch.randn(self.weights.shape)
        else:
            generator = torch.Generator().manual_seed(1000 * self.epoch + self.step)
            noise = torch.randn(self.weights.shape, generator=generator)
        self.momentum = 0.9 * self.momentum + noise
        self.weights = self.weights - 0.01 * self.momentum
        self.step += 1
        if self.pace is not None:
            self.pace(self.epoch)

    def _obey(self, control: RunControl) -> Iterator[Event]:
        paused = False
        while (command := control.take()) is not None or paused:
            if command is None:
                control.wait()
                continue
            at: dict[str, Any] = {"epoch": self.epoch, "step": self.step, "source": command.source}
            if command.action == "pause":
                paused = True
                yield Control("paused", **at)
                yield Phase("paused", self.epoch + 1)
            elif command.action == "resume" and paused:
                paused = False
                yield Control("resumed", **at)
                yield Phase("training", self.epoch + 1)
            elif command.action == "checkpoint":
                yield Control("checkpoint", **at)
            elif command.action == "set_lr":
                yield Control("learning_rate", value=command.value, **at)
            elif command.action == "add_epochs":
                self.epochs += int(command.value or 0)
                yield Control("extended", value=command.value, **at)
            elif command.action == "stop":
                yield Control("stop", detail=command.reason, **at)
                return

    def _progress(self) -> StepProgress:
        return StepProgress(self.epoch + 1, self.step, self.steps, 0.5, 0.5, 0.01, 100.0, 1.0, 0.1)

    def _end_epoch(self) -> EpochFinished:
        test_acc = 0.9 + 0.09 * math.sin(7.0 * self.epoch + 1.0) ** 2
        event = EpochFinished(
            epoch=self.epoch + 1, epochs=self.epochs, train_loss=1 / (self.epoch + 1), train_acc=0.9,
            test_loss=float(self.weights.abs().mean()), test_acc=round(test_acc, 2), lr=0.01, train_s=1.0,
            test_s=0.1, elapsed_s=1.0, images_per_s=100.0, test_images=100,
        )  # fmt: skip
        self.history.append(event)
        self.epoch, self.step = self.epoch + 1, 0
        return event

    def _finished(self, outcome: Any, message: str) -> RunFinished:
        best = max(self.history, key=lambda e: e.test_acc, default=None)
        last = self.history[-1] if self.history else None
        return RunFinished(
            outcome, self.epoch, best.test_acc if best else math.nan, best.epoch if best else 0,
            last.test_acc if last else math.nan, 0.9, 0.1, 1.0, 100.0, message,
        )  # fmt: skip

    def state(self) -> TrainerState:
        meta = {
            "schema": SCHEMA, "epoch": self.epoch, "step": self.step, "epochs": self.epochs, "seed": 0,
            "schedule": {}, "history": [to_dict(event) for event in self.history],
        }  # fmt: skip
        return TrainerState({"weights": self.weights.clone()}, {"momentum": self.momentum.clone()}, meta)

    def inspection(self) -> LastEvaluation:
        labels = np.arange(100, dtype=np.uint8) % 10
        predictions = np.roll(labels, self.epoch)
        return LastEvaluation(labels, predictions, np.full(100, 0.5, np.float32), self.epoch, None)


def fake_session(directory: RunDirectory, *, resume: bool = False, **settings: Any) -> Session:
    """A session that drives a fake trainer."""

    def factory(state: Any, publish: Any) -> FakeTrainer:
        return FakeTrainer(resume=state, run_name=directory.name, **settings)

    return Session(factory, directory, resume=resume, summary=lambda: "one layer\n")


def fake_records(epochs: int = 3) -> list[Record]:
    trainer = FakeTrainer(epochs=epochs)
    events = [e for e in trainer.run(RunControl()) if not isinstance(e, Phase | StepProgress)]
    return [Record(event, 1000.0 + i, float(i)) for i, event in enumerate(events)]


def old_run(runs: Path, name: str, at: float) -> Path:
    path = runs / name
    path.mkdir(parents=True)
    (path / "run.lock").touch()
    records = [Record(r.event, at + i, float(i)) for i, r in enumerate(fake_records(3))]
    (path / "events.jsonl").write_text("".join(to_line(r) + "\n" for r in records))
    os.utime(path / "events.jsonl", (at, at))
    return path


def run_to_end(directory: RunDirectory, *, resume: bool = False, **settings: Any) -> Session:
    """A fake run from its start to its end."""
    session = fake_session(directory, resume=resume, **settings)
    session.start()
    assert session.join(60)
    return session


def make(tmp_path: Path, name: str = "a") -> RunDirectory:
    return RunDirectory.create(tmp_path, "fake", name=name)


def epochs_of(run: RunDirectory) -> list[int]:
    return [r.event.epoch for r in run.events() if isinstance(r.event, EpochFinished)]


def kept(run: RunDirectory) -> tuple[Predictions, Predictions]:
    evaluations = inspect.read(run.path)
    assert evaluations.last is not None and evaluations.best is not None
    return evaluations.last, evaluations.best


def weights(run: RunDirectory) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def notices_of(run: RunDirectory) -> list[Notice]:
    return [r.event for r in run.events() if isinstance(r.event, Notice)]


def start_run(runs: Path, *flags: str, name: str = "a", wait: str = "EpochFinished") -> warm.Child:
    """A fake run in a process of its own, waited for until it says `wait`."""
    code = "from support.runs_fake import main; main()"
    child = warm.start(str(runs), "--name", name, *flags, code=code, env=dict(os.environ))
    while wait not in child.out:
        assert child.poll() is None or wait in child.out, f"ended early: {child.err}"
        time.sleep(0.02)
    return child


def main() -> None:
    """Train in this process, as the command line does."""
    from tuitrain.runs.signals import guarded, leave, lost_output, prepare_process

    prepare_process()
    parser = argparse.ArgumentParser()
    parser.add_argument("runs_dir", type=Path)
    parser.add_argument("--name")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--step-s", type=float, default=0.0)
    parser.add_argument("--checkpoint-every", type=int, default=0)
    parser.add_argument("--unkeyed", action="store_true")
    parser.add_argument("--sleep-at-start", type=float, default=0.0)
    args = parser.parse_args()
    if args.resume:
        directory = RunDirectory.open(args.runs_dir / args.name)
        directory.acquire()
    else:
        directory = RunDirectory.create(args.runs_dir, "fake", name=args.name)
    session = fake_session(
        directory, resume=args.resume, epochs=args.epochs, steps=args.steps, step_s=args.step_s,
        checkpoint_every=args.checkpoint_every, unkeyed=args.unkeyed,
    )  # fmt: skip
    seen = 0
    with guarded(session) as signals:
        print(f"started {directory.name}", flush=True)  # from here signals are the session's
        time.sleep(args.sleep_at_start)
        session.start()
        while not session.join(0.05):
            for record in session.records[seen:]:
                seen += 1
                print(type(record.event).__name__, flush=True)
    print(f"ended {session.outcome} {session.exit_code.name}", file=sys.stderr, flush=True)
    if session.recorder.trouble:
        print(session.recorder.trouble, file=sys.stderr)
    lost_output()
    leave(signals.exit_code or session.exit_code)


if __name__ == "__main__":
    from tuitrain.errors import TuitrainError

    try:
        main()
    except TuitrainError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
