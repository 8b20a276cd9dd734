"""Accuracy over parameters: the user's runs, the published systems, and the Pareto front of the runs. No textual."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tuitrain.errors import TuitrainError, visible
from tuitrain.watch.runlist import changed_text

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary


@dataclass(frozen=True)
class FrontierPoint:
    """One network: how many parameters it has, and its best accuracy as a fraction."""

    parameters: int
    accuracy: float
    name: str
    run: str = ""


@dataclass(frozen=True)
class Frontier:
    """What the chart shows; `front` are those of my runs that no smaller or equally small one reaches."""

    dataset: str = ""
    judged_by: str = "test"
    mine: tuple[FrontierPoint, ...] = ()
    published: tuple[FrontierPoint, ...] = ()
    front: tuple[FrontierPoint, ...] = ()
    selected: FrontierPoint | None = None

    def judged_text(self, counted: str = "networks") -> str:
        """Which images the accuracies are of, in one line; sources report those on the test set.

        Args:
            counted: what my places are called.
        """
        if self.judged_by == "test":
            return "all accuracies: on the test set"
        published = "; published systems: on the test set" if self.published else ""
        return f"{counted}: on held-out images{published}"


def pareto_front(places: Iterable[FrontierPoint]) -> tuple[FrontierPoint, ...]:
    """The places with more accuracy than every place of as many or fewer parameters, the smallest first."""
    front: list[FrontierPoint] = []
    for place in sorted(places, key=lambda p: (p.parameters, -p.accuracy)):
        if not front or place.accuracy > front[-1].accuracy:
            front.append(place)
    return tuple(front)


def in_sight(found: Frontier) -> Frontier:
    """Without what would flatten a picture of the front: much more wrong than its worst, or far smaller or larger."""
    if not found.front:
        return found
    least = 1 - max(3 * (1 - found.front[0].accuracy), 0.002)
    smallest, largest = (
        edge(place.parameters for place in found.mine) * factor for edge, factor in ((min, 0.25), (max, 4))
    )

    def kept(places: Iterable[FrontierPoint]) -> tuple[FrontierPoint, ...]:
        return tuple(p for p in places if p.accuracy >= least and smallest <= p.parameters <= largest)

    return replace(found, mine=kept(found.mine), published=kept(found.published))


def frontier_of(
    runs: Iterable[RunSummary],
    selected: RunSummary | None,
    published: Iterable[tuple[str, FrontierPoint]] = (),
) -> Frontier:
    """The runs on the selected run's data set, judged by the same images.

    Args:
        runs: all of them.
        selected: the one that stands out, and whose data set counts.
        published: data set and place of each published system.
    """
    if selected is None:
        return Frontier()
    mine = tuple(
        FrontierPoint(run.parameters, run.best, _name(run), run.run)
        for run in runs
        if run.best is not None
        and run.parameters > 0
        and (run.dataset, run.judged_by) == (selected.dataset, selected.judged_by)
    )
    here = next((place for place in mine if place.run == selected.run), None)
    others = tuple(place for dataset, place in published if dataset == selected.dataset)
    return Frontier(selected.dataset, selected.judged_by, mine, others, pareto_front(mine), here)


def _name(run: RunSummary) -> str:
    return " ".join(filter(None, (visible(run.preset), changed_text(run).strip("–"))))


@functools.cache
def published_systems() -> tuple[tuple[str, FrontierPoint], ...]:
    """Data set and place of each built-in preset whose source claims an accuracy; reads them all, so in a thread."""
    from tuitrain.spec.preset_files import list_presets, load_preset

    found = []
    for entry in list_presets():
        if not entry.published:
            continue
        try:
            preset = load_preset(str(entry.path))
            claims = preset.claims
            if claims.test_accuracy is not None:
                parameters = claims.parameters or preset.table().parameters
                found.append(
                    (preset.train.dataset, FrontierPoint(parameters, claims.test_accuracy / 100, preset.name))
                )
        except TuitrainError:
            continue
    return tuple(found)
