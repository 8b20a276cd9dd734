"""What is measured: pools after an epoch, pairs of them, and all figures of each as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from harness.honesty import fixed
from harness.honesty.duels import Duels, Side
from harness.honesty.pools import SETTINGS, load
from tuitrain.stats.intervals import skewness
from tuitrain.stats.noise_floor import cochran_q
from tuitrain.stats.sequential import Plan

MAX_PAIRS = (16, 32, 64)
SEEDS = (2, 4, 8, 16)
#: The gain that "Must show" asks for, in standard deviations of a run: 0.05 points where it is 0.09.
ASKED_GAIN = 0.05 / 0.09


@dataclass(frozen=True, slots=True)
class Cell:
    """A pool after one of its epochs. `settled`: trained to its end."""

    pool: str
    epoch: int

    @property
    def settled(self) -> bool:
        """Whether it is the last epoch, when the learning rate has come down."""
        return self.epoch == SETTINGS[self.pool].epochs

    @property
    def title(self) -> str:
        """For people."""
        setting = SETTINGS[self.pool]
        name = f"{'MNIST' if setting.dataset == 'mnist' else 'digits'}, lr {setting.lr:g}, "
        return name + (
            f"{setting.epochs} epochs" if self.settled else f"{self.epoch} of {setting.epochs} epochs"
        )

    @property
    def gains(self) -> tuple[float, ...]:
        """Gains to plant, in points."""
        return (0.02, 0.05, 0.1, 0.2) if SETTINGS[self.pool].dataset == "mnist" else (0.1, 0.25, 0.5, 1.0)


CELLS = (
    Cell("mnist-5", 5), Cell("mnist-2", 2), Cell("mnist-2-low", 2), Cell("mnist-5", 2), Cell("mnist-2", 1),
    Cell("digits", 15), Cell("digits-low", 15), Cell("digits", 8), Cell("digits", 4),
)  # fmt: skip
#: A against B where they do differ.
PAIRS = (
    (Cell("mnist-2", 2), Cell("mnist-5", 5)), (Cell("mnist-2", 2), Cell("mnist-2-low", 2)),
    (Cell("mnist-2", 1), Cell("mnist-2", 2)),
    (Cell("digits", 15), Cell("digits-low", 15)), (Cell("digits", 8), Cell("digits", 15)),
    (Cell("digits", 4), Cell("digits", 15)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Count:
    """How many draws: of duels, of a fixed number of seeds, and of those that take longer."""

    duels: int = 10_000
    fixed: int = 5000
    slow: int = 2500


def of_cell(cell: Cell, root: Path, count: Count) -> dict[str, Any]:
    """All figures of one pool after one epoch; A against A."""
    side = _side(cell, root)
    return {
        "pool": described(side),
        "duels": duels_of_a_against_a(side, count.duels),
        "planted": planted(side, cell.gains, count.duels),
        "asked": _asked(side, count.duels),
        "doubled": doubled(side, count.duels),
        "fixed": {seeds: fixed.these_images(side, side, seeds, count.fixed) for seeds in SEEDS},
        "new": {seeds: _new(side, side, seeds, count.slow) for seeds in SEEDS},
        "spread": {seeds: fixed.spreads(side, seeds, count.fixed) for seeds in SEEDS[1:3]},
        "mean": {seeds: fixed.means(side, seeds, count.fixed) for seeds in SEEDS},
        "permuted": {seeds: fixed.permuted(side, seeds, count.slow // seeds) for seeds in SEEDS[1:3]},
        "told apart": fixed.told_apart(side),
    }


def of_pair(a: Cell, b: Cell, root: Path, count: Count) -> dict[str, Any]:
    """All figures of A against B, whose pools' means are the truth; duels have the same seeds on both sides."""
    of_a, of_b = _side(a, root), _side(b, root)
    both = min(len(of_a.right), len(of_b.right))
    of_a, of_b = (Side(side.right[:both]) for side in (of_a, of_b))  # as a duel has it: the same seeds
    return {
        "difference": of_b.mean - of_a.mean,
        "duels": {
            pairs: Duels(of_a, of_b, count.duels, pairs, "same", seed=1).ended(Plan(pairs)).json()
            for pairs in MAX_PAIRS
        },
        "fixed": {seeds: fixed.these_images(of_a, of_b, seeds, count.fixed) for seeds in SEEDS},
        "new": {seeds: _new(of_a, of_b, seeds, count.slow) for seeds in SEEDS},
    }


def described(side: Side) -> dict[str, Any]:
    """The pool itself."""
    df = len(side.right) - 1
    q, p_value = cochran_q(side.right)
    return {
        "seeds": df + 1, "images": side.images, "mean": side.mean, "sd": float(side.accuracies.std(ddof=1)),
        "floor": float(side.accuracies.std(ddof=1) / np.sqrt(q / df)), "excess": q / df, "p_value": p_value,
        "excess_low": q / float(special.chdtri(df, 0.025)), "excess_high": q / float(special.chdtri(df, 0.975)),
        "skewness": skewness(side.accuracies), "worst": float(side.accuracies.min()),
    }  # fmt: skip


def duels_of_a_against_a(
    side: Side, draws: int, max_pairs: tuple[int, ...] = MAX_PAIRS
) -> list[dict[str, Any]]:
    """A row for each maximum and way of drawing: as decided, by peeking, and how many `decide` ends otherwise."""
    rows = []
    for pairs in max_pairs:
        for how in ("with", "without"):
            if how == "without" and 2 * pairs > len(side.right):
                continue
            duels, plan = Duels(side, side, draws, pairs, how), Plan(pairs)
            rows.append({
                "pairs": pairs, "how": how, "ended": duels.ended(plan).json(), "peeked": duels.peeked().json(),
                "unlike decide": duels.fails_like_decide(plan, 20),
            })  # fmt: skip
    return rows


def planted(side: Side, gains: tuple[float, ...], draws: int) -> list[dict[str, Any]]:
    """How often a gain that was added to B is found; and where one asks for it, how often its absence is ("absent"),
    and is said where it is there ("denied").
    """
    rows = []
    for pairs in MAX_PAIRS:
        duels = Duels(side, side, draws, pairs, "with", seed=2)
        for points in gains:
            gain = points / 100
            rows.append({
                "pairs": pairs, "points": points, "ended": duels.ended(Plan(pairs), gain).json(),
                "absent": duels.ended(Plan(pairs, gain)).json(), "denied": duels.ended(Plan(pairs, gain), gain).no_gain,
            })  # fmt: skip
    return rows


def doubled(side: Side, draws: int) -> list[dict[str, Any]]:
    """Duels of 16 pairs that may be doubled, after no, one and two doublings: A against A, and the asked gain."""
    rows = []
    for doublings in (0, 1, 2):
        plan = Plan(16, doublings=doublings)
        duels = Duels(side, side, draws, plan.last, "with", seed=3)
        gain = side.sd * ASKED_GAIN
        rows.append({
            "pairs": plan.last, "ended": duels.ended(plan).json(), "gain": duels.ended(plan, gain).json(),
            "gain at once": duels.ended(Plan(plan.last), gain).json(),
        })  # fmt: skip
    return rows


def _asked(side: Side, draws: int) -> dict[str, Any]:
    gain = side.sd * ASKED_GAIN
    return {"points": 100 * gain, **Duels(side, side, draws, 64, "with", seed=4).ended(Plan(64), gain).json()}


def _new(a: Side, b: Side, seeds: int, draws: int) -> dict[str, Any]:
    return {
        "drawn": fixed.new_images(a, b, seeds, draws, "drawn"),
        "halves": fixed.new_images(a, b, seeds, max(1, draws // 5), "halves"),
    }


@cache
def _side(cell: Cell, root: Path) -> Side:
    return Side(load(SETTINGS[cell.pool], root).after(cell.epoch))
