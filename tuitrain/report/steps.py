"""The picture of a ladder's steps: the accuracy of each above, its parameters below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuitrain.figures import accuracy_text, short_count_text
from tuitrain.report import frame
from tuitrain.report.frame import LEFT, RIGHT, TOP, safe

_MIDDLE, _BARS, _BOTTOM = 200, 226, 292
_LOOKS = """.bar { fill: #0969da; fill-opacity: 0.35; }
@media (prefers-color-scheme: dark) { .bar { fill: #4493f8; } }"""


@dataclass(frozen=True)
class Step:
    """One step: accuracies are fractions, NaN where there is none; `claimed` is what its source reports as the best."""

    label: str
    parameters: int
    best: float
    last: float
    claimed: float | None = None


def steps_svg(steps: Sequence[Step], target: float | None = None) -> str:
    """The picture, a whole SVG file.

    Args:
        steps: in order.
        target: the accuracy that all are to reach, a fraction; None where they have none in common.
    """
    wide = (RIGHT - LEFT) / len(steps)
    values = [value for step in steps for value in (step.best, step.last, step.claimed) if _known(value)]
    shown = [
        100 * value for value in [*values, *([] if target is None else [target])] if value is not None
    ] or [0.0, 100.0]
    low, high, between = frame.grid_lines(min(shown), max(shown), 5, 0.01)

    def x(n: int) -> float:
        return LEFT + (n + 0.5) * wide

    def y(value: float) -> float:
        return _MIDDLE - (_MIDDLE - TOP) * (100 * value - low) / (high - low)

    parts = [frame.percent_sign(), *frame.grid(low, high, between, lambda shown: y(shown / 100))]
    if target is not None:
        parts += frame.level(f"target {100 * target:g} %", y(target))
    for look, field in (("there", "claimed"), ("train", "last"), ("here", "best")):
        points = [(n, getattr(step, field)) for n, step in enumerate(steps) if _known(getattr(step, field))]
        if not points:
            continue
        path = " ".join(
            f"{'M' if not m or points[m - 1][0] < n - 1 else 'L'}{x(n):.1f},{y(v):.1f}"
            for m, (n, v) in enumerate(points)
        )
        parts.append(f'<path class="line {look}" d="{path}"/>')
        word = {"claimed": "claimed best", "last": "last epoch", "best": "best epoch"}[field]
        parts += [
            f'<path class="dot {look}" d="M{x(n):.1f},{y(v):.1f}h0">'
            f"<title>{safe(steps[n].label)}: {word} {accuracy_text(v)}</title></path>"
            for n, v in points
        ]
    most = max(step.parameters for step in steps) or 1
    every = max(1, math.ceil(len(steps) * 44 / (RIGHT - LEFT)))
    for n, step in enumerate(steps):
        tall = (_BOTTOM - _BARS) * step.parameters / most
        left = x(n) - wide * 0.3
        parts.append(
            f'<rect class="bar" x="{left:.1f}" y="{_BOTTOM - tall:.1f}" width="{wide * 0.6:.1f}" height="{tall:.1f}" rx="2">'
            f"<title>{safe(step.label)}: {step.parameters:,} parameters</title></rect>"
        )
        if n % every == 0 or n == len(steps) - 1:
            size = short_count_text(step.parameters).replace(" ", "")
            parts.append(f'<text class="middle" x="{x(n):.1f}" y="{_BOTTOM - tall - 4:.1f}">{size}</text>')
            short = (
                step.label
                if len(step.label) * 7 < wide * every
                else f"{step.label[: max(3, int(wide * every / 7) - 1)]}…"
            )
            parts.append(f'<text class="middle" x="{x(n):.1f}" y="{_BOTTOM + 18}">{safe(short)}</text>')
    parts.append(f'<text class="end" x="{LEFT - 8}" y="{_BOTTOM}">size</text>')
    legend = [("here", "best epoch"), ("train", "last epoch")]
    legend += [("there", "claimed best")] if any(_known(step.claimed) for step in steps) else []
    for n, (look, word) in enumerate(legend):
        at = LEFT + n * 150
        parts.append(f'<path class="line {look}" d="M{at},{_BOTTOM + 44} h22"/>')
        parts.append(f'<text x="{at + 30}" y="{_BOTTOM + 48}">{word}</text>')
    return frame.page("Accuracy and parameters, step by step", frame.HEIGHT, parts, _LOOKS)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
