"""The list of runs as a table, for the terminal and for Markdown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, activity_text, elapsed_text, glyph_and_kind

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary

COLUMNS = (
    "state", "run", "preset", "dataset", "params", "best", "last", "≥target", "epochs", "when", "took", "tags",
)  # fmt: skip
RIGHT = {"params", "best", "last", "≥target", "epochs", "took"}
#: Left out in this order on a terminal that is too narrow; a pipe gets all.
_DROPPABLE = ("tags", "dataset", "≥target", "preset", "when", "took", "epochs", "params")


def state_with_glyph(summary: RunSummary) -> str:
    """A run's state with its glyph, and with the time where it compiles or stands still."""
    from tuitrain.runs import wording

    return f"{glyph_and_kind(summary.activity)[0]} {activity_text(wording.state_text(summary.activity), summary.activity_s)}"


def run_cells(summary: RunSummary) -> dict[str, str]:
    """A run's cells by column."""
    target = "–" if summary.epochs_at_target is None else str(summary.epochs_at_target)
    of = f"{summary.epochs}/{summary.epochs_planned}" if summary.epochs_planned else str(summary.epochs)
    return {
        "state": state_with_glyph(summary),
        "run": visible(summary.run),
        "preset": visible(summary.preset) or "–",
        "dataset": visible(summary.dataset) or "–",
        "params": f"{summary.parameters:,}" if summary.parameters else "–",
        "best": accuracy_text(summary.best),
        "last": accuracy_text(summary.last),
        "≥target": target,
        "epochs": of,
        "when": date_text(summary.when),
        "took": elapsed_text(summary.seconds) if summary.seconds else "–",
        "tags": " ".join(f"#{visible(tag)}" for tag in summary.tags),
    }


def date_text(seconds: float) -> str:
    """`14:02` today, else the date."""
    try:
        then, today = time.localtime(seconds), time.localtime()
    except (OverflowError, ValueError, OSError):
        return "–"
    same_day = then[:3] == today[:3]
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d", then)


def run_table(rows: Sequence[dict[str, str]], width: int | None) -> list[str]:
    """The rows in columns as wide as they need; columns are left out until they fit the width."""
    from rich.cells import cell_len, set_cell_size

    columns = [name for name in COLUMNS if name != "tags" or any(cells["tags"] for cells in rows)]
    sizes = {name: max(cell_len(name), *(cell_len(cells[name]) for cells in rows)) for name in columns}
    for name in _DROPPABLE:
        if width is None or sum(sizes[c] for c in columns) + 2 * (len(columns) - 1) <= width:
            break
        columns = [c for c in columns if c != name]
    lines = []
    for cells in [{name: name for name in columns}, *rows]:
        parts = []
        for name in columns:
            text, size = cells[name], sizes[name]
            pad = " " * (size - cell_len(text))
            parts.append(pad + text if name in RIGHT else text + pad)
        line = "  ".join(parts).rstrip()
        lines.append(set_cell_size(line, width).rstrip() if width and cell_len(line) > width else line)
    return lines
