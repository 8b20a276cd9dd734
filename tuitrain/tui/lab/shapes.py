"""A picture of the network below its table: the input with what one output sees of it, then a block a layer.

A block is as high as the layer's maps and as wide as it has channels, on one scale for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.style import Style

from tuitrain.figures import plural
from tuitrain.spec.sides import Pair, sides_text
from tuitrain.spec.table import INPUT_SHAPE
from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.workbench.network_check import LayerRow

LABELS = 2  # lines below the blocks: number of the layer, side of its maps
WIDEST = 0.5  # cells a channel, where there is room
SOFT = 0.35  # of the foreground, for the blocks away from the cursor
GAP = 1  # cells between blocks


@dataclass(frozen=True)
class Block:
    """A layer in the picture; `cells` wide, maps `side` pixels high (of a vector, how many numbers)."""

    index: int
    number: str
    channels: int
    side: int
    label: str  # the sides of the maps
    flat: bool
    cells: int = 1


def blocks_of(rows: Sequence[LayerRow]) -> list[Block]:
    """A block for each layer that can be worked out."""
    out: list[Block] = []
    for row in rows:
        if row.shape is None:
            break
        flat = len(row.shape) == 1
        channels = 1 if flat else row.shape[0]
        side = row.shape[0 if flat else 1]
        label = str(side) if flat else sides_text(row.shape[1:])
        out.append(Block(row.index, row.number, channels, side, label, flat))
    return out


def fitted(blocks: Sequence[Block], cursor: int, room: int) -> list[Block]:
    """The blocks on the widest scale that fits; where none does, those around the cursor."""
    for tenth in range(round(WIDEST * 100), 0, -2):
        sized = [_sized(block, tenth / 100) for block in blocks]
        if sum(block.cells + GAP for block in sized) <= room:
            return sized
    most = max(1, room // (1 + GAP))
    at = next((i for i, block in enumerate(blocks) if block.index == cursor), len(blocks) - 1)
    start = max(0, min(at - most // 2, len(blocks) - most))
    return [_sized(block, 0) for block in blocks[start : start + most]]


def _sized(block: Block, scale: float) -> Block:
    cells = max(1, round(block.channels * scale))
    return replace(block, cells=cells)


def half_rows(top: int, high: int, rows: int) -> list[str]:
    """A column of half blocks: `high` halves from half `top` on, in `rows` cells."""
    inside = [top <= half < top + high for half in range(rows * 2)]
    marks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    return [marks[inside[y * 2], inside[y * 2 + 1]] for y in range(rows)]


def sees(row: LayerRow) -> str:
    """`12 maps of 14×14, each output sees 10×10` of the layer with the cursor."""
    if row.shape is None:
        return ""
    if len(row.shape) == 1:
        what = plural(row.shape[0], "number")
    else:
        what = f"{plural(row.shape[0], 'map')} of {row.shape[1]}×{row.shape[2]}"
    height, width = _seen_of(row)
    whole = (height, width) == INPUT_SHAPE[1:]
    return f"{what}, each sees {'all of the input' if whole else f'{height}×{width} pixels'}"


def _seen_of(row: LayerRow) -> Pair:
    """Height and width of what one output sees of the input."""
    return min(row.field[0], INPUT_SHAPE[1]), min(row.field[1], INPUT_SHAPE[2])


class ShapesView(LinesView, can_focus=False):
    """The shapes that run through the network; the layer with the cursor stands out and is marked by ▲."""

    rows: Sequence[LayerRow] = ()
    cursor = 0

    def show(self, rows: Sequence[LayerRow], cursor: int) -> None:
        if (rows, cursor) != (self.rows, self.cursor):
            self.rows, self.cursor = rows, cursor
            self.rebuild(follow=False)

    @property
    def scale(self) -> int:
        """Pixels of a half row; 0 where there is no room for a picture."""
        lines = self.size.height - LABELS - 2  # the frame of the input
        return next((s for s in (1, 2, 4) if -(-INPUT_SHAPE[1] // (2 * s)) <= lines), 0)

    def build(self, width: int) -> list[Parts]:
        scale, found = self.scale, blocks_of(self.rows)
        if not scale or not found:
            return []
        side = INPUT_SHAPE[1] // scale
        rows = -(-side // 2)
        blocks = fitted(found, self.cursor, width - side - 6)
        here = next((row for row in self.rows if row.index == self.cursor), None)
        seen = self._seen(here, scale, side, rows)
        columns = []
        for block in blocks:
            high = max(1, round(min(block.side, INPUT_SHAPE[1]) / scale))
            columns.append(half_rows((rows * 2 - high) // 2, high, rows))
        out: list[Parts] = []
        for y in range(-1, rows + 1):
            line = Line().add("  ")
            if y in (-1, rows):
                ends = "┌┐" if y < 0 else "└┘"
                out.append(line.add(ends[0] + "─" * side + ends[1], "dim"))
                continue
            line.add("│", "dim").add(seen[y], "primary").add("│", "dim").add("  ")
            for block, column in zip(blocks, columns, strict=True):
                line.add(column[y] * block.cells, self._tone(block)).add(" " * GAP)
            out.append(line)
        return [*out, *self._labels(blocks, side)]

    def _tone(self, block: Block) -> str | Style:
        if block.index == self.cursor:
            return "primary"
        ground, front = self.background_colors[1], self.styles.color
        if self.app.no_color or ground.ansi is not None or front.ansi is not None:
            return "dim"
        return Style(color=ground.blend(front, SOFT).rich_color)

    def _seen(self, row: LayerRow | None, scale: int, side: int, rows: int) -> list[str]:
        """The inside of the frame: a rectangle as large as what one output of the layer sees."""
        field = (0, 0) if row is None or row.shape is None else _seen_of(row)
        down, across = (max(1, round(pixels / scale)) if pixels else 0 for pixels in field)
        column = half_rows((rows * 2 - down) // 2, down, rows)
        left = (side - across) // 2
        return [" " * left + mark * across + " " * (side - across - left) for mark in column]

    def _labels(self, blocks: Sequence[Block], side: int) -> list[Parts]:
        """Below each block its layer's number, ▲ at the cursor; and the side of the maps where it changes."""
        first, second = Line().add("  "), Line().add("  ")
        first.add("input".center(side + 2), "dim").add("  ")
        second.add(f"{INPUT_SHAPE[1]}×{INPUT_SHAPE[2]}".center(side + 2), "dim").add("  ")
        before, end = sides_text(INPUT_SHAPE[1:]), 0
        for block in blocks:
            here = block.index == self.cursor
            mark = "▲" if here else block.number
            start = first.x
            first.add(mark[: block.cells + 1], "primary" if here else "dim")
            first.to(start + block.cells + GAP)
            text = "" if block.label == before else block.label
            if text and start >= end:
                second.to(start).add(text, "dim")
                before, end = block.label, start + cell_len(text) + 1
        return [first, second]
