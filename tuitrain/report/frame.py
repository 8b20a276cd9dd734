"""What all our SVG pictures share: the page with its title and colours, lines across a plot, texts that are safe."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from tuitrain.errors import visible

WIDTH, HEIGHT = 640, 360
#: The place of the plot in a picture.
LEFT, RIGHT, TOP, BOTTOM = 58, 622, 40, 292

#: What is drawn in which colour: on a light page, on a dark one. Plain rules, as not every viewer knows CSS variables.
_COLOURS = {
    "text": ("fill", "#59636e", "#9198a1"),
    ".title": ("fill", "#1f2328", "#f0f6fc"),
    ".page": ("fill", "#ffffff", "#0d1117"),
    ".grid": ("stroke", "#d1d9e0", "#3d444d"),
    ".level": ("stroke", "#1f2328", "#f0f6fc"),
    ".band": ("fill", "#0969da", "#4493f8"),
    ".mark": ("stroke", "#bc4c00", "#f0883e"),
    ".here": ("stroke", "#0969da", "#4493f8"),
    ".there": ("stroke", "#bc4c00", "#f0883e"),
    ".train": ("stroke", "#8c959f", "#6e7681"),
    ".third": ("stroke", "#1a7f37", "#3fb950"),
    ".fourth": ("stroke", "#8250df", "#ab7df8"),
    ".fifth": ("stroke", "#bf3989", "#db61a2"),
}
_STYLE = """text { font: 12px system-ui, sans-serif; }
.title { font-size: 14px; font-weight: 600; }
.grid, .level { stroke-width: 1; }
.level { stroke-dasharray: 6 4; }
.band { fill-opacity: 0.2; }
.line, .mark { fill: none; stroke-width: 2; stroke-linejoin: round; }
.dot { stroke-width: 5; stroke-linecap: round; }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
"""


def style() -> str:
    """The looks that all our pictures share, for a `<style>` element."""
    light, dark = (
        "\n".join(f"{what} {{ {key}: {colours[n]}; }}" for what, (key, *colours) in _COLOURS.items())
        for n in (0, 1)
    )
    return f"{_STYLE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


def page(
    title: str,
    height: float,
    parts: Sequence[str],
    looks: str = "",
    left: int = LEFT,
    width: float | None = None,
) -> str:
    """A whole SVG file that fits a light page and a dark one, as the reader has set.

    Args:
        title: above the picture.
        height: of the picture.
        parts: elements below the title; empty ones are left out.
        looks: CSS of the picture's own.
        left: where the title begins.
        width: of a picture that keeps its size; others are `WIDTH` wide and grow with the page.
    """
    size = "" if width is None else f' width="{width:g}" height="{height:g}"'
    wide = WIDTH if width is None else width
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {height:g}"{size} role="img">',
        f"<title>{safe(title)}</title>",
        f"<style>\n{style()}\n{looks}</style>",
        f'<rect class="page" width="{wide:g}" height="{height:g}" rx="6"/>',
        f'<text class="title" x="{left}" y="24">{safe(title)}</text>',
        *filter(None, parts),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def safe(text: str) -> str:
    """Any text as part of a picture."""
    return escape(visible(text))


def grid_lines(low: float, high: float, most: int, least: float) -> tuple[float, float, float]:
    """The lowest line of a grid around two values, the highest, and what lies between two: 1, 2 or 5 of some decimal.

    Args:
        low, high: finite.
        most: how many lines there may be.
        least: what lies between two at least.
    """
    steps = (number * 10.0**power for power in range(-3, 300) for number in (1, 2, 5))
    step = next(step for step in steps if step >= least * 0.999 and (high - low) / step <= most - 2)
    bottom, top = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if bottom == top:
        bottom -= 1
    return bottom * step, top * step, step


def grid(low: float, high: float, step: float, y: Callable[[float], float]) -> list[str]:
    """Lines across the plot with their values at its left; `y` is the place of a value."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    out = []
    for n in range(round((high - low) / step) + 1):
        at = low + n * step
        out.append(_across("grid", y(at)))
        out.append(f'<text class="end" x="{LEFT - 8}" y="{y(at):.1f}" dy="4">{at:.{digits}f}</text>')
    return out


def percent_sign() -> str:
    """Above the values of a grid."""
    return f'<text class="end" x="{LEFT - 8}" y="24">%</text>'


def level(label: str, y: float, *, at_right: bool = False) -> list[str]:
    """A line across with its label at one end."""
    at = y - 5 if y > TOP + 12 else y + 14  # not into the title
    where = f'class="end" x="{RIGHT - 6}"' if at_right else f'x="{LEFT + 6}"'
    return [_across("level", y), f'<text {where} y="{at:.1f}">{safe(label)}</text>']


def _across(look: str, y: float) -> str:
    return f'<line class="{look}" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
