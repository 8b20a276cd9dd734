"""What stays in the scrollback when the app was left: five lines on the latest run, one on each other."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.tui.words import count, duration, percent

if TYPE_CHECKING:
    from rich.text import Text

    from tuitrain.runs.result import RunResult
    from tuitrain.tui.sessions import Entry, SessionManager

OUTCOMES = {
    "completed": ("✓", "done", "green"),
    "stopped": ("■", "stopped", "yellow"),
    "diverged": ("✗", "diverged", "red"),
    "out_of_memory": ("✗", "out of memory", "red"),
    "failed": ("✗", "failed", "red"),
}


def summary_lines(manager: SessionManager, *, detached: bool) -> list[Text]:
    """The lines, newest run first; none when nothing was trained."""
    from rich.text import Text

    begun = [entry for entry in manager.entries if entry.session is not None or entry.error]
    lines: list[Text] = []
    if begun:
        lines += _full(begun[-1], detached)
        lines += [_short(entry) for entry in reversed(begun[:-1])][:5]
    waiting = manager.waiting()
    if detached and waiting:
        lines.append(Text(f"{len(waiting)} more in the queue, trained one after the other"))
    return lines


def _result(entry: Entry) -> RunResult:
    from tuitrain.runs.result import RunResult

    records: Iterable[object] = list(entry.session.records) if entry.session is not None else ()
    return RunResult.of(records)  # type: ignore[arg-type]


def _head(entry: Entry, result: RunResult) -> Text:
    from rich.text import Text

    done = result.finished
    if done is not None:
        glyph, word, style = OUTCOMES.get(done.outcome, ("?", done.outcome, ""))
    elif entry.error:
        glyph, word, style = "✗", "not started", "red"
    else:
        glyph, word, style = "●", "training", "cyan"
    return Text.assemble((f"{glyph} {word}", f"bold {style}"), f"  {entry.title}")


def _full(entry: Entry, detached: bool) -> list[Text]:
    from rich.text import Text

    result = _result(entry)
    head, started, best = _head(entry, result), result.started, result.best
    if entry.session is None:
        return [head, Text(f"  {entry.error}")]
    planned = f" of {started.epochs}" if started else ""
    lines = [head]
    if best is not None:
        target = entry.preset.challenge.target_accuracy
        text = f"  best {percent(best.test_acc)} % in epoch {best.epoch}, last {percent(result.history[-1].test_acc)} %"
        if target is not None:
            reached = result.epochs_at(target)
            text += f", target {target:.2f} %: " + (
                f"first in epoch {reached[0]}" if reached else "not reached"
            )
        lines.append(Text(text))
    else:
        lines.append(Text("  no epoch finished yet"))
    if started is not None:
        seconds = result.finished.seconds if result.finished else (best.elapsed_s if best else None)
        lines.append(
            Text(
                f"  {len(result.history)}{planned} epochs in {duration(seconds)} on {visible(started.device)}, "
                f"seed {entry.preset.train.seed}, {count(started.parameters)} parameters"
            )
        )
    directory = entry.session.directory
    lines.append(Text(f"  {visible(directory.path)}"))
    lines.append(_next(entry, result, detached))
    return lines


def _next(entry: Entry, result: RunResult, detached: bool) -> Text:
    from rich.text import Text

    name = visible(entry.directory.name.rpartition("_")[2]) if entry.directory is not None else "latest"
    if result.finished is None and detached:
        return Text(f"  goes on without a screen; come back with: tuitrain attach {name}", style="bold")
    if result.finished is not None and result.finished.outcome == "stopped":
        return Text(f"  go on with: tuitrain resume {name}", style="bold")
    return Text(f"  look at it again with: tuitrain attach {name}", style="bold")


def _short(entry: Entry) -> Text:
    result = _result(entry)
    line = _head(entry, result)
    if result.best is not None:
        line.append(f"  best {percent(result.best.test_acc)} %")
    if entry.session is not None:
        line.append(f"  {visible(entry.session.directory.name)}", "dim")
    return line


def print_summary(manager: SessionManager, fd: int, *, detached: bool, ascii_only: bool) -> None:
    """Print the lines on a terminal; plain with NO_COLOR.

    Raises:
        OSError: the terminal is gone.
    """
    from rich.console import Console

    lines = summary_lines(manager, detached=detached)
    if not lines:
        return
    with os.fdopen(os.dup(fd), "w", encoding="utf-8", errors="replace") as file:
        console = Console(file=file, force_terminal=True, highlight=False, markup=False, soft_wrap=True)
        for line in lines:
            if ascii_only:
                from tuitrain.tui.filters import to_ascii

                line.plain = to_ascii(line.plain)
            console.print(line)
