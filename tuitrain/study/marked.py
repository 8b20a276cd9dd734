"""Rows that a person marked in the list of runs, as the sides of a comparison, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from tuitrain.errors import TuitrainError, visible
from tuitrain.study.sides import Side, evidence_of, refuse_shared_runs, side_of_runs
from tuitrain.watch.evidence import check_comparable, evidence_lines
from tuitrain.watch.group import group_lines
from tuitrain.watch.runlist import RunRow, changed_text


def named_sides(rows: Sequence[RunRow]) -> dict[str, list[RunRow]]:
    """The rows of each side by what it is called: a group is one, and so are single runs that differ in the seed alone.

    Single runs of one setting, and nothing else, are a side each if a seed is there twice.
    """
    sides: dict[str, list[RunRow]] = {}
    for row in rows:
        sides.setdefault(row.key if row.members else row.runs[0].setting or row.key, []).append(row)
    if len(sides) == 1 and not rows[0].members and len({row.seed for row in rows}) < len(rows):
        sides = {row.key: [row] for row in rows}
    groups = list(sides.values())
    return dict(zip(_labels(groups), groups, strict=True))


def marked_sides(rows: Sequence[RunRow]) -> list[Side]:
    """The sides, read.

    Raises:
        RunDirectoryError: one of them has no result.
    """
    return [_side(label, group) for label, group in named_sides(rows).items()]


def what_sides_show(sides: Sequence[Side]) -> list[list[str]]:
    """What is said of several sides: of the first and each other one, the finding first; of one side, its figures."""
    if len(sides) == 1:
        return [group_lines(sides[0].group)]
    try:
        for first, second in combinations(sides, 2):
            refuse_shared_runs(first, second)
        for side in sides[1:]:
            check_comparable(sides[0].group, side.group)
    except TuitrainError as error:
        return [[visible(error)]]  # as it is: it may begin with a name
    return [evidence_lines(evidence_of(sides[0], side)) for side in sides[1:]]


def _labels(groups: Sequence[Sequence[RunRow]]) -> list[str]:
    """What each side is called: its preset, what was changed in it and not in the others too, a single run's seed."""
    firsts = [
        next((run for row in rows for run in row.runs if run.preset), rows[0].runs[0]) for rows in groups
    ]
    shared = [
        key
        for key, pair in firsts[0].changed.items()
        if len(firsts) > 1 and all(run.changed.get(key) == pair for run in firsts)
    ]
    single = [len(rows) == 1 and not rows[0].members for rows in groups]
    one_seed = all(single) and len({first.seed for first in firsts}) == 1
    labels = []
    for first, alone in zip(firsts, single, strict=True):
        own = {key: pair for key, pair in first.changed.items() if key not in shared}
        changed = changed_text(replace(first, changed=own), seed=False).strip("–")
        seed = f"seed {first.seed}" if alone and not one_seed else ""
        labels.append(" · ".join(filter(None, (first.preset, changed, seed))))
    return [
        label if labels.count(label) == 1 else f"{label} ({_name(rows)})"
        for label, rows in zip(labels, groups, strict=True)
    ]


def _name(rows: Sequence[RunRow]) -> str:
    first = rows[0].runs[0]
    return first.study if rows[0].members else first.run


def _side(label: str, rows: Sequence[RunRow]) -> Side:
    return side_of_runs(label, [Path(run.path) for row in rows for run in row.runs])
