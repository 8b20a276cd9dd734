"""Accuracy over parameters as an SVG picture, the networks that no smaller one reaches over the published systems."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.report import frame
from tuitrain.report.frame import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, safe
from tuitrain.runs import durable
from tuitrain.study.search_result import front_presets
from tuitrain.watch.frontier import Frontier, FrontierPoint, in_sight

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan
    from tuitrain.study.store import StudyDirectory
    from tuitrain.watch.search import SearchBoard

_MOST_LINES = 7
#: What a search leaves in its folder: presets, and a picture.
FRONT, PICTURE = "front", "front.svg"


def write_front(study: StudyDirectory, plan: Plan, board: SearchBoard) -> dict[str, Any]:
    """Writes the picture of a search and the presets of its front; what its JSON object says of them.

    Raises:
        RunDirectoryError: the folder can't be written.
    """
    found = front_presets(plan, board, study.path / FRONT)
    if not found:
        return {"picture": None, "presets": []}
    title = f"{study.name}: {board.dataset}, the best of {len(board.trials)} networks"
    try:
        durable.make_folder(study.path / FRONT, parents=True)
        kept = {one.path for one in found}
        for path in (study.path / FRONT).glob("*.toml"):  # of a front that has moved on
            if path not in kept:
                path.unlink()
        for one in found:
            durable.replace(one.path, one.text.encode(), durable=False)
        picture = front_svg(board.frontier, title, board.target)
        durable.replace(study.path / PICTURE, picture.encode(), durable=False)
    except OSError as error:
        raise RunDirectoryError(
            f"{visible(study.path)}: the front can't be written ({visible(error.strerror or error)}); the runs are not "
            f"affected, and `tuitrain study resume {visible(study.name)}` writes it."
        ) from None
    presets = [{"preset": str(one.path), "judge": one.command} for one in found]
    return {"picture": str(study.path / PICTURE), "presets": presets}


def front_svg(found: Frontier, title: str, target: float | None = None) -> str:
    """The picture, a whole SVG file that fits a light page and a dark one; the axis of parameters is logarithmic.

    Args:
        found: the places, one at least.
        title: above it.
        target: accuracy in percent that is drawn across; None for none.
    """
    shown = in_sight(found)
    places = [*shown.mine, *shown.published]
    percents = [100 * place.accuracy for place in places] + ([] if target is None else [target])
    low, high, step = frame.grid_lines(min(percents), max(percents), _MOST_LINES, 0.01)
    high = min(high, max(100.0, *percents))
    sizes = [math.log10(place.parameters) for place in places]
    air = max(0.05 * (max(sizes) - min(sizes)), 0.05)
    left, right = min(sizes) - air, max(sizes) + air

    def x(parameters: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(parameters) - left) / (right - left)

    def y(percent: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (percent - low) / (high - low)

    def dots(points: Iterable[FrontierPoint], look: str, radius: int) -> list[str]:
        return [
            f'<circle class="{look}" cx="{x(p.parameters):.1f}" cy="{y(100 * p.accuracy):.1f}" r="{radius}">'
            f"<title>{safe(f'{p.name}: {p.parameters:,} parameters, {100 * p.accuracy:.2f} %')}</title></circle>"
            for p in points
        ]

    parts = frame.grid(low, high, step, y)
    parts += [
        f'<text class="middle" x="{x(size):.1f}" y="{BOTTOM + 18}">{size:,}</text>'
        for size in size_ticks(10**left, 10**right)
    ]
    parts += [f'<text class="end" x="{RIGHT}" y="{BOTTOM + 36}">parameters</text>', frame.percent_sign()]
    if target is not None:
        parts += frame.level(f"target {target:g} %", y(target))
    front = {place.run for place in shown.front}
    parts += dots(shown.published, "mark", 5)
    parts += dots((place for place in shown.mine if place.run not in front), "line train", 3)
    stairs = "".join(
        f"{'M' if not n else f'H{x(p.parameters):.1f}V'}"
        + (f"{x(p.parameters):.1f},{y(100 * p.accuracy):.1f}" if not n else f"{y(100 * p.accuracy):.1f}")
        for n, p in enumerate(shown.front)
    )
    parts.append(f'<path class="line here" d="{stairs}H{RIGHT}"/>' if stairs else "")
    parts += dots(shown.front, "mark here", 5)
    return frame.page(title, HEIGHT, [*parts, *_legend(shown)])


def size_ticks(low: float, high: float) -> list[int]:
    """Round numbers of parameters for an axis: 1, 2 and 5 of each power of ten."""
    found = [round(base * 10.0**power) for power in range(9) for base in (1, 2, 5)]
    return [size for size in found if low <= size <= high]


def _legend(shown: Frontier) -> Sequence[str]:
    items = [("mark here", "the front"), ("line train", "other networks")]
    items += [("mark", "published systems")] if shown.published else []
    out, at = [], LEFT
    for look, label in items:
        out.append(f'<circle class="{look}" cx="{at + 6}" cy="{BOTTOM + 54}" r="5"/>')
        out.append(f'<text x="{at + 18}" y="{BOTTOM + 54}" dy="4">{safe(label)}</text>')
        at += 38 + round(6.2 * len(label))
    out.append(f'<text x="{LEFT}" y="{BOTTOM + 36}">{safe(shown.judged_text())}</text>')
    return out
