"""The dialogs of the network's table: one layer's settings, and what kind of layer to insert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tuitrain.spec.layers import KIND_WORDS
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.settings_form import SettingsForm, Subject
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.modal import Dialog, Modal
from tuitrain.workbench.editor import NetworkEditor
from tuitrain.workbench.lab_state import LabState
from tuitrain.workbench.layerform import apply_layer_field, layer_data, op_number, reset_layer_field


class LayerDialog(Modal[None]):
    """One layer's settings, over the form, so that the table beside it is seen to follow."""

    HELP_TITLE = "Layer"
    DEFAULT_CSS = """
    LayerDialog { background: transparent; layout: vertical; }
    LayerDialog > Container { height: 1fr; margin: 2 0 1 0; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "close", "Done", key_display="esc", id="layer.close"),
        Binding("tab,right_square_bracket", "next(1)", "Next layer", id="layer.next"),
        Binding(
            "shift+tab,left_square_bracket", "next(-1)", "Previous layer", show=False, id="layer.previous"
        ),
        Binding("J,shift+down", "move_op(1)", "Order", key_display="J/K", id="layer.op_down"),
        Binding("K,shift+up", "move_op(-1)", "Operation earlier", show=False, id="layer.op_up"),
        Binding("u", "undo", "Undo", id="layer.undo"),
        Binding("ctrl+r", "redo", "Redo", show=False, id="layer.redo"),
    ]

    def __init__(self, state: LabState, index: int, over: Widget, go_to: Callable[[int], None]) -> None:
        """`over` is what it covers; `go_to` puts the cursor of the table on another layer."""
        super().__init__()
        self.state, self.index, self._over, self._go_to = state, index, over, go_to

    @property
    def editor(self) -> NetworkEditor:
        return self.state.editor

    def compose(self) -> ComposeResult:
        with Container():
            yield SettingsForm("layer-form", starts=False)
        yield KeyFooter()

    @property
    def form(self) -> FormView:
        return self.query_one(FormView)

    def on_mount(self) -> None:
        self.refresh_layer()
        self._fit()

    def _fit(self) -> None:
        """Covers the form, and nothing of the table beside it."""
        region = self._over.region
        box = self.query_one(Container)
        box.styles.width = region.width
        box.styles.margin = (2, 0, 1, region.x)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def refresh_layer(self) -> None:
        self.index = max(0, min(self.index, len(self.editor.layers) - 1))
        editor, index = self.editor, self.index
        self.query_one(SettingsForm).show(
            Subject(
                title=editor.name(index),
                data=layer_data(editor, index),
                set=lambda key, value, typing: apply_layer_field(editor, index, key, value, typing=typing),
                reset=lambda key: reset_layer_field(editor, index, key),
                settle=editor.settle,
                edited=self._edited,
            )
        )

    def _edited(self) -> None:
        self.refresh_layer()
        self.state.edited()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter ends the settings here; the Start key of the form is not offered."""
        return action != "start"

    def action_next(self, by: int) -> None:
        self.form.forget()
        self.index = (self.index + by) % len(self.editor.layers)
        self._go_to(self.index)
        self.refresh_layer()

    def action_move_op(self, by: int) -> None:
        number = op_number(self.form.cursor)
        if number is not None and self.editor.move_op(self.index, number, by):
            self._edited()
            self.form.go_to(f"op{number + by}")

    def action_undo(self) -> None:
        if self.editor.undo():
            self._edited()

    def action_redo(self) -> None:
        if self.editor.redo():
            self._edited()

    def action_close(self) -> None:
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
    #: A letter of each kind, and what such a layer does.
    KINDS: ClassVar[dict[str, tuple[str, str]]] = {
        "conv": ("c", "like the one before it"),
        "maxpool": ("m", "halves the maps"),
        "avgpool": ("a", "halves the maps"),
        "blurpool": ("b", "blurs and halves the maps"),
        "global_avgpool": ("g", "each map to one number"),
        "flatten": ("f", "maps to a vector"),
        "linear": ("l", "fully connected"),
        "share": ("s", "earlier weights once more"),
        "residual": ("r", "adds an earlier output"),
    }

    def __init__(self, after: str) -> None:
        super().__init__()
        self.after = after

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(f"Insert after {self.after}", classes="title", markup=False)
            yield OptionList(
                *(
                    Option(Content(f" {letter}  {KIND_WORDS[kind]:<16} {note}"), id=kind)
                    for kind, (letter, note) in self.KINDS.items()
                )
            )

    def on_key(self, event: Any) -> None:
        for kind, (letter, _) in self.KINDS.items():
            if event.character == letter:
                event.stop()
                self.dismiss(kind)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)
