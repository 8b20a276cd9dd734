"""Runs as Markdown: rows for a README or an issue, and the summary of a GitHub Actions job."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.words import accuracy, by_chance, plural, stands, took

if TYPE_CHECKING:
    from tuitrain.runs.history import History

#: The file whose Markdown GitHub shows on the page of a job.
SUMMARY = "GITHUB_STEP_SUMMARY"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@])")
_RIGHT = {"params", "best", "last", "≥target", "epochs", "took"}


def escaped(text: str) -> str:
    """Text that Markdown shows as it stands, in a cell of a table too."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are escaped, columns of figures right-aligned."""
    lines = [head, ["---:" if name in _RIGHT else "---" for name in head]]
    out = [f"| {' | '.join(map(escaped, head))} |", f"|{'|'.join(lines[1])}|"]
    out += [f"| {' | '.join(map(escaped, cells))} |" for cells in rows]
    return "\n".join(out) + "\n"


def result_text(result: History) -> str:
    """What a run came to: a heading, its figures, its challenge, and how to repeat it."""
    started, done, best = result.started, result.finished, result.best
    name = visible(started.name) if started else "a run"
    outcome = done.outcome if done else "unfinished"
    out = [f"### {stands(outcome)[0]} {escaped(name)}: {escaped(outcome.replace('_', ' '))}", ""]
    if done and done.message:
        out += [escaped(done.message), ""]
    if started and best:
        facts = [
            ("data set", started.dataset),
            ("parameters", f"{started.parameters:,}"),
            (f"best {started.judged_by} accuracy", f"{accuracy(best.test_acc)} in epoch {best.epoch}"),
            (f"last {started.judged_by} accuracy", accuracy(result.epochs[-1].test_acc)),
            ("trained", f"{plural(len(result.epochs), 'epoch')} in {took(done.seconds if done else None)}"),
            ("device", started.device_name or started.device),
            ("seed", str(started.seed)),
        ]
        worth = by_chance(best.test_acc, best.test_images, started.judged_by)
        out += [grid(("figure", "value"), facts), f"One run of one seed, {worth}.", ""]
    points = [
        ({True: "✓ met", False: "✗ missed", None: "open"}[p.met], p.point, p.wanted, p.got)
        for p in result.points()
    ]
    if points:
        out += [grid(("challenge", "point", "wanted", "got"), points)]
    if started and started.command:
        fence = "`" * (2 + max(map(len, re.findall("`+", started.command)), default=1))
        out += [f"{fence}sh", visible(started.command), fence, ""]
    return "\n".join(out) + "\n"


def append_summary(result: History) -> None:
    """Append the result to the job's summary, where there is one; what can't be written is said and no failure."""
    path = os.environ.get(SUMMARY)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(result_text(result))
    except (OSError, ValueError) as error:
        from tuitrain.cli.console import complain

        why = visible(getattr(error, "strerror", None) or error)
        complain(f"{SUMMARY}: {visible(path)} could not be written ({why}); the run is not affected.")
