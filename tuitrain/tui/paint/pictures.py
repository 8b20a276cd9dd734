"""Pictures as painted lines: digits in half blocks, kernels as patches. No textual.

Two pixels share a cell, the upper one as its foreground. Grey levels are few, so that neighbouring
cells often look the same and cost the line no colour codes. Without colours (NO_COLOR, ASCII) the
shape alone must do: a threshold, or signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rich.style import Style

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.tui.paint.text import HeadedLines, Part, Parts, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuitrain.training.inspection import Inspection

LEVELS = 8
GAP = 3  # cells between two pictures
MOST = 400  # misclassified digits that are drawn


@lru_cache(512)
def _grey(upper: int, lower: int) -> Style:
    up, low = (round(24 + level * (255 - 24) / (LEVELS - 1)) for level in (upper, lower))
    return Style.parse(f"#{up:02x}{up:02x}{up:02x} on #{low:02x}{low:02x}{low:02x}")


@lru_cache(512)
def _signed(level: int) -> Style:
    """Blue below zero, orange above, dark at zero; -6 to 6."""
    part = abs(level) / 6
    end = (232, 150, 48) if level > 0 else (72, 150, 232)
    rgb = tuple(round(28 + (channel - 28) * part) for channel in end)
    return Style.parse("on #{:02x}{:02x}{:02x}".format(*rgb))


def smaller(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The image averaged over squares of `factor` pixels."""
    if factor == 1:
        return image
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.asarray(blocks.mean((1, 3)).round(), dtype=np.uint8)


def digit(image: NDArray[np.uint8], *, colour: bool = True) -> list[Parts]:
    """An image, light on dark, two rows of pixels a line."""
    if image.shape[0] % 2:
        image = np.vstack([image, np.zeros((1, image.shape[1]), np.uint8)])
    if not colour:
        marks = np.array([" ", "▄", "▀", "█"])
        on = (image > 96).astype(int)
        return [(("".join(marks[2 * up + low]), ""),) for up, low in zip(on[::2], on[1::2], strict=True)]
    levels = image.astype(np.int64) * LEVELS // 256
    return [_row(upper, lower) for upper, lower in zip(levels[::2], levels[1::2], strict=True)]


def _row(upper: NDArray[np.int64], lower: NDArray[np.int64]) -> Parts:
    parts: list[Part] = []
    run, last = "", (-1, -1)
    for up, low in zip(upper.tolist(), lower.tolist(), strict=True):
        if (up, low) != last and run:
            parts.append((run, _grey(*last)))
            run = ""
        last = (up, low)
        run += " " if up == low else "▀"
    parts.append((run, _grey(*last)))
    return tuple(parts)


def kernel(weights: NDArray[np.float32], most: float, wide: int, *, colour: bool = True) -> list[Parts]:
    """A kernel: each weight a patch `wide` cells wide, against the largest weight of the layer."""
    levels = np.clip(np.nan_to_num(weights / (most or 1.0) * 6).round(), -6, 6).astype(int)
    rows: list[Parts] = []
    for row in levels.tolist():
        if colour:
            line: Parts = tuple((" " * wide, _signed(level)) for level in row)
        else:
            signs = {-2: "=", -1: "-", 0: "·", 1: "+", 2: "#"}
            line = tuple((signs[round(level / 3)] * wide, "") for level in row)
        rows += [line] * max(1, wide // 2)
    return rows


def shelf(cards: Sequence[list[Parts]], width: int) -> list[Parts]:
    """Cards of equal size side by side, as many as fit, in rows with a blank line between."""
    if not cards:
        return []
    card_width = max(cells(line) for line in cards[0])
    fits = max(1, (width - 2 + GAP) // (card_width + GAP))
    rows: list[Parts] = []
    for start in range(0, len(cards), fits):
        shown = cards[start : start + fits]
        for y in range(max(len(card) for card in shown)):
            line: list[Part] = [(" ", "")]
            for card in shown:
                parts = card[y] if y < len(card) else ()
                line += [*parts, (" " * (card_width - cells(parts) + GAP), "")]
            rows.append(tuple(line))
        rows.append(())
    return rows[:-1]


def mistakes(
    seen: Inspection,
    images: NDArray[np.uint8] | None,
    classes: Sequence[str],
    width: int,
    *,
    small: bool,
    colour: bool,
) -> HeadedLines:
    """The misclassified images, the most confident first, each with what it is and what was said."""
    wrong = seen.wrong()
    names = [visible(name) for name in classes] or [str(i) for i in range(10)]
    heading = f" {len(wrong):,} misclassified after epoch {seen.epoch}"
    if not len(wrong):
        return ((f"{heading}: none", "head"),), []
    heading += ": truth → said, most confident first"
    if images is None or len(images) != len(seen.labels):
        rows: list[Parts] = [((" the images can't be read here; the list alone:", "warn"),), ()]
        for i in wrong[:MOST].tolist():
            truth, said = names[int(seen.labels[i])], names[int(seen.predictions[i])]
            rows.append(((f"   image {i:5}   {truth} → {said}   {seen.confidences[i] * 100:5.1f} %", ""),))
        return ((heading, "head"),), rows
    cards: list[list[Parts]] = []
    for i in wrong[:MOST].tolist():
        card = digit(smaller(images[i], 2 if small else 1), colour=colour)
        truth, said = names[int(seen.labels[i])], names[int(seen.predictions[i])]
        room = cells(card[0])
        caption: Parts = (
            (f"{truth:.9}", "good"),
            (" → ", "dim"),
            (f"{said:.9}", "bad"),
        )
        share = f"{seen.confidences[i] * 100:.0f} %"
        if cells(caption) + len(share) + 1 <= room:
            caption = (*caption, (share.rjust(room - cells(caption)), "dim"))
            cards.append([caption, *card])
        else:
            cards.append([caption, ((share, "dim"),), *card])
    return ((heading, "head"),), shelf(cards, width)


def kernels(
    layer: NDArray[np.float32] | None, epoch: int, width: int, height: int, *, colour: bool
) -> HeadedLines:
    """The first layer's kernels, as large as they fit."""
    if layer is None or not layer.size:
        return ((" the first layer's weights are no picture", "head"),), []
    most = float(np.nanmax(np.abs(layer)))
    count, _, across = layer.shape
    wide = 1
    for wide in (8, 6, 4, 2, 1):
        fits = max(1, (width - 2 + GAP) // (across * wide + GAP))
        lines = -(-count // fits) * (layer.shape[1] * max(1, wide // 2) + 2)
        if across * wide <= width - 2 and lines <= height:
            break
    cards = []
    for number, weights in enumerate(layer, 1):
        cards.append([((f"{number}", "dim"),), *kernel(weights, most, wide, colour=colour)])
    heading = f" {figures.plural(count, 'first-layer kernel')} after epoch {epoch}"
    signs = "blue < 0 < orange" if colour else "- < 0 < +"
    legend = f": {signs}, up to ±{most:.2f}"
    return ((heading + legend, "head"),), shelf(cards, width)
