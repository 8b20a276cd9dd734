"""The error over the training steps, with one or several learning rates."""

from __future__ import annotations

import math
import string

from tuitrain.lessons.lesson import Lesson
from tuitrain.tui.paint import axes
from tuitrain.tui.paint.axes import Curve, Pattern, Picture
from tuitrain.tui.paint.chart import Chart

#: Colours and patterns of other learning rates, neighbours differing in both.
LOOKS: tuple[tuple[str, Pattern], ...] = (
    ("good", "dash"), ("primary", "dot"), ("warn", "dashdot"), ("violet", "dash"), ("second", "dot"), ("good", "dot"),
    ("primary", "dash"), ("warn", "dot"), ("violet", "dashdot"),
)  # fmt: skip
OWN = "accent"


class ErrorChart(Chart):
    """Curves by training step, counted from 0, from an error of 0 on."""

    HELP_TITLE = "The error"
    HELP = "The error over the training steps. + and - zoom, shift with the arrows moves, r shows everything again."

    def _fit(self) -> None:
        span = max(1, self.picture.epochs - 1)
        air = span / max(8, self.size.width - self.margin_left)
        self.set_xlimits(1.0 - air / 2, 1.0 + span + air)
        low, high = self.picture.limits()
        if not self.picture.logarithmic:
            values = [
                v for curve in self.picture.curves for v in curve.values if v is not None and math.isfinite(v)
            ]
            low, high = 0.0, 1.06 * max(values, default=1.0) or 1.0
        self.set_ylimits(low, high)

    def _ticks_of_x(self, most: int) -> list[tuple[float, str]]:
        ticks = axes.scale("loss", False).ticks(self._x_min - 1, self._x_max - 1, most + 1)
        return [(at + 1, f"{at:.0f}") for at, _ in ticks if at >= 0 and abs(at - round(at)) < 1e-9]


def so_far(lesson: Lesson, *, logarithmic: bool) -> Picture:
    """The curve up to the training step, and behind it what is to come."""
    losses = lesson.losses()
    return Picture(
        (
            Curve("so far", tuple(losses[: lesson.step + 1]), OWN),
            Curve("to come", tuple(losses), "faint", "dot", "beside"),
        ),
        lesson.rows,
        "loss",
        None,
        logarithmic,
    )


def all_rates(lesson: Lesson, *, logarithmic: bool) -> Picture:
    """The curves of all learning rates, each with its letter, the lesson's own on top."""
    curves = [
        Curve(f"{lr:g}", tuple(lesson.losses(lr)), style, pattern, "own", letter)
        for letter, lr, (style, pattern) in zip(
            string.ascii_lowercase, lesson.sheet.learning_rates, looks(lesson), strict=False
        )
    ]
    return Picture(tuple(curves), lesson.rows, "loss", None, logarithmic, lesson.step + 1)


def looks(lesson: Lesson) -> list[tuple[str, Pattern]]:
    """Style and pattern of the curve of each learning rate."""
    others = len(lesson.sheet.learning_rates) - 1
    return [(OWN, "solid"), *(LOOKS[at % len(LOOKS)] for at in range(others))]
