"""From the form to a run: what is refused, what is asked, the data fetched, the run started."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from tuitrain.errors import TuitrainError, visible
from tuitrain.training.job import Job
from tuitrain.tui.lab.lab_state import LabState
from tuitrain.tui.shell.confirm import ConfirmDialog
from tuitrain.tui.shell.question import Question

#: For so long after a start, another Enter is taken for the same one.
ONE_START_S = 2.0


class _Front(Protocol):
    """The screen, as the starter knows it."""

    def first_error(self) -> str: ...
    def go_to_layer(self, index: int) -> None: ...
    def say(self, text: str, title: str = "", timeout: float = 10) -> None: ...
    def ask(self, question: Question, answered: Callable[[str | None], None]) -> None: ...
    def go_on(self, work: Coroutine[Any, Any, None]) -> None: ...
    def look_at_data(self) -> None: ...
    def show_progress(self, text: str) -> None: ...
    def start(self, job: Job) -> None: ...


class Starter:
    """Starts what is in the lab."""

    def __init__(self, state: LabState, front: _Front) -> None:
        self.state, self.front = state, front
        self._started_at = -ONE_START_S

    def start(self) -> None:
        """Trains what the form says: refuses what can't be, asks when over budget or without data."""
        editor, front = self.state.editor, self.front
        if time.monotonic() - self._started_at < ONE_START_S:
            return  # the monitor is on its way; a second Enter would put a second run in the queue
        if reason := front.first_error():
            front.say(f"one field is not valid yet: {reason}", "not started")
            return
        problem, over = editor.evaluation.problem, editor.over_budget
        if editor.model:  # tried out before it is trained, and judged by the budget at the end
            front.go_on(self._with_data())
        elif problem is not None:
            front.go_to_layer(problem.layer)
            front.say(problem.sentence, "can't be started", 8)
        elif over:
            question = ConfirmDialog(
                f"Start {over:,} parameters over the budget?",
                f"{editor.evaluation.parameters:,} parameters, the budget is {editor.budget:,}. "
                "The run will not meet the challenge.",
                yes="Start",
            )
            front.ask(question, lambda answer: front.go_on(self._with_data()) if answer == "yes" else None)
        else:
            front.go_on(self._with_data())

    def again(self) -> None:
        """The last run once more: the same preset, settings, network and seed."""
        if not self.state.repeat_last():
            self.front.say("nothing was started from here yet", timeout=3)
            return
        self._started_at = -ONE_START_S
        self.state.edited()
        self.start()

    async def _with_data(self) -> None:
        name = self.state.preset.train.dataset
        found, text = await asyncio.to_thread(self.state.data_status, name)
        if found:
            self._start_now()
            return
        question = Question(
            f"{name} is not here yet",
            f"{visible(text)}.\n\nFetch: gets it now and then starts. Digits: starts on scikit-learn's "
            "built-in digits, with no network.",
            (("no", "Cancel", "n"), ("fetch", "Fetch", "f"), ("digits", "Digits", "d")),
            default="fetch",
        )
        self.front.ask(question, self._answered)

    def _answered(self, answer: str | None) -> None:
        if answer == "digits":
            self.state.editor.set_value("train.dataset", "digits")
            self.state.edited()
            self._start_now()
        elif answer == "fetch":
            self.front.go_on(self._fetch(self.state.preset.train.dataset))

    async def _fetch(self, name: str) -> None:
        from tuitrain.data.fetch import fetch_dataset

        loop, shown = asyncio.get_running_loop(), 0.0

        def progress(what: str, done: int, total: int | None) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown > 0.25:
                shown = now
                part = f"{done / total:.0%}" if total else f"{done / 1e6:.1f} MB"
                loop.call_soon_threadsafe(self.front.show_progress, f"fetching {what} {part}")

        self.front.say(f"fetching {name} …", timeout=6)
        try:
            await asyncio.to_thread(fetch_dataset, name, self.state.settings.data_dir, progress=progress)
        except (TuitrainError, OSError) as error:
            self.front.say(str(error), "not fetched", 15)
        else:
            if name == self.state.preset.train.dataset:
                self._start_now()
        self.front.look_at_data()

    def _start_now(self) -> None:
        try:
            job = self.state.order()
        except TuitrainError as error:
            self.front.say(str(error), "not started")
            return
        self._started_at = time.monotonic()
        self.front.say(f"starting {job.model or job.preset.name} …", timeout=2)
        self.front.start(job)
