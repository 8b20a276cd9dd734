"""`tuitrain study`, and what `run --seeds` and a duel share: a study is trained, shown and said."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stderr, stdout
from tuitrain.errors import ExitCode, RequirementError, UsageError, visible
from tuitrain.figures import accuracy_text, reaches_target
from tuitrain.runs.signals import data_stream

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from tuitrain.study.plan import Plan
    from tuitrain.study.reading import StudyReader
    from tuitrain.study.store import StudyDirectory
    from tuitrain.study.training import StudyTraining
    from tuitrain.training.job import Job
    from tuitrain.watch.group import Group

study_app = typer.Typer(
    help="List, show, continue and forget studies: groups of runs.", invoke_without_command=True
)

StudyName = Annotated[
    str, typer.Argument(help="A study: its name, a unique part of it, or latest.", show_default=False)
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        help="How many seeds train at the same time; default: one a core, on a GPU one.",
        rich_help_panel=options.PLACE,
    ),
]
Together = Annotated[
    bool | None,
    typer.Option(
        "--together/--one-by-one",
        help="Stack seeds into one network and train them at once; default: on CUDA.",
        rich_help_panel=options.PLACE,
        show_default=False,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only notices and errors.", rich_help_panel=options.OUTPUT)
]
Plain = Annotated[
    bool,
    typer.Option("--plain", help="One line per seed, also on a terminal.", rich_help_panel=options.OUTPUT),
]


def plan_of_seeds(job: Job, seeds: str, name: str | None) -> Plan:
    """The plan of `run --seeds`.

    Raises:
        UsageError: the seeds can't be read, or stand in the way of something.
    """
    from tuitrain.spec.describe import layers_of, short_changes
    from tuitrain.study.plan import Plan, Setting, seeds_of, study_name, with_seed
    from tuitrain.study.store import fresh_study_name

    preset = job.preset
    changed = {key: pair for key, pair in job.changed.items() if key != "train.seed"}
    label = " · ".join(
        filter(None, (job.model or preset.name, short_changes(changed, layers_of(preset.to_dict()))))
    )
    wanted = seeds_of(seeds, preset.train.seed)
    if (
        preset.train.val_split and preset.train.val_split_seed is None
    ):  # all are to be judged by the same images
        from tuitrain.spec.preset import override

        preset = override(preset, {"train.val_split_seed": wanted[0]})
    network = job.user_network.to_dict() if job.user_network else {}
    return Plan(
        study_name(name) if name else fresh_study_name(preset.name),
        "seeds",
        (Setting(label, preset, changed, job.command),),
        wanted,
        job.runtime,
        job.budget,
        with_seed(job.command, f"--seeds {seeds.replace(' ', '')}"),
        user_network=network,
        began=time.time(),
    )


def train_study(
    study: StudyDirectory,
    plan: Plan,
    *,
    jobs: int | None,
    data_dir: Path | None,
    model: str = "",
    together: bool | None = None,
    quiet: bool,
    plain: bool,
    enough: Callable[[StudyReader], bool] | None = None,
    below: Callable[[Sequence[Group]], list[str]] = lambda groups: [],
) -> tuple[list[Group], int]:
    """Trains what a study has not trained yet, shown until it ends; returns its groups and an exit code.

    Args:
        study: held by this process; released at the end.
        plan: its plan.
        jobs: how many members at a time.
        data_dir: where the data lies.
        model: the user's network, as named.
        together: whether seeds are stacked into one network; None for what pays on the device.
        quiet: whether nothing is shown.
        plain: whether lines are shown in place of a picture.
        enough: whether the results so far are enough.
        below: what else the picture says.
    """
    from tuitrain.cli.study_view import SHOW_S, choose_view
    from tuitrain.runs.signals import guarded
    from tuitrain.study.local import local_for
    from tuitrain.study.reading import StudyReader
    from tuitrain.study.training import StudyTraining
    from tuitrain.study.workers import Workers

    try:
        local = local_for(plan, jobs, together)
        plan = replace(plan, runtime=local.runtime)
        reader = StudyReader(study.runs_dir, plan)
        view, shown = choose_view(below, quiet=quiet, plain=plain), 0.0

        def look() -> None:
            nonlocal shown
            if time.monotonic() - shown >= SHOW_S:
                with contextlib.suppress(OSError, ValueError):
                    view.show(reader.groups())
                shown = time.monotonic()

        workers = Workers(local.at_once)
        training = StudyTraining(
            study, plan, workers, at_once=local.at_once, together=local.together, data_dir=data_dir, model=model,
            enough=(lambda: enough(reader)) if enough else lambda: False,
        )  # fmt: skip
        try:
            with guarded(training) as signals:
                training.run(look)
        finally:
            with contextlib.suppress(OSError, ValueError):
                view.show(reader.groups())
                view.close()
            workers.shutdown(wait=False, cancel_futures=True)
        groups = reader.groups()
        return groups, int(signals.exit_code) or _exit_code(training, groups)
    finally:
        study.release()


def _exit_code(training: StudyTraining, groups: Sequence[Group]) -> int:
    from tuitrain.cli.console import complain

    bad = [
        ending
        for ending in training.endings.values()
        if ending.outcome not in ("completed", "diverged", "stopped")
    ]
    for message in dict.fromkeys(ending.message for ending in bad if ending.message):
        complain(message)
    if bad:
        return bad[0].exit_code or ExitCode.FAILED
    if all(group.ended and len(group.diverged) == len(group.ended) for group in groups):
        return ExitCode.DIVERGED
    return ExitCode.DONE


def say_study(
    study: StudyDirectory, plan: Plan, groups: Sequence[Group], *, json: bool, quiet: bool,
    verdict: Sequence[str] = (), more: Mapping[str, Any] | None = None, path: bool = True,
) -> None:  # fmt: skip
    """What a study came to: text on stderr, and its folder (`path`) or its JSON object (with `more`) on stdout."""
    from tuitrain.watch.study_json import study_json

    if not quiet:
        with contextlib.suppress(OSError, ValueError):
            stderr().print(study_text(plan, groups, study.path, verdict), soft_wrap=True)
    if json:
        emit_json(study_json(study.name, study.path, plan.kind, plan.command, groups) | dict(more or {}))
    elif path and not (quiet or data_stream().isatty()):
        data_stream().write(f"{study.path}\n")


def study_text(
    plan: Plan, groups: Sequence[Group], path: Path, verdict: Sequence[str] = ()
) -> RenderableType:
    """A study on a page: what it came to, its figures and sentences, and the command that repeats it."""
    from rich.console import Group as Stack
    from rich.text import Text

    from tuitrain.watch.group import group_lines, missing_lines

    parts: list[RenderableType] = []
    if plan.kind == "reproduction":
        from tuitrain.cli.reproduction_text import ReproductionTable
        from tuitrain.study.reproduction import reproductions

        parts += [Text(), ReproductionTable(reproductions(plan, groups)), Text(), *map(Text, verdict)]
        for group in groups:
            if group.diverged or group.failed:
                parts += _dim(_named(group, line) for line in missing_lines(group))
    elif len(groups) == 1:
        first, *rest = group_lines(groups[0])
        parts += [Text(), Text.assemble((visible(groups[0].label), "bold")), Text(first), *_dim(rest)]
    else:
        parts += [Text(), figure_table(groups), Text()]
        parts += [Text(line, style="" if index else "bold") for index, line in enumerate(verdict)]
        for group in groups:
            parts += _dim(_named(group, line) for line in missing_lines(group))
    parts.append(Text())
    if plan.command:
        parts.append(Text.assemble(("repeat  ", "bold"), visible(plan.command)))
    if any(not run.ended for group in groups for run in group.runs) and plan.kind != "duel":
        parts.append(Text.assemble(("go on   ", "bold"), f"tuitrain study resume {visible(path.name)}"))
    parts.append(Text.assemble(("study   ", "bold"), visible(path)))
    return Stack(*parts)


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


def load_once(dataset: str, data_dir: Path | None, quiet: bool) -> int:
    """Fetches and verifies the data here, rather than in each member's process; returns its number of test images."""
    from tuitrain.cli.fetch_progress import FetchProgress
    from tuitrain.data.load import load_dataset

    with FetchProgress() as progress:
        return len(load_dataset(dataset, data_dir, progress=None if quiet else progress).test)


def end_duel(
    study: StudyDirectory, plan: Plan, groups: Sequence[Group], code: int, *, json: bool, quiet: bool
) -> None:
    """Says how a duel ended, and exits with its code."""
    from tuitrain.stats.sequential import Outcome
    from tuitrain.study.duel import duel_of
    from tuitrain.watch.duel import duel_json, duel_lines

    found = duel_of(plan, groups)
    say_study(study, plan, groups, json=json, quiet=quiet, verdict=duel_lines(found), more=duel_json(found))
    if code == ExitCode.DONE and found.outcome is not Outcome.BETTER:
        code = ExitCode.REQUIREMENT
    raise typer.Exit(code)


def end_reproduction(
    study: StudyDirectory, plan: Plan, groups: Sequence[Group], code: int, *, json: bool, quiet: bool, markdown: bool = False,
) -> None:  # fmt: skip
    """Says what a reproduction came to, writes its curves, and exits with a code."""
    from tuitrain.report.reproduction import write_curves
    from tuitrain.study.reproduction import reproductions

    found = reproductions(plan, groups)
    curves = write_curves(study.path / "curves", found)
    more = _more_json(plan, groups) | {"curves": [str(path) for path in curves]}
    say_study(
        study,
        plan,
        groups,
        json=json,
        quiet=quiet,
        verdict=_verdict(plan)(groups),
        more=more,
        path=not markdown,
    )
    if markdown:
        from tuitrain.cli.reproduction_text import reproduction_markdown

        data_stream().write(reproduction_markdown(found))
    raise typer.Exit(code)


def train_seeds(
    job: Job, plan: Plan, *, runs_dir: Path, data_dir: Path | None, jobs: int | None,
    together: bool | None, require: float | None, gain: Callable[[str], None] | None, json: bool, quiet: bool, plain: bool,
) -> None:  # fmt: skip
    """`run --seeds`: several seeds of one setting, as a study.

    Raises:
        RequirementError: the mean of the last epoch is below `require`, in percent.
    """
    from tuitrain.study.store import create_study

    study = create_study(runs_dir, plan)
    plan = replace(plan, name=study.name)
    groups, code = train_study(
        study,
        plan,
        jobs=jobs,
        data_dir=data_dir,
        model=job.model,
        together=together,
        quiet=quiet,
        plain=plain,
    )
    say_study(study, plan, groups, json=json, quiet=quiet)
    if code == ExitCode.DONE and require is not None:
        mean = groups[0].mean
        if mean is None or not reaches_target(mean.value, require):
            got = accuracy_text(mean.value) if mean else "nothing"
            raise RequirementError(
                f"--require-accuracy {require:g}: the mean of the last epoch was {got}; the study is {visible(study.path)}."
            )
    if code == ExitCode.DONE and gain is not None:
        gain(study.name)
    raise typer.Exit(code)


# The commands


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
            "study": study.name, "kind": plan.kind, "state": "live" if study.is_held() else _state(groups),
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


def _state(groups: Sequence[Group]) -> str:
    return "done" if all(len(group.ended) == len(group.runs) for group in groups) else "stopped"


def _print_studies(rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    from tuitrain.cli.runs import date_text
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
    from tuitrain.study.store import the_study
    from tuitrain.watch.study_json import study_json

    directory = the_study(config.runs_dir(runs_dir), study)
    plan = directory.plan()
    groups, verdict = _groups(directory, plan), _verdict(plan)
    if json:
        data = study_json(directory.name, directory.path, plan.kind, plan.command, groups)
        emit_json(data | _more_json(plan, groups))
        return
    stdout().print(study_text(plan, groups, directory.path, verdict(groups)), soft_wrap=True)
    table = _members(groups)
    sys.stdout.write("\n")
    stdout().print(table, soft_wrap=True)


def _verdict(plan: Plan) -> Callable[[Sequence[Group]], list[str]]:
    """What a study says of its groups together."""
    if plan.kind == "duel":
        from tuitrain.study.duel import duel_of
        from tuitrain.watch.duel import duel_lines

        return lambda groups: duel_lines(duel_of(plan, groups))
    if plan.kind == "reproduction":
        from tuitrain.study.reproduction import reproductions
        from tuitrain.watch.reproduction import reproduction_lines

        return lambda groups: reproduction_lines(reproductions(plan, groups))
    return lambda groups: []


def _more_json(plan: Plan, groups: Sequence[Group]) -> dict[str, Any]:
    """What a study of this kind has in its JSON object beside the groups."""
    if plan.kind == "duel":
        from tuitrain.study.duel import duel_of
        from tuitrain.watch.duel import duel_json

        return duel_json(duel_of(plan, groups))
    if plan.kind == "reproduction":
        from tuitrain.study.reproduction import reproductions
        from tuitrain.watch.reproduction import reproduction_json

        return {"reproduction": [reproduction_json(one) for one in reproductions(plan, groups)]}
    return {}


def _members(groups: Sequence[Group]) -> RenderableType:
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
    model: Annotated[
        str | None,
        typer.Option("--model", help="The study's network, FILE.py:NAME, named again.", show_default=False),
    ] = None,
    jobs: Jobs = None,
    together: Together = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Continue a study that was stopped or killed, or give it more seeds; what is finished is not trained again."""
    from tuitrain.study.plan import seeds_of
    from tuitrain.study.store import the_study

    directory = the_study(config.runs_dir(runs_dir), study)
    directory.acquire()
    try:
        plan = directory.plan()
        if plan.user_network and model is None:
            raise UsageError(
                f"study {visible(directory.name)} trains a network in Python ({visible(plan.user_network.get('model', ''))}), "
                f"which is run only when you name it: `tuitrain study resume {visible(directory.name)} --model FILE.py:NAME`."
            )
        if double:
            plan = _doubled(plan)
        elif seeds is not None and plan.kind == "duel":
            raise UsageError(
                "--seeds: a duel has its pairs from the beginning; double one that may be, with --double."
            )
        elif seeds is not None:
            plan = plan.with_seeds(seeds_of(seeds, max(plan.seeds) + 1))
        if double or seeds is not None:
            directory.write_plan(plan)
    except BaseException:
        directory.release()
        raise
    below, enough = _verdict(plan), None
    if plan.kind == "duel":
        from tuitrain.study.duel import duel_of

        enough = lambda reader: duel_of(plan, reader.groups()).decided  # noqa: E731
    groups, code = train_study(
        directory, plan, jobs=jobs, together=together, data_dir=config.data_dir(data_dir), model=model or "",
        quiet=quiet, plain=plain, enough=enough, below=below,
    )  # fmt: skip
    if plan.kind == "duel":
        end_duel(directory, plan, groups, code, json=json, quiet=quiet)
    if plan.kind == "reproduction":
        end_reproduction(directory, plan, groups, code, json=json, quiet=quiet)
    say_study(directory, plan, groups, json=json, quiet=quiet)
    raise typer.Exit(code)


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
