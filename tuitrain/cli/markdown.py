"""Runs as Markdown: rows for a README or an issue, and the summary of a GitHub Actions job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import elapsed_text, glyph_and_kind, plural
from tuitrain.report.markdown import escaped, fenced, grid
from tuitrain.runs import wording

if TYPE_CHECKING:
    from tuitrain.runs.history import History

#: The file whose Markdown GitHub shows on the page of a job.
SUMMARY = "GITHUB_STEP_SUMMARY"


def result_text(history: History) -> str:
    """What a run came to: a heading, its figures, its challenge, and how to repeat it."""
    from tuitrain.watch.verdict import verdict_of

    found, started = verdict_of(history), history.started
    name = visible(started.name) if started else "a run"
    out = [
        f"### {glyph_and_kind(found.outcome)[0]} {escaped(name)}: {escaped(wording.state_text(found.outcome))}",
        "",
    ]
    if found.message:
        out += [escaped(found.message), ""]
    if started and found.figures:
        facts = [
            ("data set", started.dataset),
            *((figure.label, figure.here) for figure in found.figures),
            ("trained", f"{plural(len(history.epochs), 'epoch')} in {elapsed_text(history.seconds)}"),
            ("device", started.device_name or started.device),
            ("seed", str(started.seed)),
        ]
        out += [grid(("figure", "value"), facts, ("figure", "value")), *map(escaped, found.remarks), ""]
    points = [
        ({True: "✓ met", False: "✗ missed", None: "open"}[p.met], p.point, p.wanted, p.got)
        for p in found.points
    ]
    if points:
        head = ("challenge", "point", "wanted", "got")
        out += [escaped(found.challenge), "", grid(head, points, head)]
    if started and started.command:
        out.append(fenced(started.command, "sh"))
    return "\n".join(out) + "\n"


def append_summary(history: History) -> None:
    """Append the result to the job's summary, where there is one; what can't be written is said and no failure."""
    path = os.environ.get(SUMMARY)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(result_text(history))
    except (OSError, ValueError) as error:
        from tuitrain.cli.console import complain

        why = visible(getattr(error, "strerror", None) or error)
        complain(f"{SUMMARY}: {visible(path)} could not be written ({why}); the run is not affected.")
