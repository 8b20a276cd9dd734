"""The picture of a reproduction: the published curve over the band of our seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tuitrain.errors import TuitrainError, visible
from tuitrain.figures import plural
from tuitrain.report.curves import Chart, Line, Mark, svg
from tuitrain.runs.names import safe_name
from tuitrain.watch.reproduction import Reproduction, curve_title, mark_label


def reproduction_chart(found: Reproduction) -> Chart:
    """What its picture shows; without a band where one seed has ended."""
    source, band = found.source, found.group.band
    seeds = plural(len(found.group.ended), "seed")
    mean = tuple(point.mean for point in band)
    several = len(found.group.ended) > 1
    lines = [Line(f"mean of {seeds}" if several else "one seed here", mean)] if mean else []
    if source.curve:
        lines.append(Line("published run", source.curve, "there"))
    target = found.group.target
    levels = [] if target is None else [(f"target {target:g} %", target / 100)]
    claim, epoch = source.best, source.best_epoch
    if claim is None:
        claim, epoch = source.last, found.preset.train.epochs
    marks = []
    if claim is not None and epoch is not None:
        marks.append(Mark(mark_label(found), epoch, claim))
    elif claim is not None:  # its log never reaches it
        levels.append((mark_label(found), claim))
    return Chart(
        curve_title(found), band if several else (), f"lowest to highest of {seeds}", tuple(lines), tuple(levels), tuple(marks),
        found.preset.train.epochs,
    )  # fmt: skip


def write_curves(folder: Path, found: Sequence[Reproduction]) -> list[Path]:
    """Writes the picture of each that has a finished seed, called after its label; returns the files.

    Raises:
        TuitrainError: the folder can't be written.
    """
    out: list[Path] = []
    try:
        for one in found:
            if not one.group.ended:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{safe_name(one.group.label)}.svg"
            path.write_text(svg(reproduction_chart(one)), "utf-8")
            out.append(path)
    except OSError as error:
        raise TuitrainError(
            f"{visible(folder)}: the curves can't be written ({visible(error.strerror)}); the runs are not affected."
        ) from None
    return out
