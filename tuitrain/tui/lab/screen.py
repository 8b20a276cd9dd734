"""The lab: choose a preset, change it, see at once what it costs, start it. Its panes and its keys."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuitrain.errors import PresetError, TuitrainError, visible
from tuitrain.spec.preset import Preset
from tuitrain.spec.preset_files import user_preset_dir
from tuitrain.study.plan import Plan
from tuitrain.training.job import Job
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.layer_dialog import LayerDialog
from tuitrain.tui.lab.lookups import Lookups
from tuitrain.tui.lab.network import NetworkView
from tuitrain.tui.lab.panes import FormPane, LabBody, NetworkPane
from tuitrain.tui.lab.parts import LabTitle
from tuitrain.tui.lab.presets import PresetTree
from tuitrain.tui.lab.starter import Starter
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.sizes import COLUMNS
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.framed_screen import FramedScreen
from tuitrain.tui.shell.modal import Dialog, ask
from tuitrain.tui.shell.protocol import shell
from tuitrain.workbench.editor import NetworkEditor
from tuitrain.workbench.formdata import brief, header_context
from tuitrain.workbench.lab_state import LabState, name_refused


class LabScreen(FramedScreen[None]):
    """Where one begins."""

    HELP_TITLE = "Lab"
    DEFAULT_CSS = """
    LabScreen #lab-body { height: 1fr; }
    LabScreen #lab-left { width: 28; }
    LabScreen #lab-right { width: 1fr; }
    LabScreen.-very-tall #lr-head, LabScreen.-very-tall #lr-chart { display: block; }
    LabScreen #lab-presets, LabScreen #lab-divider-presets { display: none; }
    LabScreen.-columns #lab-presets { display: block; width: 28; height: 100%; }
    LabScreen.-columns #lab-divider-presets { display: block; }
    LabScreen.-very-wide #lab-presets { display: block; width: 39; height: 100%; }
    LabScreen.-very-wide #lab-divider-presets { display: block; }
    LabScreen.-very-wide #lab-left { width: 36; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", id="lab.start"),
        # With priority, so that what is typed right after it already goes to the other pane.
        Binding("tab", "next_pane(1)", "Pane", id="lab.next_pane", priority=True),
        Binding(
            "shift+tab", "next_pane(-1)", "Previous pane", show=False, id="lab.previous_pane", priority=True
        ),
        Binding("p", "presets", "Presets", id="lab.presets"),
        Binding("u", "undo", "Undo", id="lab.undo"),
        Binding("ctrl+r", "redo", "Redo", show=False, id="lab.redo"),
        Binding("slash", "search", "Search presets", show=False, id="lab.search"),
        Binding("v", "see_data", "Data", id="lab.data"),
        Binding("l", "find_rate", "Find a learning rate", show=False, id="lab.find_rate"),
        Binding("s", "save", "Save", id="lab.save"),
        Binding("y", "copy_command", "Copy command", id="lab.copy_command"),
        Binding("Y", "copy_toml", "Copy as TOML", show=False, id="lab.copy_toml"),
        Binding("w", "see_changes", "What changed", show=False, id="lab.changes"),
        Binding("b", "budget", "Budget", show=False, id="lab.budget"),
        Binding("a", "again", "Same again, same seed", show=False, id="lab.again"),
        Binding("V", "duel", "Duel: this against the preset", show=False, id="lab.duel"),
        Binding("W", "sweep", "Sweep: combinations of values", show=False, id="lab.sweep"),
        Binding("ctrl+backspace", "reset_everything", "Reset form and network", show=False, id="lab.reset"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.state = LabState(self.after_edit)
        self.lookups = Lookups(self, self.state, self.refresh_presets)
        self._starter = Starter(self.state, self)
        self._form_covered = False

    @property
    def editor(self) -> NetworkEditor:
        return self.state.editor

    @property
    def body(self) -> LabBody:
        return self.query_one(LabBody)

    @property
    def preset(self) -> Preset:
        return self.state.preset

    def panes(self) -> ComposeResult:
        yield LabTitle(id="lab-title")
        yield LabBody(id="lab-body")
        yield SectionLine("What changed", rest="w all", action="screen.see_changes", id="changed")

    def on_mount(self) -> None:
        """The first preset at once; files, devices and torch behind the first paint."""
        app = shell(self)
        asked = app.opening
        for title, sentence in self.state.open(
            app.settings, asked.preset or "", asked.overrides, asked.model
        ):
            self.say(sentence, title, 12)
        if not self.query(NetworkView):  # Ctrl-C while the app opens: what was composed is gone again
            return
        self.set_focus(self.query_one(NetworkView))
        self.after_edit()
        self.call_after_refresh(self.lookups.begin)

    def on_screen_resume(self) -> None:
        """Back from another screen: runs may have ended, files may have come."""
        if self._form_covered:
            self._form_covered = False
            self.body.join()
        if self.state.items:
            self.lookups.again()

    # -- showing -------------------------------------------------------------------------------

    def after_edit(self) -> None:
        """Shows what is in the lab, as it stands."""
        state = self.state
        self.query_one(LabTitle).show(state.title())
        self.query_one(FormPane).show(state)
        self.query_one(NetworkPane).show(state)
        self.lookups.follow()
        wide = self.size.width >= COLUMNS
        self.query_one(KeyFooter).note("start", state.estimate_text(short=not wide))
        pieces: list[tuple[str, str]] = []
        for change in state.changes():
            pieces += [("  ·  ", "dim")] if pieces else []
            pieces.append((visible(change), "warn"))
        self.query_one("#changed", SectionLine).set(after=pieces or [("nothing yet", "dim")])
        self.set_context(header_context(state.editor, state.devices, state.data_found))

    def refresh_presets(self) -> None:
        """The column of presets, and the list in a dialog."""
        state = self.state
        self.query_one(LabTitle).show(state.title())
        screens = (self,) if self.app.screen is self else (self, self.app.screen)
        for tree in [tree for screen in screens for tree in screen.query(PresetTree)]:
            tree.show(state.items, state.name, state.changed_names)

    @on(LinesView.Resized)
    def _pane_resized(self, event: LinesView.Resized) -> None:
        """A pane has another size, so the gauge, the picture and the heads below have another place."""
        self.query_one(NetworkPane).show_network()
        self.body.join(self._form_covered)

    def on_resize(self, event: events.Resize) -> None:
        if self.state.editors:
            self.call_after_refresh(self.after_edit)

    def on_screen_suspend(self) -> None:
        """The settings of a layer stand in the place of form and challenge."""
        self._form_covered = isinstance(self.app.screen, LayerDialog)
        self.body.join(self._form_covered)

    def strip_lines(self) -> list[str]:
        return brief(self.editor) if self.state.editors else []  # before its preset is read

    # -- what the starter asks -----------------------------------------------------------------

    def first_error(self) -> str:
        """Why the first field that is wrong is so, with the cursor put on it; empty where none is."""
        form = self.query_one(FormView)
        if reason := form.go_to_error():
            self.set_focus(form)
        return reason

    def say(self, text: str, title: str = "", timeout: float = 10) -> None:
        """Shows a sentence: with a title an error, without one a note."""
        severity = "error" if title else "information"
        self.notify(visible(text), title=title, severity=severity, markup=False, timeout=timeout)  # type: ignore[arg-type]

    def ask(self, question: Dialog[Any], answered: Callable[[Any], None]) -> None:
        """Asks at once, and goes on with the answer, if there is one."""
        if self.is_running:  # not left while it was found out what to ask
            ask(self, question, answered)

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a task, in the place of one that was begun here before."""
        self.run_worker(work, group="lab-start", exclusive=True)

    def look_at_data(self) -> None:
        self.lookups.look_at_data()

    def show_progress(self, text: str) -> None:
        """What is being fetched, in the header, until the data has been looked at again; called in a thread."""

        def show() -> None:
            self.set_context(visible(text))

        self.call_later(show)

    def start(self, job: Job) -> None:
        """Starts a run, unless the lab is being left."""
        if self.is_running:
            shell(self).start_run(job)

    def start_study(self, plan: Plan) -> None:
        """Starts several runs, as a study, unless the lab is being left."""
        if self.is_running:
            shell(self).start_study(plan)

    def action_duel(self) -> None:
        self._starter.duel()

    def action_sweep(self) -> None:
        self._starter.sweep()

    def action_start(self) -> None:
        self._starter.start()

    def action_again(self) -> None:
        self._starter.again()

    # -- panes ---------------------------------------------------------------------------------

    def choose_preset(self, name: str) -> None:
        """Takes a preset into the lab; edits made to it before are still there."""
        state, before = self.state, self.state.source
        try:
            state.choose(name)
        except PresetError as error:
            self.say(str(error), "preset")
            return
        if state.editor.can_undo and name != before:
            self.say(f"{name} with your changes; ctrl+backspace takes them back", timeout=4)
        self.query_one(FormView).forget()
        self.query_one(NetworkView).cursor = 0
        self.after_edit()
        self.refresh_presets()

    @on(PresetTree.Chosen)
    def _preset_chosen(self, event: PresetTree.Chosen) -> None:
        event.stop()
        self._preset_picked(event.name)

    def _preset_picked(self, name: str) -> None:
        self.choose_preset(name)
        self.set_focus(self.query_one(NetworkView))

    def action_next_pane(self, by: int) -> None:
        self.set_focus(self.body.pane_after(self.focused, by))

    def action_focus_pane(self, name: str) -> None:
        self.set_focus(self.query_one(f"#{name}"))

    def action_presets(self) -> None:
        """To the presets: their column, or a drop-down where there is none."""
        self._open_presets(search=False)

    def action_search(self) -> None:
        self._open_presets(search=True)

    def _open_presets(self, *, search: bool) -> None:
        from tuitrain.tui.lab.dialogs import PresetDropDown

        browser = self.body.browser
        if browser is None:
            dialog = PresetDropDown(self.state.base.name, self.refresh_presets, search=search)
            ask(self, dialog, self._preset_picked)
        elif search:
            browser.action_search()
        else:
            self.set_focus(browser.presets)

    def action_budget(self) -> None:
        form = self.query_one(FormView)
        self.set_focus(form)
        form.go_to("lab.budget")

    # -- edits ---------------------------------------------------------------------------------

    def go_to_layer(self, index: int) -> None:
        self.query_one(NetworkView).go_to(index)

    def action_undo(self) -> None:
        self._travelled(self.editor.undo(), "nothing to undo")

    def action_redo(self) -> None:
        self._travelled(self.editor.redo(), "nothing to redo")

    def _travelled(self, label: str | None, nothing: str) -> None:
        if label is None:
            self.say(nothing, timeout=2)
            return
        self.query_one(FormView).forget()
        self.after_edit()

    def action_reset_everything(self) -> None:
        self.query_one(FormView).forget()
        if self.editor.reset_all():
            self.after_edit()
        else:
            self.app.bell()

    def action_find_rate(self) -> None:
        from tuitrain.tui.lab.rate_finder import RateFinder

        if reason := self.first_error():
            self.say(f"one field is not valid yet: {reason}", "not tried")
            return
        try:
            ask(self, RateFinder(self.state.trial()), self._take_rate)
        except TuitrainError as error:
            self.say(str(error), "not tried")

    def _take_rate(self, rate: float) -> None:
        self.query_one(FormView).forget()
        self.editor.set_value("train.optimizer.lr", rate)
        self.after_edit()

    # -- taking along --------------------------------------------------------------------------

    def action_copy_command(self) -> None:
        self._show_text("The command for what the form says", self.state.command(), "command.sh")

    def action_copy_toml(self) -> None:
        self._show_text("The preset as TOML", self.preset.to_toml(), "preset.toml")

    def action_see_changes(self) -> None:
        found = "\n".join(map(str, self.state.changes()))
        self._show_text(f"What changed in {visible(self.state.base.name)}", found or "nothing yet")

    def _show_text(self, title: str, text: str, file_name: str = "") -> None:
        from tuitrain.tui.lab.dialogs import TextDialog

        self.app.push_screen(TextDialog(title, text, file_name))

    def action_save(self) -> None:
        from tuitrain.tui.lab.dialogs import SaveDialog

        problem = self.editor.check.problem
        if refused := self.state.refused("a preset can't hold it"):
            self.say(refused, timeout=5)
        elif problem is not None:
            self.say(problem.sentence, "can't be saved", 8)
        else:
            ask(self, SaveDialog(self.state.save_name(), user_preset_dir(), name_refused), self._save)

    def _save(self, answer: tuple[str, bool]) -> None:
        name, overwrite = answer
        try:
            path = self.state.save(name, overwrite=overwrite)
        except TuitrainError as error:
            self.say(str(error), "not saved")
            return
        self.choose_preset(name)
        self.lookups.read_presets()
        self.say(f"saved as {path}", timeout=5)

    def action_see_data(self) -> None:
        from tuitrain.tui.lab.data import DataScreen

        self.app.push_screen(DataScreen(self.preset.train, self.state.settings.data_dir))
