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
from tuitrain.figures import accuracy_text, plural
from tuitrain.spec.describe import value_text
from tuitrain.watch.evidence import Evidence, headline
from tuitrain.watch.group import Group, interval_text


@dataclass(frozen=True)
class Place:
    """One setting: its seeds, the values that were swept, its parameters, and whether it is the preset as published."""

    group: Group
    values: tuple[Any, ...]
    parameters: int
    is_base: bool = False

    @property
    def mean(self) -> float | None:
        """The mean accuracy of the last epoch; None before the first result."""
        return self.group.mean.value if self.group.mean is not None else None


@dataclass(frozen=True)
class Leaderboard:
    """All settings; `keys` are what was swept, in words."""

    keys: tuple[str, ...]
    places: tuple[Place, ...]

    @cached_property
    def ranked(self) -> tuple[Place, ...]:
        """The best mean first; those without a result last, in the order of the grid."""
        return tuple(
            sorted(self.places, key=lambda place: -1.0 if place.mean is None else place.mean, reverse=True)
        )

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
        return ["No setting has a result yet."]
    best = done[0]
    lines = [
        f"Best so far: {visible(best.group.label)}, mean {accuracy_text(best.mean)} of {plural(len(best.group.ended), 'seed')}."
    ]
    if (gain := board.gain(best)) is not None:
        lines.append(headline(gain))
    elif len(done) > 1:
        lines.append(headline(Evidence(done[1].group, best.group)))
    if len(done) > 1:
        lines.append(
            f"It is the best of {len(done)} settings, so its mean is rather too high; a duel with new seeds says "
            "whether it is better."
        )
    return lines


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
        ))  # fmt: skip
    return rows


def leaderboard_titles(board: Leaderboard) -> tuple[str, ...]:
    """The titles of those columns."""
    return ("", *board.keys, "params", "mean", "95 %", "worst", "at target", "seeds")


def heat_map(board: Leaderboard) -> tuple[list[Any], list[Any], list[list[float | None]]] | None:
    """Of a sweep over two keys: the values of the first (rows), of the second (columns), and the means; else None."""
    if len(board.keys) != 2:
        return None
    rows = list(dict.fromkeys(place.values[0] for place in board.places))
    columns = list(dict.fromkeys(place.values[1] for place in board.places))
    means = {place.values: place.mean for place in board.places}
    return rows, columns, [[means.get((row, column)) for column in columns] for row in rows]


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
        }
        for rank, place in enumerate(board.ranked, 1)
    ]


def leaderboard_csv(board: Leaderboard) -> str:
    """The same as CSV, with the accuracy of each seed."""
    seeds: Sequence[int] = [run.seed for run in board.places[0].group.runs] if board.places else []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["rank", *board.keys, "parameters", "mean", *(f"seed {seed}" for seed in seeds)])
    for rank, place in enumerate(board.ranked, 1):
        by_seed = dict(zip((run.seed for run in place.group.ended), place.group.accuracies, strict=False))
        each = [by_seed.get(seed, "") for seed in seeds]
        writer.writerow(
            [rank, *place.values, place.parameters, "" if place.mean is None else place.mean, *each]
        )
    return out.getvalue()
