"""What stays in the scrollback when the app was left: five lines on the latest run, one on each other."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from tuitrain.errors import visible
from tuitrain.figures import RICH_COLOURS, accuracy_text, count_text, elapsed_text, glyph_and_kind, plural
from tuitrain.runs import wording
from tuitrain.runs.history import History
from tuitrain.spec.describe import layers_of, short_changes
from tuitrain.tui.terminal.telling import linked

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.queue import SessionManager
    from tuitrain.runs.queue_entry import QueueEntry


def summary_lines(
    manager: SessionManager, *, detached: bool, watched: RunDirectory | None = None
) -> list[Text]:
    """The lines, newest run first; those of the run that was looked at when nothing was trained here.

    Raises:
        TuitrainError: the log of the run that was looked at can't be read.
    """
    begun = [entry for entry in manager.entries if entry.session is not None or entry.error]
    lines: list[Text] = []
    if begun:
        newest = begun[-1]
        lines += (
            _lines_of_study(manager, newest)
            if newest.study
            else _lines_of(_RunResult.of_entry(newest), detached)
        )
        for entry in list(reversed(begun[:-1]))[:5]:
            head = (
                _lines_of_study(manager, entry)[0] if entry.study else _one_line(_RunResult.of_entry(entry))
            )
            lines.append(head)
    elif watched is not None:
        lines += _lines_of(_RunResult.of_directory(watched), watched.is_held())
    waiting = manager.waiting()
    if detached and waiting:
        lines.append(Text(f"{len(waiting)} more in the queue, trained one after the other"))
    return lines


@dataclass(frozen=True)
class _RunResult:
    """What is told of a run."""

    title: str
    result: History
    directory: RunDirectory | None
    error: str = ""

    @classmethod
    def of_entry(cls, entry: QueueEntry) -> _RunResult:
        records = list(entry.session.records) if entry.session is not None else []
        return cls(entry.title, History.of(records), entry.directory, entry.error)

    @classmethod
    def of_directory(cls, directory: RunDirectory) -> _RunResult:
        result = History.of(directory.events())
        started = result.started
        changes = short_changes(started.changed, layers_of(started.preset)) if started else ""
        name = visible(started.name) if started else visible(directory.name)
        return cls(f"{name} · {changes}" if changes else name, result, directory)

    @property
    def short_name(self) -> str:
        """What an attach or resume needs: the four letters at the end, where the name has them."""
        if self.directory is None:
            return "latest"
        ending = re.search(r"_([0-9a-f]{4})$", self.directory.name)
        return ending[1] if ending else visible(self.directory.name)


def _head(run: _RunResult, running: bool = True) -> Text:
    done, word = run.result.finished, ""
    state: str
    if done is not None:
        state = done.outcome
    elif run.error:
        state, word = "failed", "not started"
    else:
        state = "training" if running else "interrupted"
    glyph, kind = glyph_and_kind(state)
    return Text.assemble(
        (f"{glyph} {word or wording.state_text(state)}", f"bold {RICH_COLOURS.get(kind, '')}"),
        f"  {run.title}",
    )


def _lines_of(run: _RunResult, running: bool) -> list[Text]:
    result = run.result
    started, best, directory = result.started, result.best, run.directory
    lines = [_head(run, running)]
    if directory is None:
        return [*lines, Text(f"  {run.error}")]
    if best is not None:
        target = result.target
        text = f"  best {accuracy_text(best.test_acc)} in epoch {best.epoch}, last {accuracy_text(result.epochs[-1].test_acc)}"
        if target is not None:
            reached = list(result.at_target)
            text += f", target {target:.2f} %: " + (
                f"first in epoch {reached[0]}" if reached else "not reached"
            )
        lines.append(Text(text))
    else:
        lines.append(Text("  no epoch finished yet"))
    if started is not None:
        lines.append(
            Text(
                f"  {result.done} of {plural(result.planned, 'epoch')} in {elapsed_text(result.seconds)} on "
                f"{visible(started.device)}, seed {started.seed}, {count_text(started.parameters)} parameters"
            )
        )
    done = result.finished
    state = (
        "live" if running and done is None else "done" if done and done.outcome != "stopped" else "stopped"
    )
    command = _next_command(state, "tuitrain resume", run.short_name)
    return [*lines, Text.assemble("  ", linked(directory.path)), command]


def _lines_of_study(manager: SessionManager, entry: QueueEntry) -> list[Text]:
    """The same of several seeds."""
    from tuitrain.study.reading import StudyReader
    from tuitrain.study.store import StudyDirectory, study_path
    from tuitrain.watch.group import mean_text, study_state

    study = StudyDirectory(study_path(manager.runs_dir, entry.study))
    groups, name = StudyReader(study.runs_dir, study.plan()).groups(), visible(study.name)
    state = "live" if entry.live else study_state(groups, held=False)
    glyph, kind = glyph_and_kind(state)
    word = "training" if state == "live" else wording.state_text(state)
    lines = [Text.assemble((f"{glyph} {word}", f"bold {RICH_COLOURS.get(kind, '')}"), f"  {entry.title}")]
    lines += [Text(f"  {visible(group.label)}: {mean_text(group)}") for group in groups[:3]]
    lines += [Text(f"  {entry.error}")] if entry.error else []
    return [*lines, Text(f"  {visible(study.path)}"), _next_command(state, "tuitrain study resume", name)]


def _next_command(state: str, resume: str, name: str) -> Text:
    commands = {
        "live": "goes on without a screen; come back with: tuitrain attach",
        "done": "look at it again with: tuitrain attach",
    }
    return Text(f"  {commands.get(state, f'go on with: {resume}')} {name}", style="bold")


def _one_line(run: _RunResult) -> Text:
    line = _head(run)
    if run.result.best is not None:
        line.append(f"  best {accuracy_text(run.result.best.test_acc)}")
    if run.directory is not None:
        line.append(f"  {visible(run.directory.name)}", "dim")
    return line


def print_summary(
    manager: SessionManager,
    fd: int,
    *,
    detached: bool,
    ascii_only: bool,
    watched: RunDirectory | None = None,
) -> None:
    """Print the lines on a terminal; plain with NO_COLOR.

    Raises:
        OSError: the terminal is gone.
        TuitrainError: the log of the run that was looked at can't be read.
    """
    from rich.console import Console

    lines = summary_lines(manager, detached=detached, watched=watched)
    if not lines:
        return
    with os.fdopen(os.dup(fd), "w", encoding="utf-8", errors="replace") as file:
        console = Console(file=file, force_terminal=True, highlight=False, markup=False, soft_wrap=True)
        for line in lines:
            if ascii_only:
                from tuitrain.tui.terminal.filters import spelled

                line.plain = spelled(line.plain)
            console.print(line)
