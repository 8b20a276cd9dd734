"""What is wrong with a run or its machine, each with a remedy. No textual."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.watch import norms
from tuitrain.watch.machine import Reading
from tuitrain.watch.state import Level, MonitorState

RISING_EPOCHS = 3  # epochs in a row
RISING_BY = 1.10  # of the lowest loss
PLATEAU_MIN = 5  # epochs without a better one; a third of the run where that is more
STARVED_BELOW = 0.30  # of the GPU's time
STARVED_SAMPLES = 15  # a second each
DISK_LOW = 2 * 2**30  # bytes: about a thousand small runs
MEMORY_LOW = 0.05  # of the machine's


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is wrong and what to do about it."""

    code: str
    level: Level
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message} – {self.remedy}" if self.remedy else self.message


def alerts(state: MonitorState, readings: Sequence[Reading] = ()) -> tuple[Alert, ...]:
    """The alerts of a run, the worst first.

    Args:
        state: of the run.
        readings: of the machine, the newest last; empty where it is not the run's machine.
    """
    found = [*_losses(state), *_progress(state), *_notices(state), *_updates(state)]
    if readings and not state.over:
        found += _machine(state, readings)
    order = {"error": 0, "warning": 1, "info": 2, "good": 3}
    return tuple(sorted(found, key=lambda alert: order[alert.level]))


def _losses(state: MonitorState) -> list[Alert]:
    last, progress = state.last, state.progress
    bad = last is not None and not (math.isfinite(last.train_loss) and math.isfinite(last.test_loss))
    bad = bad or (progress is not None and not math.isfinite(progress.train_loss))
    if bad or (state.finished is not None and state.finished.outcome == "diverged"):
        remedy = "start again with a lower learning rate" if state.over else "stop (x) and lower it (l)"
        return [Alert("not_finite", "error", "the loss is not finite", remedy)]
    if state.over or len(state.epochs) <= RISING_EPOCHS:
        return []
    for name, remedy in (
        ("train_loss", "lower the learning rate (l)"),
        ("test_loss", "more dropout or rotation next time, or stop here (x)"),
    ):
        losses = [float(getattr(e, name)) for e in state.epochs]
        tail = losses[-RISING_EPOCHS - 1 :]
        rises = all(later > earlier for earlier, later in itertools.pairwise(tail))
        if rises and tail[-1] > RISING_BY * min(losses):
            what = name.replace("_", " ")
            return [Alert("loss_rising", "warning", f"{what} has risen for {RISING_EPOCHS} epochs", remedy)]
    return []


def _progress(state: MonitorState) -> list[Alert]:
    last, best = state.last, state.best
    if state.finished is None and not state.alive and state.started is not None:
        remedy = "resume it: R, or `tuitrain resume`"
        return [Alert("interrupted", "error", "the process behind this run is gone", remedy)]
    if state.stalled_s:
        remedy = "`fg`, or `kill -CONT`, where it was stopped; else wait"
        return [Alert("stalled", "warning", "the process behind this run stands still", remedy)]
    if last is None or best is None or state.over:
        return []
    if last.epoch >= 2 and best.test_acc < 0.15:
        message = f"after {last.epoch} epochs it still guesses ({figures.accuracy_text(best.test_acc)})"
        return [Alert("not_learning", "warning", message, "lower the learning rate (l), or stop (x)")]
    since_best, left = last.epoch - best.epoch, state.planned - last.epoch
    if since_best >= max(PLATEAU_MIN, state.planned // 3) and left >= 2:
        message = f"no better epoch since {best.epoch}"
        return [Alert("plateau", "info", message, "lower the learning rate (l), or stop (x)")]
    return []


def _notices(state: MonitorState) -> list[Alert]:
    """The latest notice that matters, while the epoch it came in and the next one last."""
    for notice in reversed(state.history.notices):
        if notice.level == "error" or (notice.level == "warning" and len(state.epochs) < 2):
            code = notice.code or "notice"
            return [Alert(code, notice.level, visible(notice.message), visible(notice.remedy))]
    return []


def _updates(state: MonitorState) -> list[Alert]:
    way, message = norms.far_off(state.epochs)
    if not way or state.over:
        return []
    return [Alert("updates", "warning", message, f"{'lower' if way > 0 else 'raise'} the learning rate (l)")]


def _machine(state: MonitorState, readings: Sequence[Reading]) -> list[Alert]:
    found, now = [], readings[-1]
    if now.others:
        who = now.others[0]
        size = f", {figures.gigabytes_text(who.memory)} GB" if who.memory is not None else ""
        more = f" and {len(now.others) - 1} more" if len(now.others) > 1 else ""
        name = visible(who.name) or "a process"
        message = f"{name} (pid {who.pid}{size}){more} is on this GPU too"
        found.append(Alert("gpu_shared", "warning", message, "timings are unreliable; use another GPU"))
    recent = [r.gpu_util for r in readings[-STARVED_SAMPLES:] if r.gpu_util is not None]
    if (
        state.phase == "training"
        and not state.paused
        and state.epoch > 1
        and len(recent) == STARVED_SAMPLES
        and statistics.median(recent) < STARVED_BELOW
    ):
        message = f"the GPU works {statistics.median(recent) * 100:.0f} % of the time"
        found.append(
            Alert("data_bound", "info", message, "larger batches, CUDA graphs, or several seeds at once")
        )
    if now.disk_free is not None and now.disk_free < DISK_LOW:
        message = f"{figures.gigabytes_text(now.disk_free)} GB left on the disk of the runs"
        found.append(Alert("disk", "warning", message, "delete old runs (3 Runs, D)"))
    if now.ram_used is not None and now.ram_total and 1 - now.ram_used / now.ram_total < MEMORY_LOW:
        found.append(
            Alert("memory", "warning", "the machine is nearly out of memory", "close other programs")
        )
    return found
