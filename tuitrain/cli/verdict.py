"""The end of a run for people: verdict point by point, claims beside result, how to repeat it, where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.words import RICH_COLOURS, accuracy, by_chance, plural, stands, took

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuitrain.runs.history import History


def verdict(result: History, directory: Path) -> RenderableType:
    """All that is said when a run has ended."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from tuitrain.cli.show import checklist
    from tuitrain.runs.result import gap_and_wait

    started, done, best = result.started, result.finished, result.best
    parts: list[RenderableType] = [Text()]
    glyph, kind = stands(done.outcome if done else "")
    word = visible(done.outcome).replace("_", " ") if done else "unfinished"
    head = Text.assemble((f"{glyph} {word}", f"bold {RICH_COLOURS.get(kind, 'dim')}"))
    if started and done:
        epochs = plural(len(result.epochs), "epoch")
        own = result.user_network
        name = visible(started.name if own is None else f"{own} as {started.name}")
        head.append(f"  {name}, {epochs} in {took(done.seconds)} on {visible(started.device)}")
    parts.append(head)
    if done and done.message:
        parts.append(Text(visible(done.message)))
    if best and started:
        published = result.published
        claims = published.on(started.dataset) if published else None
        judged_alike = claims if started.judged_by == "test" else None
        last = result.epochs[-1]
        grid = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("", "here", "claimed"):
            grid.add_column(title, justify="left" if not title else "right")

        def row(name: str, here: str, claimed: float | None) -> None:
            grid.add_row(name, here, f"{claimed:.2f} %" if claimed else "–")

        judge = "test" if started.judged_by == "test" else "validation"
        row(
            f"best {judge} accuracy (epoch {best.epoch})",
            accuracy(best.test_acc),
            judged_alike.test_accuracy if judged_alike else None,
        )
        row(
            f"last {judge} accuracy",
            accuracy(last.test_acc),
            judged_alike.last_test_accuracy if judged_alike else None,
        )
        count = min(len(result.epochs), 5)
        row(f"mean of the last {plural(count, 'epoch')}", accuracy(result.last_mean), None)
        row(
            "best running train accuracy",
            accuracy(max(e.train_acc for e in result.epochs)),
            claims.train_accuracy if claims else None,
        )
        grid.add_row(
            "parameters",
            f"{started.parameters:,}",
            f"{claims.parameters:,}" if claims and claims.parameters else "–",
        )
        parts += [Text(), grid, Text(), Text(f"At the end {gap_and_wait(result.epochs, judge)}.")]
        if started.judged_by == "test":
            parts.append(
                Text(
                    "The best epoch was picked on the test set itself; hold out images with --val-split to avoid that.",
                    style="dim",
                )
            )
        worth = by_chance(best.test_acc, last.test_images, judge)
        parts.append(Text(f"One run of one seed, {worth}.", style="dim"))
        if published and published.figures and not claims:
            about = f"{visible(published.dataset)}; this run used {visible(started.dataset)}"
            parts.append(Text(f"The source's claims are about {about}.", style="dim"))
        parts.append(Text())
    parts += checklist(result.points())[:-1]
    if started and started.command:
        parts += [Text(), Text.assemble(("repeat  ", "bold"), visible(started.command))]
    parts.append(Text.assemble(("run     ", "bold"), visible(directory)))
    return Group(*parts)
