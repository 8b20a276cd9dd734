"""The learning-rate range test: one short training with a rate that grows from step to step, to see what it bears.

Sources: Smith, arXiv 1506.01186 (the test), and what fastai makes of its curve (the suggestion).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from tuitrain.data.dataset import Dataset
from tuitrain.errors import UsageError
from tuitrain.training import devices, machine
from tuitrain.training.epoch_images import EpochImages
from tuitrain.training.job import Job
from tuitrain.training.model import build

LOW, HIGH, STEPS = 1e-5, 10.0, 200
#: The test ends when the smoothed loss is so many times the lowest.
EXPLODED = 4.0
#: Weight of what went before in the smoothed loss (debiased as Adam's averages are).
SMOOTHING = 0.9
#: Steps at the beginning whose loss says nothing yet.
SETTLING = 10


@dataclass(frozen=True, slots=True)
class RatePoint:
    """One step: its learning rate, and the mean loss of an image, smoothed over the steps before."""

    lr: float
    loss: float


@dataclass(frozen=True, slots=True)
class RangeTest:
    """What the test showed.

    Attributes:
        points: the steps, in order of rates.
        suggested: where the loss falls fastest, a rate that training bears well; None where it never falls.
        lowest: the rate at the lowest loss.
        exploded: the rate at which the loss was four times the lowest, or not finite; None where it never was.
    """

    points: tuple[RatePoint, ...]
    suggested: float | None
    lowest: float | None
    exploded: float | None

    @property
    def peak(self) -> float | None:
        """A rate for the highest point of a one-cycle schedule: a third of that at the lowest loss."""
        return None if self.lowest is None else self.lowest / 3


def range_test(
    job: Job,
    dataset: Dataset,
    *,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    look: Callable[[Sequence[RatePoint]], bool] = lambda points: False,
) -> RangeTest:
    """Trains a network of its own for some steps; nothing that a later run uses is touched.

    Args:
        job: what to train; its schedule and epochs are not used.
        dataset: the data; the judging set is not looked at.
        low: the first learning rate.
        high: the last.
        steps: from one to the other, each so many times the one before; epochs follow each other as in a run.
        look: called after each step with the points so far; the test ends where it returns True.

    Raises:
        UsageError: rates or steps that make no test.
        PresetError, DeviceError: what it needs is not there.
    """
    if not (0 < low < high < math.inf):
        raise UsageError(
            f"lr-find: from {low:g} to {high:g} is no range; give two rates above 0, the lower first."
        )
    if not 20 <= steps <= 100_000:
        raise UsageError(f"lr-find: {steps} steps; use 20 to 100,000.")
    preset, runtime = job.preset, job.runtime
    device = devices.pick(runtime.device)
    network = build(preset) if job.user_network is None else job.user_network.build(preset.train.seed)
    table = preset.table() if job.user_network is None else job.user_network.table
    feed = EpochImages(preset, table, dataset)
    before = torch.get_num_threads()
    points: list[RatePoint] = []
    try:
        with devices.settings(runtime, device):
            if device.type == "cpu" and runtime.threads:
                torch.set_num_threads(runtime.threads)
            feed.to(device)
            stepper = machine.make_stepper(network.to(device).train(), preset, device, runtime)
            epoch, seen, average, lowest = -1, feed.steps, 0.0, math.inf
            for index in range(steps):
                if seen == feed.steps:
                    epoch, seen, before_sum = epoch + 1, 0, 0.0
                    stepper.begin_epoch(epoch, *feed.epoch(epoch))
                rate = low * (high / low) ** (index / (steps - 1))
                stepper.set_lr(rate)
                done = stepper.position
                stepper.step()
                seen += 1
                total = stepper.read()[0]
                loss = (total - before_sum) / max(1, stepper.position - done)
                before_sum = total
                average = SMOOTHING * average + (1 - SMOOTHING) * loss
                smoothed = average / (1 - SMOOTHING ** (index + 1))
                points.append(RatePoint(rate, smoothed))
                if math.isfinite(smoothed) and index >= SETTLING:
                    lowest = min(lowest, smoothed)
                if not math.isfinite(smoothed) or smoothed > EXPLODED * lowest or look(points):
                    break
    finally:
        torch.set_num_threads(before)
    return read_curve(points)


def read_curve(points: Sequence[RatePoint]) -> RangeTest:
    """What a curve says; the first steps are left out."""
    finite = [point for point in points[SETTLING:] if math.isfinite(point.loss)]
    exploded = None
    if finite:
        least = min(finite, key=lambda point: point.loss)
        after = [p for p in points if p.lr > least.lr and not p.loss <= EXPLODED * least.loss]
        exploded = after[0].lr if after else None
    if len(finite) < 5 or least.loss >= finite[0].loss * 0.98:
        return RangeTest(
            tuple(points), None, None, exploded if finite else (points[-1].lr if points else None)
        )
    falling = finite[: finite.index(least) + 1]
    slopes = [
        (b.loss - a.loss) / math.log(b.lr / a.lr) for a, b in zip(falling, falling[2:], strict=False)
    ]  # over two steps, in nats a factor of e
    steepest = falling[min(range(len(slopes)), key=slopes.__getitem__) + 1] if slopes else least
    return RangeTest(tuple(points), steepest.lr, least.lr, exploded)
