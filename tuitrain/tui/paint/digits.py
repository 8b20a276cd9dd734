"""Images in half blocks: two pixels a cell, the upper one its foreground, the lower one its background. No textual.

Grey levels are few, so that neighbouring cells often look the same and cost the line no colour codes.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from rich.color import Color
from rich.style import Style

from tuitrain.tui.paint.text import Parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

#: How images are drawn: light on dark, dark on light, or in characters where greys can't be told apart.
Ink = Literal["light", "dark", "plain"]
LEVELS = 8
DARKEST = 24
#: From dark to light.
RAMP = " .:-=+*#%@"


def smaller(image: Image, times: int) -> Image:
    """The image averaged over squares of `times` pixels."""
    if times == 1:
        return image
    height, width = image.shape[0] // times, image.shape[1] // times
    blocks = image[: height * times, : width * times].reshape(height, times, width, times)
    mean: Image = blocks.mean((1, 3)).round().astype(image.dtype)
    return mean


def middle(image: Image, side: int) -> Image:
    """The middle of the image."""
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def digit(image: Image, ink: Ink = "light") -> list[Parts]:
    """An image, two rows of pixels a line; the lowest of an odd number of rows stands over an empty one."""
    rows: list[list[int]] = image.tolist()
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return [_line(list(zip(*pair, strict=True)), ink) for pair in zip(rows[::2], rows[1::2], strict=True)]


def _line(pairs: list[tuple[int, int]], ink: Ink) -> Parts:
    if ink == "plain":
        return (("".join(RAMP[(up + low) // 2 * len(RAMP) // 256] for up, low in pairs), ""),)
    levels = ((up * LEVELS // 256, low * LEVELS // 256) for up, low in pairs)
    return tuple(
        ((" " if up == low else "▀") * len(list(run)), _grey(up, low, ink))
        for (up, low), run in groupby(levels)
    )


@lru_cache(512)
def _grey(upper: int, lower: int, ink: Ink) -> Style:
    levels = (upper, lower) if ink == "light" else (LEVELS - 1 - upper, LEVELS - 1 - lower)
    up, low = (round(DARKEST + at * (255 - DARKEST) / (LEVELS - 1)) for at in levels)
    return Style(color=Color.from_rgb(up, up, up), bgcolor=Color.from_rgb(low, low, low))
