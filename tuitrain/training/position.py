"""The position of a run between two steps: the part of its state that is plain numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tuitrain.errors import CheckpointError, visible
from tuitrain.training import events
from tuitrain.training.events import EpochFinished, Outcome, RunFinished, end_of


@dataclass
class Position:
    """Where a run stands.

    Attributes:
        epochs: how many it is to have.
        epoch: finished ones.
        step: steps into the next.
        loss_sum: of the images of the unfinished epoch.
        correct: right predictions among them.
        train_s: seconds spent on them.
        early: after how many epochs the run ended early, why, and a sentence that says so. Where it was made
            longer since, the words are empty, and the epochs up to there count no more for another early stop.
        history: the finished epochs.
        lines: their JSON, each made once: every checkpoint has all of them.
    """

    epochs: int
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    train_s: float = 0.0
    early: tuple[int, str, str] = (0, "", "")
    history: list[EpochFinished] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def next_epoch(self, finished: EpochFinished) -> None:
        """Closes the epoch."""
        finished = replace(finished, norms={})  # which no later epoch needs
        self.history.append(finished)
        self.lines.append(json.dumps(events.to_dict(finished), separators=(",", ":")))
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum, self.correct, self.train_s = 0.0, 0, 0.0

    def to_meta(self) -> dict[str, Any]:
        """The plain JSON form."""
        return {
            "epochs": self.epochs,
            "epoch": self.epoch,
            "step": self.step,
            "early": list(self.early),
            "totals": {"loss_sum": self.loss_sum, "correct": self.correct, "train_s": self.train_s},
            "history": list(self.lines),
        }

    @property
    def ended_early(self) -> bool:
        """Whether an early stop ended the run at this position."""
        return bool(self.early[1]) and self.early[0] == self.epoch and self.step == 0

    def go_on(self) -> None:
        """Continues after an early stop; the epochs so far no longer count for another one."""
        if self.ended_early:
            self.early = (self.epoch, "", "")

    def finished(
        self, outcome: Outcome, message: str, *, images: int, seconds: float, model_sha256: str
    ) -> RunFinished:
        """The last event of a run that ends here.

        Args:
            outcome: how it ended.
            message: why, in a sentence.
            images: trained on an epoch.
            seconds: that the run took.
            model_sha256: of the network's weights.
        """
        trained_s = sum(event.train_s for event in self.history)
        rate = images * len(self.history) / trained_s if trained_s else 0.0
        end = end_of(self.history, outcome, message, seconds=seconds, images_per_s=rate)
        early = self.early[1] if self.ended_early else ""
        return replace(end, model_sha256=model_sha256, stopped_early=early)

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], steps: int) -> Position:
        """What `to_meta` gave.

        Raises:
            CheckpointError: incomplete, or of another number of steps an epoch.
        """
        try:
            totals = meta["totals"]
            lines = [line if isinstance(line, str) else json.dumps(line) for line in meta["history"]]
            found = [events.from_dict(json.loads(line)) for line in lines]
            position = cls(
                epochs=int(meta["epochs"]),
                epoch=int(meta["epoch"]),
                step=int(meta["step"]),
                loss_sum=float(totals["loss_sum"]),
                correct=int(totals["correct"]),
                train_s=float(totals["train_s"]),
                early=_early(meta.get("early", cls.early)),
                history=[event for event in found if isinstance(event, EpochFinished)],
                lines=lines,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                f"the checkpoint is not complete ({visible(error)[:80]}); resume from another."
            ) from None
        if not 0 <= position.step < steps or not 0 <= position.epoch <= position.epochs:
            raise CheckpointError(
                "the checkpoint stands at a step this run does not have; resume from another."
            )
        return position


def _early(value: Any) -> tuple[int, str, str]:
    epoch, why, sentence = value
    return int(epoch), str(why), str(sentence)
