"""How numbers read on a screen: percentages, durations, counts. No textual."""

from __future__ import annotations

import math

NA = "n/a"
LEVEL = 5e-5  # of accuracies, as fractions: less does not show in two digits of a percentage


def percent(fraction: float | None, digits: int = 2) -> str:
    """`99.38` of 0.9938; `–` where there is no number."""
    if fraction is None or not math.isfinite(fraction):
        return "–"
    return f"{fraction * 100:.{digits}f}"


def points(difference: float) -> str:
    """A difference of fractions in percentage points, without its sign: `0.12`."""
    return f"{abs(difference) * 100:.2f}"


def beside(difference: float) -> str:
    """How one accuracy stands to another: `ahead by 0.12`, `behind by 0.12`, `level`."""
    if abs(difference) < LEVEL:
        return "level"
    return f"{'ahead' if difference > 0 else 'behind'} by {points(difference)}"


def duration(seconds: float | None) -> str:
    """`0:21`, `12:05`, `1:02:03`, `2 d 3 h`; `–` where there is no number."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole >= 48 * 3600:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def loss(value: float | None) -> str:
    """Four digits of a loss, shorter where it is large; `not finite` where it is not."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"


def rate(value: float | None) -> str:
    """A learning rate: `0.019`, `1.9e-05`."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}"


def count(value: float | None) -> str:
    """`402,113`."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}"


def milliseconds(value: float | None) -> str:
    """`0.16`, `17.0`, `1,200`: three figures that matter."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def gigabytes(size: float | None, digits: int = 1) -> str:
    """Bytes in GB of 2^30; `n/a` where there is no number."""
    return NA if size is None else f"{size / 2**30:.{digits}f}"


def plural(number: int, word: str) -> str:
    """`1 epoch`, `5 epochs`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
