"""The settings of a study as one table, whatever it was for: a row a setting, and what gives way where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuitrain.errors import visible
from tuitrain.spec.describe import SHORT_LABELS
from tuitrain.watch.frontier import Frontier, in_sight
from tuitrain.watch.group import Group, study_state
from tuitrain.watch.leaderboard import (
    HeatMap,
    Leaderboard,
    heat_map,
    leaderboard_rows,
    leaderboard_titles,
)
from tuitrain.watch.reproduction import HEAD, Reproduction, table_rows
from tuitrain.watch.search import SearchBoard, trial_row, trial_titles

#: The most letters of a swept value; a layer's settings may be any length.
_MOST_OF_VALUE = 14


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        title: above it.
        text: whether it has words, at the left of its cells; figures are at the right.
        rank: where there is no room for all, the columns of the highest rank go first; those of 0 stay.
        most: letters of a cell, 0 for any number.
        is_value: whether it is a setting that was swept; where there is no room these may be one text.
        is_main: whether it is what the rows are ranked by.
    """

    title: str
    text: bool = False
    rank: int = 0
    most: int = 0
    is_value: bool = False
    is_main: bool = False


@dataclass(frozen=True)
class BoardRow:
    """A setting: its place in the plan, its cells, and how its seeds stand (a word of `figures.glyph_and_kind`)."""

    setting: int
    cells: tuple[str, ...]
    state: str


@dataclass(frozen=True)
class Board:
    """All settings of a study, the best first where they can be ranked.

    Attributes:
        columns: of the table.
        rows: one a setting.
        heat: of a sweep over two keys.
        frontier: of a search, accuracy over parameters; its points are called by the slugs of settings.
        has_best: whether the first row is the best so far.
    """

    columns: tuple[Column, ...]
    rows: tuple[BoardRow, ...]
    heat: HeatMap | None = None
    frontier: Frontier | None = None
    has_best: bool = False


def board_of_leaderboard(found: Leaderboard, *, held: bool) -> Board:
    """A sweep, the best mean first; `held` says whether a process trains it."""
    first = len(found.keys)
    ranks = {"worst": 4, "at target": 3, "95 %": 2, "stopped at": 1}
    titles = leaderboard_titles(found)
    columns = tuple(
        Column(SHORT_LABELS.get(title, visible(title)), most=_MOST_OF_VALUE, is_value=True)
        if 0 < n <= first
        else Column(title, rank=ranks.get(title, 0), is_main=title == "mean")
        for n, title in enumerate(titles)
    )
    rows = tuple(
        BoardRow(place.setting, row, setting_state(place.group, held=held))
        for place, row in zip(found.ranked, leaderboard_rows(found), strict=True)
    )
    return Board(
        columns, rows, heat_map(found), has_best=any(place.mean is not None for place in found.places)
    )


#: Of a reproduction, what gives way first.
_RANKS = {
    "lowest to highest": 5,
    "accuracy": 6,
    "claimed": 4,
    "epochs": 3,
    "95 % for one more": 2,
    "at target": 1,
}


def board_of_reproductions(found: Sequence[Reproduction], *, held: bool) -> Board:
    """Published systems in the order of the plan: the claim of each beside the best epochs of its seeds here."""
    columns = tuple(
        Column(title, text=title == "preset", rank=_RANKS.get(title, 0), is_main=title == "mean here")
        for title in HEAD
    )
    rows = tuple(
        BoardRow(n, table_rows(one)[0], setting_state(one.group, held=held)) for n, one in enumerate(found)
    )
    return Board(columns, rows)


def board_of_search(found: SearchBoard, *, held: bool) -> Board:
    """The networks of a search: the front, the smallest first, then the others by their means."""
    front = {trial.slug for trial in found.front}
    others = sorted(
        (trial for trial in found.trials if trial.slug not in front),
        key=lambda trial: -1.0 if trial.mean is None else trial.mean,
        reverse=True,
    )
    ranks = {"95 %": 3, "schedule": 4, "rate": 2, "trial": 1}
    columns = tuple(
        Column(
            title, text=title in ("network", "schedule"), rank=ranks.get(title, 0), is_main=title == "mean"
        )
        for title in ("", *trial_titles())
    )
    rows = tuple(
        BoardRow(
            found.trials.index(trial),
            ("front" if trial.slug in front else "", *trial_row(found, trial)),
            "stopped" if trial.left and trial.group.ended else setting_state(trial.group, held=held),
        )
        for trial in (*found.front, *others)
    )
    return Board(columns, rows, frontier=in_sight(found.frontier))


def setting_state(group: Group, *, held: bool) -> str:
    """How the seeds of a setting stand; `held` says whether a process trains its study."""
    if group.stopped:
        return "stopped"
    if all(run.state == "waiting" for run in group.runs):
        return "waiting"
    if group.ended and len(group.diverged) == len(group.runs):
        return "diverged"
    state = study_state([group], held=False)
    return "waiting" if held and state == "stopped" else state
