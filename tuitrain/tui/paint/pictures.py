"""What a run saw and learnt as painted lines: its mistakes as images, what it took for what, its kernels
as patches. No textual."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rich.style import Style

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.tui.paint.bars import bar
from tuitrain.tui.paint.digits import Ink, digit, smaller
from tuitrain.tui.paint.text import HeadedLines, Line, Part, Parts, cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuitrain.training.inspection import Predictions

GAP = 3  # cells between two pictures
MOST = 400  # misclassified digits that are drawn


@lru_cache(512)
def _signed(level: int, ink: Ink) -> Style:
    """Blue below zero, orange above, at zero near the theme's ground; -6 to 6."""
    part = abs(level) / 6
    blue, orange, zero = (
        ((72, 150, 232), (232, 150, 48), 28) if ink == "light" else ((11, 99, 176), (176, 92, 0), 232)
    )
    rgb = tuple(round(zero + (channel - zero) * part) for channel in (orange if level > 0 else blue))
    return Style.parse("on #{:02x}{:02x}{:02x}".format(*rgb))


def kernel(weights: NDArray[np.float32], most: float, wide: int, ink: Ink) -> list[Parts]:
    """A kernel: each weight a patch `wide` cells wide, or a sign, against the largest weight of the layer."""
    levels = np.clip(np.nan_to_num(weights / (most or 1.0) * 6).round(), -6, 6).astype(int)
    rows: list[Parts] = []
    for row in levels.tolist():
        if ink != "plain":
            line: Parts = tuple((" " * wide, _signed(level, ink)) for level in row)
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


def card(image: NDArray[np.uint8], caption: Parts, note: str, *, small: bool, ink: Ink) -> list[Parts]:
    """An image below its caption and a note, which stands beside the caption where there is room for it."""
    picture = digit(smaller(image, 2 if small else 1), ink)
    room = cells(picture[0])
    if cells(caption) + len(note) + 1 <= room:
        return [(*caption, (note.rjust(room - cells(caption)), "dim")), *picture]
    return [caption, ((note, "dim"),), *picture]


def judgement(actual: str, predicted: str) -> Parts:
    """What an image is, and what was said of it."""
    said = "good" if actual == predicted else "bad"
    return ((f"{actual:.9}", "good"), (" → ", "dim"), (f"{predicted:.9}", said))


def mistakes(
    seen: Predictions,
    images: NDArray[np.uint8] | None,
    classes: Sequence[str],
    width: int,
    *,
    small: bool,
    ink: Ink,
    chosen: NDArray[np.int64] | None = None,
    numbered: bool = False,
) -> HeadedLines:
    """The misclassified images, the most confident first, each with what it is and what was said.

    Args:
        images: the judging set; None where it can't be read here.
        classes: their names; none for digits.
        small: draws images at half their size.
        chosen: which of the mistakes; all where left out, as far as they can be drawn in good time.
        numbered: with the index of each image.
    """
    wrong = seen.wrong()
    names = [visible(name) for name in classes] or [str(i) for i in range(10)]
    heading = f" {len(wrong):,} misclassified after epoch {seen.epoch}"
    if not len(wrong):
        return ((f"{heading}: none", "dim underline"),), []
    heading += ": actual → predicted, most confident first"
    shown = (wrong[:MOST] if chosen is None else chosen).tolist()
    if images is None or len(images) != len(seen.labels):
        rows: list[Parts] = [((" the images can't be read here; the list alone:", "warn"),), ()]
        for i in shown:
            what = f"{names[int(seen.labels[i])]} → {names[int(seen.predictions[i])]}"
            rows.append(((f"   image {i:5}   {what}   {seen.confidences[i] * 100:5.1f} %", ""),))
        return ((heading, "dim underline"),), rows
    cards = []
    for i in shown:
        caption = judgement(names[int(seen.labels[i])], names[int(seen.predictions[i])])
        drawn = card(images[i], caption, f"{seen.confidences[i] * 100:.0f} %", small=small, ink=ink)
        cards.append([*drawn, ((f"image {i}", "dim"),)] if numbered else drawn)
    return ((heading, "dim underline"),), shelf(cards, width)


@lru_cache(64)
def _heat(level: int) -> Style:
    """From dark to bright red, 1 to 6; the digits on it can be read on each."""
    rgb = tuple(round(24 + (end - 24) * level / 6) for end in (200, 40, 30))
    return Style.parse("#ffffff on #{:02x}{:02x}{:02x}".format(*rgb))


def confusion(seen: Predictions, classes: Sequence[str], width: int, *, heat: bool = False) -> HeadedLines:
    """Rows are the truth, columns what was said; beside it the accuracy of each class.

    Args:
        classes: their names; none for digits.
        heat: shades mistakes by how frequent they are.
    """
    matrix, accuracy = seen.confusion, seen.class_accuracy
    pairs = seen.pairs()
    worst = pairs[0][2] if pairs else 0
    named = classes and list(classes) != [str(i) for i in range(10)]
    heading = " true│pred" + "".join(f"{i:5}" for i in range(10)) + "   right %"
    least = min(float(share) for share in accuracy)
    low = [i for i in range(10) if accuracy[i] == least < 1]
    rows: list[Parts] = []
    for i in range(10):
        parts: list[Part] = [(f"    {i}│    ", "dim")]
        for j in range(10):
            number = int(matrix[i, j])
            style: str | Style = "good" if i == j else "track"
            often = i != j and bool(number) and number > worst / 2
            if i != j and number:
                style = "bad" if often else "warn"
                if heat:
                    style = _heat(max(1, round(6 * number / worst)))
            parts.append((f"{'•' if often else ''}{number or '·'}".rjust(5), style))
        share, weakest = float(accuracy[i]), i in low
        parts.append((f"   {figures.percent_text(share):>6}", "warn" if weakest else "bold"))
        parts.append((" ◂" if weakest else "  " if named else "", "warn"))
        if named:
            parts.append((f" {visible(classes[i])}", "dim"))
        rows.append(tuple(parts))
    wrong = int(matrix.sum() - matrix.trace())
    tail = f" after epoch {seen.epoch}: {wrong:,} of {int(matrix.sum()):,} wrong"
    common = [f"{i} as {j} ({n})" for i, j, n in pairs[:3]]
    texts = [f"; most often {', '.join(common[:count])}" for count in range(len(common), 0, -1)]
    text = next((text for text in texts if len(tail + text) <= width), "")
    rows.append(((tail, ""), (text, "dim")))
    if wrong:
        which = ", ".join(visible(classes[i]) if named else str(i) for i in low)
        rows.append(((f" • the most frequent mistakes   ◂ the weakest class, {which}", "dim"),))
    return ((heading, "dim underline"),), rows


def chances(
    probabilities: NDArray[np.float32], classes: Sequence[str], width: int, actual: int | None = None
) -> list[Parts]:
    """The probabilities (10,) of the classes as bars, the highest marked, and the actual class where it is known."""
    said = int(probabilities.argmax())
    names = [visible(name) for name in classes]
    label = max(len(name) for name in names)
    room = max(4, min(40, width - label - 12))
    rows: list[Parts] = []
    for number, (name, share) in enumerate(zip(names, probabilities.tolist(), strict=True)):
        style = "accent" if actual is None else "good" if number == actual else "bad"
        style = f"bold {style}".strip() if number == said else "good" if number == actual else "dim"
        mark = "▸" if number == said else "·" if number == actual else " "
        drawn = bar(share if share >= 5e-5 else 0.0, room).ljust(room)
        line = Line().add(f"{mark}{name:>{label}} ", style).add(drawn, "primary" if number == said else "dim")
        rows.append(line.add(f"{figures.percent_text(share):>7} %", style))
    return rows


def beside(image: NDArray[np.uint8], lines: Sequence[Parts], ink: Ink) -> list[Parts]:
    """An image, with lines of text to the right of its middle."""
    picture = digit(image, ink)
    first = max(0, (len(picture) - len(lines)) // 2)
    rows: list[Parts] = []
    for y, row in enumerate(picture):
        text = lines[y - first] if 0 <= y - first < len(lines) else ()
        rows.append((*row, ("  ", ""), *text))
    return rows


def kernel_lines(
    layer: NDArray[np.float32] | None, epoch: int, width: int, height: int, ink: Ink
) -> HeadedLines:
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
