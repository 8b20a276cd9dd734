"""A study on a page, and where its kinds (seeds, duel, reproduction, sweep, search) are told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import ExitCode, UsageError, visible
from tuitrain.figures import accuracy_text
from tuitrain.study.kinds import verdict_lines

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from tuitrain.study.plan import Plan
    from tuitrain.study.reading import StudyReader
    from tuitrain.watch.group import Group


def is_decided(plan: Plan, reader: StudyReader) -> bool:
    """Whether no more members are to be trained."""
    if plan.kind != "duel":
        return False
    from tuitrain.study.duel import duel_of

    return duel_of(plan, reader.groups()).decided


def final_code(plan: Plan, groups: Sequence[Group], code: int) -> int:
    """The exit code: a duel whose B is not better has one of its own."""
    if plan.kind != "duel" or code != ExitCode.DONE:
        return code
    from tuitrain.stats.sequential import Outcome
    from tuitrain.study.duel import duel_of

    better = duel_of(plan, groups).outcome is Outcome.BETTER
    return ExitCode.DONE if better else ExitCode.REQUIREMENT


def study_markdown(plan: Plan, groups: Sequence[Group]) -> str:
    """Its table as Markdown.

    Raises:
        UsageError: a study of this kind has none.
    """
    if plan.kind != "reproduction":
        raise UsageError("--markdown is for a reproduction; use --json.")
    from tuitrain.cli.reproduction_text import reproduction_markdown
    from tuitrain.study.reproduction import reproductions

    return reproduction_markdown(reproductions(plan, groups))


def _main_table(plan: Plan, groups: Sequence[Group]) -> RenderableType:
    match plan.kind:
        case "reproduction":
            from tuitrain.cli.reproduction_text import ReproductionTable
            from tuitrain.study.reproduction import reproductions

            return ReproductionTable(reproductions(plan, groups))
        case "sweep":
            from tuitrain.cli.leaderboard_text import leaderboard_picture
            from tuitrain.study.grid import leaderboard_of

            return leaderboard_picture(leaderboard_of(plan, groups))
        case "search":
            from tuitrain.cli.console import stderr
            from tuitrain.cli.search_text import search_picture
            from tuitrain.study.search_result import board_of

            return search_picture(board_of(plan, groups), stderr().width)
        case _:
            return figure_table(groups)


def study_text(plan: Plan, groups: Sequence[Group], path: Path) -> RenderableType:
    """A study on a page: what it came to, its figures and sentences, and the command that repeats it."""
    from rich.console import Group as Stack
    from rich.text import Text

    from tuitrain.watch.group import group_lines, missing_lines

    parts: list[RenderableType] = [Text()]
    if len(groups) == 1 and plan.kind not in ("reproduction", "search"):
        first, *rest = group_lines(groups[0])
        parts += [Text.assemble((visible(groups[0].label), "bold")), Text(first), *_dim(rest)]
    else:
        parts += [_main_table(plan, groups), Text()]
        lines = verdict_lines(plan, groups)
        parts += [Text(line, style="" if index else "bold") for index, line in enumerate(lines)]
        for group in groups:
            if group.diverged or group.failed or plan.kind == "duel":
                parts += _dim(_named(group, line) for line in missing_lines(group))
    parts.append(Text())
    if plan.command:
        parts.append(Text.assemble(("repeat  ", "bold"), visible(plan.command)))
    if plan.kind == "search" and (command := _judge_command(plan, groups, path)):
        parts.append(Text.assemble(("judge   ", "bold"), visible(command)))
    if (plan.to_come or any(group.to_go for group in groups)) and plan.kind != "duel":
        parts.append(Text.assemble(("go on   ", "bold"), f"tuitrain study resume {visible(path.name)}"))
    parts.append(Text.assemble(("study   ", "bold"), visible(path)))
    return Stack(*parts)


def _judge_command(plan: Plan, groups: Sequence[Group], path: Path) -> str:
    from tuitrain.cli.search_text import judge_command
    from tuitrain.study.search_result import board_of

    return judge_command(plan, board_of(plan, groups), path)


def _named(group: Group, line: str) -> str:
    return f"{visible(group.label)}: {line[0].lower()}{line[1:]}"


def _dim(lines: Iterable[str]) -> list[RenderableType]:
    from rich.text import Text

    return [Text(line, style="dim") for line in lines]


def figure_table(groups: Sequence[Group], settings: Sequence[tuple[str, ...]] = ()) -> Table:
    """The figures of several groups side by side, below the settings that differ."""
    from rich.table import Table

    from tuitrain.watch.evidence import figure_rows

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for group in groups:
        table.add_column(visible(group.label), justify="right")
    for label, *values in settings:
        table.add_row(visible(label), *map(visible, values), style="bold")
    for label, *values in figure_rows(*groups):
        table.add_row(label, *values)
    return table


def members_table(groups: Sequence[Group]) -> Table:
    """Every run of the groups, a line each."""
    from rich.table import Table

    from tuitrain.figures import glyph_and_kind
    from tuitrain.runs import wording

    table = Table(box=None, pad_edge=False, header_style="dim")
    titles = (
        "state",
        *(("setting",) if len(groups) > 1 else ()),
        "seed",
        "epochs",
        "last",
        "best",
        "differs on",
        "run",
    )
    for title in titles:
        table.add_column(title, justify="left" if title in ("state", "setting", "run") else "right")
    for group in groups:
        for run in group.runs:
            differ = group.disagreement_of(run)
            label = (visible(group.label),) if len(groups) > 1 else ()
            table.add_row(
                f"{glyph_and_kind(run.state)[0]} {wording.state_text(run.state)}", *label, str(run.seed),
                str(len(run.history.epochs)), accuracy_text(run.accuracy), accuracy_text(run.best),
                "–" if differ is None else f"{differ:.0f}", visible(run.run),
            )  # fmt: skip
    return table
