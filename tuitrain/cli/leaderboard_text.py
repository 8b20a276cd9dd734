"""A sweep's leaderboard, and its heat map where two settings were swept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import percent_text
from tuitrain.spec.describe import value_text
from tuitrain.watch.leaderboard import Leaderboard, heat_map, leaderboard_rows, leaderboard_titles

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_ROWS = 40
#: From the lowest mean to the highest.
_SHADES = " ░▒▓█"


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
    if found is None or len(found[1]) > 12:
        return None
    rows, columns, means = found
    known = [mean for row in means for mean in row if mean is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    table = Table(box=None, pad_edge=False, header_style="dim", title=None)
    table.add_column(f"{board.keys[0]} \\ {board.keys[1]}", justify="right")
    for column in columns:
        table.add_column(value_text(column), justify="right")
    for value, row in zip(rows, means, strict=True):
        cells = []
        for mean in row:
            share = 0.0 if mean is None or high == low else (mean - low) / (high - low)
            shade = _SHADES[round(share * (len(_SHADES) - 1))]
            cells.append("–" if mean is None else f"{percent_text(mean)} {shade * 2}")
        table.add_row(value_text(value), *cells)
    return table
