"""Digits drawn with half blocks: two pixels a cell, one above the other, each in its own grey."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

#: From dark to light, where half blocks can't be told apart (no colours, ASCII).
RAMP = " .:-=+*#%@"
Pixels = Sequence[Sequence[int]]


@lru_cache(4096)
def _cell(upper: int, lower: int) -> Style:
    return Style(color=Color.from_rgb(upper, upper, upper), bgcolor=Color.from_rgb(lower, lower, lower))


def shrink(pixels: Pixels, times: int) -> list[list[int]]:
    """Means over squares of `times` pixels."""
    side = len(pixels) // times
    area = times * times
    return [
        [
            sum(pixels[y * times + dy][x * times + dx] for dy in range(times) for dx in range(times)) // area
            for x in range(side)
        ]
        for y in range(side)
    ]


def crop(pixels: Pixels, side: int) -> list[list[int]]:
    """The middle."""
    margin = (len(pixels) - side) // 2
    return [list(row[margin : margin + side]) for row in pixels[margin : margin + side]]


def half_blocks(pixels: Pixels, *, light: bool = False) -> list[list[Segment]]:
    """Rows of segments, one for each two rows of pixels; on a light theme black on white.

    Greys are in steps of 8, so that a digit takes fewer bytes on its way to the terminal.
    """
    out: list[list[Segment]] = []
    for y in range(0, len(pixels) - 1, 2):
        row: list[Segment] = []
        for upper, lower in zip(pixels[y], pixels[y + 1], strict=True):
            a, b = (
                min(255, value & 0xF8) for value in ((255 - upper, 255 - lower) if light else (upper, lower))
            )
            style = _cell(a, b)
            text = " " if a == b else "▀"
            if row and row[-1].style == style and row[-1].text[0] == text:
                row[-1] = Segment(row[-1].text + text, style)
            else:
                row.append(Segment(text, style))
        out.append(row)
    return out


def ramp(pixels: Pixels) -> list[list[Segment]]:
    """The same without colours: one character for each two pixels, the denser the lighter."""
    out = []
    for y in range(0, len(pixels) - 1, 2):
        text = "".join(
            RAMP[min(len(RAMP) - 1, (a + b) // 2 * len(RAMP) // 256)]
            for a, b in zip(pixels[y], pixels[y + 1], strict=True)
        )
        out.append([Segment(text)])
    return out
