"""The learning rate over a run, in plain Python: the trainer steps by it and the lab draws it.

Every schedule but the plateau is a function of epoch and step alone, so a resumed run needs no state for it.
The values equal torch's schedulers stepped once an epoch (one-cycle, cyclic and warm-up: once a step).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

from tuitrain.spec.train import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
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
        train: the settings; `optimizer.lr` is the base rate (of one-cycle and cyclic: the peak). After `warmup`
            epochs the schedule begins as if the run did, as in `torch.optim.lr_scheduler.SequentialLR`.
        steps_per_epoch: optimizer updates an epoch.
        epochs: length of the run; `train.epochs` where left out.
    """

    def __init__(self, train: Train, steps_per_epoch: int, epochs: int | None = None) -> None:
        self.schedule = train.schedule
        self.base = train.optimizer.lr
        self.steps_per_epoch = steps_per_epoch
        self.epochs = train.epochs if epochs is None else epochs
        self._warmup, self._warmup_start = train.warmup, train.warmup_start
        # State of the plateau: how often the rate has been cut, the best loss, and epochs without a gain.
        self._cut = 1.0
        self._best = math.inf
        self._bad = 0

    def lr_at(self, epoch: int, step: int = 0) -> float:
        """The rate in `step` (from 0) of `epoch` (from 0)."""
        if epoch < self._warmup:
            risen = (epoch * self.steps_per_epoch + step) / (self._warmup * self.steps_per_epoch)
            return self.base * (self._warmup_start + (1 - self._warmup_start) * risen)
        return self._scheduled(epoch - self._warmup, step)

    def _scheduled(self, epoch: int, step: int) -> float:
        """The schedule's rate, its epochs counted from the end of the warm-up."""
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
                epochs = self._scheduled_epochs
                return _cosine(base, schedule.min_lr, min(epoch, epochs) / epochs)
            case CosineRestarts():
                return _cosine(base, schedule.min_lr, _into_period(schedule, epoch))
            case OneCycle():
                return self._one_cycle(schedule, epoch * self.steps_per_epoch + step)
            case Cyclic():
                return self._cyclic(schedule, epoch * self.steps_per_epoch + step)
            case Plateau():
                return max(base * self._cut, min(schedule.min_lr, base))
        raise AssertionError(schedule)

    @property
    def _scheduled_epochs(self) -> int:
        return max(1, self.epochs - self._warmup)

    def _cyclic(self, schedule: Cyclic, step: int) -> float:
        up = schedule.epochs_up * self.steps_per_epoch
        down = schedule.epochs_down * self.steps_per_epoch or up
        cycle, at = divmod(step, up + down)
        height = at / up if at <= up else 1 - (at - up) / down
        if schedule.mode == "triangular2":
            height /= 2.0 ** min(cycle, 1000)
        elif schedule.mode == "exp_range":
            height *= schedule.gamma**step
        low = self.base / schedule.div_factor
        return low + (self.base - low) * height

    def _one_cycle(self, schedule: OneCycle, step: int) -> float:
        total = self._scheduled_epochs * self.steps_per_epoch
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


def _cosine(high: float, low: float, part: float) -> float:
    """Half a cosine from `high` at 0 to `low` at 1."""
    return low + (high - low) * (1 + math.cos(math.pi * part)) / 2


def _into_period(schedule: CosineRestarts, epoch: int) -> float:
    """How much of its period is over at an epoch."""
    period = schedule.period
    if schedule.period_factor == 1:
        return epoch % period / period
    while epoch >= period:
        epoch, period = epoch - period, period * schedule.period_factor
    return epoch / period
