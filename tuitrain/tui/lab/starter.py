"""From the form to a run: what is refused, what is asked, the data fetched, the run started."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from tuitrain.errors import TuitrainError, visible
from tuitrain.training.job import Job
from tuitrain.tui.shell.modal import Dialog
from tuitrain.tui.shell.question import ConfirmDialog, Question
from tuitrain.workbench.lab_state import LabState

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan, Setting
    from tuitrain.training.runtime import Runtime

#: Of a duel; what `tuitrain duel` takes too where nothing else is said.
MOST_PAIRS = 64
#: For so long after a start, another Enter is taken for the same one.
ONE_START_S = 2.0


class _Front(Protocol):
    """The screen, as the starter knows it."""

    def first_error(self) -> str: ...
    def go_to_layer(self, index: int) -> None: ...
    def say(self, text: str, title: str = "", timeout: float = 10) -> None: ...
    def ask(self, question: Dialog[Any], answered: Callable[[Any], None]) -> None: ...
    def go_on(self, work: Coroutine[Any, Any, None]) -> None: ...
    def look_at_data(self) -> None: ...
    def show_progress(self, text: str) -> None: ...
    def start(self, job: Job) -> None: ...
    def start_study(self, plan: Plan) -> None: ...


class Starter:
    """Starts what is in the lab."""

    def __init__(self, state: LabState, front: _Front) -> None:
        self.state, self.front = state, front
        self._started_at = -ONE_START_S
        self._grid = ""  # of the last sweep

    def start(self) -> None:
        """Trains what the form says: refuses what can't be, asks when over budget or without data."""
        editor, front = self.state.editor, self.front
        if time.monotonic() - self._started_at < ONE_START_S:
            return  # the monitor is on its way; a second Enter would put a second run in the queue
        if reason := front.first_error():
            front.say(f"one field is not valid yet: {reason}", "not started")
            return
        problem, over = editor.check.problem, editor.over_budget
        # A network in Python is tried out before it is trained, and judged by the budget at the end.
        if problem is not None and not editor.model:
            front.go_to_layer(problem.layer)
            front.say(problem.sentence, "can't be started", 8)
        elif over and not editor.model:
            question = ConfirmDialog(
                f"Start {over:,} parameters over the budget?",
                f"{editor.check.parameters:,} parameters, the budget is {editor.budget:,}. "
                "The run will not meet the challenge.",
                yes="Start",
            )
            front.ask(question, lambda _: front.go_on(self._with_data()))
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

    def _answered(self, answer: str) -> None:
        if answer == "digits":
            self.state.editor.set_value("train.dataset", "digits")
            self.state.edited()
            self._start_now()
        else:
            self.front.go_on(self._fetch(self.state.preset.train.dataset))

    async def _fetch(self, name: str) -> None:
        from tuitrain.data.fetch import fetch_dataset

        shown = 0.0

        def progress(what: str, done: int, total: int | None) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown > 0.25:
                shown = now
                part = f"{done / total:.0%}" if total else f"{done / 1e6:.1f} MB"
                self.front.show_progress(f"fetching {what} {part}")

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
        seeds = self.state.seeds
        try:
            job = self.state.order()
            plan = _plan_of_seeds(job, seeds) if seeds else None
        except TuitrainError as error:
            self.front.say(str(error), "not started")
            return
        if job.model and plan is not None:
            self.front.say(
                "copy its command (y): only there several seeds of a network in Python can be trained",
                "not started",
            )
            return
        self._started_at = time.monotonic()
        self.front.say(f"starting {job.model or job.preset.name} …", timeout=2)
        if plan is not None:
            self.front.start_study(plan)
        else:
            self.front.start(job)

    def duel(self) -> None:
        """Asks for, and starts, a duel of what the form says against the preset as it was chosen."""
        if reason := self.front.first_error() or self.state.refused(
            "a duel of it begins with `tuitrain duel`"
        ):
            self.front.say(reason, "no duel")
            return
        try:
            settings = self.state.duel_settings()
        except TuitrainError as error:
            self.front.say(str(error), "no duel")
            return
        self.front.go_on(self._duel(settings, self.state.trial().runtime, self.state.preset.train.seed))

    async def _duel(self, settings: tuple[Setting, Setting], runtime: Runtime, first: int) -> None:
        try:
            plan, says = await asyncio.to_thread(self._plan_of_duel, settings, runtime, first)
        except (TuitrainError, OSError) as error:
            self.front.say(str(error), "no duel")
            return
        a, b = (visible(setting.label) for setting in settings)
        question = ConfirmDialog(
            "Start a duel?",
            f"{b} against {a}: both get the same seeds, one after the other, until it is decided.\n\n"
            f"It {says}.",
            yes="Start",
        )
        self.front.ask(question, lambda _: self.front.start_study(plan))

    def _plan_of_duel(
        self, settings: tuple[Setting, Setting], runtime: Runtime, first: int
    ) -> tuple[Plan, str]:
        """The plan, and what it can find; reads the disk."""
        from tuitrain.data.load import load_dataset
        from tuitrain.study.duel import duel_plan
        from tuitrain.study.starting import plan_of_duel, sd_to_expect
        from tuitrain.watch.duel import start_line

        kept = self.state.settings
        images = len(load_dataset(settings[0].preset.train.dataset, kept.data_dir, fetch=False).test)
        sd, source = sd_to_expect(kept.runs_dir, settings[0], images)
        plan = plan_of_duel(settings, tuple(range(first, first + MOST_PAIRS)), runtime, sd)
        return plan, start_line(duel_plan(plan), sd, source)

    def sweep(self) -> None:
        """Asks for a grid, and starts all its combinations as a study."""
        from tuitrain.tui.lab.sweep_dialog import SweepDialog

        if reason := self.front.first_error() or self.state.refused("a sweep needs a network of layers"):
            self.front.say(reason, "no sweep")
            return
        try:
            order = self.state.sweep_order()
        except TuitrainError as error:
            self.front.say(str(error), "no sweep")
            return
        self.front.ask(SweepDialog(order, self._grid), self._sweep)

    def _sweep(self, answer: tuple[str, Plan]) -> None:
        self._grid, plan = answer
        self.front.start_study(plan)


def _plan_of_seeds(job: Job, seeds: str) -> Plan:
    from tuitrain.study.starting import plan_of_seeds

    return plan_of_seeds(job, seeds)
