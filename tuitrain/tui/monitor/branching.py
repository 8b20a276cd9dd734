"""Branching: from which kept epoch of a run another one begins, and with which settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from tuitrain.errors import RunDirectoryError, TuitrainError, UsageError, visible
from tuitrain.tui.shell.modal import Dialog, ask
from tuitrain.tui.shell.protocol import shell

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.job import Job

#: The fields: id, label, and the preset's key.
FIELDS = (
    ("epoch", "from the end of epoch", ""),
    ("epochs", "epochs in all", "train.epochs"),
    ("lr", "learning rate", "train.optimizer.lr"),
    ("dropout", "dropout", "train.dropout"),
    ("other", "other settings", ""),
)
KEYS = "enter starts it, esc leaves"


class BranchDialog(Dialog["Job | None"]):
    """A kept epoch and the settings that may differ from there on; the result is the branch's job."""

    HELP_TITLE = "Branch"
    HELP = (
        "A branch is a new run that begins where another one stood at the end of an epoch: with its weights and the "
        "state of its optimizer, and with other settings from there on. The other run is only read. Any other setting is "
        "written as on the command line: rotation=3 schedule.gamma=0.5."
    )
    DEFAULT_CSS = """
    BranchDialog > Vertical > Horizontal { height: 1; }
    BranchDialog Horizontal > Static { width: 24; }
    BranchDialog Input { width: 1fr; }
    BranchDialog .hint { width: 100%; margin-bottom: 1; }
    BranchDialog .reason { height: auto; min-height: 1; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="dialog.cancel"),
        Binding("up", "app.focus_previous", "Previous field", show=False, id="branch.previous"),
        Binding("down", "app.focus_next", "Next field", show=False, id="branch.next"),
    ]

    def __init__(self, directory: RunDirectory, parent: Job, kept: Sequence[int]) -> None:
        """`kept` are the epochs that the run has checkpoints of, in order."""
        super().__init__()
        self._directory, self._kept = directory, kept
        train = parent.preset.train
        before_end = [epoch for epoch in kept if epoch < train.epochs]
        epoch = before_end[-1] if before_end else kept[-1]
        self._values = {
            "epoch": str(epoch),
            "epochs": str(max(train.epochs, epoch + 1)),
            "lr": f"{train.optimizer.lr:g}",
            "dropout": f"{train.dropout:g}",
            "other": "",
        }

    def compose(self) -> ComposeResult:
        kept = ", ".join(map(str, self._kept))
        with Vertical():
            yield Static(f"Branch from {visible(self._directory.name)}", classes="title", markup=False)
            yield Static(
                f"A new run that begins where this one stood. Kept are the ends of epochs {kept}.",
                classes="hint",
                markup=False,
            )
            for name, label, _ in FIELDS:
                with Horizontal():
                    yield Static(label, markup=False)
                    hint = "rotation=3 batch_size=128" if name == "other" else ""
                    yield Input(self._values[name], hint, id=name, select_on_focus=True, compact=True)
            yield Static(KEYS, classes="reason -keys", markup=False)

    def _job(self) -> Job:
        """The branch's job; a TuitrainError where a field holds what can't be used."""
        from tuitrain.runs.branch import branch_job
        from tuitrain.spec.assignment import assignments

        numbers: dict[str, float] = {}
        for name, label, _ in FIELDS[:-1]:
            text = self.query_one(f"#{name}", Input).value.strip()
            whole = name in ("epoch", "epochs")
            try:
                numbers[name] = int(text) if whole else float(text)
            except ValueError:
                wanted = "a whole number" if whole else "a number"
                raise UsageError(f"{label}: type {wanted}.") from None
        epoch = int(numbers["epoch"])
        if epoch not in self._kept:
            raise UsageError(f"epoch {epoch} is not kept; choose {', '.join(map(str, self._kept))}.")
        if numbers["epochs"] <= epoch:
            raise UsageError(f"epochs in all: after epoch {epoch}, more than {epoch} are needed.")
        changes: dict[str, Any] = {
            key: numbers[name]
            for name, _, key in FIELDS
            if key and self.query_one(f"#{name}", Input).value.strip() != self._values[name]
        }
        changes["train.epochs"] = int(numbers["epochs"])
        other = assignments(self.query_one("#other", Input).value)
        if twice := changes.keys() & other.keys():
            raise UsageError(f"other settings: {min(twice)} has a field of its own.")
        changes |= other
        return branch_job(self._directory, epoch, changes)

    def on_input_changed(self) -> None:
        """What was said of the values before holds no more."""
        self.say(KEYS, refused=False)

    def on_input_submitted(self) -> None:
        try:
            job = self._job()
        except TuitrainError as error:
            self.say(visible(error).removeprefix("the branch: "))
            self.app.bell()
        else:
            self.dismiss(job)


def ask_branch(screen: Screen[Any], directory: RunDirectory) -> None:
    """Asks how to branch from a run, and starts the branch.

    Raises:
        TuitrainError: it can't be branched from.
    """
    from tuitrain.runs.branch import kept_epochs
    from tuitrain.runs.launch import recall

    kept = sorted(kept_epochs(directory))
    if not kept:
        raise RunDirectoryError(
            f"run {visible(directory.name)} has no checkpoint of an epoch's end to begin from."
        )
    parent, started, _ = recall(directory)
    if started is not None and started.own_network:
        raise UsageError(
            f"run {visible(directory.name)} trains a network in Python, which a branch can't name."
        )
    ask(screen, BranchDialog(directory, parent, kept), lambda job: shell(screen).start_run(job, directory))
