"""The remaining time of a run; warm-up and pauses are not counted. No textual."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace

from tuitrain.training.events import EpochFinished, StepProgress

WINDOW = 40  # progress reports that the pace of a step is taken over: about 10 s at 4 Hz
WARM_UP = 2  # reports after a start that are not counted: compiling, graph capture, cold caches
EPOCHS = 5  # finished epochs that the pace of an epoch is taken over


@dataclass(frozen=True, slots=True)
class Pace:
    """The measurements for the estimate: seconds per step between consecutive reports.

    Medians are used throughout: a pause or a stalled disk is one outlier among many reports.
    """

    step_s: tuple[float, ...] = ()
    last: tuple[int, int, float] | None = None  # epoch, step, elapsed_s of the latest report
    skip: int = WARM_UP
    first_epoch: int = 0  # the first epoch since the start or restart: its seconds hold the warm-up

    def restarted(self, epoch: int) -> Pace:
        """After a start or a restart: what comes next is warm-up."""
        return Pace(first_epoch=epoch)

    def interrupted(self) -> Pace:
        """After a pause: no interval may span it."""
        return replace(self, last=None)

    def seen(self, progress: StepProgress) -> Pace:
        """With one more report."""
        now = (progress.epoch, progress.step, progress.elapsed_s)
        if self.last is None or now[0] != self.last[0] or now[1] < self.last[1]:
            return replace(self, last=now)
        steps, seconds = now[1] - self.last[1], now[2] - self.last[2]
        if steps <= 0 or seconds <= 0:
            return self
        if self.skip > 0:
            return replace(self, last=now, skip=self.skip - 1)
        return replace(self, last=now, step_s=(*self.step_s[1 - WINDOW :], seconds / steps))

    def a_step(self) -> float | None:
        """Seconds a step, or None before anything was measured."""
        return statistics.median(self.step_s) if self.step_s else None


def remaining_s(
    pace: Pace,
    epochs: tuple[EpochFinished, ...],
    planned: int,
    steps_per_epoch: int,
    progress: StepProgress | None,
    begun_after: int = 0,
) -> float | None:
    """Seconds to the end of the run, or None while there is nothing to tell it from.

    Args:
        pace: of the steps seen so far.
        epochs: the finished epochs.
        planned: epochs that the run is to have.
        steps_per_epoch: optimizer steps of one epoch.
        progress: the latest report; of a finished epoch it counts for nothing.
        begun_after: of a branch, the epoch after which it began.
    """
    done = epochs[-1].epoch if epochs else begun_after
    if planned <= done:
        return 0.0
    warm = [e for e in epochs if e.epoch != pace.first_epoch][-EPOCHS:]
    test_s = statistics.median(e.test_s for e in (warm or epochs)) if epochs else 0.0
    step_s = pace.a_step()
    if warm:
        epoch_s = statistics.median(e.train_s + e.test_s for e in warm)
        if step_s is None:
            step_s = max(0.0, epoch_s - test_s) / max(1, steps_per_epoch)
    elif step_s is not None:
        epoch_s = step_s * steps_per_epoch + test_s
    elif epochs:
        epoch_s = epochs[-1].train_s + epochs[-1].test_s
        step_s = epochs[-1].train_s / max(1, steps_per_epoch)
    else:
        return None
    left = planned - done
    if progress is None or progress.epoch <= done:
        return _known(left * epoch_s)
    return _known((left - 1) * epoch_s + max(0, progress.steps - progress.step) * step_s + test_s)


def _known(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
