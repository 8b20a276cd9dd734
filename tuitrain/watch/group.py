"""What several seeds of one setting come to: their figures, the band over the epochs, and what is said of them.

Accuracies are fractions. What is said of a group is of the last epoch: the best of many epochs favours the run that
varies most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tuitrain import jsonio
from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, percent_text, plural, points_text, reaches_target
from tuitrain.runs.history import LAST_EPOCHS, History
from tuitrain.stats import intervals, noise_floor
from tuitrain.stats.intervals import Estimate, Interval

Right = NDArray[np.bool_]
#: Below this skewness the lower end of an interval for a mean is too high; fewer seeds than that often look skewed.
SKEWED, SKEWED_FROM = -0.5, 6


@dataclass(frozen=True)
class SeedRun:
    """One seed of a group.

    Attributes:
        seed: of everything random.
        run: the name of its run directory.
        state: `waiting` where it has not begun, else as `RunSummary.activity`.
        history: its events so far.
        fraction: the share of its epochs and steps that is done.
    """

    seed: int
    run: str
    state: str
    history: History
    fraction: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether it has a result: it was trained to its end, or diverged."""
        return self.history.has_result

    @property
    def accuracy(self) -> float | None:
        """Of the last epoch; a diverged run that finished none has none."""
        last = self.history.last
        return last.test_acc if last is not None and math.isfinite(last.test_acc) else None

    @property
    def best(self) -> float | None:
        """Of the best epoch."""
        return self.history.best.test_acc if self.history.best is not None else None


@dataclass(frozen=True)
class BandPoint:
    """The accuracies of all seeds that finished an epoch."""

    epoch: int
    low: float
    mean: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Share:
    """How many seeds of how many, with Wilson's interval for the share."""

    count: int
    of: int

    @property
    def interval(self) -> Interval:
        """For the share of all seeds that there are."""
        return intervals.wilson(self.count, self.of)

    def __str__(self) -> str:
        span = self.interval
        return f"{self.count} of {self.of} ({span.low * 100:.0f} to {span.high * 100:.0f} %)"


@dataclass(frozen=True)
class Group:
    """Seeds of one setting.

    Attributes:
        label: what is trained.
        runs: in the order of the plan.
        right: which images each ended run got right at its last epoch, (K, N) in the order of `ended`; None where
            that is not known.
        stopped: why halving stopped the setting, `stopped at epoch 4: 5th of 9`; empty where it did not.
    """

    label: str
    runs: tuple[SeedRun, ...]
    right: Right | None = None
    stopped: str = ""

    @cached_property
    def ended(self) -> tuple[SeedRun, ...]:
        """Those with a result."""
        return tuple(run for run in self.runs if run.ended)

    @property
    def to_go(self) -> tuple[SeedRun, ...]:
        """Those that are still to be trained, or trained on."""
        return () if self.stopped else tuple(run for run in self.runs if not run.ended)

    def keeping(self, before: Group | None) -> Group:
        """The same, with what an earlier look at it has worked out, if no other seed has ended since."""
        if before is not None and before.right is self.right and self.right is not None:
            for name in ("accuracies", "mean", "spread", "_disagreements", "disagreement"):
                if name in before.__dict__:
                    self.__dict__[name] = before.__dict__[name]
        return self

    @property
    def diverged(self) -> tuple[SeedRun, ...]:
        """Those that diverged: results too."""
        return tuple(run for run in self.runs if run.history.outcome == "diverged")

    @property
    def failed(self) -> tuple[SeedRun, ...]:
        """Those that ended without a result."""
        return tuple(run for run in self.runs if run.state in ("failed", "out_of_memory"))

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """Of the ended runs at their last epochs; of one that diverged before it finished any, that of one class."""
        if self.right is not None:
            return tuple(float(row.mean()) for row in self.right)
        known = [run.accuracy for run in self.ended]
        return tuple(value for value in known if value is not None)

    @cached_property
    def mean(self) -> Estimate | None:
        """Of the last epoch, on these images, with what is known of its error; None before the first result."""
        images = next((run.history.last.test_images for run in self.ended if run.history.last is not None), 0)
        return mean_of(self.accuracies, self.right, images)

    @cached_property
    def spread(self) -> noise_floor.Spread | None:
        """The standard deviation between seeds and its noise floor; None with one result, or without predictions."""
        return noise_floor.spread(self.right) if self.right is not None and len(self.right) > 1 else None

    @cached_property
    def disagreement(self) -> float | None:
        """On how many images two seeds differ in being right, on average."""
        pairs = self._disagreements
        return None if pairs is None else float(pairs[np.triu_indices(len(pairs), k=1)].mean())

    def disagreement_of(self, run: SeedRun) -> float | None:
        """On how many images a seed differs from the others in being right, on average."""
        pairs = self._disagreements
        index = next((i for i, one in enumerate(self.ended) if one is run), None)
        return None if pairs is None or index is None else float(pairs[index].sum() / (len(pairs) - 1))

    @cached_property
    def _disagreements(self) -> NDArray[np.int64] | None:
        """On how many images each two ended runs differ in being right; None unless that is known of two."""
        return None if self.right is None or len(self.right) < 2 else noise_floor.disagreements(self.right)

    @property
    def skewness(self) -> float:
        """Of the accuracies; below -0.5 a few seeds are much worse than the others."""
        return intervals.skewness(self.accuracies) if self.accuracies else 0.0

    @property
    def skewed(self) -> bool:
        """Whether a few seeds are so much worse that the mean says little of them."""
        return len(self.accuracies) >= SKEWED_FROM and self.skewness < SKEWED

    @property
    def target(self) -> float | None:
        """The challenge's accuracy in percent."""
        return next((run.history.target for run in self.runs if run.history.target is not None), None)

    @property
    def extremes(self) -> tuple[SeedRun, SeedRun] | None:
        """The worst and the best of the ended runs, by the last epoch."""
        ranked = sorted(self.ended, key=lambda run: -1.0 if run.accuracy is None else run.accuracy)
        return (ranked[0], ranked[-1]) if ranked else None

    @property
    def fraction(self) -> float:
        """The share of all that is done."""
        return sum(run.fraction for run in self.runs) / max(1, len(self.runs))

    def at_target(self, when: str) -> Share | None:
        """The share of ended seeds at the target `ever`, at the `end`, or in the last `five` epochs; None without one."""
        target = self.target
        if target is None or not self.ended:
            return None
        count = 0
        for run in self.ended:
            epochs = run.history.epochs
            wanted = {"ever": epochs, "end": epochs[-1:], "five": epochs[-LAST_EPOCHS:]}[when]
            reached = [reaches_target(epoch.test_acc, target) for epoch in wanted]
            count += any(reached) if when == "ever" else bool(reached) and all(reached)
        return Share(count, len(self.ended))

    @cached_property
    def band(self) -> tuple[BandPoint, ...]:
        """The lowest, the mean and the highest accuracy over the epochs, of the seeds that have finished each."""
        by_epoch: dict[int, list[float]] = {}
        for run in self.runs:
            for epoch in run.history.epochs:
                if math.isfinite(epoch.test_acc):
                    by_epoch.setdefault(epoch.epoch, []).append(epoch.test_acc)
        return tuple(
            BandPoint(epoch, min(values), sum(values) / len(values), max(values), len(values))
            for epoch, values in sorted(by_epoch.items())
        )


def study_state(groups: Sequence[Group], *, held: bool) -> str:
    """Of the whole, in a word of `figures.glyph_and_kind`; `held` says whether a process trains it."""
    runs = [run for group in groups for run in group.runs]
    if held or any(run.state in ("live", "paused", "stalled", "compiling") for run in runs):
        return "live"
    if not any(group.to_go for group in groups):
        return "done"
    return "failed" if any(group.failed for group in groups) else "stopped"


def mean_of(accuracies: Sequence[float], right: Right | None, images: int = 0) -> Estimate | None:
    """The mean of several seeds, with what is known of its error; None without any.

    Args:
        accuracies: of ended runs at their last epochs.
        right: which images each of them got right, (K, N); None where that is not known.
        images: how many they were judged by; 0 where that is not known.
    """
    if right is not None and len(right) > 1:
        return noise_floor.mean_accuracy(right)
    return intervals.mean(accuracies, images=images) if accuracies else None


def mean_text(group: Group) -> str:
    """`mean 99.31 % (99.28 to 99.34), sd 0.05, 16 seeds`; the interval is of 95 %."""
    if group.mean is None:
        return f"no seed of {len(group.runs)} has finished"
    seeds = plural(len(group.accuracies), "seed")
    if len(group.accuracies) < 2:
        return f"{accuracy_text(group.mean.value)}, {seeds}"
    return f"mean {accuracy_text(group.mean.value)} ({interval_text(group.mean.interval())}), {sd_text(group)}, {seeds}"


def so_far_text(group: Group) -> str:
    """`epoch 3: mean 99.02 %, 98.95 to 99.10, of 4 seeds`: the latest epoch that all who train have finished."""
    begun = sum(bool(run.history.epochs) for run in group.runs)
    point = next((point for point in reversed(group.band) if point.seeds == begun), None)
    if point is None:
        return "no seed has finished an epoch"
    seeds = plural(point.seeds, "seed")
    span = f"{percent_text(point.low)} to {percent_text(point.high)}"
    return f"epoch {point.epoch}: mean {accuracy_text(point.mean)}, {span}, of {seeds}"


def interval_json(span: Interval | None) -> list[float | None] | None:
    """An interval as a pair, None for an end that is not finite."""
    return None if span is None else [jsonio.finite(span.low), jsonio.finite(span.high)]


def interval_text(span: Interval) -> str:
    """`99.28 to 99.34`, of an interval of accuracies."""
    return f"{percent_text(max(0.0, span.low))} to {percent_text(min(1.0, span.high))}"


def sd_text(group: Group) -> str:
    """`sd 0.05`: the standard deviation of an accuracy between seeds, in points."""
    if group.spread is not None:
        return f"sd {points_text(group.spread.sd)}"
    return (
        f"sd {points_text(float(np.std(group.accuracies, ddof=1)))}" if len(group.accuracies) > 1 else "sd –"
    )


def extremes_text(group: Group) -> str:
    """`worst 99.22 % (seed 4), best 99.40 % (seed 7)`, of the last epochs; empty before two results."""
    ends = group.extremes
    if ends is None or len(group.ended) < 2:
        return ""
    worst, best = ends
    return (
        f"worst {accuracy_text(worst.accuracy)} (seed {worst.seed}), "
        f"best {accuracy_text(best.accuracy)} (seed {best.seed})"
    )


def target_text(group: Group) -> str:
    """`target 99.4 %: 1 of 16 (0 to 28 %) at the end`, of seeds; empty without a target."""
    if group.target is None:
        return ""
    share = group.at_target("end")
    return f"target {group.target:g} %" + (f": {share} at the end" if share is not None else "")


def group_lines(group: Group) -> list[str]:
    """What is said of a group, a sentence each; the first has its mean."""
    lines = [f"{mean_text(group)}."]
    lines[0] = lines[0][0].upper() + lines[0][1:]
    if not group.ended:
        return lines + missing_lines(group)
    if ends := extremes_text(group):
        lines.append(f"{ends[0].upper()}{ends[1:]}, at the last epoch.")
    ever = group.at_target("ever")
    if ever is not None and not ever.count:
        lines.append(
            f"Target {group.target:g} %: reached by none of {plural(ever.of, 'seed')}, at any epoch."
        )
    elif ever is not None:
        lines.append(
            f"Target {group.target:g} %: reached at some epoch by {ever}, at the end by {group.at_target('end')}, "
            f"in each of the last five epochs by {group.at_target('five')}."
        )
    lines += noise_lines(group)
    if group.skewed:
        lines.append(
            f"A few seeds are much worse than the others (skewness {group.skewness:.1f}): "
            "the lower end of the mean's interval is too high."
        )
    return lines + missing_lines(group)


def noise_lines(group: Group) -> list[str]:
    """How far apart the seeds are, beside what the images on which they differ would do alone."""
    spread, differ = group.spread, group.disagreement
    if spread is None or differ is None:
        return []
    if differ == 0:
        return ["All seeds are right on the same images."]
    floor = (
        f"Two seeds differ on {differ:.0f} images, which alone makes accuracies vary by {points_text(spread.floor)} "
        "points (standard deviation)"
    )
    if spread.settled:
        return [
            f"{floor}, the noise floor. Between seeds the standard deviation is about {points_text(spread.sd)} points."
        ]
    times = spread.plain / spread.floor
    return [
        f"{floor}. The seeds vary {times:.1f} times that, {points_text(spread.plain)}: the runs are not settled; "
        "train longer, or end at a lower learning rate."
    ]


def missing_lines(group: Group) -> list[str]:
    """Which seeds diverged, failed, or have not finished."""
    lines = []
    if group.diverged:
        seeds = ", ".join(str(run.seed) for run in group.diverged)
        lines.append(
            f"{plural(len(group.diverged), 'seed')} diverged ({seeds}) and count with the last accuracy they had."
        )
    if group.failed:
        why = next((run.history.finished.message for run in group.failed if run.history.finished), "")
        seeds = ", ".join(str(run.seed) for run in group.failed)
        lines.append(
            f"{plural(len(group.failed), 'seed')} failed ({seeds}) and are not counted: {visible(why)}"
        )
    open_ = len(group.runs) - len(group.ended) - len(group.failed)
    if group.stopped:
        lines.append(f"{group.stopped[0].upper()}{group.stopped[1:]} settings.")
    elif open_ and group.ended:
        lines.append(f"{plural(open_, 'seed')} of {len(group.runs)} not finished.")
    return lines
