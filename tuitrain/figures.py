"""Numbers as text: percentages, durations, counts, sizes. Imports nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence

NA = "n/a"
LEVEL = 5e-5  # of accuracies, as fractions: less does not show in two digits of a percentage

#: For each way in which a run can stand a glyph and how good that is; the word beside them says the same.
_STANDS = {
    **dict.fromkeys(("live", "training", "compiling", "evaluating", "saving"), ("●", "live")),
    **dict.fromkeys(("done", "completed"), ("✓", "good")),
    **dict.fromkeys(("failed", "diverged", "out_of_memory"), ("✗", "bad")),
    **dict.fromkeys(("queued", "starting"), ("◌", "waiting")),
    "paused": ("‖", "warn"),
    "stopped": ("■", "warn"),
    **dict.fromkeys(("interrupted", "stalled", "locked", "later_version"), ("⚠", "warn")),
}
#: Rich's colour of each kind, on a terminal without one of tuitrain's themes.
RICH_COLOURS = {"live": "cyan", "good": "green", "warn": "yellow", "bad": "red"}


def glyph_and_kind(state: str) -> tuple[str, str]:
    """A glyph for a run's state or outcome, and its kind: live, good, warn, bad, waiting; `○` and dim for another."""
    return _STANDS.get(state, ("○", "dim"))


def percent_text(fraction: float | None, digits: int = 2) -> str:
    """`99.38` of 0.9938; `–` where there is no number."""
    if fraction is None or not math.isfinite(fraction):
        return "–"
    return f"{fraction * 100:.{digits}f}"


def accuracy_text(fraction: float | None) -> str:
    """`99.38 %` of 0.9938; `–` where there is no number."""
    text = percent_text(fraction)
    return text if text == "–" else f"{text} %"


def reaches_target(accuracy: float, target_percent: float) -> bool:
    """Whether a fraction reaches a target in percent; 0.994 reaches 99.4 whatever the binary rounding."""
    return accuracy * 100 >= target_percent - 1e-9


def points_text(difference: float) -> str:
    """A difference of fractions in percentage points, without its sign: `0.12`."""
    return f"{abs(difference) * 100:.2f}"


def signed_points_text(difference: float) -> str:
    """A difference of fractions in percentage points with its sign: `+0.12`, `−0.12`, `0.00`; `–` for none."""
    if not math.isfinite(difference):
        return "–"
    return "0.00" if abs(difference) < LEVEL else f"{'+' if difference > 0 else '−'}{points_text(difference)}"


def comparison_text(difference: float) -> str:
    """One accuracy compared with another: `ahead by 0.12`, `behind by 0.12`, `level`."""
    if abs(difference) < LEVEL:
        return "level"
    return f"{'ahead' if difference > 0 else 'behind'} by {points_text(difference)}"


def standard_error(accuracy: float, images: int) -> float:
    """Of an accuracy that so many images have shown, as a fraction: the binomial's.

    One image is taken to be wrong, and one right, where none was: 297 of 297 leaves a doubt too.
    """
    if images < 2:
        return 0.5
    right = min(max(accuracy * images, 1.0), images - 1.0)
    return math.sqrt(right / images * (1 - right / images) / images)


def chance_text(accuracy: float, images: int, judged_by: str = "test") -> str:
    """Which differences of accuracies may be luck: `judged by 297 test images (one is 0.34 points), ...`.

    These are two standard errors: about 95 % of the accuracies of a network lie within them.
    """
    doubt = 200 * standard_error(accuracy, images)
    return (
        f"judged by {images:,} {judged_by} images (one is {100 / max(images, 1):.2f} points), "
        f"a difference below about {doubt:.{2 if doubt < 1 else 1}f} points may be luck"
    )


def gap_text(train: float, judged: float, judge: str = "test") -> str:
    """Train accuracy compared with that of the judging set, in points: `train 0.42 above test`, `train level with test`.

    A train accuracy is taken while dropout and augmentation are on, so it is often the lower one; far above is overfitting.
    """
    if not (math.isfinite(train) and math.isfinite(judged)):
        return "–"
    if abs(train - judged) < LEVEL:
        return f"train level with {judge}"
    return f"train {points_text(train - judged)} {'above' if train > judged else 'below'} {judge}"


def wait_share_text(wait_s: float, train_s: float) -> str:
    """The share of training time that waited for images: `3 % of the time waits for images`, `less than 1 % of ...`."""
    share = 100 * min(1.0, max(0.0, wait_s) / train_s) if train_s > 0 else math.nan
    if not math.isfinite(share):
        return ""
    text = f"{share:.0f} %" if share == 0 or share >= 1 else "less than 1 %"
    return f"{text} of the time waits for images"


def duration_text(seconds: float | None) -> str:
    """`0:21`, `12:05`, `1:02:03`, `2 d 3 h`; `–` where there is no number."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole >= 48 * 3600:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def estimate_text(seconds: float) -> str:
    """An estimated duration, rounded: `about 40 s`, `about 2 min`, `about 1 h 30 min`."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds, -1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {max(1, minutes)} min"
    tens = round(seconds / 600) * 10
    hours, rest = divmod(tens, 60)
    if hours >= 48:
        return f"about {hours / 24:.0f} d"
    return f"about {hours} h" + (f" {rest} min" if rest else "")


def elapsed_text(seconds: float | None) -> str:
    """How long something took: as `duration_text`, but `3.2 s` below ten seconds."""
    return f"{seconds:.1f} s" if seconds is not None and 0 <= seconds < 10 else duration_text(seconds)


def waiting_text(seconds: float) -> str:
    """How long something has lasted so far: `12 s`, from two minutes on as `duration_text`."""
    return f"{seconds:.0f} s" if seconds < 120 else duration_text(seconds)


def activity_text(word: str, seconds: float | None) -> str:
    """What a run is doing, with the time where people wait for it to end: `compiling 12 s`, `stalled 63 s`."""
    return (
        f"{word} {waiting_text(seconds)}"
        if word in ("compiling", "stalled") and seconds is not None
        else word
    )


def loss_text(value: float | None) -> str:
    """Four digits of a loss, shorter where it is large; `not finite` where it is not."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"


def rate_text(value: float | None) -> str:
    """A learning rate: `0.019`, `1.9e-05`."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}"


def count_text(value: float | None) -> str:
    """`402,113`."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}"


def short_count_text(value: float) -> str:
    """`1.28 M`, `70.6 k`, `940`: three figures."""
    for limit, word in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit * 0.9995:
            part = value / limit
            return f"{part:.{2 if part < 10 else 1 if part < 100 else 0}f} {word}"
    return f"{value:.0f}"


def milliseconds_text(value: float | None) -> str:
    """`0.16`, `17.0`, `1,200`: three figures that matter."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def gigabytes_text(size: float | None, digits: int = 1) -> str:
    """Bytes in GB of 2^30; `n/a` where there is no number."""
    return NA if size is None else f"{size / 2**30:.{digits}f}"


def size_text(size: float) -> str:
    """Bytes in MB of a million, as torchinfo has them, or in kB where they are few: `0.35 MB`, `3.1 kB`."""
    return f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def shape_text(shape: Sequence[int], *, channels: bool = True) -> str:
    """An output shape: `10×28×28`, or without its channels `28×28`; a vector by its width."""
    return "×".join(str(side) for side in (shape if channels or len(shape) == 1 else shape[1:]))


def sparkline(values: Sequence[float], low: float = 0.0) -> str:
    """Values as blocks from `low` to the largest, those that are not finite as gaps; equal ones as a half."""
    known = [v for v in values if math.isfinite(v)]
    high = max(known, default=0.0)
    if not known or high <= low or min(known) == high:
        block = "▁" if high <= min(low, 0.0) else "▄"
        return "".join(block if math.isfinite(v) else " " for v in values)
    steps = ((v, max(0.0, v - low) / (high - low)) for v in values)
    return "".join("▁▂▃▄▅▆▇█"[round(up * 7)] if math.isfinite(v) else " " for v, up in steps)


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`, `23rd`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def plural(number: int, word: str) -> str:
    """`1 epoch`, `5 epochs`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
