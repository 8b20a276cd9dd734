"""The lab's dialogs: a layer's settings, what to insert, presets as a drop-down, saving, and text to take along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tuitrain.errors import visible
from tuitrain.spec.layers import KIND_WORDS
from tuitrain.spec.preset import NAME_PATTERN
from tuitrain.tui.lab.editor import EditError, NetworkEditor
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.layerform import apply_layer_field, layer_data, op_number
from tuitrain.tui.lab.presets import PresetBrowser, PresetTree
from tuitrain.tui.paint.lines import SectionLine
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.modal import Dialog, Modal

if TYPE_CHECKING:
    from textual.geometry import Region

    from tuitrain.spec.preset import Preset


class Lab(Protocol):
    """What the dialogs ask of the lab below them."""

    @property
    def editor(self) -> NetworkEditor:
        """The preset under change."""

    @property
    def base(self) -> Preset:
        """The preset as it was chosen."""

    @property
    def form_region(self) -> Region:
        """Where form and challenge are."""

    def cover_form(self, covered: bool) -> None:
        """A layer's settings stand in the place of form and challenge, or do no longer."""

    def after_edit(self) -> None:
        """Paint what follows from an edit."""

    def go_to_layer(self, index: int) -> None:
        """Put the cursor of the table on a layer."""

    def refresh_presets(self) -> None:
        """Fill the lists of presets."""


class LayerDialog(Modal[None]):
    """One layer's settings, over the form, so that the table beside it is seen to follow."""

    HELP_TITLE = "Layer"
    DEFAULT_CSS = """
    LayerDialog { background: transparent; layout: vertical; }
    LayerDialog > Container { height: 1fr; margin: 2 0 1 0; background: $background; }
    LayerDialog FormView { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "close", "Done", key_display="esc", id="layer.close"),
        Binding("tab,right_square_bracket", "next(1)", "Next layer", id="layer.next"),
        Binding("shift+tab,left_square_bracket", "next(-1)", "Layer before", show=False, id="layer.previous"),
        Binding("J,shift+down", "move_op(1)", "Order", key_display="J/K", id="layer.op_down"),
        Binding("K,shift+up", "move_op(-1)", "Operation earlier", show=False, id="layer.op_up"),
        Binding("u", "undo", "Undo", id="layer.undo"),
        Binding("ctrl+r", "redo", "Redo", show=False, id="layer.redo"),
    ]

    def __init__(self, lab: Lab, index: int) -> None:
        super().__init__()
        self.lab, self.index = lab, index

    @property
    def editor(self) -> NetworkEditor:
        """The preset under change."""
        return self.lab.editor

    def compose(self) -> ComposeResult:
        """The form of the layer."""
        with Container():
            yield SectionLine("Layer", id="layer-head")
            yield FormView(id="layer-form", starts=False)
        yield KeyFooter()

    def on_mount(self) -> None:
        """The first field is ready to be changed."""
        self.set_focus(self.query_one(FormView))
        self.refresh_layer()
        self._fit()
        self.lab.cover_form(True)

    def on_unmount(self) -> None:
        """The form is there again."""
        self.lab.cover_form(False)

    def _fit(self) -> None:
        """Covers the form, and nothing of the table beside it."""
        region = self.lab.form_region
        box = self.query_one(Container)
        box.styles.width = region.width
        box.styles.margin = (2, 0, 1, region.x)

    def on_resize(self) -> None:
        """The form has another place."""
        self.call_after_refresh(self._fit)

    def refresh_layer(self) -> None:
        """The layer as it stands."""
        self.index = max(0, min(self.index, len(self.editor.layers) - 1))
        form = self.query_one(FormView)
        form.show(layer_data(self.editor, self.index))
        hint = form.field.range_text() if form.field is not None else ""
        self.query_one(SectionLine).set(title=self.editor.name(self.index), right=((hint, "dim"),), here=True)

    def _edited(self) -> None:
        self.refresh_layer()
        self.lab.after_edit()

    @on(FormView.Changed)
    def _changed(self, event: FormView.Changed) -> None:
        event.stop()
        self._try(event.key, event.value, event.typing)

    def _try(self, key: str, value: Any, typing: bool) -> None:
        form = self.query_one(FormView)
        try:
            apply_layer_field(self.editor, self.index, key, value, typing=typing)
        except EditError as error:
            form.refuse(key, str(error).rpartition(": ")[2])
            return
        self._edited()

    @on(FormView.Reset)
    def _reset(self, event: FormView.Reset) -> None:
        event.stop()
        base = self.editor.base.to_dict()["model"]["layers"]
        if len(base) == len(self.editor.layers) and event.key in self.query_one(FormView).data.bases:
            self._try(event.key, self.query_one(FormView).data.bases[event.key], False)

    @on(FormView.Moved)
    def _moved(self, event: FormView.Moved) -> None:
        event.stop()
        if not event.form.editing:
            self.editor.settle()
        field = event.form.field
        self.query_one(SectionLine).set(right=((field.range_text() if field else "", "dim"),))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter ends the settings here; the form's Start is not offered."""
        return action != "start"

    def action_next(self, by: int) -> None:
        """Another layer."""
        self.query_one(FormView).forget()
        self.index = (self.index + by) % len(self.editor.layers)
        self.lab.go_to_layer(self.index)
        self.refresh_layer()

    def action_move_op(self, by: int) -> None:
        """An operation later or earlier."""
        form = self.query_one(FormView)
        number = op_number(form.key)
        if number is not None and self.editor.move_op(self.index, number, by):
            self._edited()
            form.go_to(f"op{number + by}")

    def action_undo(self) -> None:
        """Takes the last edit back."""
        if self.editor.undo():
            self._edited()

    def action_redo(self) -> None:
        """Makes it again."""
        if self.editor.redo():
            self._edited()

    def action_close(self) -> None:
        """Done."""
        self.editor.settle()
        self.dismiss(None)


class KindDialog(Dialog[str | None]):
    """What to insert: the result is a kind of layer, or None."""

    HELP_TITLE = "Insert"
    DEFAULT_CSS = """
    KindDialog > Vertical { width: 52; }
    KindDialog OptionList, KindDialog OptionList:focus { height: auto; border: none; background: $surface; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel", id="kind.cancel")]
    LETTERS: ClassVar[dict[str, str]] = {
        "c": "conv",
        "m": "maxpool",
        "a": "avgpool",
        "g": "global_avgpool",
        "f": "flatten",
        "l": "linear",
    }

    def __init__(self, after: str) -> None:
        super().__init__()
        self.after = after

    def compose(self) -> ComposeResult:
        """A list with a letter each."""
        notes = {
            "conv": "like the one before it",
            "maxpool": "halves the maps",
            "avgpool": "halves the maps",
            "global_avgpool": "each map to one number",
            "flatten": "maps to a vector",
            "linear": "fully connected",
        }
        with Vertical():
            yield Static(f"Insert after {self.after}", markup=False)
            yield OptionList(
                *(
                    Option(Content(f" {letter}  {KIND_WORDS[kind]:<16} {notes[kind]}"), id=kind)
                    for letter, kind in self.LETTERS.items()
                )
            )

    def on_mount(self) -> None:
        """The arrow keys choose."""
        self.set_focus(self.query_one(OptionList))

    def on_key(self, event: Any) -> None:
        """A letter takes its kind."""
        if event.character in self.LETTERS:
            event.stop()
            self.dismiss(self.LETTERS[event.character])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter takes the kind."""
        event.stop()
        self.dismiss(event.option.id)


class PresetDropDown(Modal[str | None]):
    """The presets where they have no column of their own; the result is a preset's name."""

    HELP_TITLE = "Presets"
    DEFAULT_CSS = """
    PresetDropDown { background: transparent; layout: vertical; }
    PresetDropDown > Container { margin: 2 0 1 0; height: 1fr; width: 100%; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", id="presets.close")]

    def __init__(self, lab: Lab, *, search: bool = False) -> None:
        super().__init__()
        self.lab, self.search = lab, search

    def compose(self) -> ComposeResult:
        """List and story side by side."""
        with Container():
            yield PresetBrowser(classes="-across")
        yield KeyFooter()

    def on_mount(self) -> None:
        """The cursor is on the preset in the lab."""
        browser = self.query_one(PresetBrowser)
        browser.presets.cursor = self.lab.base.name
        self.lab.refresh_presets()
        if self.search:
            browser.action_search()
        else:
            self.set_focus(browser.presets)

    @on(PresetTree.Chosen)
    def _chosen(self, event: PresetTree.Chosen) -> None:
        event.stop()
        self.dismiss(event.name)


class SaveDialog(Dialog[tuple[str, bool] | None]):
    """A name to save under; the result is (name, overwrite)."""

    HELP_TITLE = "Save"
    DEFAULT_CSS = """
    SaveDialog > Vertical { width: 66; }
    SaveDialog Input { border: none; height: 1; padding: 0; margin: 1 0; }
    SaveDialog .save--bad { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="save.cancel"),
        Binding("ctrl+o", "overwrite", "Overwrite", id="save.overwrite", priority=True),
    ]

    def __init__(self, name: str, folder: Path, refused: Callable[[str], str]) -> None:
        """A dialog.

        Args:
            name: to begin with.
            folder: where it will be saved.
            refused: why a name can't be used, or nothing.
        """
        super().__init__()
        self._suggestion, self._folder, self._refused = name, folder, refused

    def compose(self) -> ComposeResult:
        """The name, where it goes, and why not."""
        with Vertical():
            yield Static("Save as a preset of your own", markup=False)
            yield Input(self._suggestion, select_on_focus=True, max_length=64, compact=True)
            yield Static("", id="save-note", markup=False)
            yield Static("enter saves, esc cancels", classes="hint", markup=False)

    def on_mount(self) -> None:
        """The note says where it goes."""
        self.set_focus(self.query_one(Input))
        self._note()

    def _why_not(self) -> str:
        import re

        name = self.query_one(Input).value
        if not re.fullmatch(NAME_PATTERN, name):
            return "small letters, digits, dot, dash and underscore; begin with a letter or digit"
        return self._refused(name)

    def _exists(self) -> bool:
        return (self._folder / f"{self.query_one(Input).value}.toml").exists()

    def _note(self) -> None:
        note = self.query_one("#save-note", Static)
        why = self._why_not()
        path = visible(self._folder / f"{self.query_one(Input).value}.toml")
        exists = not why and self._exists()
        note.set_class(bool(why) or exists, "save--bad")
        note.update(
            why
            or (f"{path} exists already: another name, or ctrl+o overwrites it" if exists else f"→ {path}")
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        """Checked at each keystroke."""
        event.stop()
        self._note()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Saves, but never over a file."""
        event.stop()
        if self._why_not() or self._exists():
            self.app.bell()
            return
        self.dismiss((event.value, False))

    def action_overwrite(self) -> None:
        """Saves over the file of that name."""
        if not self._why_not():
            self.dismiss((self.query_one(Input).value, True))


class TextDialog(Dialog[None]):
    """A text shown whole, to be copied."""

    HELP_TITLE = "Text"
    DEFAULT_CSS = """
    TextDialog > Vertical { width: 90%; max-width: 100; }
    TextDialog VerticalScroll { height: auto; max-height: 15; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss(None)", "Close", key_display="esc", id="text.close"),
        Binding("y", "copy", "Copy", id="text.copy"),
    ]

    def __init__(self, title: str, text: str, note: str = "") -> None:
        """A dialog.

        Args:
            title: what the text is.
            text: the text.
            note: where else it is, in a line below.
        """
        super().__init__()
        self._title, self.text, self._note = title, text, note

    def compose(self) -> ComposeResult:
        """Title, text, and where else it is."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            with VerticalScroll():
                yield Static(self.text, markup=False, id="text-body")
            if self._note:
                yield Static(self._note, classes="hint", markup=False)
            yield Static("esc closes, y copies", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Arrow keys scroll."""
        self.set_focus(self.query_one(VerticalScroll))

    def action_copy(self) -> None:
        """To the clipboard, by OSC 52."""
        self.app.copy_to_clipboard(self.text)
        self.notify("copied", timeout=2)
