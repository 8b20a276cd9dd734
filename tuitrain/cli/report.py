"""`tuitrain report`: a run, several side by side, or a study, written down to be read."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.errors import RunDirectoryError, TuitrainError, UsageError, visible

if TYPE_CHECKING:
    from tuitrain.report.document import Document
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.history import History
    from tuitrain.study.store import StudyDirectory
    from tuitrain.watch.evidence import Evidence

_STDOUT = Path("-")


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="A run, several in the order of their steps, or a study; default: latest.",
            autocompletion=completion.offer_runs,
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        bool,
        typer.Option(
            "--html", help="One HTML file that needs no other, in place of Markdown with SVG files."
        ),
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser; it is HTML then.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write, - for stdout; default: in the run's directory, or ./NAME-report.md.",
        ),
    ] = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
) -> None:
    """Write the report of a run, of several, or of a study.

    It is made from what was kept; nothing is trained. Several runs are steps of a journey: what each changed, cost and
    gained.
    """
    from tuitrain.report.document import html as as_html
    from tuitrain.report.document import markdown
    from tuitrain.runs.signals import data_stream

    if open_ and output == _STDOUT:
        raise UsageError("--open needs a file, so --output can't be - (stdout).")
    html = html or open_ or (output is not None and output.suffix.lower() in (".html", ".htm"))
    document, folder, name = _made(runs or ["latest"], config.runs_dir(runs_dir), config.data_dir(data_dir))
    if output == _STDOUT:
        data_stream().write(as_html(document) if html else markdown(document))
        return
    path = output or (folder or Path()) / f"{'' if folder else f'{name}-'}report.{'html' if html else 'md'}"
    own = output is None and folder is not None
    prefix = "" if own else f"{path.stem}-"
    texts = {path.name: as_html(document) if html else markdown(document, prefix)}
    if not html:
        texts |= {f"{prefix}{picture}": svg for picture, svg in document.pictures.items()}
    _write(path, texts, own=own)
    data_stream().write(f"{path}\n")
    if open_:
        typer.launch(path.resolve().as_uri())


def _made(wanted: Sequence[str], runs_dir: Path, data_dir: Path | None) -> tuple[Document, Path | None, str]:
    """The report, the run's directory if it is of one run, and a name for the file.

    Raises:
        RunDirectoryError: a name is no run's and no study's, or there is nothing to report.
        UsageError: a study is named beside others.
    """
    from tuitrain.runs.names import safe_name

    if len(wanted) == 1:
        study = _study(runs_dir, wanted[0])
        if study is not None:
            return _of_study(study), None, safe_name(study.name)
        directory, history = _run(runs_dir, wanted[0])
        return _of_run(directory, history, data_dir), directory.path, directory.name
    for text in wanted:
        if (study := _study(runs_dir, text)) is not None:
            raise UsageError(
                f"{visible(study.name)} is a study; report on it by itself, or name single runs."
            )
    found = [_run(runs_dir, text) for text in wanted]
    names = [directory.name for directory, _ in found]
    if (twice := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise UsageError(f"run {visible(twice)} is named twice; name each step once.")
    return _of_several(found), None, f"{names[0]}-and-{len(names) - 1}-more"


def _study(runs_dir: Path, text: str) -> StudyDirectory | None:
    """The study of exactly this name, or where no run is meant one of which it is a part."""
    from tuitrain.runs.index import find_run_folder
    from tuitrain.study.store import find_study, list_studies

    exact = next((study for study in list_studies(runs_dir) if study.name == text), None)
    if exact is not None or text == "latest" or "/" in text:
        return exact
    with contextlib.suppress(RunDirectoryError):
        find_run_folder(runs_dir, text)
        return None
    with contextlib.suppress(RunDirectoryError):  # several: the error of the runs says enough
        return find_study(runs_dir, text)
    return None


def _run(runs_dir: Path, text: str) -> tuple[RunDirectory, History]:
    from tuitrain.runs.history import History
    from tuitrain.runs.index import find_run

    directory = find_run(runs_dir, text)
    history = History.of(directory.events())
    if history.started is None or not history.epochs:
        name = visible(directory.name)
        raise RunDirectoryError(
            f"run {name} has not finished an epoch, so there is nothing to report; `tuitrain resume {name}` goes on with it."
        )
    return directory, history


def _of_run(directory: RunDirectory, history: History, data_dir: Path | None) -> Document:
    from tuitrain.report.run import run_report
    from tuitrain.runs import inspect
    from tuitrain.watch.ghosts import JudgingImages, judging_images

    seen = inspect.read(directory.path)
    images = JudgingImages(None, ())
    if seen.last is not None and history.started is not None:
        images = judging_images(history.started, data_dir)
    return run_report(history, seen, images.images, images.classes)


def _of_study(study: StudyDirectory) -> Document:
    from tuitrain.report.study import study_report
    from tuitrain.study.kinds import verdict_lines
    from tuitrain.study.reading import StudyReader

    plan = study.plan()
    groups = StudyReader(study.runs_dir, plan).groups()
    if not any(run.history.epochs for group in groups for run in group.runs):
        name = visible(study.name)
        raise RunDirectoryError(
            f"study {name} has not finished an epoch, so there is nothing to report; `tuitrain study resume {name}` "
            "goes on with it."
        )
    board = None
    if plan.kind == "sweep":
        from tuitrain.study.grid import leaderboard_of
        from tuitrain.watch.leaderboard import leaderboard_rows, leaderboard_titles

        ranked = leaderboard_of(plan, groups)
        board = (leaderboard_titles(ranked), leaderboard_rows(ranked))
    elif plan.kind == "search":
        from tuitrain.study.search_result import board_of
        from tuitrain.watch.search import trial_row, trial_titles

        found = board_of(plan, groups)
        board = (trial_titles(), [trial_row(found, trial) for trial in found.front])
    elif plan.kind == "reproduction":
        from tuitrain.study.reproduction import reproductions
        from tuitrain.watch.reproduction import HEAD, table_rows

        board = (tuple(HEAD), [tuple(row) for one in reproductions(plan, groups) for row in table_rows(one)])
    return study_report(plan, groups, verdict_lines(plan, groups), board)


def _of_several(found: Sequence[tuple[RunDirectory, History]]) -> Document:
    from tuitrain.report.journey import Stop, journey_report, labels_of
    from tuitrain.runs.index import summarise
    from tuitrain.watch.comparison import why_not_comparable

    histories = [history for _, history in found]
    apart = why_not_comparable([summarise(directory.path) for directory, _ in found], histories)
    labels = labels_of([(directory.name, history) for directory, history in found])
    sides = [(label, directory.path) for label, (directory, _) in zip(labels, found, strict=True)]
    evidence = [None, *(_evidence(one, two) for one, two in pairwise(sides))]
    return journey_report(list(map(Stop, labels, histories, evidence)), apart)


def _evidence(a: tuple[str, Path], b: tuple[str, Path]) -> Evidence | None:
    """Of two single runs, each with its label; None where they can't be compared."""
    from tuitrain.study.sides import evidence_of, side_of_runs
    from tuitrain.watch.evidence import check_comparable

    with contextlib.suppress(TuitrainError):
        (label_a, path_a), (label_b, path_b) = a, b
        one, two = side_of_runs(label_a, [path_a]), side_of_runs(label_b, [path_b])
        check_comparable(one.group, two.group)
        return evidence_of(one, two)
    return None


def _write(path: Path, texts: dict[str, str], *, own: bool) -> None:
    """Writes the files beside each other.

    Raises:
        RunDirectoryError: they belong into the run's directory, which can't be written.
        UsageError: another place can't be.
    """
    from tuitrain.runs import report_files

    try:
        report_files.write(path.parent, texts)
    except OSError as error:
        raised = RunDirectoryError if own else UsageError
        raise raised(
            f"{visible(path)} can't be written: {visible(error.strerror or error)}; name another file with --output."
        ) from None
