"""The learning rate over a run, in plain Python: the trainer steps by it and the lab draws it.

Every schedule but the plateau is a function of epoch and step alone, so a resumed run needs no state for it.
The values equal torch's schedulers stepped once an epoch (one-cycle: once a step).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

from tuitrain.spec.train import (
    Constant,
    Cosine,
    Exponential,
    MultiStep,
    OneCycle,
    Plateau,
    Step,
    Train,
)


class LearningRate:
    """The learning rate of a run.

    Args:
        train: the settings; `optimizer.lr` is the base rate (of one-cycle: the peak).
        steps_per_epoch: optimizer updates an epoch.
        epochs: length of the run; `train.epochs` where left out.
    """

    def __init__(self, train: Train, steps_per_epoch: int, epochs: int | None = None) -> None:
        self.schedule = train.schedule
        self.base = train.optimizer.lr
        self.steps_per_epoch = steps_per_epoch
        self.epochs = train.epochs if epochs is None else epochs
        # State of the plateau: how often the rate has been cut, the best loss, and epochs without a gain.
        self._cut = 1.0
        self._best = math.inf
        self._bad = 0

    def lr_at(self, epoch: int, step: int = 0) -> float:
        """The rate in `step` (from 0) of `epoch` (from 0)."""
        schedule, base = self.schedule, self.base
        match schedule:
            case Constant():
                return base
            case Step():
                return base * schedule.gamma ** (epoch // schedule.step_size)
            case MultiStep():
                return base * schedule.gamma ** bisect_right(schedule.milestones, epoch)
            case Exponential():
                return base * schedule.gamma**epoch
            case Cosine():
                turn = math.cos(math.pi * min(epoch, self.epochs) / self.epochs)
                return schedule.min_lr + (base - schedule.min_lr) * (1 + turn) / 2
            case OneCycle():
                return self._one_cycle(schedule, epoch * self.steps_per_epoch + step)
            case Plateau():
                return max(base * self._cut, min(schedule.min_lr, base))
        raise AssertionError(schedule)

    def _one_cycle(self, schedule: OneCycle, step: int) -> float:
        total = self.epochs * self.steps_per_epoch
        start, end = (
            self.base / schedule.div_factor,
            self.base / schedule.div_factor / schedule.final_div_factor,
        )
        peak = schedule.pct_start * total - 1
        step = min(step, total - 1)
        if step <= peak or total == 1:
            low, high, part = start, self.base, step / peak if peak > 0 else 1.0
        else:
            low, high, part = self.base, end, (step - peak) / max(total - 1 - peak, 1e-9)
        return high + (low - high) * (1 + math.cos(math.pi * part)) / 2

    def observe(self, loss: float) -> None:
        """Tells the plateau the judging loss of a finished epoch; other schedules take no notice."""
        schedule = self.schedule
        if not isinstance(schedule, Plateau):
            return
        if loss < self._best * (1 - schedule.threshold):
            self._best, self._bad = loss, 0
            return
        self._bad += 1
        if self._bad > schedule.patience:
            self._cut, self._bad = self._cut * schedule.factor, 0

    def rebase(self, lr: float, epoch: int, step: int = 0) -> None:
        """Makes the rate `lr` from here on, the rest of the schedule scaled with it."""
        now = self.lr_at(epoch, step)
        self.base = self.base * lr / now if now > 0 else lr

    def over_epochs(self) -> list[float]:
        """The rate at the middle of each epoch, for a picture."""
        return [self.lr_at(epoch, self.steps_per_epoch // 2) for epoch in range(self.epochs)]

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold; plain JSON."""
        best = self._best if math.isfinite(self._best) else None
        return {"base": self.base, "epochs": self.epochs, "cut": self._cut, "best": best, "bad": self._bad}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave."""
        self.base, self.epochs = float(state["base"]), int(state["epochs"])
        self._cut, self._bad = float(state["cut"]), int(state["bad"])
        self._best = math.inf if state["best"] is None else float(state["best"])
