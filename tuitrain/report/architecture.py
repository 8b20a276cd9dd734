"""A network as an SVG picture: a block for each layer, as high as its maps and as wide as it has channels."""

from __future__ import annotations

import math
from html import escape

from tuitrain.errors import visible
from tuitrain.figures import count_text, shape_text
from tuitrain.report.frame import page
from tuitrain.spec.table import NetworkTable, TableRow

#: Pixels: of the page, of a map of 28, of a channel, and of the narrowest column, whose words must fit.
MARGIN, MAP, CHANNEL, COLUMN = 18, 130, 2.2, 112
_WIDEST = 180
_TOP, _WORDS = 56, 84
_STYLE = """.block { fill: #0969da; fill-opacity: 0.25; stroke: #0969da; }
.pool { fill: #8c959f; fill-opacity: 0.25; stroke: #8c959f; }
.name { font-weight: 600; }
@media (prefers-color-scheme: dark) { .block { fill: #4493f8; stroke: #4493f8; } }
"""


def architecture_svg(title: str, table: NetworkTable) -> str:
    """The picture; below each block its name, the shape of its output, its parameters and what it sees.

    Parameters of operations after a layer (batch norm) are counted with the layer.
    """
    layers = [row for row in table.rows if not row.is_op]
    counts = table.layer_parameters()
    parts: list[str] = []
    x, middle = float(MARGIN), _TOP + MAP / 2
    parts += _block(x, middle, 28, 1, "block", ("input", shape_text(table.input_shape), "", ""))
    x += _column(1)
    for row in layers:
        channels, side = _size(row)
        kind = "block" if counts.get(row.layer) else "pool"
        words = (
            visible(row.title), shape_text(row.output_shape),
            f"{count_text(counts[row.layer])} params" if counts.get(row.layer) else "",
            f"sees {row.field_text}" if row.receptive_field else "",
        )  # fmt: skip
        parts += _block(x, middle, side, channels, kind, words)
        x += _column(channels)
    width, height = x + MARGIN, _TOP + MAP + _WORDS
    head = (
        f"{count_text(table.parameters)} parameters, {count_text(table.mult_adds)} multiply-adds, "
        f"receptive field {table.receptive_field}"
    )
    parts.insert(0, f'<text x="{MARGIN}" y="42">{escape(head)}</text>')
    return page(title, round(height), parts, _STYLE, MARGIN, round(width))


def _size(row: TableRow) -> tuple[int, int]:
    """Channels and the side of the maps; a vector has maps of one pixel."""
    shape = row.output_shape
    return (shape[0], max(shape[1:])) if len(shape) > 1 else (shape[0], 1)


def _wide(channels: int) -> float:
    return min(_WIDEST, max(6.0, channels * CHANNEL))


def _column(channels: int) -> float:
    return max(float(COLUMN), _wide(channels) + 14)


def _block(
    x: float, middle: float, side: int, channels: int, kind: str, words: tuple[str, str, str, str]
) -> list[str]:
    wide, high = _wide(channels), max(5.0, MAP * math.sqrt(side / 28) if side < 28 else MAP)
    centre = x + _column(channels) / 2
    out = [
        f'<rect class="{kind}" x="{centre - wide / 2:.1f}" y="{middle - high / 2:.1f}" '
        f'width="{wide:.1f}" height="{high:.1f}" rx="2"/>'
    ]
    for line, word in enumerate(words):
        if word:
            look = ' class="name"' if line == 0 else ""
            y = _TOP + MAP + 20 + 16 * line
            out.append(f'<text{look} x="{centre:.1f}" y="{y:.1f}" text-anchor="middle">{escape(word)}</text>')
    return out
