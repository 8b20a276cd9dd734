"""A sweep's leaderboard, and its heat map where two settings were swept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.watch.leaderboard import Leaderboard, heat_map, leaderboard_rows, leaderboard_titles

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_ROWS = 40


def leaderboard_picture(board: Leaderboard) -> RenderableType:
    """The table, and the heat map below it."""
    from rich.console import Group as Stack
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in leaderboard_titles(board):
        table.add_column(visible(title), justify="right")
    rows = leaderboard_rows(board)
    for place, row in zip(board.ranked[:MOST_ROWS], rows[:MOST_ROWS], strict=True):
        table.add_row(*map(visible, row), style="bold" if place is board.ranked[0] else "")
    parts: list[RenderableType] = [table]
    if len(rows) > MOST_ROWS:
        parts.append(
            Text(f"and {len(rows) - MOST_ROWS} more; `tuitrain study show NAME --json` has all", style="dim")
        )
    if (heat := _heat(board)) is not None:
        parts += [Text(), heat]
    return Stack(*parts)


def _heat(board: Leaderboard) -> RenderableType | None:
    from rich.table import Table

    found = heat_map(board)
    if found is None or len(found.columns) > 12 or all(place.mean is None for place in board.places):
        return None
    table = Table(box=None, pad_edge=False, header_style="dim", title=None)
    table.add_column(" \\ ".join(found.keys), justify="right")
    for column in found.columns:
        table.add_column(column, justify="right")
    for value, cells in found.rows:
        texts = [cell.text if cell.share is None else f"{cell.text} {cell.shade * 2}" for cell in cells]
        table.add_row(value, *texts)
    return table
