"""The report of a study: the figures of each setting, their bands over the epochs, and what they show together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, elapsed_text, glyph_and_kind, plural
from tuitrain.report.curves import Chart, Line, Look, svg
from tuitrain.report.document import (
    Block,
    Code,
    Document,
    Facts,
    Heading,
    Paragraph,
    Picture,
    Table,
    Tile,
    Tiles,
)
from tuitrain.runs import wording
from tuitrain.watch.evidence import figure_rows
from tuitrain.watch.ghosts import published_run
from tuitrain.watch.group import Group, Share, group_lines, interval_text, mean_text, sd_text

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan

#: Of so many settings each has a picture of its band; of so many all means are in one more.
_MOST_BANDS = 8
_LOOKS: tuple[Look, ...] = ("here", "there", "third", "fourth", "fifth", "train")
_KINDS = {"seeds": "Seeds of", "duel": "Duel:", "reproduction": "Reproduction of", "sweep": "Sweep of"}


def study_report(
    plan: Plan,
    groups: Sequence[Group],
    lines: Sequence[str],
    board: tuple[tuple[str, ...], list[tuple[str, ...]]] | None = None,
) -> Document:
    """The report of a study, finished or so far.

    Args:
        plan: of the study.
        groups: of its settings, as they stand.
        lines: what is said of all groups together, the finding first; none of a study of one setting.
        board: titles and rows of a table of all settings, where its kind has one.
    """
    blocks: list[Block] = []
    if len(groups) == 1 and not lines:
        lines = group_lines(groups[0])
    blocks.append(Tiles(_tiles(groups)))
    blocks += [Heading("Result"), *(Paragraph(line, emphasis=not n) for n, line in enumerate(lines))]
    shown = [group for group in _ranked(groups) if group.band]
    if 1 < len(shown) <= len(_LOOKS):
        blocks.append(_means(shown))
    pictures = len(shown[:_MOST_BANDS])
    blocks += [_band(group, n if pictures > 1 else 0) for n, group in enumerate(shown[:_MOST_BANDS], 1)]
    if board is not None:
        blocks += [Heading("Settings"), Table(*_board(board))]
    elif len(groups) > 1 or groups[0].ended:
        blocks += [Heading("Figures"), _figures(groups)]
    if len(groups) > 1:
        blocks += [
            Heading("Each setting"),
            Facts(tuple((group.label, " ".join(group_lines(group))) for group in groups)),
        ]
    blocks += [Heading("Runs"), _members(groups)]
    if plan.command:
        blocks += [Heading("How to repeat it"), Code(plan.command)]
    title = f"{_KINDS[plan.kind]} {_subject(groups)}"
    done, total = (
        sum(len(of) for of in each) for each in ([g.ended for g in groups], [g.runs for g in groups])
    )
    badge = f"✓ {plural(total, 'run')}" if done == total else f"{done} of {plural(total, 'run')} finished"
    return Document(title, badge, "good" if done == total else "warn", _lead(plan, groups), tuple(blocks))


def _board(
    board: tuple[tuple[str, ...], list[tuple[str, ...]]],
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[str, ...]]:
    titles, rows = board
    return tuple(titles), tuple(rows), tuple(titles[:2])


def _subject(groups: Sequence[Group]) -> str:
    labels = [visible(group.label) for group in groups]
    if len(labels) == 2:
        return " against ".join(labels)
    return labels[0] if len(labels) == 1 else f"{len(labels)} settings"


def _lead(plan: Plan, groups: Sequence[Group]) -> str:
    started = next(
        (run.history.started for group in groups for run in group.runs if run.history.started is not None),
        None,
    )
    data = f" on {visible(started.dataset)}" if started is not None else ""
    device = f", {visible(started.device_name or started.device)}" if started is not None else ""
    took = elapsed_text(sum(run.history.seconds for group in groups for run in group.runs))
    settings, seeds = plural(len(groups), "setting"), plural(len(plan.seeds), "seed")
    return f"Study {visible(plan.name)}: {settings} with {seeds} each{data}, {took} of training{device}."


def _ranked(groups: Sequence[Group]) -> list[Group]:
    """The best mean first where there are many; two stay in their order."""
    if len(groups) <= 2:
        return list(groups)
    return sorted(groups, key=lambda group: -1.0 if group.mean is None else group.mean.value, reverse=True)


def _tiles(groups: Sequence[Group]) -> tuple[Tile, ...]:
    if len(groups) == 2:
        return tuple(_mean_tile(group, visible(group.label)) for group in groups)
    first = _ranked(groups)[0]
    several = len(groups) > 1
    tiles = [_mean_tile(first, f"best mean: {visible(first.label)}" if several else "mean of the last epoch")]
    if first.spread is not None:
        tiles.append(Tile("between seeds", sd_text(first), f"noise floor {100 * first.spread.floor:.2f}"))
    if (share := first.at_target("end")) is not None:
        kind = "good" if share.count == share.of else "bad" if not share.count else "warn"
        tiles.append(
            Tile(
                f"at {first.target:g} % at the end",
                f"{share.count} of {share.of}",
                f"of all seeds {_percents(share)}",
                kind,
            )
        )
    if (ends := first.extremes) is not None:
        worst, best = ends
        tiles.append(Tile("worst to best", f"{accuracy_text(worst.accuracy)[:-2]} to {accuracy_text(best.accuracy)}",
                          f"seeds {worst.seed} and {best.seed}"))  # fmt: skip
    return tuple(tiles)


def _percents(share: Share) -> str:
    return f"{share.interval.low * 100:.0f} to {share.interval.high * 100:.0f} %"


def _mean_tile(group: Group, label: str) -> Tile:
    if group.mean is None:
        return Tile(label, "–", mean_text(group))
    note = f"95 %: {interval_text(group.mean.interval())}" if len(group.accuracies) > 1 else "one seed"
    return Tile(label, accuracy_text(group.mean.value), note)


def _band(group: Group, number: int) -> Picture:
    """The band of a group, with the published curve where there is one."""
    band = group.band
    several = len(group.runs) > 1 and max((point.seeds for point in band), default=0) > 1
    started = next((run.history.started for run in group.runs if run.history.started is not None), None)
    log = published_run(started) if started is not None else None
    seeds = plural(max(point.seeds for point in band), "seed")
    lines = [Line(f"mean of {seeds}" if several else "one seed", tuple(point.mean for point in band))]
    if log is not None and any(value is not None for value in log.test_acc):
        lines.insert(0, Line("published run", tuple(log.test_acc), "there"))
    levels = () if group.target is None else ((f"target {group.target:g} %", group.target / 100),)
    chart = Chart(visible(group.label), band if several else (), "lowest to highest", tuple(lines), levels)
    name = f"band-{number}.svg" if number else "band.svg"
    return Picture(name, svg(chart), f"Accuracy over the epochs of {visible(group.label)}")


def _means(groups: Sequence[Group]) -> Picture:
    lines = [
        Line(visible(group.label), tuple(point.mean for point in group.band), look)
        for look, group in zip(_LOOKS, groups, strict=False)
    ]
    return Picture(
        "means.svg",
        svg(Chart("Means over the epochs", lines=tuple(lines))),
        "The mean of each setting over the epochs",
    )


def _figures(groups: Sequence[Group]) -> Table:
    rows = tuple((row[0].strip(), *row[1:]) for row in figure_rows(*groups))
    return Table(("", *(group.label for group in groups)), rows, ("",), strong=frozenset({1}))


def _members(groups: Sequence[Group]) -> Table:
    """Every run, a line each."""
    several = len(groups) > 1
    head = (
        "state",
        *(("setting",) if several else ()),
        "seed",
        "epochs",
        "last",
        "best",
        "in epoch",
        "took",
        "run",
    )
    rows = []
    for group in groups:
        for run in group.runs:
            best = run.history.best
            rows.append((
                f"{glyph_and_kind(run.state)[0]} {wording.state_text(run.state)}", *((group.label,) if several else ()),
                str(run.seed), str(len(run.history.epochs)), accuracy_text(run.accuracy), accuracy_text(run.best),
                str(best.epoch) if best is not None else "–", elapsed_text(run.history.seconds), run.run,
            ))  # fmt: skip
    return Table(head, tuple(rows), ("state", "setting", "run"))
