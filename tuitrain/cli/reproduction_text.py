"""A reproduction on the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuitrain.figures import plural
from tuitrain.report.markdown import escaped, grid
from tuitrain.watch.reproduction import HEAD, Reproduction, reproduction_lines, table_rows

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

#: On the terminal two figures stand above each other; where there is no room the last columns are left out.
_TITLES = (
    "", "parameters,\nclaimed", "trained", "", "published", "mean\nhere", "published\nis", "lowest to\nhighest",
    "at\ntarget", "95 % for\none more",
)  # fmt: skip
_LEFT = {"preset", "accuracy"}


class ReproductionTable:
    """Two lines for each system, of its best epoch and of its last; as many columns as the terminal has room for."""

    def __init__(self, found: Sequence[Reproduction]) -> None:
        self._cells = [row for one in found for row in _lines(one)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table."""
        from rich.table import Table

        columns = len(_TITLES)
        while columns > 5 and sum(self._width(n) + 2 for n in range(columns)) - 2 > options.max_width:
            columns -= 1
        table = Table(box=None, pad_edge=False, header_style="bold")
        for n, title in enumerate(_TITLES[:columns]):
            table.add_column(title, justify="left" if n in (0, 3) else "right", no_wrap=n > 0)
        for row in self._cells:
            table.add_row(*row[:columns])
        yield table

    def _width(self, column: int) -> int:
        texts = [*_TITLES[column].split("\n"), *(row[column] for row in self._cells)]
        return max(map(len, texts))


def _lines(found: Reproduction) -> list[tuple[str, ...]]:
    """The rows of a system for the terminal: what both have in common is spread over the two."""
    rows = table_rows(found)
    out: list[tuple[str, ...]] = []
    for n in range(2):
        label, parameters, claimed, epochs, seeds, *figures = rows[min(n, len(rows) - 1)]
        accuracy, published, mean, span, more, place, target = figures if n < len(rows) else [""] * 7
        trained = _seeds(seeds) if n else plural(int(epochs), "epoch")
        common = ("", claimed, trained) if n else (label, parameters, trained)
        out.append((*common, accuracy, published, mean, place, span, target, more))
    return out


def _seeds(cell: str) -> str:
    """`3 seeds, 1 diverged` of `3, 1 diverged`."""
    number, comma, rest = cell.partition(",")
    return f"{number} {'seed' if number == '1' else 'seeds'}{comma}{rest}"


def reproduction_markdown(found: Sequence[Reproduction]) -> str:
    """A table with a row for each accuracy of each system, and what is said of all, as Markdown."""
    rows = [row for one in found for row in table_rows(one)]
    return "\n".join([grid(HEAD, rows, left=_LEFT), *map(escaped, reproduction_lines(found))]) + "\n"
