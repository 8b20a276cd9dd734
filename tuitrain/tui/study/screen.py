"""What the screens of a study share: it is read in a thread, steered, and its members opened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tuitrain.errors import TuitrainError, visible
from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.sizes import WIDE
from tuitrain.tui.paint.text import Parts, wrap
from tuitrain.tui.shell.framed_screen import FramedScreen
from tuitrain.tui.shell.modal import ask
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.shell.told import told
from tuitrain.tui.study.members import Members

if TYPE_CHECKING:
    from tuitrain.runs.queue_entry import QueueEntry
    from tuitrain.study.sides import Side
    from tuitrain.study.store import StudyDirectory
    from tuitrain.study.watching import StudyLook, StudyWatcher

#: Between two looks at a study, four times that on a slow line.
LOOK_S = 0.5
STEERING = frozenset({"stop", "go_on", "more"})
NEEDS_STUDY = STEERING | {"compare", "detach"}


def sentences(lines: Sequence[str], width: int, first: str = "bold") -> list[Parts]:
    """What is said, broken into lines; the first, unless it is said elsewhere the finding, has a style of its own."""
    return [
        line
        for number, said in enumerate(lines)
        for line in wrap(((f" {visible(said)}", "" if number else first),), max(20, width), 1)
    ]


class StudyScreen(FramedScreen[None]):
    """A study that is looked at."""

    DEFAULT_CSS = """
    StudyScreen #study { padding: 0 1; height: 1fr; width: 1fr; }
    StudyScreen #middle { height: 1fr; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Stop", id="study.stop"),
        Binding("R", "go_on", "Resume", id="study.go_on"),
        Binding("c", "compare", "Compare", id="study.compare"),
        Binding("d", "detach", "Detach", id="study.detach"),
        Binding("tab", "says", "What it says", id="study.says"),
    ]

    watcher: StudyWatcher | None = None
    readonly = False
    looked: StudyLook | None = None
    _looking = False
    _shown_state: object = None

    def panes(self) -> ComposeResult:
        with Vertical(id="study"):
            yield from self.parts()

    def parts(self) -> ComposeResult:
        """The parts of the screen."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Look at the study at a slow pace: it changes with the epochs of its members."""
        pace = 4.0 if shell(self).settings.low_bandwidth else 1.0
        self.set_interval(LOOK_S * pace, self.look)
        self.query_one(Members).focus()

    def on_screen_resume(self) -> None:
        self.look()

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "-two")
        self.show_again()

    @on(LinesView.Resized)
    def _pane_resized(self, event: LinesView.Resized) -> None:
        """A pane has another width, so its sentences break elsewhere."""
        event.stop()
        self.show_again()

    def show_study(self, watcher: StudyWatcher, setting: int = 0, readonly: bool = False) -> None:
        self.watcher, self.readonly, self.looked, self._shown_state = watcher, readonly, None, None
        watcher.setting = setting
        self.look()

    # -- looking ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the study in a thread, unless it is being read or not in sight."""
        if self.watcher is not None and not self._looking and self.is_current:
            self._looking = True
            self.run_worker(self._look(self.watcher), group="look")

    async def _look(self, watcher: StudyWatcher) -> None:
        try:
            seen = await asyncio.to_thread(watcher.look)
        except (TuitrainError, OSError) as error:
            self.watcher = None
            self.notify(visible(error), title="the study can't be read", severity="error", markup=False)
            return
        finally:
            self._looking = False
        if watcher is not self.watcher or not self.is_running:  # left meanwhile
            return
        before, self.looked = self.looked, seen
        shown = (self.state, self.readonly)
        if seen is not before or shown != self._shown_state:
            self.show_again()
        if shown != self._shown_state:
            self._shown_state = shown
            self.refresh_bindings()
            self._say_why()

    def _say_why(self) -> None:
        """Why it could not be trained here, where that is so."""
        found = [
            entry
            for entry in shell(self).manager.entries
            if self.directory and entry.study == self.directory.name
        ]
        if found and found[-1].error:
            self.notify(found[-1].error, title="not trained", severity="error", markup=False, timeout=12)

    def show_again(self) -> None:
        """Show what was seen last."""
        if self.looked is None or not self.is_mounted or not self.query(Members):
            return
        text = self.context(self.looked) + (" (read only)" if self.readonly else "")
        self.set_context(visible(text))
        self.show(self.looked)

    def context(self, seen: StudyLook) -> str:
        """What the header says."""
        raise NotImplementedError

    def show(self, seen: StudyLook) -> None:
        """Show a look; only what differs is painted."""
        raise NotImplementedError

    def strip_lines(self) -> list[str]:
        seen = self.looked
        return [self.context(seen), *self.sentences_of(seen)] if seen is not None else []

    def sentences_of(self, seen: StudyLook) -> tuple[str, ...]:
        """What is said of it, the finding first."""
        return seen.says

    def action_says(self) -> None:
        self.toggle_class("-says")
        self.show_again()

    # -- members ---------------------------------------------------------------------------------

    def member_at(self, index: int) -> str | None:
        """The run of a line of the table, once it has begun."""
        return None

    @on(Members.Opened)
    def _open(self, event: Members.Opened) -> None:
        event.stop()
        self.open_at(event.index)

    def open_at(self, index: int) -> None:
        """Open what a line of the table stands for."""
        run = self.member_at(index)
        if run is None:
            self.app.bell()
        else:
            self.open_member(run)

    def open_member(self, run: str) -> None:
        if self.watcher is not None:
            shell(self).open_run_named(str(self.watcher.directory.runs_dir / run), self.readonly)

    # -- steering --------------------------------------------------------------------------------

    @property
    def directory(self) -> StudyDirectory | None:
        return self.watcher.directory if self.watcher is not None else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Steering that can't be is not offered."""
        seen = self.looked
        if action not in NEEDS_STUDY:
            return True
        if seen is None:
            return False
        over = self.state not in ("live", "queued")
        rules = {"go_on": over and seen.state != "done", "more": over, "compare": True}
        allowed = rules.get(action, not over)
        return None if allowed and self.readonly and action in STEERING else allowed

    @property
    def entry(self) -> QueueEntry | None:
        """What trains the study in this process, or waits to."""
        name = self.directory.name if self.directory is not None else ""
        return shell(self).manager.entry_of_study(name)

    @property
    def state(self) -> str:
        """Of the study, a word of `figures.glyph_and_kind`; `queued` while it waits for its turn here."""
        entry = self.entry
        if self.looked is not None and (entry is None or self.looked.held):
            return self.looked.state
        return "queued" if entry is not None and entry.state == "queued" else "live"

    async def action_detach(self) -> None:
        await self.app.run_action("app.detach")

    def action_stop(self) -> None:
        from tuitrain.tui.shell.question import ConfirmDialog

        question = ConfirmDialog(
            "Stop the study?",
            "Each run that trains saves its state first; R goes on with them.",
            yes="Stop",
            no="Keep training",
        )
        ask(self, question, lambda _: self._stop())

    def _stop(self) -> None:
        from tuitrain.training.command import Command

        if self.directory is None:
            return
        entry, manager = self.entry, shell(self).manager
        with told(self, "not done"):
            if entry is not None:
                manager.feed(entry).control.stop("stopped from the monitor", source="keyboard")
                return
            command = Command("stop", reason="stopped from the monitor", source="keyboard")
            self.directory.post_command(command.to_json())
            self.notify("stopping: the runs save their state", timeout=4)

    def action_go_on(self) -> None:
        if self.directory is not None:
            shell(self).resume_study(self.directory)

    def action_more(self) -> None:
        from tuitrain.tui.shell.prompt import Prompt

        seen = self.looked
        if seen is None:
            return
        first = max(seen.plan.seeds) + 1
        hint = f"a number of them, from {first} on; or which, as 20-29 or 3,7,11"
        ask(self, Prompt("More seeds", "4", hint), self._more)

    def _more(self, text: str) -> None:
        if text and self.directory is not None:
            shell(self).resume_study(self.directory, text)

    @property
    def setting(self) -> int:
        """Which of the settings is compared."""
        return self.looked.setting if self.looked is not None else 0

    def action_compare(self) -> None:
        from tuitrain.tui.shell.prompt import Prompt

        seen = self.looked
        if seen is None:
            return
        name = seen.plan.settings[0].preset.name
        hint = "a study, a run, or a preset with changes: step11+train.dropout=0.05"
        ask(self, Prompt("Compare with", name, hint), self._compare)

    def _compare(self, text: str) -> None:
        from tuitrain.tui.runs.compare import CompareScreen

        seen, directory = self.looked, self.directory
        if not text or seen is None or directory is None:
            return
        setting = seen.plan.settings[self.setting]
        own = f"{directory.name}:{setting.slug}" if setting.slug else directory.name
        dataset = setting.preset.train.dataset

        def load() -> list[Side]:
            from tuitrain.study.sides import find_side

            folder, wanted = directory.runs_dir, {"train.dataset": dataset}
            return [find_side(folder, side.strip(), wanted) for side in (text, own)]

        self.app.push_screen(CompareScreen((), load))
