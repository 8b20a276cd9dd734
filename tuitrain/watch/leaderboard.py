"""The settings of a sweep, the best mean first."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuitrain import jsonio
from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, percent_text, plural
from tuitrain.spec.describe import value_text
from tuitrain.watch.evidence import Evidence, headline
from tuitrain.watch.group import Group, interval_text


@dataclass(frozen=True)
class Place:
    """One setting.

    Attributes:
        group: its seeds.
        values: that were swept.
        parameters: of its network.
        is_base: whether it is the preset as published.
        stopped_at: the epoch after which halving stopped it; 0 where it did not.
        stopped_mean: its mean accuracy then, a fraction; None where it had none.
        setting: its place in the plan.
    """

    group: Group
    values: tuple[Any, ...]
    parameters: int
    is_base: bool = False
    stopped_at: int = 0
    stopped_mean: float | None = None
    setting: int = 0

    @property
    def mean(self) -> float | None:
        """The mean accuracy of the last epoch; None before the first result."""
        return self.group.mean.value if self.group.mean is not None else None

    @property
    def order(self) -> tuple[float, int, float]:
        """The larger, the further up: by the mean, else by how far halving let it go and how it stood then."""
        before = -1.0 if self.stopped_mean is None else self.stopped_mean
        return (-1.0 if self.mean is None else self.mean, self.stopped_at, before)


@dataclass(frozen=True)
class Leaderboard:
    """All settings; `keys` are what was swept, in words."""

    keys: tuple[str, ...]
    places: tuple[Place, ...]

    @cached_property
    def ranked(self) -> tuple[Place, ...]:
        """The best mean first; below them those that were stopped, and those without a result in the order of the grid."""
        return tuple(sorted(self.places, key=lambda place: place.order, reverse=True))

    @property
    def stopped(self) -> tuple[Place, ...]:
        """Those that halving stopped."""
        return tuple(place for place in self.places if place.stopped_at)

    @property
    def judged_by_test(self) -> bool:
        """Whether its runs are judged by the test set."""
        begun = (run.history.started for place in self.places for run in place.group.runs)
        first = next((started for started in begun if started is not None), None)
        return first is not None and first.judged_by == "test"

    @property
    def base(self) -> Place | None:
        """The preset as published, if it is one of them."""
        return next((place for place in self.places if place.is_base), None)

    def gain(self, place: Place) -> Evidence | None:
        """A setting compared with the base."""
        base = self.base
        if base is None or base is place or not (base.group.ended and place.group.ended):
            return None
        return Evidence(base.group, place.group)


def leaderboard_lines(board: Leaderboard) -> list[str]:
    """What is to be known about it, a sentence each."""
    done = [place for place in board.ranked if place.mean is not None]
    if not done:
        return ["No setting has a result yet.", *_stopped_lines(board)]
    best = done[0]
    lines = [
        f"Best so far: {visible(best.group.label)}, mean {accuracy_text(best.mean)} of {plural(len(best.group.ended), 'seed')}."
    ]
    if (gain := board.gain(best)) is not None:
        lines.append(headline(gain))
    elif len(done) > 1:
        lines.append(headline(Evidence(done[1].group, best.group)))
    if len(board.places) > 1:
        lines.append(
            f"It is the best of {len(done) + len(board.stopped)} settings, so its mean is rather too high; a duel with new "
            "seeds says whether it is better."
        )
    return lines + _stopped_lines(board) + chosen_on_test_lines(board.judged_by_test)


def chosen_on_test_lines(judged_by_test: bool) -> list[str]:
    """What is to be known of a choice between settings that the test set judges."""
    if not judged_by_test:
        return []
    return [
        "This is a choice by accuracy on the test set; with --val-split 10000 training images judge, and the test set "
        "stays for the end."
    ]


def _stopped_lines(board: Leaderboard) -> list[str]:
    if not board.stopped:
        return []
    epochs = sorted({place.stopped_at for place in board.stopped})
    each = ", ".join(
        f"{sum(p.stopped_at == epoch for p in board.stopped)} at epoch {epoch}" for epoch in epochs
    )
    return [
        f"{plural(len(board.stopped), 'setting')} of {len(board.places)} stopped early by halving ({each}); one that is slow at "
        "first and good at the end may be among them."
    ]


def leaderboard_rows(board: Leaderboard) -> list[tuple[str, ...]]:
    """The table's cells, a row a setting: rank, values, parameters, mean, interval, worst, target, seeds."""
    rows = []
    for rank, place in enumerate(board.ranked, 1):
        group = place.group
        span = interval_text(group.mean.interval()) if group.mean and len(group.accuracies) > 1 else "–"
        share = group.at_target("end")
        rows.append((
            str(rank), *map(value_text, place.values), f"{place.parameters:,}", accuracy_text(place.mean), span,
            accuracy_text(min(group.accuracies, default=None)), f"{share.count} of {share.of}" if share else "–",
            f"{len(group.ended)}/{len(group.runs)}",
            *((_halving_cell(place),) if board.stopped else ()),
        ))  # fmt: skip
    return rows


def leaderboard_titles(board: Leaderboard) -> tuple[str, ...]:
    """The titles of those columns."""
    halving = ("stopped at",) if board.stopped else ()
    return ("", *board.keys, "params", "mean", "95 %", "worst", "at target", "seeds", *halving)


def _halving_cell(place: Place) -> str:
    if not place.stopped_at:
        return "–"
    return f"{place.group.stopped.removeprefix('stopped at ')}, {accuracy_text(place.stopped_mean)}"


#: From the lowest mean to the highest.
SHADES = " ░▒▓█"


@dataclass(frozen=True)
class HeatCell:
    """A mean as text, and where it lies from the lowest (0) to the highest (1); None before the first result."""

    text: str
    share: float | None = None

    @property
    def shade(self) -> str:
        """The same as a character."""
        return SHADES[round((self.share or 0.0) * (len(SHADES) - 1))]


@dataclass(frozen=True)
class HeatMap:
    """The means of a sweep over two keys.

    Attributes:
        keys: of the rows, and of the columns.
        columns: the values of the second key.
        rows: each value of the first key, with a cell for each column.
    """

    keys: tuple[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def heat_map(board: Leaderboard) -> HeatMap | None:
    """Of a sweep over two keys; None of any other."""
    if len(board.keys) != 2:
        return None
    rows = list(dict.fromkeys(place.values[0] for place in board.places))
    columns = list(dict.fromkeys(place.values[1] for place in board.places))
    means = {place.values: place.mean for place in board.places}
    known = [mean for mean in means.values() if mean is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def cell(mean: float | None) -> HeatCell:
        if mean is None:
            return HeatCell("–")
        return HeatCell(percent_text(mean), (mean - low) / (high - low) if high > low else 0.0)

    return HeatMap(
        (board.keys[0], board.keys[1]),
        tuple(map(value_text, columns)),
        tuple((value_text(row), tuple(cell(means.get((row, column))) for column in columns)) for row in rows),
    )


def leaderboard_json(board: Leaderboard) -> list[dict[str, Any]]:
    """The ranked settings for scripts; accuracies are fractions."""
    return [
        {
            "rank": rank,
            "values": dict(zip(board.keys, map(jsonio.finite, place.values), strict=True)),
            "label": place.group.label,
            "parameters": place.parameters,
            "mean_last_test_accuracy": place.mean,
            "seeds_finished": len(place.group.ended),
            "is_base": place.is_base,
            "stopped_at_epoch": place.stopped_at or None,
            "stopped_mean_test_accuracy": place.stopped_mean,
            "stopped": place.group.stopped,
        }
        for rank, place in enumerate(board.ranked, 1)
    ]


def leaderboard_csv(board: Leaderboard) -> str:
    """The same as CSV, with the accuracy of each seed."""
    seeds: Sequence[int] = [run.seed for run in board.places[0].group.runs] if board.places else []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    halving = ("stopped",) if board.stopped else ()
    writer.writerow(
        ["rank", *board.keys, "parameters", "mean", *(f"seed {seed}" for seed in seeds), *halving]
    )
    for rank, place in enumerate(board.ranked, 1):
        by_seed = dict(zip((run.seed for run in place.group.ended), place.group.accuracies, strict=False))
        each = [by_seed.get(seed, "") for seed in seeds]
        writer.writerow(
            [
                rank, *place.values, place.parameters, "" if place.mean is None else place.mean, *each,
                *((place.group.stopped,) if halving else ()),
            ]
        )  # fmt: skip
    return out.getvalue()
