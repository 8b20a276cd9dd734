"""Is B better than A? What the seeds of two groups say, at the last epoch, in figures and in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from tuitrain import jsonio
from tuitrain.errors import RunDirectoryError, visible
from tuitrain.figures import accuracy_text, plural, points_text, signed_points_text
from tuitrain.stats import comparison
from tuitrain.stats.intervals import Estimate, Interval
from tuitrain.stats.mcnemar import mcnemar
from tuitrain.training.events import RunStarted
from tuitrain.watch.group import Group, interval_json, interval_text, sd_text

Finding = Literal["better", "worse", "no evidence", "identical", "two networks", "nothing"]
#: From so many seeds of each side on a permutation test can speak.
PERMUTED_FROM = 4
#: The smallest gain that the number of seeds needed is told for, a fraction: what published steps argue about.
LEAST_GAIN = 0.0002


@dataclass(frozen=True)
class Evidence:
    """B compared with A: differences are B minus A, as fractions.

    Attributes:
        a, b: the groups; their ended runs are compared.
        same_settings: whether nothing that is trained differs.
    """

    a: Group
    b: Group
    same_settings: bool = False

    @property
    def seeds(self) -> tuple[int, int]:
        """How many results each has."""
        return len(self.a.ended), len(self.b.ended)

    @cached_property
    def comparison(self) -> comparison.Comparison | None:
        """The difference of the settings, for these images and for new ones; None unless one side has two seeds."""
        if self.a.right is None or self.b.right is None or max(self.seeds) < 2 or not min(self.seeds):
            return None
        return comparison.compare(self.a.right, self.b.right)

    @property
    def difference(self) -> Estimate | None:
        """Of the means at the last epoch, on these images."""
        if self.comparison is not None:
            return self.comparison.these_images
        if not self.a.accuracies or not self.b.accuracies:
            return None
        return comparison.compare_accuracies(self.a.accuracies, self.b.accuracies)

    @property
    def shared_seeds(self) -> tuple[int, ...]:
        """Seeds that both sides have."""
        return tuple(sorted({run.seed for run in self.a.ended} & {run.seed for run in self.b.ended}))

    @cached_property
    def identical_seeds(self) -> tuple[int, ...]:
        """Seeds of which both sides are right on the same images."""
        if self.a.right is None or self.b.right is None or self.a.right.shape[1] != self.b.right.shape[1]:
            return ()
        rows_a = {run.seed: row for run, row in zip(self.a.ended, self.a.right, strict=True)}
        rows_b = {run.seed: row for run, row in zip(self.b.ended, self.b.right, strict=True)}
        return tuple(seed for seed in self.shared_seeds if np.array_equal(rows_a[seed], rows_b[seed]))

    @property
    def finding(self) -> Finding:
        """What it comes to."""
        if not min(self.seeds):
            return "nothing"
        if self.shared_seeds and len(self.identical_seeds) == len(self.shared_seeds) == max(self.seeds):
            return "identical"
        if max(self.seeds) < 2:
            return "two networks"
        span = self.interval
        if span is None:
            return "no evidence"
        return "better" if span.low > 0 else "worse" if span.high < 0 else "no evidence"

    @property
    def interval(self) -> Interval | None:
        """Of 95 %, for the difference on these images; None where no side has two seeds."""
        return self.difference.interval() if self.difference is not None and max(self.seeds) > 1 else None

    @cached_property
    def sd(self) -> float:
        """The standard deviation of one run between seeds, of both sides together; 0 where neither says it."""
        found = [group.spread.sd for group in (self.a, self.b) if group.spread is not None]
        return float(np.sqrt(np.mean(np.square(found)))) if found else 0.0

    @cached_property
    def mcnemar(self) -> tuple[int, int, float] | None:
        """Of two single runs: images that only A has right, only B, and the exact two-sided p-value."""
        if self.seeds != (1, 1) or self.a.right is None or self.b.right is None:
            return None
        a, b = self.a.right[0], self.b.right[0]
        return int((a & ~b).sum()), int((b & ~a).sum()), mcnemar(a, b)


def check_comparable(a: Group, b: Group) -> None:
    """Refuses groups that were judged by different images.

    Raises:
        RunDirectoryError: they were, or one of them has no results.
    """
    for group in (a, b):
        if not group.ended:
            raise RunDirectoryError(
                f"{visible(group.label)} has no finished run, so there is nothing to compare; train it first."
            )
    facts = [
        {_judges(run.history.started) for run in group.ended if run.history.started is not None}
        for group in (a, b)
    ]
    if facts[0] != facts[1] or len(facts[0]) != 1:
        said = " and ".join(", ".join(sorted(fact)[:4]) for fact in facts)
        raise RunDirectoryError(
            f"{visible(a.label)} and {visible(b.label)} were judged by different images ({said}); "
            "compare runs of one data set and one `val_split_seed`."
        )


def _judges(started: RunStarted) -> str:
    """The images that judge a run, in words that differ where they do."""
    images = f"{started.test_images:,} {started.judged_by} images of {visible(started.dataset)}"
    return images if started.split_seed is None else f"{images}, held out by seed {started.split_seed}"


def headline(evidence: Evidence) -> str:
    """The finding in a sentence."""
    a, b = visible(evidence.a.label), visible(evidence.b.label)
    finding, span, difference = evidence.finding, evidence.interval, evidence.difference
    if finding == "nothing" or difference is None:
        return "There is nothing to compare yet."
    if finding == "identical":
        count = plural(len(evidence.identical_seeds), "seed")
        return f"{a} and {b} are the same: {count} of both are right on the same images."
    if finding == "two networks" or span is None:
        return (
            f"{b} {signed_points_text(difference.value)} points, one seed each: no evidence about the settings; "
            "train each with several seeds."
        )
    what = f"{signed_points_text(difference.value)} points, 95 % interval {signed_interval(span)}, {_seeds_text(evidence)}"
    if finding == "better":
        return f"{b} is better than {a}: {what}."
    if finding == "worse":
        return f"{b} is worse than {a}: {what}."
    return f"No evidence that {b} is better than {a}: {what}{_needed(evidence)}."


def evidence_lines(evidence: Evidence) -> list[str]:
    """The finding, and what else is to be known about it, a sentence each."""
    lines = [headline(evidence)]
    found = evidence.comparison
    if evidence.same_settings:
        lines.append(
            "The settings are the same but for names and seeds: what differs is luck, or the machine."
        )
    if (counts := evidence.mcnemar) is not None and evidence.finding != "identical":
        only_a, only_b, p_value = counts
        lines.append(
            f"These two networks: only {visible(evidence.b.label)} is right on {only_b} images, only "
            f"{visible(evidence.a.label)} on {only_a} (McNemar's test: p = {p_value:.2g}). "
            "Two seeds of one setting often differ as much."
        )
    if found is not None and evidence.finding != "identical":
        span = found.new_images.interval()
        lines.append(
            f"On new images of this kind: {signed_points_text(found.new_images.value)} ({signed_interval(span)})."
        )
        if not found.prior_kept:
            lines.append(
                "The seeds vary more than those of settled runs do, so the interval is that of Student's t."
            )
    lines += _second_opinion(evidence)
    if len(evidence.identical_seeds) > 0 and evidence.finding != "identical":
        lines.append(f"{plural(len(evidence.identical_seeds), 'seed')} of both are right on the same images.")
    for group in (evidence.a, evidence.b):
        if group.skewed:
            lines.append(
                f"{visible(group.label)}: a few seeds are much worse than the others (skewness {group.skewness:.1f}); "
                "look at the worst seed and at the share that reaches the target."
            )
    if (shares := _target_line(evidence)) is not None:
        lines.append(shares)
    return lines


#: What is to be known of a step from one run to the next.
SINGLE_RUNS = (
    "Each step is one run of one seed, and two seeds of one setting often differ as much: "
    "`tuitrain compare` tells gain from luck where each has several."
)


def step_line(evidence: Evidence) -> str:
    """A step from one run to the next in a sentence, at their last epochs."""
    if evidence.difference is None or evidence.finding == "identical":
        return headline(evidence)
    text = f"Last epoch {signed_points_text(evidence.difference.value)} points"
    if (counts := evidence.mcnemar) is None:
        return f"{text}."
    only_a, only_b, p_value = counts
    return (
        f"{text}: only {visible(evidence.b.label)} is right on {only_b} images, only {visible(evidence.a.label)} on "
        f"{only_a} (McNemar's test: p = {p_value:.2g})."
    )


def signed_interval(span: Interval) -> str:
    """`−0.04 to +0.06`, in points."""
    return f"{signed_points_text(span.low)} to {signed_points_text(span.high)}"


def _seeds_text(evidence: Evidence) -> str:
    a, b = evidence.seeds
    return f"{plural(a, 'seed')} each" if a == b else f"{a} and {plural(b, 'seed')}"


def _needed(evidence: Evidence) -> str:
    """How many seeds would show a gain like this one."""
    if not evidence.sd or evidence.difference is None:
        return ""
    gain = max(LEAST_GAIN, abs(round(evidence.difference.value, 4)))
    needed = comparison.seeds_needed(evidence.sd, gain)
    if needed <= min(evidence.seeds):
        return ""
    return f"; to see a gain of {points_text(gain)} you would need about {needed:,} of each"


def _second_opinion(evidence: Evidence) -> list[str]:
    a, b = evidence.a, evidence.b
    if min(evidence.seeds) < PERMUTED_FROM or evidence.finding == "identical":
        return []
    from tuitrain.stats.permutation import permutation_test

    p_value = permutation_test(a.accuracies, b.accuracies).p_value
    return [f"Second opinion, by shuffling the seeds between the two: p = {p_value:.2g}."]


def _target_line(evidence: Evidence) -> str | None:
    a, b = (group.at_target("end") for group in (evidence.a, evidence.b))
    if a is None or b is None or evidence.a.target != evidence.b.target or max(evidence.seeds) < 2:
        return None
    if not a.count and not b.count:
        return f"Target {evidence.a.target:g} % at the end: no seed of either."
    from tuitrain.stats.shares import compare_shares

    shares = compare_shares(a.count, a.of, b.count, b.of)
    return (
        f"Target {evidence.a.target:g} % at the end: {visible(evidence.a.label)} {a}, {visible(evidence.b.label)} {b} "
        f"(Fisher's exact test: p = {shares.p_value:.2g})."
    )


def figure_rows(*groups: Group) -> list[tuple[str, ...]]:
    """The figures of several groups side by side: a label, and a text for each."""
    rows = [
        ("seeds", *(str(len(group.ended)) for group in groups)),
        ("last epoch, mean", *(accuracy_text(group.mean.value) if group.mean else "–" for group in groups)),
        ("  95 % interval", *(_mean_interval(group) for group in groups)),
        ("  sd between seeds", *(sd_text(group).removeprefix("sd ") for group in groups)),
        ("  noise floor", *(points_text(group.spread.floor) if group.spread else "–" for group in groups)),
        ("  worst seed", *(_of_several(group, min) for group in groups)),
        ("  best seed", *(_of_several(group, max) for group in groups)),
        ("best epoch, mean", *(_mean_best(group) for group in groups)),
        ("at target at the end", *(str(group.at_target("end") or "–") for group in groups)),
        ("two seeds differ on", *(_images(group.disagreement) for group in groups)),
    ]
    return [row for row in rows if any(text != "–" for text in row[1:])]


def _of_several(group: Group, which: Callable[[Sequence[float]], float]) -> str:
    return accuracy_text(which(group.accuracies)) if len(group.accuracies) > 1 else "–"


def _mean_interval(group: Group) -> str:
    return interval_text(group.mean.interval()) if group.mean and len(group.accuracies) > 1 else "–"


def _mean_best(group: Group) -> str:
    best = [run.best for run in group.ended if run.best is not None]
    return accuracy_text(sum(best) / len(best)) if best else "–"


def _images(count: float | None) -> str:
    return "–" if count is None else f"{count:.0f} images"


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """What `tuitrain compare --json` says; differences are fractions, B minus A."""
    found, difference = evidence.comparison, evidence.difference
    new = found.new_images if found else None
    return {
        "finding": evidence.finding,
        "difference": jsonio.finite(difference.value) if difference else None,
        "interval": interval_json(evidence.interval),
        "difference_on_new_images": new.value if new else None,
        "interval_on_new_images": interval_json(new.interval()) if new else None,
        "seeds": list(evidence.seeds),
        "identical_seeds": list(evidence.identical_seeds),
        "same_settings": evidence.same_settings,
        "says": evidence_lines(evidence),
    }
