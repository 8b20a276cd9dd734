"""Several runs in one chart: a letter, a colour and a pattern for each. No textual."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.tui.monitor.curves import SIGNS
from tuitrain.tui.paint.axes import Band, Curve, Pattern, Picture, Quantity, Sight

if TYPE_CHECKING:
    from tuitrain.runs.history import History
    from tuitrain.runs.index import RunSummary
    from tuitrain.watch.group import Group

LETTERS = string.ascii_lowercase
#: Twelve pairs of a colour and a pattern, neighbours differing in both; the letter alone would do.
LOOKS: tuple[tuple[str, Pattern], ...] = tuple(
    (("primary bold", "good", "warn", "accent")[i % 4], (("solid", "dash", "dot")[i % 3])) for i in range(12)
)


@dataclass(frozen=True)
class PlottedField:
    """What of the runs is shown: its title, a field of EpochFinished, and what kind of axis it needs."""

    title: str
    field: str
    quantity: Quantity


VIEWS = (
    PlottedField("test accuracy", "test_acc", "accuracy"),
    PlottedField("test loss", "test_loss", "loss"),
    PlottedField("train accuracy", "train_acc", "accuracy"),
    PlottedField("train loss", "train_loss", "loss"),
    PlottedField("learning rate", "lr", "rate"),
)


def read_histories(runs: Sequence[RunSummary]) -> tuple[list[History], list[str]]:
    """What the logs of the runs say, an empty result for one that can't be read, and why it can't."""
    from tuitrain.errors import TuitrainError, visible
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.history import History

    found, troubles = [], []
    for run in runs:
        try:
            found.append(History.of(RunDirectory.open(Path(run.path)).events()))
        except TuitrainError as error:
            found.append(History())
            troubles.append(visible(error))
    return found, troubles


def common_target(found: Sequence[History]) -> float | None:
    """The target accuracy as a fraction, where all runs that have one have the same."""
    targets = {result.target / 100 for result in found if result.target is not None}
    return targets.pop() if len(targets) == 1 else None


def runs_picture(
    runs: Sequence[RunSummary],
    found: Sequence[History],
    view: PlottedField = VIEWS[0],
    *,
    logarithmic: bool = False,
) -> Picture:
    """The curves of the runs, each with its letter."""
    curves = []
    for letter, (style, pattern), run, result in zip(LETTERS, LOOKS, runs, found, strict=False):
        last = max((epoch.epoch for epoch in result.epochs), default=0)
        by_epoch = _forked_at(result, found, view.field)
        by_epoch |= {epoch.epoch: float(getattr(epoch, view.field)) for epoch in result.epochs}
        values = tuple(by_epoch.get(number) for number in range(1, last + 1))
        sight: Sight = "beside" if run.state == "diverged" else "own"  # it would flatten all others
        curves.append(Curve(run.run, values, style, pattern, sight, letter))
    epochs = max((len(curve.values) for curve in curves), default=1)
    target = common_target(found) if view.field == "test_acc" else None
    return Picture(tuple(curves), max(epochs, 1), view.quantity, target, logarithmic)


def _forked_at(branch: History, found: Sequence[History], field: str) -> dict[int, float]:
    """Where a branch parts from its parent: the parent's value, by its epoch; empty where it isn't among them."""
    parent = branch.started.parent if branch.started is not None else {}
    return {
        epoch.epoch: float(getattr(epoch, field))
        for other in found
        if other.started is not None and parent and other.started.run == parent.get("run")
        for epoch in other.epochs
        if epoch.epoch == parent.get("epoch")
    }


def bands(groups: Sequence[Group]) -> Picture:
    """The mean of each group over its band, from its lowest seed to its highest."""
    curves, spans = [], []
    for letter, (style, pattern), group in zip(LETTERS, LOOKS, groups, strict=False):
        mean, band = group_curve(group, style, pattern, letter)
        curves.append(mean)
        spans.append(band)
    epochs = max((len(curve.values) for curve in curves), default=1)
    targets = {group.target for group in groups}
    target = targets.pop() if len(targets) == 1 else None
    goal = None if target is None else target / 100
    return Picture(tuple(curves), max(epochs, 1), "accuracy", goal, bands=tuple(spans))


def group_curve(group: Group, style: str, pattern: Pattern = "solid", letter: str = "") -> tuple[Curve, Band]:
    """The mean of a group's seeds by epoch, and the band from the lowest to the highest."""
    points = {point.epoch: point for point in group.band}
    last = max(points, default=0)
    found = [points.get(epoch) for epoch in range(1, last + 1)]
    means = tuple(point.mean if point else None for point in found)
    spans = tuple((point.low, point.high) if point else None for point in found)
    return Curve("mean", means, style, pattern, letter=letter), Band(spans, style.split()[0])


def names(runs: Sequence[object]) -> tuple[str, ...]:
    """The letter and the pattern of each run's curve, as far as there are some."""
    looks = zip(LETTERS, LOOKS, runs, strict=False)
    return tuple(f"{letter} {SIGNS[pattern] * 2}" for letter, (_, pattern), _ in looks)
