"""`tuitrain status`, `pause`, `stop`, `tail`, `steer`: a run of another process, from any shell."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stderr
from tuitrain.cli.run_table import state_with_glyph
from tuitrain.cli.runs import report_detached, run_directory
from tuitrain.errors import ExitCode, RunDirectoryError, UsageError, visible
from tuitrain.figures import accuracy_text, duration_text, plural

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.index import RunSummary

#: How long a command waits to see that it was obeyed; a stop, which saves, longer.
OBEY_S, STOP_S = 10.0, 30.0

LiveRun = Annotated[
    str | None,
    typer.Argument(
        help="Name of a run; default: the live one.",
        show_default=False,
        autocompletion=completion.offer_live_runs,
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Don't wait until the run has done it.")]


def live_run(run: str | None, runs_dir: Path | None) -> RunDirectory:
    """The run that is to be steered: the named one, or the only live one.

    Raises:
        RunDirectoryError: it is not running, or several are and none was named.
    """
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.index import HELD, list_runs

    if run is not None:
        directory = run_directory(run, runs_dir)
        directory.refuse_other_holder()
        if not directory.is_held():
            name = visible(directory.name)
            raise RunDirectoryError(f"run {name} is not running; go on with it by `tuitrain resume {name}`.")
        return directory
    folder = config.runs_dir(runs_dir)
    live = [summary for summary in list_runs(folder) if summary.state in HELD]
    if not live:
        raise RunDirectoryError(f"no run is live in {visible(folder)}; list them with `tuitrain runs`.")
    if len(live) > 1:
        names = ", ".join(visible(summary.run) for summary in live[:4])
        raise RunDirectoryError(f"{len(live)} runs are live ({names}); name one.")
    return RunDirectory.open(live[0].path)


def wait_until(done: Callable[[], bool], timeout_s: float = OBEY_S) -> bool:
    """Waits for a condition; returns whether it became true in time."""
    end = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def phase_of(directory: RunDirectory) -> str | None:
    """What a live run is doing; None when it isn't live."""
    live = directory.live() if directory.is_held() else None
    return live.phase if live else None


def _report(directory: RunDirectory, what: str, obeyed: bool, json: bool) -> None:
    if json:
        emit_json({"run": directory.name, "asked": what, "obeyed": obeyed})
        return
    ending = "" if obeyed else " was requested; the run has not done it yet"
    stderr().print(f"{visible(directory.name)}: {what}{ending}", soft_wrap=True)


def pause(
    run: LiveRun = None,
    after_epoch: Annotated[
        int | None,
        typer.Option(
            "--after-epoch", min=0, help="Train and judge up to this epoch first; 0 takes such a pause back."
        ),
    ] = None,
    no_wait: NoWait = False,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Pause a live run after the current step."""
    from tuitrain.runs.index import summarise
    from tuitrain.runs.steering import RemoteControl

    directory = live_run(run, runs_dir)
    if after_epoch is not None:
        done = summarise(directory.path).epochs
        if 0 < after_epoch <= done:
            raise UsageError(
                f"--after-epoch {after_epoch}: the run has finished {plural(done, 'epoch')} already; name a later one."
            )
        RemoteControl(directory).pause(after_epoch=after_epoch)
        what = (
            f"a pause after epoch {after_epoch}" if after_epoch else "to take back the pause after an epoch"
        )
        _report(directory, what, False, json)
        return
    RemoteControl(directory).pause()
    obeyed = not no_wait and wait_until(lambda: phase_of(directory) == "paused" or not directory.is_held())
    _report(directory, "paused" if obeyed else "pause", obeyed, json)


def stop(
    run: LiveRun = None,
    after_epoch: Annotated[
        bool, typer.Option("--after-epoch", help="Finish and judge the epoch first.")
    ] = False,
    no_wait: NoWait = False,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Stop a live run and save its state.

    `tuitrain resume` goes on with it. Exit code 4 where it has not stopped in half a minute.
    """
    from tuitrain.runs import locking
    from tuitrain.runs.steering import RemoteControl

    if run is not None and _stopped_study(run, runs_dir, no_wait, json):
        return
    directory = live_run(run, runs_dir)
    RemoteControl(directory).stop("requested from a shell", when="epoch" if after_epoch else "now")
    wait = not no_wait and not after_epoch
    obeyed = wait and wait_until(lambda: locking.lock_state(directory.path) == "free", STOP_S)
    _report(directory, "stopped" if obeyed else "stop", obeyed, json)
    if wait and not obeyed:
        directory.refuse_other_holder()
        raise typer.Exit(ExitCode.RUN_DIRECTORY)


def _stopped_study(name: str, runs_dir: Path | None, no_wait: bool, json: bool) -> bool:
    """Stops a study of this name, if there is one and no run is called so; whether that was so."""
    from tuitrain.runs.names import run_names
    from tuitrain.study.store import find_study
    from tuitrain.training.command import Command

    folder = config.runs_dir(runs_dir)
    if name in run_names(folder) or (study := find_study(folder, name)) is None:
        return False
    if not study.is_held():
        raise RunDirectoryError(
            f"study {visible(study.name)} is not being trained; go on with `tuitrain study resume {visible(study.name)}`."
        )
    study.post_command(Command("stop", reason="requested from a shell", source="shell").to_json())
    obeyed = not no_wait and wait_until(lambda: not study.is_held(), STOP_S)
    what = "stopped" if obeyed else "stop"
    if json:
        emit_json({"study": study.name, "asked": what, "obeyed": obeyed})
    else:
        ending = "" if obeyed else " was requested; its runs have not ended yet"
        stderr().print(f"{visible(study.name)}: {what}{ending}", soft_wrap=True)
    return True


def continue_run(directory: RunDirectory, epochs: int | None = None) -> None:
    """Continue a paused run, and extend it to `epochs` in all.

    Raises:
        RunDirectoryError: it is not live any more.
        UsageError: it is to be made shorter.
    """
    from tuitrain.runs.index import summarise
    from tuitrain.runs.steering import RemoteControl

    control = RemoteControl(directory)
    if epochs is not None:
        more = epochs - summarise(directory.path).epochs_planned
        if more < 0:
            raise UsageError(
                f"--epochs {epochs}: the run is already longer by {-more}; stop it in place of that."
            )
        if more:
            control.add_epochs(more)
    was_paused = phase_of(directory) == "paused"
    control.resume()
    if not was_paused:
        name = visible(directory.name)
        stderr().print(f"{name} is live; look on with `tuitrain attach {name}`", soft_wrap=True)
        return
    wait_until(lambda: phase_of(directory) != "paused")
    goes_on = directory.is_held() and phase_of(directory) != "paused"
    obeyed = goes_on or summarise(directory.path).state == "done"
    _report(directory, "goes on" if obeyed else "resume", obeyed, json=False)
    if not obeyed:
        raise typer.Exit(ExitCode.RUN_DIRECTORY)


def steer(
    run: LiveRun = None,
    lr: Annotated[float | None, typer.Option("--lr", help="A new base learning rate.")] = None,
    add_epochs: Annotated[
        int | None, typer.Option("--add-epochs", help="Train this many more epochs.")
    ] = None,
    checkpoint: Annotated[bool, typer.Option("--checkpoint", help="Save now.")] = False,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Change a live run: learning rate, length, a checkpoint now."""
    from tuitrain.runs.steering import RemoteControl

    if lr is None and add_epochs is None and not checkpoint:
        raise UsageError("nothing to do; give --lr, --add-epochs or --checkpoint.")
    directory = live_run(run, runs_dir)
    control = RemoteControl(directory)
    before = len(directory.events())
    asked = 0
    if lr is not None:
        control.set_lr(lr)
        asked += 1
    if add_epochs is not None:
        control.add_epochs(add_epochs)
        asked += 1
    if checkpoint:
        control.checkpoint()
        asked += 1
    obeyed = wait_until(lambda: len(directory.events()) >= before + asked or not directory.is_held())
    _report(directory, "steered" if obeyed else "steering", obeyed, json)


def status(run: LiveRun = None, runs_dir: options.RunsDir = None, json: options.Json = False) -> None:
    """Show the position of the live runs, or one run."""
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.index import HELD, list_runs, summarise

    if run is not None:
        summaries = [summarise(run_directory(run, runs_dir).path)]
    else:
        summaries = [s for s in list_runs(config.runs_dir(runs_dir)) if s.state in HELD]
    found = [(summary, RunDirectory.open(summary.path)) for summary in summaries]
    if json:
        emit_json([_status(summary, directory) for summary, directory in found])
        return
    if not found:
        stderr().print("no run is live; list them with `tuitrain runs`")
    for summary, directory in found:
        sys.stdout.write(_status_line(summary, directory) + "\n")
    report_detached(summaries)


def _status(summary: RunSummary, directory: RunDirectory) -> dict[str, Any]:
    from tuitrain.training.events import to_dict

    live = directory.live() if summary.phase is not None else None
    progress = to_dict(live.progress) if live and live.progress else None
    return {
        **summary.to_dict(),
        "progress": progress,
        "progress_age_s": round(live.age_s, 3) if live else None,
    }


def _status_line(summary: RunSummary, directory: RunDirectory) -> str:
    live = directory.live() if summary.phase is not None else None
    parts = [state_with_glyph(summary), visible(summary.run)]
    step = live.progress if live else None
    if step is not None:
        of = f" of {summary.epochs_planned}" if summary.epochs_planned else ""
        parts.append(f"epoch {step.epoch}{of} step {step.step}/{step.steps}")
        parts.append(f"train loss {step.train_loss:.4f} acc {accuracy_text(step.train_acc)}")
        if summary.activity == "live":
            parts.append(f"{step.images_per_s:,.0f} images/s")
    else:
        parts.append(plural(summary.epochs, "epoch"))
    if summary.phase and summary.activity == "live" and summary.phase != "training":
        parts.append(visible(summary.phase))
    if summary.best is not None:
        parts.append(
            f"best {summary.judged_by} acc {accuracy_text(summary.best)} in epoch {summary.best_epoch}"
        )
    parts.append(duration_text(summary.seconds))
    if summary.pid:
        parts.append(f"pid {summary.pid}")
    return "  ".join(parts)


def tail(
    run: options.RunName = "latest",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow until the run ends.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Number of lines to print first.")] = 20,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Show the end of a run's log; with -f, follow it to its end."""
    from tuitrain.runs.exports import log_lines
    from tuitrain.runs.feed import DirectoryFeed
    from tuitrain.runs.history import History
    from tuitrain.training.events import to_line

    feed = DirectoryFeed(run_directory(run, runs_dir))
    history = History()
    first = True
    while True:
        update = feed.poll()
        out: list[str] = []
        for record in update.records if not update.reset else update.records[-1:]:
            history = history.add(record)
            out += [to_line(record)] if json else log_lines(record, history)
        if first:
            out = out[-lines:] if lines else []
            first = False
        for line in out:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if not follow or not update.alive or getattr(sys.stdout, "broken", False):
            return
        time.sleep(0.1)
