"""What a run saw and learnt as painted lines: its mistakes as images, its kernels as patches. No textual."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rich.style import Style

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.tui.paint.digits import Ink, digit, smaller
from tuitrain.tui.paint.text import HeadedLines, Part, Parts, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuitrain.training.inspection import LastEvaluation

GAP = 3  # cells between two pictures
MOST = 400  # misclassified digits that are drawn


@lru_cache(512)
def _signed(level: int) -> Style:
    """Blue below zero, orange above, dark at zero; -6 to 6."""
    part = abs(level) / 6
    end = (232, 150, 48) if level > 0 else (72, 150, 232)
    rgb = tuple(round(28 + (channel - 28) * part) for channel in end)
    return Style.parse("on #{:02x}{:02x}{:02x}".format(*rgb))


def kernel(weights: NDArray[np.float32], most: float, wide: int, ink: Ink) -> list[Parts]:
    """A kernel: each weight a patch `wide` cells wide, or a sign, against the largest weight of the layer."""
    levels = np.clip(np.nan_to_num(weights / (most or 1.0) * 6).round(), -6, 6).astype(int)
    rows: list[Parts] = []
    for row in levels.tolist():
        if ink != "plain":
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
    seen: LastEvaluation,
    images: NDArray[np.uint8] | None,
    classes: Sequence[str],
    width: int,
    *,
    small: bool,
    ink: Ink,
) -> HeadedLines:
    """The misclassified images, the most confident first, each with what it is and what was said."""
    wrong = seen.wrong()
    names = [visible(name) for name in classes] or [str(i) for i in range(10)]
    heading = f" {len(wrong):,} misclassified after epoch {seen.epoch}"
    if not len(wrong):
        return ((f"{heading}: none", "dim underline"),), []
    heading += ": actual → predicted, most confident first"
    if images is None or len(images) != len(seen.labels):
        rows: list[Parts] = [((" the images can't be read here; the list alone:", "warn"),), ()]
        for i in wrong[:MOST].tolist():
            actual, predicted = names[int(seen.labels[i])], names[int(seen.predictions[i])]
            rows.append(
                ((f"   image {i:5}   {actual} → {predicted}   {seen.confidences[i] * 100:5.1f} %", ""),)
            )
        return ((heading, "dim underline"),), rows
    cards: list[list[Parts]] = []
    for i in wrong[:MOST].tolist():
        card = digit(smaller(images[i], 2 if small else 1), ink)
        actual, predicted = names[int(seen.labels[i])], names[int(seen.predictions[i])]
        room = cells(card[0])
        caption: Parts = (
            (f"{actual:.9}", "good"),
            (" → ", "dim"),
            (f"{predicted:.9}", "bad"),
        )
        share = f"{seen.confidences[i] * 100:.0f} %"
        if cells(caption) + len(share) + 1 <= room:
            caption = (*caption, (share.rjust(room - cells(caption)), "dim"))
            cards.append([caption, *card])
        else:
            cards.append([caption, ((share, "dim"),), *card])
    return ((heading, "dim underline"),), shelf(cards, width)


def kernels(layer: NDArray[np.float32] | None, epoch: int, width: int, height: int, ink: Ink) -> HeadedLines:
    """The first layer's kernels, as large as they fit."""
    if layer is None or not layer.size:
        return ((" the first layer's weights are no picture", "dim underline"),), []
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
        cards.append([((f"{number}", "dim"),), *kernel(weights, most, wide, ink)])
    heading = f" {figures.plural(count, 'first-layer kernel')} after epoch {epoch}"
    signs = "blue < 0 < orange" if ink != "plain" else "- < 0 < +"
    legend = f": {signs}, up to ±{most:.2f}"
    return ((heading + legend, "dim underline"),), shelf(cards, width)
