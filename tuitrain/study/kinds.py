"""What the kinds of a study (seeds, duel, reproduction, sweep, search) say of all their settings together, and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuitrain.study.plan import Kind, Plan
from tuitrain.watch.group import Group

if TYPE_CHECKING:
    from tuitrain.watch.board import Board

#: Kinds of any number of settings, which are looked at as one table.
WITH_BOARD: frozenset[Kind] = frozenset({"reproduction", "sweep", "search"})


def has_board(plan: Plan) -> bool:
    """Whether a study is looked at as a table of its settings."""
    return plan.kind in WITH_BOARD and (len(plan.settings) > 1 or plan.kind == "search")


def verdict_lines(plan: Plan, groups: Sequence[Group]) -> list[str]:
    """What is said of all groups together, a sentence each."""
    match plan.kind:
        case "duel":
            from tuitrain.study.duel import duel_of
            from tuitrain.watch.duel import duel_lines

            return duel_lines(duel_of(plan, groups))
        case "reproduction":
            from tuitrain.study.reproduction import reproductions
            from tuitrain.watch.reproduction import reproduction_lines

            return reproduction_lines(reproductions(plan, groups))
        case "sweep":
            from tuitrain.study.grid import leaderboard_of
            from tuitrain.watch.leaderboard import leaderboard_lines

            return leaderboard_lines(leaderboard_of(plan, groups))
        case "search":
            from tuitrain.study.search_result import board_of
            from tuitrain.watch.search import search_lines

            return search_lines(board_of(plan, groups))
        case _:
            return []


def kind_json(plan: Plan, groups: Sequence[Group]) -> dict[str, Any]:
    """What its JSON object has beside the groups."""
    match plan.kind:
        case "duel":
            from tuitrain.study.duel import duel_of
            from tuitrain.watch.duel import duel_json

            return duel_json(duel_of(plan, groups))
        case "reproduction":
            from tuitrain.study.reproduction import reproductions
            from tuitrain.watch.reproduction import reproduction_json

            return {"reproduction": [reproduction_json(one) for one in reproductions(plan, groups)]}
        case "sweep":
            from tuitrain.study.grid import leaderboard_of
            from tuitrain.watch.leaderboard import leaderboard_json

            return {"leaderboard": leaderboard_json(leaderboard_of(plan, groups))}
        case "search":
            from tuitrain.study.search_result import board_of
            from tuitrain.watch.search import search_json

            return search_json(board_of(plan, groups))
        case _:
            return {}


class BoardReader:
    """The table of a study's settings; what does not change with its runs is worked out once."""

    def __init__(self, plan: Plan) -> None:
        from tuitrain.study.grid import Sweep

        self.plan = plan
        self._sweep = Sweep(plan) if plan.kind == "sweep" else None

    def look(self, groups: Sequence[Group], *, held: bool) -> tuple[Board, list[str]]:
        """The table as the groups stand, and what is said of it, a sentence each.

        Args:
            groups: one a setting.
            held: whether a process trains the study.
        """
        from tuitrain.watch.board import board_of_leaderboard, board_of_reproductions, board_of_search

        if self._sweep is not None:
            from tuitrain.watch.leaderboard import leaderboard_lines

            found = self._sweep.leaderboard(groups)
            return board_of_leaderboard(found, held=held), leaderboard_lines(found)
        if self.plan.kind == "search":
            from tuitrain.study.search_result import board_of
            from tuitrain.watch.search import search_lines

            search = board_of(self.plan, groups)
            return board_of_search(search, held=held), search_lines(search)
        from tuitrain.study.reproduction import reproductions
        from tuitrain.watch.reproduction import reproduction_lines

        systems = reproductions(self.plan, groups)
        return board_of_reproductions(systems, held=held), reproduction_lines(systems)
