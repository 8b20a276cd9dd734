"""`tuitrain runs`: list, show, rm, restore, path, tag, note."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stderr, stdout
from tuitrain.cli.run_table import COLUMNS, RIGHT, date_text, run_cells, run_table
from tuitrain.cli.verdict import verdict_text
from tuitrain.errors import RunDirectoryError, TuitrainError, UsageError, visible
from tuitrain.figures import accuracy_text, loss_text, rate_text

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.index import RunSummary
    from tuitrain.runs.trash import RemovedRun

runs_app = typer.Typer(help="List, look at, tag and remove runs.", invoke_without_command=True)

Runs = Annotated[
    list[str],
    typer.Argument(
        help="Runs: names, unique parts of them, paths, or latest.", autocompletion=completion.offer_runs
    ),
]

Markdown = Annotated[
    bool, typer.Option("--markdown", help="In Markdown, as GitHub shows it.", rich_help_panel=options.OUTPUT)
]


def run_directory(run: str, runs_dir: Path | None) -> RunDirectory:
    """The run a person means.

    Raises:
        RunDirectoryError: none, or more than one.
    """
    from tuitrain.runs.index import find_run

    return find_run(config.runs_dir(runs_dir), run)


@runs_app.callback()
def runs(
    ctx: typer.Context,
    runs_dir: options.RunsDir = None,
    markdown: Markdown = False,
    json: options.Json = False,
) -> None:
    """List the runs, the newest first."""
    if ctx.invoked_subcommand:
        options.refuse_flags_before_command(ctx)
        return
    _refuse_both_forms(json, markdown)
    from tuitrain.runs.index import list_runs

    folder = config.runs_dir(runs_dir)
    found = list_runs(folder)
    if json:
        emit_json([summary.to_dict() for summary in found])
        return
    if markdown:
        from tuitrain.report.markdown import grid

        cells = ([run_cells(summary)[name] for name in COLUMNS] for summary in found)
        sys.stdout.write(grid(COLUMNS, cells, [name for name in COLUMNS if name not in RIGHT]))
        return
    if not found:
        stderr().print(f"no runs in {visible(folder)}; start one with `tuitrain run --preset step13`")
        return
    width = stdout().width if stdout().is_terminal else None
    for line in run_table([run_cells(summary) for summary in found], width):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    report_detached(found)


def report_detached(summaries: Sequence[RunSummary]) -> None:
    """Say on stderr how to find the paused runs whose terminal has gone."""
    for summary in summaries:
        if summary.state == "paused" and summary.detached:
            name = visible(summary.run)
            stderr().print(f"{name}: paused, no terminal; `tuitrain attach {name}`", soft_wrap=True)


def _refuse_both_forms(json: bool, markdown: bool) -> None:
    if json and markdown:
        raise UsageError("--json and --markdown both want stdout; use one of them.")


@runs_app.command()
def show(
    run: options.RunName = "latest",
    runs_dir: options.RunsDir = None,
    markdown: Markdown = False,
    json: options.Json = False,
) -> None:
    """One run: what it was, every epoch, its verdict.

    At the end, the command that repeats it.
    """
    from tuitrain.runs import wording
    from tuitrain.runs.history import History
    from tuitrain.runs.index import summarise
    from tuitrain.runs.run_json import run_json
    from tuitrain.spec.describe import describe_changes
    from tuitrain.training.events import to_dict
    from tuitrain.watch import norms

    _refuse_both_forms(json, markdown)
    directory = run_directory(run, runs_dir)
    summary = summarise(directory.path)
    records = directory.events()
    result = History.of(records)
    if markdown:
        from tuitrain.cli.markdown import result_text

        sys.stdout.write(result_text(result))
        return
    if json:
        shown = run_json(result, directory.path) | summary.to_dict()
        shown["history"] = [to_dict(epoch) for epoch in result.epochs]
        shown["notices"] = [to_dict(notice) for notice in result.notices]
        shown["directory"] = str(directory.path)
        started = result.started
        shown["git"] = (dict(started.git) or None) if started else None
        shown["data_sha256"] = (dict(started.data_sha256) or None) if started else None
        emit_json(shown)
        return
    out = stdout()
    cells = run_cells(summary)
    out.print(f"{cells['state']}  {cells['run']}", soft_wrap=True)
    holder = f", process {summary.pid}" if summary.pid else ""
    out.print(
        f"{cells['preset']}, {cells['params']} parameters, {cells['dataset']}, seed {summary.seed}, "
        f"{visible(summary.device) or 'no device yet'}{holder}; epochs {cells['epochs']} in {cells['took']}",
        soft_wrap=True,
    )
    for change in describe_changes(summary.changed, summary.layers):
        out.print(f"changed {change}", soft_wrap=True)
    if summary.tags:
        out.print(cells["tags"], soft_wrap=True)
    if summary.note:
        out.print(f"note: {visible(summary.note)}", soft_wrap=True)
    for notice in result.notices:
        out.print(f"{notice.level}: {wording.notice_text(notice)}", soft_wrap=True)
    if result.epochs:
        judge = "val" if result.judged_by == "validation" else "test"
        averaged = "    ema loss    ema acc" if result.averages else ""
        out.print(
            f"\nepoch  train loss  train acc  {judge + ' loss':>10}  {judge + ' acc':>9}{averaged}         lr"
        )
    for e in result.epochs:
        out.print(
            f"{e.epoch:>5}  {loss_text(e.train_loss):>10}  {accuracy_text(e.train_acc):>9}  {loss_text(e.test_loss):>10}  "
            f"{accuracy_text(e.test_acc):>9}  "
            + (f"{loss_text(e.ema_test_loss):>10}  {accuracy_text(e.ema_test_acc):>9}  " if averaged else "")
            + f"{rate_text(e.lr):>9}"
        )
    if last_norms := norms.layer_norms(result.last):
        out.print("\nlayer               weights  gradient    update  (last step; about 1e-3 is healthy)")
    for layer in last_norms.values():
        out.print(
            f"{layer.name:16}  {layer.weight:>9.3g} {layer.gradient:>9.3g} {norms.update_text(layer.update):>9}"
        )
    out.print(verdict_text(result, directory.path), soft_wrap=True)


@runs_app.command()
def path(
    run: options.RunName = "latest", runs_dir: options.RunsDir = None, json: options.Json = False
) -> None:
    """The directory of a run, for scripts.

    As in `cd "$(tuitrain runs path latest)"`.
    """
    directory = run_directory(run, runs_dir)
    if json:
        emit_json({"run": directory.name, "directory": str(directory.path.resolve())})
    else:
        sys.stdout.write(f"{directory.path.resolve()}\n")


@runs_app.command()
def rm(
    run: Runs,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    forever: Annotated[
        bool,
        typer.Option(
            "--forever",
            help="Delete permanently instead of moving to the trash; also deletes from the trash.",
        ),
    ] = False,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Remove runs; asks first. `tuitrain runs restore` brings them back.

    They go to the trash folder beside the runs; with --forever they are gone. A live run is not removed.
    """
    from tuitrain.runs import trash

    folder = config.runs_dir(runs_dir)
    chosen = [one for name in run for one in _to_remove(folder, name, forever)]
    chosen = list(
        {str(one.path if isinstance(one, trash.RemovedRun) else one): one for one in chosen}.values()
    )
    for one in chosen:
        if isinstance(one, Path):
            trash.check_removable(one, folder)
    if not yes:
        _ask(chosen, forever)
    removed, kept, errors = [], [], []
    for one in chosen:
        try:
            if isinstance(one, trash.RemovedRun):
                trash.erase_removed(one, folder)
                removed.append(one.run)
            else:
                place = trash.remove_run(one, folder, forever=forever)
                removed.append(one.name)
                kept += [] if forever else [str(place)]
        except TuitrainError as error:
            errors.append(error)
    if json:
        emit_json({"removed": removed, "errors": [str(error) for error in errors], "trash": kept})
    else:
        for name in removed:
            back = "for good" if forever else f"it is in the trash: `tuitrain runs restore {visible(name)}`"
            stderr().print(f"removed {visible(name)}; {back}", soft_wrap=True)
    if errors:
        raise errors[0]


def _to_remove(folder: Path, name: str, forever: bool) -> Sequence[Path | RemovedRun]:
    """The run of a name; where there is none and it is to go for good, all that the trash has under it."""
    from tuitrain.runs import index, trash

    try:
        return [index.find_run_folder(folder, name)]
    except RunDirectoryError:
        if not forever or "/" in name:
            raise
        try:
            return trash.find_removed(folder, name)
        except RunDirectoryError:
            pass
        raise


def _ask(chosen: Sequence[Path | RemovedRun], forever: bool) -> None:
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError("rm asks before it removes, and stdin is no terminal; add --yes.")
    for one in chosen:
        stderr().print(f"  {visible(one if isinstance(one, Path) else one.path)}", soft_wrap=True)
    count = f"{len(chosen)} runs" if len(chosen) > 1 else "this run"
    typer.confirm(f"Remove {count} {'for good' if forever else '(to the trash)'}?", abort=True, err=True)


@runs_app.command()
def restore(
    run: Annotated[
        list[str] | None, typer.Argument(help="Removed runs, by name; none lists them.", show_default=False)
    ] = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Bring removed runs back from the trash, or list what is there.

    Of several that had one name the last removed comes back. Nothing is overwritten.
    """
    from tuitrain.runs import trash

    folder = config.runs_dir(runs_dir)
    if run:
        places = [trash.restore_run(trash.find_removed(folder, name)[0], folder) for name in run]
        if json:
            emit_json({"restored": [str(place) for place in places]})
        for place in [] if json else places:
            stderr().print(f"restored {visible(place.name)}", soft_wrap=True)
        return
    there = trash.list_removed(folder)
    if json:
        emit_json([{"run": one.run, "removed": one.when, "path": str(one.path)} for one in there])
    elif not there:
        stderr().print(f"the trash of {visible(folder)} is empty")
    else:
        for one in there:
            sys.stdout.write(f"{date_text(one.when):>10}  {visible(one.run)}\n")


@runs_app.command()
def tag(
    run: options.RunName,
    tags: Annotated[list[str] | None, typer.Argument(help="Tags to add; none lists them.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", "-r", help="A tag to remove.")] = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Add tags to a run, take some off, or list them."""
    from tuitrain.runs.user_file import read_user, write_user

    directory = run_directory(run, runs_dir)
    have, _ = read_user(directory.path)
    if tags or remove:
        gone = {one.strip().lstrip("#") for one in remove or []}
        wanted = [*have, *(one.strip().lstrip("#") for one in tags or [])]
        write_user(directory.path, tags=tuple(one for one in wanted if one not in gone))
        have, _ = read_user(directory.path)
    _say_user({"run": directory.name, "tags": list(have)}, "\n".join(visible(one) for one in have), json)


@runs_app.command()
def note(
    run: options.RunName,
    text: Annotated[
        str | None, typer.Argument(help="The note; an empty one removes it, none shows it.")
    ] = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Write a note on a run, or show it."""
    from tuitrain.runs.user_file import read_user, write_user

    directory = run_directory(run, runs_dir)
    if text is not None:
        write_user(directory.path, note=text)
    _, have = read_user(directory.path)
    _say_user({"run": directory.name, "note": have}, visible(have), json)


def _say_user(data: dict[str, Any], text: str, json: bool) -> None:
    if json:
        emit_json(data)
    elif text:
        sys.stdout.write(text + "\n")
