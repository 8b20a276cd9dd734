"""How a run is steered from its monitor: what may be done with it, and what is asked first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from tuitrain import figures
from tuitrain.runs.digests import setting_digest
from tuitrain.tui.monitor.branching import ask_branch
from tuitrain.tui.monitor.dialogs import StopDialog, epochs_dialog, pause_dialog, rate_dialog
from tuitrain.tui.shell.modal import ask
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.shell.told import told
from tuitrain.watch.watched_run import WatchedRun

if TYPE_CHECKING:
    from tuitrain.training.command import Steering, When

STEERING = frozenset(
    {"detach", "pause", "resume", "stop", "checkpoint", "learning_rate", "add_epochs", "pause_after"}
)
STEERING_KEYS = frozenset({"space", "x", "s", "l", "E", "P"})
SOURCE = "keyboard"


class RunSteering:
    """Steers one watched run; `changed` is called when something was asked of it."""

    def __init__(self, screen: Screen[Any], watched: WatchedRun, changed: Callable[[], None]) -> None:
        self._screen, self._watched, self._changed = screen, watched, changed
        actions = (
            self.pause, self.resume, self.checkpoint, self.stop, self.learning_rate, self.add_epochs, self.pause_after,
            self.go_on, self.branch, self.another_seed, self.members, self.draw,
        )  # fmt: skip
        self.actions: dict[str, Callable[[], None]] = {action.__name__: action for action in actions}

    def allowed(self, action: str, has_report: bool) -> bool | None:
        """Whether an action of the monitor is offered; None where it is shown and does nothing."""
        watched, state = self._watched, self._watched.state
        if action == "go_on":
            return watched.can_go_on
        if action == "members":
            return bool(state.started and state.started.study)
        if action == "another_seed":
            return state.finished is not None
        if action == "branch":
            return state.started is not None and watched.directory is not None
        if action == "report":
            return state.finished is not None and has_report
        if action in STEERING and (state.over or watched.feed is None):
            return False
        if action in STEERING and watched.readonly and action != "detach":
            return None
        if action in ("pause", "resume"):
            return state.paused == (action == "resume")
        return True

    def refused(self) -> bool:
        """Whether nothing can be steered; then why is said."""
        if refusal := self._watched.refusal:
            self._screen.notify(refusal, severity="warning", markup=False)
        return bool(refusal)

    def _ask(self, action: str, text: str, send: Callable[[Steering], None]) -> None:
        if self.refused():
            return
        with told(self._screen, "not done"):
            self._watched.ask(action, text, send)
            self._changed()

    def pause(self) -> None:
        self._ask("paused", "pausing", lambda run: run.pause(SOURCE))

    def resume(self) -> None:
        self._ask("resumed", "resuming", lambda run: run.resume(SOURCE))

    def checkpoint(self) -> None:
        self._ask("checkpoint", "saving checkpoint", lambda run: run.checkpoint(SOURCE))

    def stop(self) -> None:
        def take(answer: str) -> None:
            text = "stopping at epoch end" if answer == "epoch" else "stopping"
            when: When = "epoch" if answer == "epoch" else "now"
            self._ask("stop", text, lambda run: run.stop("stopped from the monitor", when, SOURCE))

        ask(self._screen, StopDialog(self._watched.state.epoch), take)

    def learning_rate(self) -> None:
        def take(value: float) -> None:
            self._ask("learning_rate", f"learning rate {value:g}", lambda run: run.set_lr(value, SOURCE))

        ask(self._screen, rate_dialog(self._watched.state.lr), take)

    def add_epochs(self) -> None:
        def take(value: float) -> None:
            text = f"adding {figures.plural(int(value), 'epoch')}"
            self._ask("extended", text, lambda run: run.add_epochs(int(value), SOURCE))

        ask(self._screen, epochs_dialog(self._watched.state.planned), take)

    def pause_after(self) -> None:
        def take(value: float) -> None:
            epoch = int(value)
            text = f"pausing after epoch {epoch}" if epoch else "taking the pause back"
            self._ask("pause_after", text, lambda run: run.pause(SOURCE, after_epoch=epoch))

        state = self._watched.state
        ask(self._screen, pause_dialog(state.epoch, state.planned, state.pause_after), take)

    # -- other runs ------------------------------------------------------------------------------

    def go_on(self) -> None:
        directory = self._watched.directory
        if directory is not None:
            with told(self._screen, "not resumed"):
                shell(self._screen).resume_run(str(directory.path))

    def branch(self) -> None:
        directory = self._watched.directory
        if directory is not None:
            with told(self._screen, "no branch"):
                ask_branch(self._screen, directory)

    def another_seed(self) -> None:
        job = self._watched.next_seed(shell(self._screen).opening.model)
        if job is not None:
            shell(self._screen).start_run(job)
        else:
            self._screen.app.bell()

    def members(self) -> None:
        started = self._watched.state.started
        if started is not None:
            shell(self._screen).open_study(started.study, setting_digest(started), self._watched.readonly)

    def draw(self) -> None:
        directory = self._watched.directory
        shell(self._screen).open_drawing(str(directory.path) if directory is not None else "")
