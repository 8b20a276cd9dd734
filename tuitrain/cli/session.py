"""One run from a command: shown until it ends, its verdict said, and the exit code."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain.cli import options
from tuitrain.cli.console import complain, emit_json, stderr
from tuitrain.errors import DeviceError, ExitCode, RequirementError, visible
from tuitrain.figures import accuracy_text, glyph_and_kind, reaches_target
from tuitrain.runs.signals import data_stream

if TYPE_CHECKING:
    from tuitrain.cli.live import RunView
    from tuitrain.cli.manners import Title
    from tuitrain.data.dataset import Progress
    from tuitrain.runs.session import Session

POLL_S = 0.1
RequireAccuracy = Annotated[
    float | None,
    typer.Option("--require-accuracy", min=0, max=100, help="Exit with 7 if the best accuracy, in percent, is lower.",
                 rich_help_panel=options.OUTPUT),
]  # fmt: skip
Events = Annotated[
    bool,
    typer.Option(
        "--events", help="The event stream as JSON lines on stdout.", rich_help_panel=options.OUTPUT
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only notices and errors.", rich_help_panel=options.OUTPUT)
]
Plain = Annotated[
    bool,
    typer.Option("--plain", help="One line per epoch, also on a terminal.", rich_help_panel=options.OUTPUT),
]


@contextlib.contextmanager
def import_torch_beside() -> Iterator[None]:
    """Imports torch, the longest part of the start, beside what is done meanwhile."""
    failed: list[Exception] = []

    def work() -> None:
        try:
            importlib.import_module("torch")
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="import-torch", daemon=True)
    thread.start()
    try:
        yield
    except ImportError:  # what needs torch says that it can't be tried twice
        thread.join()
        if not failed:
            raise
    thread.join()
    if failed:
        raise DeviceError(
            f"torch can't be imported: {visible(failed[0])[:300]}; look at `pip check` and the memory limit (ulimit -v)."
        )


@contextlib.contextmanager
def fetching(quiet: bool) -> Iterator[Progress | None]:
    """A progress bar on stderr for what is fetched; nothing is shown where nothing is fetched."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    if quiet or not stderr().is_terminal:
        yield None
        return
    bar: Progress | None = None
    tasks: dict[str, Any] = {}

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal bar
        if bar is None:
            bar = Progress(TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
                           console=stderr(), transient=True)  # fmt: skip
            bar.start()
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done, total=total)

    try:
        yield progress
    finally:
        if bar is not None:
            bar.stop()


def train_to_end(
    session: Session, require: float | None, *, json: bool, events: bool, quiet: bool, plain: bool,
    gain: Callable[[str], None] | None = None,
) -> None:  # fmt: skip
    """Starts a session, shows it until it ends, says the verdict, and exits with its code."""
    from tuitrain.cli import manners
    from tuitrain.cli.live import choose_view
    from tuitrain.report import report_files
    from tuitrain.runs.run_json import run_json
    from tuitrain.runs.signals import guarded
    from tuitrain.watch.manners import ended_message

    session.reporter = report_files
    view = choose_view(session.records, events=events, quiet=quiet, plain=plain)
    with manners.titled() if not plain else contextlib.nullcontext() as title, guarded(session) as signals:
        session.start()
        _follow(session, view, title)
    _say(session, json=json, events=events, quiet=quiet)
    history = session.recorder.history
    if not plain:
        manners.notify(ended_message(history))
    # After SIGTERM there is no time to wait.
    manners.run_command(
        lambda: run_json(history, session.directory.path), wait=signals.exit_code != ExitCode.SIGTERM
    )
    code: int = signals.exit_code or session.exit_code
    if code == ExitCode.DONE and require is not None:
        best = session.recorder.history.best
        if best is None or not reaches_target(best.test_acc, require):
            got = accuracy_text(best.test_acc) if best else "nothing"
            raise RequirementError(
                f"--require-accuracy {require:g}: the best was {got}; the run is in {session.directory.path}."
            )
    if code == ExitCode.DONE and gain is not None:
        gain(session.directory.name)
    raise typer.Exit(code)


def _follow(session: Session, view: RunView, title: Title | None) -> None:
    """Shows records and progress until the run has ended; a broken output stops only the showing."""
    from tuitrain.watch.manners import title_text

    seen, listening = len(session.records), True
    while True:
        ended = session.join(POLL_S)
        records = session.records[seen:]
        seen += len(records)
        if listening:
            try:
                for record in records:
                    view.record(record)
                if session.recorder.finished is None:  # an end is the last line
                    view.progress(session.snapshot)
                if title is not None:
                    title.show(title_text(session.recorder.history))
            except (OSError, ValueError):
                listening = False
        if ended and seen == len(session.records):
            break
    with contextlib.suppress(OSError, ValueError):
        view.close()


def _say(session: Session, *, json: bool, events: bool, quiet: bool) -> None:
    from tuitrain.cli.verdict import verdict_text
    from tuitrain.runs import wording

    history, directory = session.recorder.history, session.directory.path
    with contextlib.suppress(OSError, ValueError):
        if not quiet:
            stderr().print(verdict_text(history, directory), soft_wrap=True)
        elif (done := history.finished) is None or glyph_and_kind(done.outcome)[1] == "bad":
            why = (done.message if done else "") or f"the run has ended early; look at {directory}/log.txt"
            complain(f"{wording.state_text(history.outcome)}: {why}")
        if session.recorder.trouble:
            stderr().print(f"the run directory is not complete: {session.recorder.trouble}", soft_wrap=True)
    from tuitrain.cli.markdown import append_summary

    append_summary(history)
    if json:
        from tuitrain.runs.run_json import run_json

        emit_json(run_json(history, directory))
    elif not (events or quiet or data_stream().isatty()):
        data_stream().write(f"{directory}\n")  # so that a script can go on with it
