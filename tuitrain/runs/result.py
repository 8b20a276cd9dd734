"""What a run came to: its records reduced to the verdict and to the object that scripts rely on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tuitrain import plain
from tuitrain.errors import PresetError
from tuitrain.spec.challenge import Point, check, reached
from tuitrain.spec.preset import Claims, Preset, preset_from_dict
from tuitrain.training.events import EpochFinished, Notice, Record, RunFinished, RunStarted
from tuitrain.words import gap, wait_share

LAST_EPOCHS = 5


@dataclass(slots=True)
class RunResult:
    """A run's records in order, reduced. `finished` is None while the run goes on or when it was killed."""

    started: RunStarted | None = None
    history: list[EpochFinished] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    finished: RunFinished | None = None

    @classmethod
    def of(cls, records: Iterable[Record]) -> RunResult:
        """The result of all records of a run."""
        result = cls()
        for record in records:
            result.add(record)
        return result

    def add(self, record: Record) -> None:
        """Takes in one more record."""
        match record.event:
            case RunStarted():
                self.started = record.event
            case EpochFinished():
                self.history = [e for e in self.history if e.epoch < record.event.epoch] + [record.event]
                self.finished = None
            case Notice():
                self.notices.append(record.event)
            case RunFinished():
                self.finished = record.event

    @property
    def preset(self) -> Preset | None:
        """The resolved preset; None before the run has started, or where this version can't read it."""
        if self.started is None:
            return None
        try:
            return preset_from_dict(self.started.preset, "the run's preset")
        except PresetError:
            return None

    @property
    def own_network(self) -> str | None:
        """The network in Python that took the place of the preset's, as it was named; None without one."""
        return (
            self.started.own_network.get("model", "?") if self.started and self.started.own_network else None
        )

    @property
    def published(self) -> Claims | None:
        """What the source reported of the preset's own network, of whatever data set; None where another trained."""
        preset = self.preset
        return preset.claims if preset is not None and self.own_network is None else None

    @property
    def best(self) -> EpochFinished | None:
        """The first of the epochs with the highest accuracy."""
        return max(self.history, key=lambda e: (e.test_acc, -e.epoch), default=None)

    @property
    def last_mean(self) -> float:
        """Mean accuracy of the last five epochs (or as many as there are); NaN without any."""
        last = self.history[-LAST_EPOCHS:]
        return sum(e.test_acc for e in last) / len(last) if last else math.nan

    def points(self) -> list[Point]:
        """The challenge, point by point."""
        started, preset = self.started, self.preset
        if started is None or preset is None:
            return []
        table = started.parameters if started.own_network else preset.table()
        done = self.finished
        cut_off = done is not None and done.outcome != "completed"
        return check(preset, table, self.history, finished=done is not None, cut_off=cut_off)

    def epochs_at(self, target_percent: float) -> list[int]:
        """The epochs that reached an accuracy."""
        return [e.epoch for e in self.history if reached(e.test_acc, target_percent)]

    def to_json(self, directory: Path) -> dict[str, Any]:
        """The object of `tuitrain run --json`; its keys are an interface (README, "What scripts may rely on")."""
        started, done, best = self.started, self.finished, self.best
        last = self.history[-1] if self.history else None
        preset = self.preset
        target = preset.challenge.target_accuracy if preset else None
        data = {
            "run": started.run if started else directory.name,
            "directory": str(directory),
            "preset": started.name if started else None,
            "dataset": started.dataset if started else None,
            "device": started.device if started else None,
            "seed": started.seed if started else None,
            "outcome": done.outcome if done else "unfinished",
            "parameters": started.parameters if started else None,
            "budget": (started.budget if started else None)
            or (preset.challenge.max_parameters if preset else None),
            "epochs": len(self.history),
            "best_test_accuracy": best.test_acc if best else None,
            "best_epoch": best.epoch if best else None,
            "last_test_accuracy": last.test_acc if last else None,
            "last_train_accuracy": last.train_acc if last else None,
            "last_test_loss": last.test_loss if last else None,
            "mean_last_epochs_test_accuracy": self.last_mean,
            "judged_by": started.judged_by if started else None,
            "epochs_at_target": self.epochs_at(target) if target else [],
            "seconds": done.seconds if done else (last.elapsed_s if last else 0.0),
            "images_per_s": done.images_per_s if done else (last.images_per_s if last else 0.0),
            "challenge": [asdict(point) for point in self.points()],
            "model_sha256": (done.model_sha256 or None) if done else None,
            "message": done.message if done else "",
            "stopped_early": (done.stopped_early or None) if done else None,
            "command": started.command if started else "",
            "own_network": dict(started.own_network) or None if started else None,
        }
        return {key: plain.finite(value) for key, value in data.items()}


def gap_and_wait(history: Sequence[EpochFinished], judge: str = "test") -> str:
    """How far train and judging accuracy are apart at last, and what share of training waited for images.

    As in `train 0.42 above test, 3 % of the time waits for images`; what is not known is left out.
    """
    if not history:
        return ""
    measured = [epoch for epoch in history if epoch.data_wait_s is not None]
    waits = sum(epoch.data_wait_s or 0.0 for epoch in measured)
    texts = [gap(history[-1].train_acc, history[-1].test_acc, judge)]
    texts.append(wait_share(waits, sum(epoch.train_s for epoch in measured)))
    return ", ".join(filter(None, texts))
