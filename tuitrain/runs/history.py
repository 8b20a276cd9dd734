"""What a run's events come to: the one fold from its stream to its preset, epochs, best, target and outcome.

A live run, one that is attached to again, a replay, a run on another machine, a list of runs: all take their figures
from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tuitrain.errors import PresetError
from tuitrain.figures import reaches_target
from tuitrain.spec.best import best_epoch, better
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

if TYPE_CHECKING:
    from tuitrain.spec.challenge import Point
    from tuitrain.spec.preset import Claims, Preset
    from tuitrain.spec.table import NetworkTable

LAST_EPOCHS = 5


def waits_text(epoch: int) -> str:
    """The end of a run that its study stopped after an epoch, until it is decided whether it goes on."""
    return f"waits after epoch {epoch} until the others are there"


@dataclass(frozen=True, slots=True)
class History:
    """A run so far.

    Attributes:
        started: how it began; None before that.
        epochs: the finished ones that count, in order: a restart takes back what came after its place.
        planned: how many it is to have.
        best: the first of the epochs with the highest accuracy; None where none is finite.
        checkpoint: the latest.
        notices: all of them, in order.
        finished: how it ended; None while it goes on, or where it was killed.
        began: unix seconds of its first record.
        newest: unix seconds of its latest record.
        elapsed_s: seconds of run at its latest record.
    """

    started: RunStarted | None = None
    epochs: tuple[EpochFinished, ...] = ()
    planned: int = 0
    best: EpochFinished | None = None
    checkpoint: CheckpointSaved | None = None
    notices: tuple[Notice, ...] = ()
    finished: RunFinished | None = None
    began: float = 0.0
    newest: float = 0.0
    elapsed_s: float = 0.0

    @classmethod
    def of(cls, records: Iterable[Record]) -> History:
        """The history of all records of a run, in order."""
        history, began, newest, elapsed_s = cls(), 0.0, 0.0, 0.0
        for record in records:
            history = history._with(record.event)
            began, newest, elapsed_s = began or record.time, max(newest, record.time), record.elapsed_s
        return replace(history, began=began, newest=newest, elapsed_s=elapsed_s)

    def add(self, record: Record) -> History:
        """With one more record."""
        return replace(
            self._with(record.event),
            began=self.began or record.time,
            newest=max(self.newest, record.time),
            elapsed_s=record.elapsed_s,
        )

    def _with(self, event: Event) -> History:
        match event:
            case RunStarted():
                return History(started=event, planned=event.epochs)
            case EpochFinished():
                return self._epoch(event)
            case Control(action="extended", value=value) if value is not None and math.isfinite(value):
                return replace(self, planned=self.planned + max(0, round(value)))
            case Control(action="restarted"):
                kept = tuple(e for e in self.epochs if e.epoch <= event.epoch)
                return replace(self, epochs=kept, best=best_epoch(kept), finished=None)
            case CheckpointSaved():
                return replace(self, checkpoint=event)
            case Notice():
                return replace(self, notices=(*self.notices, event))
            case RunFinished():
                return replace(self, finished=event)
        return self

    def _epoch(self, event: EpochFinished) -> History:
        if self.epochs and self.epochs[-1].epoch >= event.epoch:  # done again after a restart
            epochs = (*(e for e in self.epochs if e.epoch < event.epoch), event)
            best = best_epoch(epochs)
        else:
            epochs, best = (*self.epochs, event), better(self.best, event)
        return replace(self, epochs=epochs, best=best, planned=max(event.epochs, event.epoch), finished=None)

    # ------------------------------------------------------------------------------ what it means

    @property
    def last(self) -> EpochFinished | None:
        """The latest finished epoch."""
        return self.epochs[-1] if self.epochs else None

    @property
    def done(self) -> int:
        """The number of the latest finished epoch; of a branch before its first, that of its parent's."""
        if self.epochs:
            return self.epochs[-1].epoch
        epoch = self.started.parent.get("epoch", 0) if self.started is not None else 0
        return epoch if isinstance(epoch, int) else 0

    @property
    def outcome(self) -> str:
        """How it ended; `unfinished` while it goes on, or where it was killed."""
        return self.finished.outcome if self.finished is not None else "unfinished"

    @property
    def has_result(self) -> bool:
        """Whether it has ended for good, trained to its end or diverged: it is a result, and is not trained again."""
        return self.outcome in ("completed", "diverged")

    @property
    def waits(self) -> bool:
        """Whether it is stopped until its study has decided whether it goes on."""
        return self.finished is not None and self.finished.message == waits_text(self.finished.epochs)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, pauses included."""
        return self.finished.seconds if self.finished is not None else self.elapsed_s

    @property
    def judged_by(self) -> str:
        """The images that judge its epochs: `test` or `validation`."""
        return self.started.judged_by if self.started is not None else "test"

    @property
    def preset(self) -> Preset | None:
        """The resolved preset; None before the run has started, or where this version can't read it."""
        if self.started is None:
            return None
        from tuitrain.spec.preset import preset_from_dict  # a list of runs does without

        try:
            return preset_from_dict(self.started.preset, "the run's preset")
        except PresetError:
            return None

    def table(self) -> NetworkTable | None:
        """The network in closed form; None of a network in Python, and where there is no preset (see `preset`)."""
        preset = self.preset
        if preset is None or self.user_network is not None:
            return None
        try:
            return preset.table()
        except PresetError:
            return None

    @property
    def averages(self) -> bool:
        """Whether the run judges averaged weights as well (`train.ema`)."""
        train = self.started.preset.get("train") if self.started is not None else None
        return isinstance(train, dict) and train.get("ema") is not None

    @property
    def user_network(self) -> str | None:
        """The user's network in Python, as it was named on the command line; None without one."""
        return (
            self.started.own_network.get("model", "?") if self.started and self.started.own_network else None
        )

    @property
    def published(self) -> Claims | None:
        """What the source claims of the preset's network, on any data set; None if a user's network was trained."""
        preset = self.preset
        return preset.claims if preset is not None and self.user_network is None else None

    @property
    def target(self) -> float | None:
        """The challenge's accuracy in percent; None where it has none."""
        value = self._of_challenge("target_accuracy")
        return float(value) if isinstance(value, int | float) else None

    @property
    def budget(self) -> int | None:
        """The most parameters it may have: as was said when it was started, else the challenge's; None for any number."""
        own = self.started.budget if self.started is not None else None
        limit = self._of_challenge("max_parameters")
        return own or (limit if isinstance(limit, int) else None)

    def _of_challenge(self, key: str) -> Any:
        challenge = self.started.preset.get("challenge") if self.started is not None else None
        return challenge.get(key) if isinstance(challenge, dict) else None

    @property
    def at_target(self) -> tuple[int, ...]:
        """The epochs at or above the target; none where there is no target."""
        target = self.target
        if target is None:
            return ()
        return tuple(e.epoch for e in self.epochs if reaches_target(e.test_acc, target))

    @property
    def last_mean(self) -> float:
        """Mean accuracy of the last five epochs (or as many as there are); NaN without any."""
        last = self.epochs[-LAST_EPOCHS:]
        return sum(e.test_acc for e in last) / len(last) if last else math.nan

    def points(self) -> list[Point]:
        """The challenge, point by point; none before the run has started, or where its preset can't be read."""
        from tuitrain.spec.challenge import check_challenge

        started, preset = self.started, self.preset
        if started is None or preset is None:
            return []
        try:
            table = started.parameters if started.own_network else preset.table()
        except PresetError:
            return []
        done = self.finished
        cut_off = done is not None and done.outcome != "completed"
        return check_challenge(preset, table, self.epochs, finished=done is not None, cut_off=cut_off)
