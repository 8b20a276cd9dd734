"""What takes too long for a keystroke: worked out in a thread, once the keys have been quiet for a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from textual.timer import Timer
from textual.widget import Widget

AFTER_S = 0.3  # of quiet

Answer = TypeVar("Answer")


class Behind(Generic[Answer]):
    """Asks for one thing in a thread and shows its answer; only the answer to the newest question counts."""

    def __init__(
        self, screen: Widget, name: str, work: Callable[..., Answer], show: Callable[[Answer], None]
    ) -> None:
        """`work` gives the answer, in a thread; `show` shows it, in the screen's own."""
        self._screen, self._name, self._work, self._show = screen, name, work, show
        self._timer: Timer | None = None
        self._question: object = None
        self.answer: Answer | None = None

    def ask(self, question: object, *arguments: Any) -> None:
        """Asks, with what `work` takes, unless the question is the last one again."""
        if question == self._question:
            return
        self.forget()
        self._question = question
        self._timer = self._screen.set_timer(AFTER_S, lambda: self._start(question, arguments))

    def forget(self) -> None:
        """There is nothing to ask, and no answer."""
        if self._timer is not None:
            self._timer.stop()
        self._question, self.answer = None, None

    def _start(self, question: object, arguments: tuple[Any, ...]) -> None:
        def work() -> None:
            answer = self._work(*arguments)
            self._screen.call_later(self._found, question, answer)

        self._screen.run_worker(work, thread=True, group=self._name, exit_on_error=False)

    def _found(self, question: object, answer: Answer) -> None:
        if question == self._question:
            self.answer = answer
            self._show(answer)
