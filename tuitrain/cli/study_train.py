"""Trains a study from a command, shows it until it ends, says what it came to, and gives the exit code."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuitrain.cli.console import emit_json, stderr
from tuitrain.errors import ExitCode, RequirementError, RunDirectoryError, TuitrainError, visible
from tuitrain.figures import accuracy_text, reaches_target
from tuitrain.runs.signals import data_stream

if TYPE_CHECKING:
    from tuitrain.cli.study_view import Below, Redrawn
    from tuitrain.study.plan import Plan
    from tuitrain.study.reading import StudyReader
    from tuitrain.study.store import StudyDirectory
    from tuitrain.study.training import StudyTraining
    from tuitrain.training.job import Job
    from tuitrain.watch.group import Group


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
    until_decided: bool = True,
    timeout_s: float | None = None,
) -> tuple[list[Group], int]:
    """Trains what a study has not trained yet, shown until it ends; returns its groups and an exit code.

    Args:
        study: held by this process; released at the end.
        plan: its plan.
        jobs: how many members at a time.
        data_dir: where the data lies.
        model: the user's network, as named.
        together: whether seeds train at once, in one process; None for what pays on the device.
        quiet: whether nothing is shown.
        plain: whether lines are shown in place of a picture.
        until_decided: whether a duel ends when it is decided.
        timeout_s: after so many seconds it is stopped, its state saved; None for never.
    """
    from tuitrain.cli.manners import notify, run_command
    from tuitrain.cli.study_text import is_decided
    from tuitrain.cli.study_view import SHOW_S, choose_view
    from tuitrain.report import report_files
    from tuitrain.report.study_result import study_object
    from tuitrain.runs.signals import guarded
    from tuitrain.study.executors import executor_for
    from tuitrain.study.kinds import verdict_lines
    from tuitrain.study.reading import StudyReader
    from tuitrain.study.training import StudyTraining
    from tuitrain.watch.manners import study_message

    began = time.monotonic()
    try:
        workers, local = executor_for(study, plan, jobs, together)
        plan = replace(plan, runtime=local.runtime)
        reader = StudyReader(study.runs_dir, plan)
        view, shown = (
            choose_view(
                lambda groups: [*verdict_lines(reader.plan, groups), *getattr(workers, "says", ())],
                quiet=quiet,
                plain=plain,
                redrawn=_front_view(reader) if plan.kind == "search" else None,
            ),
            0.0,
        )

        def look() -> None:
            nonlocal shown
            if timeout_s is not None and time.monotonic() - began >= timeout_s:
                training.control.stop(f"--timeout {timeout_s:g} is over")
            if time.monotonic() - shown >= SHOW_S:
                reader.plan = training.plan
                with contextlib.suppress(OSError, ValueError):
                    view.show(reader.groups())
                shown = time.monotonic()

        training = StudyTraining(
            study, plan, workers, at_once=local.at_once, together=local.together, data_dir=data_dir, model=model,
            reporter=report_files,
            enough=lambda: until_decided and is_decided(plan, reader),
        )  # fmt: skip
        try:
            with guarded(training) as signals:
                training.run(look)
        except TuitrainError:  # so it has ended too
            reader.plan = training.plan
            run_command(lambda: study_object(study, training.plan, reader.groups()), wait=True)
            raise
        finally:
            reader.plan = training.plan
            with contextlib.suppress(OSError, ValueError):
                view.show(reader.groups())
                view.close()
            workers.shutdown(wait=False, cancel_futures=True)
        groups = reader.groups()
        if not plain:
            notify(study_message(study.name, groups, time.monotonic() - began))
        return groups, int(signals.exit_code) or _exit_code(training, groups)
    finally:
        study.release()


def _front_view(reader: StudyReader) -> Callable[[Below], Redrawn]:
    from tuitrain.cli.search_text import FrontView
    from tuitrain.study.search_result import board_of

    return lambda lines: FrontView(lambda groups: board_of(reader.plan, groups), lines)


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
    if groups and all(group.ended and len(group.diverged) == len(group.ended) for group in groups):
        return ExitCode.DIVERGED
    return ExitCode.DONE


def finish_study(
    study: StudyDirectory, plan: Plan, groups: Sequence[Group], code: int, *, json: bool, quiet: bool, markdown: bool = False,
) -> int:  # fmt: skip
    """Says what a study came to: text on stderr, its folder, JSON object or table (Markdown) on stdout; returns the code."""
    from tuitrain.cli.manners import run_command
    from tuitrain.cli.study_text import final_code, study_markdown, study_text
    from tuitrain.report.study_result import keep_results, study_object

    with contextlib.suppress(RunDirectoryError):  # what was decided meanwhile stands in it
        plan = study.plan()
    left = keep_results(study, plan, groups)
    if not quiet:
        with contextlib.suppress(OSError, ValueError):
            stderr().print(study_text(plan, groups, study.path), soft_wrap=True)
    if json:
        emit_json(study_object(study, plan, groups) | left)
    elif markdown:
        data_stream().write(study_markdown(plan, groups))
    elif not (quiet or data_stream().isatty()):
        data_stream().write(f"{study.path}\n")
    if code != ExitCode.SIGTERM:  # which leaves no time for it
        run_command(lambda: study_object(study, plan, groups) | left, wait=True)
    return final_code(plan, groups, code)


def load_once(dataset: str, data_dir: Path | None, quiet: bool) -> int:
    """Fetches and verifies the data here, rather than in each member's process; returns its number of test images."""
    from tuitrain.cli.fetch_progress import FetchProgress
    from tuitrain.data.load import load_dataset

    with FetchProgress() as progress:
        return len(load_dataset(dataset, data_dir, progress=None if quiet else progress).test)


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
    code = finish_study(study, plan, groups, code, json=json, quiet=quiet)
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
