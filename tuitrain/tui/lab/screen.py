"""The lab: choose a preset, change it, see at once what it costs, start it. What its keys do is here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from tuitrain.errors import TuitrainError, visible
from tuitrain.spec.describe import preset_changes
from tuitrain.spec.preset_files import list_presets, save_preset, user_preset_dir
from tuitrain.tui.lab.editor import EditError
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.network import NetworkView
from tuitrain.tui.lab.parts import LabTitle
from tuitrain.tui.lab.presets import PresetBrowser
from tuitrain.tui.lab.start import LabStart
from tuitrain.tui.paint.lines import SectionLine
from tuitrain.tui.shell.protocol import shell


class LabScreen(LabStart):
    """Where one begins."""

    HELP_TITLE = "Lab"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", id="lab.start"),
        # With priority, so that what is typed right after it already goes to the other pane.
        Binding("tab", "next_pane(1)", "Pane", id="lab.next_pane", priority=True),
        Binding(
            "shift+tab", "next_pane(-1)", "Pane before", show=False, id="lab.previous_pane", priority=True
        ),
        Binding("p", "presets", "Presets", id="lab.presets"),
        Binding("u", "undo", "Undo", id="lab.undo"),
        Binding("ctrl+r", "redo", "Redo", show=False, id="lab.redo"),
        Binding("slash", "search", "Search presets", show=False, id="lab.search"),
        Binding("v", "see_data", "Data", id="lab.data"),
        Binding("s", "save", "Save", id="lab.save"),
        Binding("y", "copy_command", "Copy command", id="lab.copy_command"),
        Binding("Y", "copy_toml", "Copy as TOML", show=False, id="lab.copy_toml"),
        Binding("w", "see_changes", "What changed", show=False, id="lab.changes"),
        Binding("b", "budget", "Budget", show=False, id="lab.budget"),
        Binding("a", "again", "Same again, same seed", show=False, id="lab.again"),
        Binding("ctrl+backspace", "reset_everything", "Reset form and network", show=False, id="lab.reset"),
    ]

    @on(LabTitle.Pressed)
    def _title_pressed(self, event: LabTitle.Pressed) -> None:
        event.stop()
        if event.what == "budget":
            self.action_budget()
        else:
            self.action_presets()

    @on(SectionLine.Pressed, "#changed")
    def _changes_pressed(self, event: SectionLine.Pressed) -> None:
        event.stop()
        self.action_see_changes()

    @on(NetworkView.Opened)
    def _layer_opened(self, event: NetworkView.Opened) -> None:
        event.stop()
        self.action_edit_layer()

    # -- panes ---------------------------------------------------------------------------------

    def _panes(self) -> list[Widget]:
        panes: list[Widget] = [self.query_one(FormView), self.query_one(NetworkView)]
        browser = self.query_one("#lab-browser", PresetBrowser)
        return [browser.presets, *panes] if browser.region.width else panes

    def action_next_pane(self, by: int) -> None:
        """The pane to the right, or round to the first."""
        panes = self._panes()
        at = next((i for i, pane in enumerate(panes) if pane is self.focused), 0 if by < 0 else -1)
        self.set_focus(panes[(at + by) % len(panes)])

    def action_focus_pane(self, name: str) -> None:
        """A pane by its id."""
        self.set_focus(self.query_one(f"#{name}"))

    def action_presets(self) -> None:
        """To the presets: their column, or a drop-down where there is none."""
        self._open_presets(search=False)

    def action_search(self) -> None:
        """Searches the presets."""
        self._open_presets(search=True)

    def _open_presets(self, *, search: bool) -> None:
        from tuitrain.tui.lab.dialogs import PresetDropDown

        browser = self.query_one("#lab-browser", PresetBrowser)
        if not browser.region.width:
            self.app.push_screen(PresetDropDown(self, search=search), self._preset_picked)
        elif search:
            browser.action_search()
        else:
            self.set_focus(browser.presets)

    def _preset_picked(self, name: str | None) -> None:
        if name is not None:
            self.choose_preset(name)
            self.set_focus(self.query_one(NetworkView))

    def action_budget(self) -> None:
        """To the budget's field."""
        form = self.query_one(FormView)
        self.set_focus(form)
        form.go_to("lab.budget")

    # -- the network ---------------------------------------------------------------------------

    @property
    def _layer(self) -> int:
        return self.query_one(NetworkView).cursor

    def go_to_layer(self, index: int) -> None:
        """Puts the cursor of the table on a layer."""
        self.query_one(NetworkView).go_to(index)

    def _edit(self, edit: Any, *arguments: Any, cursor: int | None = None) -> None:
        if edit != self.editor.reset_all and self.refuse_user_network("its layers are changed in its file"):
            return
        try:
            done = edit(*arguments)
        except EditError as error:
            self.notify(visible(error), severity="warning", markup=False, timeout=5)
            return
        if not done:
            self.app.bell()
            return
        if cursor is not None:
            self.query_one(NetworkView).cursor = max(0, min(cursor, len(self.editor.layers) - 1))
        self.after_edit()

    def action_widen(self, delta: int) -> None:
        """The layer with the cursor wider or narrower."""
        self._edit(self.editor.widen, self._layer, delta)

    def action_duplicate_layer(self) -> None:
        """A copy right below."""
        self._edit(self.editor.duplicate, self._layer, cursor=self._layer + 1)

    def action_delete_layer(self) -> None:
        """Takes the layer out; u brings it back."""
        self._edit(self.editor.delete, self._layer, cursor=self._layer)

    def action_move_layer(self, by: int) -> None:
        """Swaps the layer with its neighbour."""
        self._edit(self.editor.move, self._layer, by, cursor=self._layer + by)

    def action_insert_layer(self) -> None:
        """Asks for a kind and puts such a layer below."""
        if self.refuse_user_network("its layers are changed in its file"):
            return
        from tuitrain.tui.lab.dialogs import KindDialog

        index = self._layer

        def insert(kind: str | None) -> None:
            if kind is not None:
                layer = self.editor.like_neighbours(index + 1, kind)
                self._edit(self.editor.insert, index + 1, layer, cursor=index + 1)

        self.app.push_screen(KindDialog(self.editor.name(index)), insert)

    def action_edit_layer(self) -> None:
        """The layer's settings, beside the table."""
        if self.refuse_user_network("its layers are changed in its file"):
            return
        from tuitrain.tui.lab.dialogs import LayerDialog

        self.app.push_screen(LayerDialog(self, self._layer))

    def action_undo(self) -> None:
        """Takes the last edit back, of the form or of the network."""
        self._travelled(self.editor.undo(), "nothing to undo")

    def action_redo(self) -> None:
        """Makes the edit again that was taken back."""
        self._travelled(self.editor.redo(), "nothing to redo")

    def _travelled(self, label: str | None, nothing: str) -> None:
        if label is None:
            self.notify(nothing, timeout=2)
            return
        self.query_one(FormView).forget()
        self.after_edit()

    def action_reset_network(self) -> None:
        """The network as in the preset."""
        self._edit(self.editor.reset_layers)

    def action_reset_everything(self) -> None:
        """Form and network as in the preset."""
        self.query_one(FormView).forget()
        self._edit(self.editor.reset_all)

    # -- taking along --------------------------------------------------------------------------

    def action_copy_command(self) -> None:
        """The headless command, copied, shown and written to a file."""
        self._take_along("The command for what the form says", self.command(), "command.sh")

    def action_copy_toml(self) -> None:
        """The preset as TOML, copied, shown and written to a file."""
        self._take_along("The preset as TOML", self.preset.to_toml(), "preset.toml")

    def _take_along(self, title: str, text: str, name: str) -> None:
        import platformdirs

        from tuitrain.tui.lab.dialogs import TextDialog

        file: Path | None = Path(platformdirs.user_state_dir("tuitrain", appauthor=False)) / name
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text.rstrip("\n") + "\n", "utf-8")
        except OSError:
            file = None
        self.app.copy_to_clipboard(text)
        where = "copied to the clipboard, if the terminal allows it"
        if file is not None:
            where += f"; also in {visible(file)}"
        self.app.push_screen(TextDialog(title, visible_lines(text), where))

    def action_see_changes(self) -> None:
        """What differs from the preset, a line a change."""
        from tuitrain.tui.lab.dialogs import TextDialog

        found = [visible(change) for change in preset_changes(self.base, self.preset)]
        title = f"What changed in {visible(self.base.name)}"
        self.app.push_screen(TextDialog(title, "\n".join(found) or "nothing yet"))

    def action_save(self) -> None:
        """Saves as a preset of one's own, never over a file without being told to."""
        if self.refuse_user_network("a preset can't hold it"):
            return
        from tuitrain.tui.lab.dialogs import SaveDialog

        problem = self.editor.evaluation.problem
        if problem is not None:
            self.notify(
                visible(problem.sentence), title="can't be saved", severity="error", markup=False, timeout=8
            )
            return
        entries = {entry.name: entry for entry in list_presets()}

        def refused(name: str) -> str:
            entry = entries.get(name)
            if entry is None or entry.origin == "user":
                return ""
            return f"'{name}' is the name of a {entry.origin} preset; choose another"

        base = self.base.name
        entry = entries.get(base)
        if entry is not None and entry.origin == "user":
            name = base
        else:
            taken = set(entries)
            name = next(n for n in (f"{base}-mine{i or ''}" for i in range(1000)) if n not in taken)
        self.app.push_screen(SaveDialog(name, user_preset_dir(), refused), self._save_as)

    def _save_as(self, answer: tuple[str, bool] | None) -> None:
        if answer is None:
            return
        name, overwrite = answer
        try:
            preset = self.editor.checked(name)
            # What the source claimed of its own network, and its story, are not this one's.
            if self.editor.is_changed:
                told = type(preset.story)(previous=self.base.name, change=self._change_line())
                preset = preset.model_copy(
                    update={"claims": type(preset.claims)(), "story": told, "family": "", "source": ""}
                )
            path = save_preset(preset, overwrite=overwrite)
        except TuitrainError as error:
            self.notify(visible(error), title="not saved", severity="error", markup=False, timeout=10)
            return
        settings = dict(self.editor.settings)
        self.editors.pop(name, None)
        self.choose_preset(name)
        self.editor.apply(self.editor.data, "saved", settings=settings)
        self.refresh_all()
        self.read_presets_again()
        self.notify(f"saved as {visible(path)}", markup=False, timeout=5)

    def _change_line(self) -> str:
        return "; ".join(str(change) for change in preset_changes(self.base, self.preset))[:2000]

    # -- the data ------------------------------------------------------------------------------

    def action_see_data(self) -> None:
        """Digits of the chosen data set with the form's augmentation."""
        from tuitrain.tui.lab.data import DataScreen

        train = self.preset.train
        self.app.push_screen(DataScreen(train, shell(self).settings.data_dir))


def visible_lines(text: str) -> str:
    """A text of several lines with its control characters made visible."""
    return "\n".join(visible(line) for line in text.splitlines())
