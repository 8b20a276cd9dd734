"""The end of a run as text: the challenge point by point, result and claims, the command to repeat it, its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import RICH_COLOURS, glyph_and_kind
from tuitrain.runs.report_files import REPORT

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuitrain.runs.history import History


def verdict_text(history: History, directory: Path) -> RenderableType:
    """The text at the end of a run."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from tuitrain.cli.show import checklist
    from tuitrain.tui.terminal.telling import linked
    from tuitrain.watch.verdict import verdict_of

    found, started = verdict_of(history), history.started
    seeds = _seeds_so_far(directory, history)
    glyph, kind = glyph_and_kind(history.outcome)
    word, _, rest = found.title.partition("  ")
    head = Text.assemble(
        (f"{glyph} {word}", f"bold {RICH_COLOURS.get(kind, 'dim')}"), f"  {rest}" if rest else ""
    )
    parts: list[RenderableType] = [Text(), head]
    if found.message:
        parts.append(Text(found.message))
    if found.figures:
        grid = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("", "here", "claimed") if found.claims_any else ("", "here"):
            grid.add_column(title, justify="left" if not title else "right")
        for figure in found.figures:
            grid.add_row(*(figure.label, figure.here, figure.claimed)[: len(grid.columns)])
        first, *worth = found.remarks
        parts += [Text(), grid, Text(), Text(first), *(Text(remark, style="dim") for remark in worth)]
        parts += [*([Text(seeds)] if seeds else []), Text()]
    parts += checklist(found.points, found.challenge)[:-1]
    if started and started.command:
        parts += [Text(), Text.assemble(("repeat  ", "bold"), visible(started.command))]
    parts.append(Text.assemble(("run     ", "bold"), linked(directory)))
    if (report := directory / REPORT).is_file():
        parts.append(Text.assemble(("report  ", "bold"), linked(report)))
    return Group(*parts)


def _seeds_so_far(directory: Path, history: History) -> str | None:
    """The mean of all seeds of this setting that are there, if there are others."""
    from tuitrain.errors import TuitrainError
    from tuitrain.runs.digests import setting_digest
    from tuitrain.runs.index import list_runs

    started, run = history.started, directory.absolute()
    if started is None or not history.has_result:
        return None
    try:
        setting = setting_digest(started)
        if all(one.setting != setting or one.seed == started.seed for one in list_runs(run.parent)):
            return None
        from tuitrain.study.sides import seeds_so_far  # numpy and scipy: only where there is something to say

        return seeds_so_far(run, started)
    except (TuitrainError, OSError):
        return None
