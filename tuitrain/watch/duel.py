"""A duel as it stands: B against A, seed by seed, until the question is decided; in figures and in sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tuitrain import jsonio
from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, plural, points_text
from tuitrain.stats.intervals import Interval
from tuitrain.stats.noise_floor import FINISHED_RUNS
from tuitrain.stats.sequential import (
    FIRST_LOOK,
    Decision,
    Outcome,
    Plan,
    decide,
    least_variance,
    pairs_to_go,
    repeated_intervals,
    smallest_gain,
)
from tuitrain.watch.evidence import signed_interval
from tuitrain.watch.group import Group, Right


@dataclass(frozen=True, slots=True)
class Pair:
    """One seed of both: accuracies, and on how many images only one of the two is right."""

    seed: int
    a: float
    b: float
    only_a: int
    only_b: int


@dataclass(frozen=True, slots=True)
class Look:
    """What was left of the interval after so many pairs; fractions, B minus A."""

    pairs: int
    difference: float
    interval: Interval


@dataclass(frozen=True)
class Duel:
    """Two groups with the same seeds, and the plan of the duel. Only the pairs up to the first missing one count."""

    a: Group
    b: Group
    plan: Plan

    def keeping(self, before: Duel | None) -> Duel:
        """The same, with what an earlier look at it has worked out, if no other run has ended since."""
        if before is not None and before.a.right is self.a.right and before.b.right is self.b.right:
            for name in ("_rows", "_finished_seeds", "decision", "looks"):
                if name in before.__dict__:
                    self.__dict__[name] = before.__dict__[name]
        return self

    @cached_property
    def _rows(self) -> tuple[Right, Right] | None:
        """Right and wrong of the finished prefix of pairs, in the order of seeds."""
        if self.a.right is None or self.b.right is None:
            return None
        rows_a = dict(zip((run.seed for run in self.a.ended), self.a.right, strict=True))
        rows_b = dict(zip((run.seed for run in self.b.ended), self.b.right, strict=True))
        seeds = self._finished_seeds
        if not seeds:
            return None
        return np.stack([rows_a[seed] for seed in seeds]), np.stack([rows_b[seed] for seed in seeds])

    @cached_property
    def _finished_seeds(self) -> tuple[int, ...]:
        out: list[int] = []
        for run_a, run_b in zip(self.a.runs, self.b.runs, strict=True):
            if not (run_a.ended and run_b.ended) or len(out) == self.plan.last:
                break
            out.append(run_a.seed)
        return tuple(out)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs that count."""
        if self._rows is None:
            return ()
        return tuple(
            Pair(seed, float(a.mean()), float(b.mean()), int((a & ~b).sum()), int((b & ~a).sum()))
            for seed, a, b in zip(self._finished_seeds, *self._rows, strict=True)
        )

    @cached_property
    def decision(self) -> Decision | None:
        """What the pairs decide so far; None before the first."""
        return None if self._rows is None else decide(*self._rows, self.plan)

    @property
    def decided(self) -> bool:
        """Whether no more pairs are to be trained."""
        return self.decision is not None and self.decision.outcome is not Outcome.OPEN

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """The interval after each pair from the third on, as far as the decision."""
        if self._rows is None or self.decision is None:
            return ()
        a, b = (rows[: self.decision.pairs] for rows in self._rows)
        first, second = a.mean(axis=1), b.mean(axis=1)
        low, high = repeated_intervals(first, second, self.plan, least_variance(a, b))
        mean = np.cumsum(second - first) / np.arange(1, len(first) + 1)
        return tuple(
            Look(n, float(mean[n - 1]), Interval(float(low[n - 1]), float(high[n - 1])))
            for n in range(FIRST_LOOK, len(first) + 1)
        )

    @property
    def to_go(self) -> int | None:
        """How many more pairs it takes if all stays as it is; None if the plan's don't suffice, or it is unknown."""
        return pairs_to_go(self.decision, self.plan) if self.decision is not None else None

    @property
    def outcome(self) -> Outcome:
        """What is decided; OPEN before the first pair."""
        return self.decision.outcome if self.decision is not None else Outcome.OPEN


def expected_sd(accuracy: float, images: int) -> float:
    """The standard deviation between seeds to reckon with before any is trained: settled runs, independent mistakes.

    Independent mistakes of networks that all err on different images vary by sqrt(p(1-p)/N); seeds share most of
    their mistakes, so this is more than is usually found.
    """
    wrong = max(1 - accuracy, 1 / images)
    return math.sqrt(FINISHED_RUNS.excess * wrong * (1 - wrong) / images)


def start_line(plan: Plan, sd: float, source: str) -> str:
    """What the duel can find, said before it begins."""
    finds = smallest_gain(sd, plan.max_pairs)
    looks_for = f"{looks_for_text(plan)}; " if plan.gain is not None else ""
    return (
        f"{looks_for}at most {plan.max_pairs} pairs, which find a true gain of {points_text(finds)} in 8 of 10 duels "
        f"(with a standard deviation of {points_text(sd)} between seeds, {source})"
    )


def looks_for_text(plan: Plan) -> str:
    """`looks for a gain of 0.05 points or more`; empty where it looks for none."""
    return f"looks for a gain of {points_text(plan.gain)} points or more" if plan.gain is not None else ""


def duel_line(duel: Duel) -> str:
    """How it stands, in a sentence."""
    decision, b = duel.decision, visible(duel.b.label)
    if decision is None or decision.pairs < FIRST_LOOK:
        done = decision.pairs if decision else 0
        return f"Open: {plural(done, 'pair')} so far; the first look is after {FIRST_LOOK}."
    valid = f"95 % interval {signed_interval(decision.interval)}, valid at every look"
    pairs = f"after {plural(decision.pairs, 'pair')}"
    shown = f"{'+' if decision.difference >= 0 else '−'}{points_text(decision.difference)}"
    match decision.outcome:
        case Outcome.BETTER:
            return f"{b} is better: {shown} points {pairs} ({valid}; a duel that stops early shows its gain rather too large)."
        case Outcome.WORSE:
            return f"{b} is worse: {shown} points {pairs} ({valid}; a duel that stops early shows its loss rather too large)."
        case Outcome.NO_GAIN:
            return f"{b} gains less than {points_text(duel.plan.gain or 0)} points, if anything: {shown} {pairs} ({valid})."
        case Outcome.IDENTICAL:
            same = plural(decision.pairs, "pair")
            return f"{visible(duel.a.label)} and {b} are the same: right on the same images in all {same}."
        case Outcome.UNDECIDED:
            return f"Undecided: {shown} points {pairs} ({valid}). {_after_undecided(duel.plan)}"
        case _:
            return f"Open: {shown} points {pairs} ({valid}); {_to_go(duel)}."


def duel_lines(duel: Duel) -> list[str]:
    """How it stands, and what else is to be known about it."""
    lines = [duel_line(duel)]
    if duel.decision is not None and duel.pairs:
        low, high = min(pair.a for pair in duel.pairs), min(pair.b for pair in duel.pairs)
        lines.append(
            f"Worst seed: {visible(duel.a.label)} {accuracy_text(low)}, {visible(duel.b.label)} {accuracy_text(high)}."
        )
    late = sum(run.ended for group in (duel.a, duel.b) for run in group.runs) - 2 * len(duel.pairs)
    if late > 0 and not duel.decided:
        lines.append(
            f"{plural(late, 'run')} finished before their turn wait until the seeds before them are done."
        )
    return lines


def _to_go(duel: Duel) -> str:
    if duel.to_go is None:
        return f"if it stays so, {duel.plan.last} pairs will not decide it"
    return f"about {plural(duel.to_go, 'more pair')} if it stays so"


def _after_undecided(plan: Plan) -> str:
    if plan.doublings is None:
        return "The error is spent, so more pairs would not be honest; begin a new duel with more, or other seeds."
    return "`tuitrain study resume NAME --double` goes on with as many again."


def duel_json(duel: Duel) -> dict[str, Any]:
    """What `tuitrain duel --json` says; differences are fractions, B minus A."""
    decision = duel.decision
    return {
        "outcome": duel.outcome.value,
        "pairs": decision.pairs if decision else 0,
        "max_pairs": duel.plan.last,
        "gain": duel.plan.gain,
        "difference": jsonio.finite(decision.difference) if decision else None,
        "interval": [jsonio.finite(end) for end in (decision.interval.low, decision.interval.high)]
        if decision
        else None,
        "more_pairs_expected": duel.to_go,
        "says": duel_lines(duel),
    }
