"""The means of a sweep over two settings as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.geometry import Size
from textual.message import Message

from tuitrain.spec.describe import SHORT_LABELS
from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.styles import ink_of
from tuitrain.tui.paint.text import Line, Part, Parts
from tuitrain.tui.shell.protocol import shell
from tuitrain.watch.leaderboard import HeatCell, HeatMap

#: Cells beside a mean: a mark at either side, the shade where there are no colours, and air.
BESIDE = 5
#: Of the primary colour in the ground of the lowest and of the highest mean.
FAINTEST, STRONGEST = 0.06, 0.62
HIGHEST = 3  # lines of a row, where there is room


class HeatView(LinesView):
    """A row for each value of the first setting, a column for each of the second.

    The better a setting, the stronger its ground; arrow keys go from one to another, Enter opens its seeds.
    """

    HELP_TITLE = "Heat map"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"go({down}, {right})", f"A setting {key}", show=False, id=f"heat.{key}")
            for key, down, right in (("up", -1, 0), ("down", 1, 0), ("left", 0, -1), ("right", 0, 1))
        ),
        Binding("enter", "open", "Open", id="heat.open"),
    ]

    @dataclass
    class Chosen(Message):
        """Another setting was gone to, or one is to be opened; its two values."""

        values: tuple[str, str]
        opened: bool

    _heat: HeatMap | None = None
    _selected: tuple[str, str] | None = None

    def show(self, heat: HeatMap | None, selected: tuple[str, str] | None) -> None:
        """Show this; `selected` are the two values that stand out."""
        if (heat, selected) != (self._heat, self._selected):
            grown = heat is not None and (self._heat is None or len(heat.rows) != len(self._heat.rows))
            self._heat, self._selected = heat, selected
            self.rebuild()
            if grown:
                self.refresh(layout=True)

    def action_go(self, down: int, right: int) -> None:
        if self._heat is None or self._selected is None:
            return
        values = [value for value, _ in self._heat.rows], list(self._heat.columns)
        at = [
            max(0, min(len(known) - 1, known.index(value) + by))
            for known, value, by in zip(values, self._selected, (down, right), strict=True)
        ]
        self.post_message(self.Chosen((values[0][at[0]], values[1][at[1]]), opened=False))

    def action_open(self) -> None:
        if self._selected is not None:
            self.post_message(self.Chosen(self._selected, opened=True))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as it fills, with one of air."""
        return HIGHEST * len(self._heat.rows) + 3 if self._heat is not None else 0

    def build(self, width: int) -> Sequence[Parts]:
        heat = self._heat
        if heat is None:
            return []
        names = [SHORT_LABELS.get(key, key) for key in heat.keys]
        room = 1 + max(cell_len(text) for text in (names[0], *(value for value, _ in heat.rows))) + 1
        cells = max(cell_len(text) for text in heat.columns)
        cells = max(cells + 1, BESIDE + max(len(cell.text) for _, row in heat.rows for cell in row))
        fits = max(1, (width - room) // cells)
        columns = heat.columns[:fits]
        more = f", the first {fits} of {len(heat.columns)}" if fits < len(heat.columns) else ""
        head = Line().add(names[0], "dim", room - 1, right=True).add(" ")
        for column in columns:
            head.add(f"{column} ", "dim", cells, right=True)
        lines: list[Parts] = [Line().to(room).add(f"{names[1]}{more}", "dim"), head]
        high = max(1, min(HIGHEST, (self.size.height - len(lines)) // max(1, len(heat.rows))))
        for value, row in heat.rows:
            shown = list(zip(columns, row, strict=False))
            for part in range(high):
                text = part == (high - 1) // 2
                line = Line().add(value if text else "", "", room - 1, right=True).add(" ")
                for column, cell in shown:
                    line.append(self._cell(cell, cells, text, (value, column) == self._selected))
                lines.append(line)
        return lines

    def _cell(self, cell: HeatCell, cells: int, text: bool, here: bool) -> Part:
        ink = ink_of(self.app, shell(self).settings.ascii_only)
        left, right = "[]" if here else "  "
        shade = cell.shade * 2 if ink == "plain" and cell.share is not None else ""
        said = f"{left}{cell.text}{right}{shade}".rjust(cells) if text else " " * cells
        return said, self._ground(cell.share) if ink != "plain" else "bold" if cell.share == 1 else ""

    def _ground(self, share: float | None) -> Style:
        if share is None:
            return Style()
        theme = self.app.theme_variables
        ground = Color.parse(theme["background"]).blend(
            Color.parse(theme["primary"]), FAINTEST + share * (STRONGEST - FAINTEST)
        )
        return Style(bgcolor=ground.rich_color, bold=share == 1)
