"""What a terminal is told of a run beside what it shows: its title, and that the run has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, plural
from tuitrain.runs import wording
from tuitrain.runs.history import History

if TYPE_CHECKING:
    from tuitrain.watch.group import Group

#: A run that took longer is told of when it ends; nobody waits so long before the screen.
LONG_S = 30.0


class Message(NamedTuple):
    """A notification: its heading and its text, each in one line."""

    title: str
    body: str


def ended_message(history: History) -> Message | None:
    """What is told of a run that has ended; None where it took no long time, or goes on."""
    if history.finished is None or history.seconds < LONG_S:
        return None
    name = visible(history.started.name) if history.started is not None else "run"
    return Message(f"tuitrain: {name}", wording.end_text(history))


def study_message(name: str, groups: Sequence[Group], seconds: float) -> Message | None:
    """The same of a study that has ended after so many seconds."""
    if seconds < LONG_S:
        return None
    ended = sum(len(group.ended) for group in groups)
    return Message(f"tuitrain: {visible(name)}", f"the study is over, {plural(ended, 'run')} ended")


def title_text(history: History) -> str:
    """A run in a few words: accuracy, epoch, preset."""
    parts = []
    if history.last is not None:
        parts.append(accuracy_text(history.last.test_acc))
    if history.planned:
        parts.append(
            f"epoch {min(history.done + (history.finished is None), history.planned)}/{history.planned}"
        )
    parts.append(visible(history.started.name) if history.started is not None else "starting")
    return " · ".join(parts)
