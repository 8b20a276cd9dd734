"""`tuitrain study`: list, show, continue and forget studies."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stderr, stdout
from tuitrain.cli.machine_options import Jobs, On, Together
from tuitrain.cli.session import Plain, Quiet
from tuitrain.cli.study_train import finish_study, train_study
from tuitrain.errors import UsageError, visible
from tuitrain.figures import accuracy_text

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan
    from tuitrain.study.store import StudyDirectory
    from tuitrain.watch.group import Group

study_app = typer.Typer(
    help="List, show, continue and forget studies: groups of runs.", invoke_without_command=True
)

StudyName = Annotated[
    str, typer.Argument(help="A study: its name, a unique part of it, or latest.", show_default=False)
]


@study_app.callback()
def studies(ctx: typer.Context, runs_dir: options.RunsDir = None, json: options.Json = False) -> None:
    """List the studies, the newest first."""
    if ctx.invoked_subcommand:
        options.refuse_flags_before_command(ctx)
        return
    from tuitrain.errors import TuitrainError
    from tuitrain.study.store import list_studies

    folder = config.runs_dir(runs_dir)
    rows: list[dict[str, Any]] = []
    for study in list_studies(folder):
        try:
            plan = study.plan()
        except TuitrainError as error:
            rows.append({"study": study.name, "error": str(error), "began": 0.0})
            continue
        groups = _groups(study, plan)
        rows.append({
            "study": study.name, "kind": plan.kind, "state": "live" if study.is_held() else _state(plan, groups),
            "settings": [group.label for group in groups], "runs": sum(len(group.runs) for group in groups),
            "finished": sum(len(group.ended) for group in groups), "began": plan.began,
            "mean_last_test_accuracy": [group.mean.value if group.mean else None for group in groups],
        })  # fmt: skip
    rows.sort(key=lambda row: (row["began"], row["study"]), reverse=True)
    if json:
        emit_json(rows)
        return
    if not rows:
        stderr().print(f"no studies in {visible(folder)}; start one with `tuitrain run --seeds 8`")
        return
    _print_studies(rows)


def _state(plan: Plan, groups: Sequence[Group]) -> str:
    return "stopped" if plan.to_come or any(group.to_go for group in groups) else "done"


def _print_studies(rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    from tuitrain.cli.run_table import date_text
    from tuitrain.figures import glyph_and_kind
    from tuitrain.runs import wording

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("state", "study", "settings", "finished", "mean last", "when"):
        right = title in ("finished", "mean last", "when")
        table.add_column(
            title, justify="right" if right else "left", no_wrap=title in ("state", "study", "when")
        )
    for row in rows:
        if "error" in row:
            table.add_row("⚠ unreadable", visible(row["study"]), "", "", "", "")
            continue
        means = ", ".join(accuracy_text(mean) for mean in row["mean_last_test_accuracy"][:3])
        settings = ", ".join(visible(label) for label in row["settings"][:3])
        table.add_row(
            f"{glyph_and_kind(row['state'])[0]} {wording.state_text(row['state'])}", visible(row["study"]), settings,
            f"{row['finished']}/{row['runs']}", means, date_text(row["began"]),
        )  # fmt: skip
    stdout().print(table, soft_wrap=True)


def _groups(study: StudyDirectory, plan: Plan) -> list[Group]:
    from tuitrain.study.reading import StudyReader

    return StudyReader(study.runs_dir, plan).groups()


@study_app.command()
def show(study: StudyName, runs_dir: options.RunsDir = None, json: options.Json = False) -> None:
    """Show a study: what its seeds came to so far."""
    from tuitrain.cli.study_text import members_table, study_text
    from tuitrain.report.study_result import study_object
    from tuitrain.study.store import the_study

    directory = the_study(config.runs_dir(runs_dir), study)
    plan = directory.plan()
    groups = _groups(directory, plan)
    if json:
        emit_json(study_object(directory, plan, groups))
        return
    stdout().print(study_text(plan, groups, directory.path), soft_wrap=True)
    sys.stdout.write("\n")
    stdout().print(members_table(groups), soft_wrap=True)


@study_app.command()
def resume(
    study: StudyName,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds", help="More seeds: a number of them, or which (20-29).", rich_help_panel=options.PLACE
        ),
    ] = None,
    double: Annotated[
        bool,
        typer.Option(
            "--double", help="As many pairs again, for an undecided duel that was begun with --extendable."
        ),
    ] = False,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", min=1, help="How many networks a search trains in all.", rich_help_panel=options.PLACE
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="The study's network, FILE.py:NAME, named again.", show_default=False),
    ] = None,
    jobs: Jobs = None,
    together: Together = None,
    on: On = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Continue a study after a stop, or with more seeds.

    What is finished is not trained again. It trains where it did before, or --on another cluster, or here.
    """
    from tuitrain.study.executors import usable_site
    from tuitrain.study.starting import add_seeds, refuse_user_network, with_trials
    from tuitrain.study.store import the_study

    directory = the_study(config.runs_dir(runs_dir), study)
    directory.acquire()
    try:
        plan = directory.plan()
        if model is None:
            refuse_user_network(plan)
        if double:
            plan = _doubled(plan)
            directory.write_plan(plan)
        elif trials is not None:
            plan = with_trials(plan, trials)
            directory.write_plan(plan)
        elif seeds is not None:
            plan = add_seeds(directory, seeds)
        if (site := usable_site(plan.on if on is None else on)) != plan.on:
            plan = replace(plan, on=site)
            directory.write_plan(plan)
    except BaseException:
        directory.release()
        raise
    groups, code = train_study(
        directory, plan, jobs=jobs, together=together, data_dir=config.data_dir(data_dir), model=model or "",
        quiet=quiet, plain=plain,
    )  # fmt: skip
    raise typer.Exit(finish_study(directory, plan, groups, code, json=json, quiet=quiet))


def _doubled(plan: Plan) -> Plan:
    """A duel with as many pairs again.

    Raises:
        UsageError: it is none, or was not planned so.
    """
    if plan.kind != "duel" or plan.doublings is None:
        raise UsageError(
            f"--double: {visible(plan.name)} is no duel that was begun with --extendable, so its error is spent; "
            "begin a new one."
        )
    more = range(max(plan.seeds) + 1, max(plan.seeds) + 1 + len(plan.seeds))
    return replace(plan.with_seeds(tuple(more)), doublings=plan.doublings + 1)


@study_app.command()
def rm(study: StudyName, runs_dir: options.RunsDir = None) -> None:
    """Forget a study; its runs stay, as ordinary runs."""
    from tuitrain.study.store import the_study

    directory = the_study(config.runs_dir(runs_dir), study)
    directory.forget()
    stderr().print(
        f"forgot {visible(directory.name)}; its runs are still in {visible(directory.runs_dir)}",
        soft_wrap=True,
    )
