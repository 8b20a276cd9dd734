"""A headless run on a terminal: its title while it trains, a word at its end; and the user's own command then."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tuitrain import config
from tuitrain.cli.console import complain
from tuitrain.errors import TuitrainError
from tuitrain.runs import signals
from tuitrain.tui.terminal import telling
from tuitrain.tui.terminal.codes import KEEP_TITLE, OLD_TITLE

if TYPE_CHECKING:
    from tuitrain.watch.manners import Message


def tell(codes: str) -> None:
    """Sends what isn't text to the terminal that stderr is, if it is one."""
    if telling.listens(2):
        with contextlib.suppress(OSError):
            os.write(2, codes.encode())


class Title:
    """The title of the terminal."""

    def __init__(self) -> None:
        self._text = ""

    def show(self, text: str) -> None:
        """Another title."""
        if text != self._text:
            self._text = text
            tell(telling.title(text))


@contextlib.contextmanager
def titled() -> Iterator[Title]:
    """Inside this the terminal may have another title; afterwards, and after a signal, it has its own again."""
    if not telling.listens(2):
        yield Title()
        return
    tell(KEEP_TITLE)
    signals.signals.last_words += OLD_TITLE.encode()
    try:
        yield Title()
    finally:
        signals.signals.last_words = signals.signals.last_words.removesuffix(OLD_TITLE.encode())
        tell(OLD_TITLE)


def notify(message: Message | None) -> None:
    """Has the terminal say something, unless the user wants no such thing."""
    with contextlib.suppress(TuitrainError):
        if message is not None and config.setting("notify"):
            tell(telling.notification(message))


def run_command(result: Callable[[], Mapping[str, Any]], *, wait: bool) -> None:
    """Runs what the user wants done at the end of a run or a study; its failure is a sentence and nothing else.

    Args:
        result: gives the object as of `--json`.
        wait: whether to wait for its end.
    """
    from tuitrain.runs import on_finish

    finishing = on_finish.begin(result)
    if finishing is not None and (wait or finishing.process is None) and (problem := finishing.wait()):
        complain(problem)
