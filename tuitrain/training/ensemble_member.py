"""One seed of an ensemble as the trainer of an ordinary session, so that it is recorded, kept and resumed like any run."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tuitrain.errors import DivergedError
from tuitrain.training.command import RunControl
from tuitrain.training.events import Control, EpochFinished, Event, Notice, Outcome, Phase
from tuitrain.training.machine import Machine
from tuitrain.training.run import Run
from tuitrain.training.step import Evaluation

LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class MemberEpoch:
    """What an epoch of the ensemble was for one seed: the event, its tensors on the CPU, and its judging."""

    finished: EpochFinished
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    seen: Evaluation
    averaged: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class MemberEnd:
    """The ensemble has ended: completed, stopped, or by an error."""

    outcome: Outcome
    message: str = ""


class EnsembleMember(Run):
    """Passes on what an ensemble did with one seed. Arguments as of `Run`.

    Attributes:
        inbox: where the ensemble puts its epochs, and at last its end.
        wants_stop: the reason of a stop that was asked for; empty without one. It is for the whole ensemble.
        others: how many other seeds train with it.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._told: tuple[dict[str, Tensor], dict[str, Tensor]] = {}, {}
        super().__init__(*arguments, **settings)
        self.inbox: queue.SimpleQueue[MemberEpoch | MemberEnd] = queue.SimpleQueue()
        self.wants_stop = ""
        self.others = 0
        self._refused = False
        if self._resumed is not None:
            self._told = self._resumed.optimizer, self._resumed.ema
        self.machine = Machine(decided=True, threads=self.runtime.threads or 0)

    def run(self, control: RunControl | None = None) -> Iterator[Event]:
        """The events of the run, as of `Run.run`."""
        control = control or RunControl()
        self._begun = time.monotonic()
        yield self._first_event()
        yield Phase("training", self.position.epoch + 1)
        outcome: Outcome = "failed"
        message = ""
        try:
            while True:
                yield from self._look(control)
                try:
                    told = self.inbox.get(timeout=LOOK_S)
                except queue.Empty:
                    continue
                if isinstance(told, MemberEnd):
                    outcome, message = told.outcome, told.message
                    break
                yield self._take(told)
            if outcome == "stopped":
                yield Control("stop", self.position.epoch, detail=message, source="study")
        except DivergedError as error:
            outcome, message = "diverged", str(error)
        yield self.position.finished(
            outcome,
            message,
            images=self.feed.images,
            seconds=self._elapsed(),
            model_sha256=self._state.model_sha256(),
        )

    def _look(self, control: RunControl) -> Iterator[Event]:
        """A stop is for all; other commands can't be carried out for one of many."""
        while (command := control.take()) is not None:
            if command.action == "stop":
                self.wants_stop = command.reason or command.source or "requested"
            elif not self._refused:
                self._refused = True
                message = f"trained together with {self.others} other seeds: only a stop can be carried out, for all"
                yield Notice(
                    message, "train the seeds one by one (--one-by-one) to steer each", code="not_alone"
                )

    def _take(self, told: MemberEpoch) -> EpochFinished:
        now, finished = self.position, told.finished
        if not (math.isfinite(finished.train_loss) and math.isfinite(finished.test_loss)):
            raise self._diverged("the loss is not finite")
        self.network.load_state_dict(told.weights)
        self._told = told.optimizer, told.averaged
        now.next_epoch(finished)
        self._keep(told.seen)
        return finished

    def _tensors(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        return self._told
