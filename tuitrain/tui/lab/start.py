"""How a run is started from the lab: what is refused, what is asked, the data fetched, the run put in line."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import Any

from tuitrain.errors import TuitrainError, visible
from tuitrain.spec.repeat import run_command
from tuitrain.training.runtime import Runtime
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.network import NetworkView
from tuitrain.tui.lab.user_network import LabUserNetwork
from tuitrain.tui.shell.confirm import ConfirmDialog
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.shell.question import Question

#: For so long after a start, another Enter is taken for the same one.
ONE_START_S = 2.0


class LabStart(LabUserNetwork):
    """The lab's way from a form to a run."""

    def __init__(self) -> None:
        super().__init__()
        self._started_at = -ONE_START_S

    def action_start(self) -> None:
        """Trains what the form says: refuses what can't be, asks when over budget or without data."""
        form, editor = self.query_one(FormView), self.editor
        if time.monotonic() - self._started_at < ONE_START_S:
            return  # the monitor is on its way; a second Enter would put a second run in line
        if form.errors:
            key, (_, reason) = next(iter(form.errors.items()))
            self.set_focus(form)
            form.go_to(key)
            self.notify(
                f"one field is not right yet: {reason}", title="not started", severity="error", markup=False
            )
            return
        if editor.model:  # tried out before it is trained, and judged by the budget at the end
            self._start_checked()
            return
        problem = editor.evaluation.problem
        if problem is not None:
            self.query_one(NetworkView).go_to(problem.layer)
            self.notify(
                visible(problem.sentence),
                title="can't be started",
                severity="error",
                markup=False,
                timeout=8,
            )
            return
        if editor.over_budget:
            self.app.push_screen(
                ConfirmDialog(
                    f"Start {editor.over_budget:,} parameters over the budget?",
                    f"{editor.evaluation.parameters:,} parameters, the budget is {editor.budget:,}. "
                    "The run will not meet the challenge.",
                    yes="Start",
                ),
                lambda answer: self._start_checked() if answer == "yes" else None,
            )
            return
        self._start_checked()

    def _start_checked(self) -> None:
        name = self.preset.train.dataset
        self.run_worker(lambda: self._find_data(name), thread=True, group="lab-start", exclusive=True)

    def _find_data(self, name: str) -> None:
        self.call_later(self._data_looked_up, name, *self.data_status(name))

    def _data_looked_up(self, name: str, ok: bool, text: str) -> None:
        if ok:
            self._start_now()
            return
        self.app.push_screen(
            Question(
                f"{name} is not here yet",
                f"{visible(text)}.\n\nFetch: gets it now and then starts. Digits: starts on scikit-learn's "
                "built-in digits, with no network.",
                (("no", "Cancel", "n"), ("fetch", "Fetch", "f"), ("digits", "Digits", "d")),
                default="fetch",
            ),
            self._data_answered,
        )

    def _data_answered(self, answer: str | None) -> None:
        if answer == "digits":
            self.editor.set_value("train.dataset", "digits")
            self.after_edit()
            self.look_at_data()
            self._start_now()
        elif answer == "fetch":
            name = self.preset.train.dataset
            self.notify(f"fetching {name} …", timeout=6)
            self.run_worker(lambda: self._fetch(name), thread=True, group="lab-start", exclusive=True)

    def _fetch(self, name: str) -> None:
        from tuitrain.data.fetch import fetch_dataset

        data_dir = shell(self).settings.data_dir
        shown = 0.0

        def progress(what: str, done: int, total: int | None) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown > 0.25:
                shown = now
                part = f"{done / total:.0%}" if total else f"{done / 1e6:.1f} MB"
                self.call_later(self.show_progress, f"fetching {what} {part}")

        try:
            fetch_dataset(name, data_dir, progress=progress)
        except (TuitrainError, OSError) as error:
            self.call_later(self._not_fetched, str(error))
            return
        self.call_later(self._fetched, name)

    def _not_fetched(self, text: str) -> None:
        self.notify(visible(text), title="not fetched", severity="error", markup=False, timeout=15)
        self.look_at_data()

    def _fetched(self, name: str) -> None:
        self.look_at_data()
        if name == self.preset.train.dataset:
            self._start_now()

    def _start_now(self) -> None:
        editor = self.editor
        try:
            preset = editor.checked()
        except TuitrainError as error:
            self.notify(visible(error), title="not started", severity="error", markup=False, timeout=10)
            return
        settings = editor.settings
        runtime = dataclasses.replace(
            self.place.runtime,
            device=settings["lab.device"],
            precision=settings["lab.precision"],
            compile=settings["lab.compile"],
            deterministic=settings["lab.deterministic"],
        )
        self._started_at = time.monotonic()
        self.notify(f"starting {visible(editor.model) or preset.name} …", markup=False, timeout=2)
        self.last_started = (self.source, copy.deepcopy(editor.data), dict(settings))
        # A confirmed overrun is not refused a second time.
        budget = None if editor.over_budget and not editor.model else editor.budget
        shell(self).start_run(preset, runtime, budget, self.changed_from_base(), self.command(), editor.model)

    def action_again(self) -> None:
        """The last run once more: the same preset, settings, network and seed."""
        if self.last_started is None:
            self.notify("nothing was started from here yet", timeout=3)
            return
        self._started_at = -ONE_START_S
        source, data, settings = self.last_started
        self.choose_preset(source)
        self.editor.apply(copy.deepcopy(data), "same again", settings=dict(settings))
        self.refresh_all()
        self.action_start()

    def command(self) -> str:
        """The headless command of the form."""
        editor = self.editor
        own_budget = editor.budget == self.base.challenge.max_parameters and self.place.budget is None
        extra: dict[str, Any] = {
            "--model": editor.model or None,
            "--budget": None if own_budget or editor.over_budget else editor.budget,
            **{f"--{name}": self._flag(name) for name in ("device", "precision", "compile")},
            "--deterministic": editor.settings["lab.deterministic"],
            "--data-dir": shell(self).settings.data_dir,
        }
        return run_command(self.base, self.base_name, self.preset, extra)

    def _flag(self, name: str) -> str | None:
        """The value of a flag, None where it would be the same without it, here and elsewhere."""
        value: str = self.editor.settings[f"lab.{name}"]
        default: str = getattr(Runtime(), name)
        return None if value == default == getattr(self.place.runtime, name) else value
