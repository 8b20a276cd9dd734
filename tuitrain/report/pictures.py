"""What a run took for what, and its worst mistakes, as SVG pictures; images are drawn in the page's own ink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import percent_text
from tuitrain.report.frame import WIDTH, page, safe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tuitrain.training.inspection import Predictions

CELL, TOP = 44, 78
#: The pictures of the worst mistakes: how many, how many in a row, and their size.
MOST_MISTAKES, IN_A_ROW = 24, 6
_CARD, _SIDE, _CARD_HEIGHT = 100, 76, 122
_MOST_LETTERS = 13  # of a name, where two fill a card's width
#: How many shades images are drawn in.
_SHADES = 12
_INK = """.right { fill: #0969da; }
.wrong { fill: #bc4c00; }
.ink { stroke: #1f2328; fill: none; shape-rendering: crispEdges; }
.frame { fill: none; stroke: #d1d9e0; }
.figure { font-size: 13px; fill: #1f2328; text-anchor: middle; }
.strong { font-weight: 600; }
@media (prefers-color-scheme: dark) {
.right { fill: #4493f8; }
.wrong { fill: #f0883e; }
.ink { stroke: #f0f6fc; }
.frame { stroke: #3d444d; }
.figure { fill: #f0f6fc; }
}
"""


def confusion_svg(seen: Predictions, classes: Sequence[str]) -> str:
    """Actual classes down, predicted ones across, with the share of each class that is right."""
    names = [visible(name) for name in classes]
    widest = max(map(len, names))
    left = 72 + 7 * min(widest, 11)
    counts, shares = seen.confusion.tolist(), seen.class_accuracy.tolist()
    most_wrong = max((counts[i][j] for i in range(10) for j in range(10) if i != j), default=0) or 1
    most_right = max(counts[i][i] for i in range(10)) or 1
    cell = min(CELL, (WIDTH - left - 84) // 10)
    wrong = len(seen.wrong())
    parts = [
        f'<text class="middle" x="{left + 5 * cell}" y="48">predicted</text>',
        f'<text class="middle" transform="translate(24 {TOP + 5 * cell}) rotate(-90)">actual</text>',
        f'<text class="end" x="{left + 10 * cell + 64}" y="{TOP - 10}">right</text>',
    ]
    for n, name in enumerate(names):
        short = name if widest <= 3 else f"{name[:5]}"
        middle = left + n * cell + cell / 2
        parts.append(f'<text class="middle" x="{middle:g}" y="{TOP - 10}">{safe(short)}</text>')
        y = TOP + n * cell + cell / 2 + 4
        parts.append(f'<text class="end" x="{left - 12}" y="{y:g}">{safe(name)}</text>')
        share = f"{percent_text(shares[n])} %" if shares[n] == shares[n] else "–"
        parts.append(f'<text class="end" x="{left + 10 * cell + 64}" y="{y:g}">{share}</text>')
    for i in range(10):
        for j in range(10):
            count = counts[i][j]
            x, y = left + j * cell, TOP + i * cell
            told = (
                f"{names[i]} judged right: {count:,}"
                if i == j
                else f"{names[i]} taken for {names[j]}: {count:,}"
            )
            if i == j:
                look, opacity = "right", 0.12 + 0.28 * count / most_right
            else:
                look, opacity = "wrong", (0.1 + 0.5 * count / most_wrong) if count else 0.0
            parts.append(
                f'<rect class="{look}" fill-opacity="{opacity:.2f}" x="{x + 1}" y="{y + 1}" width="{cell - 2}" '
                f'height="{cell - 2}" rx="3"><title>{safe(told)}</title></rect>'
            )
            if count:
                strong = " strong" if i != j and count == most_wrong else ""
                parts.append(
                    f'<text class="figure{strong}" x="{x + cell / 2:g}" y="{y + cell / 2 + 4:g}">{count}</text>'
                )
    title = f"Confusion after epoch {seen.epoch}: {wrong:,} of {len(seen.labels):,} images misjudged"
    return page(title, TOP + 10 * cell + 22, parts, _INK, 20)


def mistakes_svg(seen: Predictions, images: NDArray[np.uint8], classes: Sequence[str]) -> str | None:
    """The mistakes that the network was most sure of, as pictures; None where it made none.

    Args:
        seen: the predictions.
        images: of the judging set, uint8 (N, 28, 28), in their order.
        classes: the names of the ten.
    """
    wrong = seen.wrong()
    chosen = wrong[:MOST_MISTAKES].tolist()
    if not chosen or len(images) != len(seen.labels):
        return None
    parts: list[str] = []
    for n, index in enumerate(chosen):
        x = 20 + (n % IN_A_ROW) * _CARD + (_CARD - _SIDE) / 2
        y = 44 + (n // IN_A_ROW) * _CARD_HEIGHT
        actual, said = (visible(classes[int(of[index])]) for of in (seen.labels, seen.predictions))
        sure = float(seen.confidences[index])
        told = f"image {index}: {actual}, taken for {said} with {100 * sure:.1f} %"
        middle = x + _SIDE / 2
        first, second = f"{actual} → {said}", f"{100 * sure:.1f} %"
        if len(first) > 8:  # of clothes and letters: the names need both lines
            first, second = actual[:_MOST_LETTERS], f"→ {said[: _MOST_LETTERS - 2]}"
        parts += [
            f"<g><title>{safe(told)}</title>",
            f'<rect class="frame" x="{x - 2:g}" y="{y - 2:g}" width="{_SIDE + 4}" height="{_SIDE + 4}" rx="4"/>',
            f'<g transform="translate({x:g} {y:g}) scale({_SIDE / images.shape[-1]:g})">{_drawn(images[index])}</g>',
            f'<text class="figure strong" x="{middle:g}" y="{y + _SIDE + 17:g}">{safe(first)}</text>',
            f'<text class="middle" x="{middle:g}" y="{y + _SIDE + 31:g}">{safe(second)}</text>',
            "</g>",
        ]
    count = f"the {len(chosen)} of {len(wrong):,} that the network was most sure of"
    rows = -(-len(chosen) // IN_A_ROW)
    return page(f"Mistakes after epoch {seen.epoch}: {count}", 44 + rows * _CARD_HEIGHT + 8, parts, _INK, 20)


def _drawn(image: NDArray[np.uint8]) -> str:
    """An image as strokes: one path for each shade, each stroke a run of pixels of it."""
    shades = ((image.astype(int) * _SHADES + 127) // 255).tolist()
    strokes: dict[int, list[str]] = {}
    for y, row in enumerate(shades):
        x = 0
        while x < len(row):
            shade, start = row[x], x
            while x < len(row) and row[x] == shade:
                x += 1
            if shade:
                strokes.setdefault(shade, []).append(f"M{start} {y}.5h{x - start}")
    return "".join(
        f'<path class="ink" stroke-opacity="{shade / _SHADES:.2f}" d="{"".join(runs)}"/>'
        for shade, runs in sorted(strokes.items())
    )
