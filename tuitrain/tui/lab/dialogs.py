"""The lab's dialogs: presets as a drop-down, saving, and text to take along."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Input, Static

from tuitrain.errors import visible
from tuitrain.paths import log_file
from tuitrain.spec.preset import NAME_PATTERN
from tuitrain.tui.lab.presets import PresetBrowser, PresetTree
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.modal import Dialog, Modal


class PresetDropDown(Modal[str | None]):
    """The presets where they have no column of their own; the result is a preset's name."""

    HELP_TITLE = "Presets"
    DEFAULT_CSS = """
    PresetDropDown { background: transparent; layout: vertical; }
    PresetDropDown > Container { margin: 2 0 1 0; height: 1fr; width: 100%; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", id="presets.close")]

    def __init__(self, chosen: str, fill: Callable[[], None], *, search: bool = False) -> None:
        """`fill` fills every list of presets on the screen."""
        super().__init__()
        self._chosen_name, self._fill, self._search = chosen, fill, search

    def compose(self) -> ComposeResult:
        with Container():
            yield PresetBrowser(classes="-across")
        yield KeyFooter()

    def on_mount(self) -> None:
        browser = self.query_one(PresetBrowser)
        browser.presets.cursor = self._chosen_name
        self._fill()
        if self._search:
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
        """`refused` says why a name can't be used, or nothing."""
        super().__init__()
        self._suggestion, self._folder, self._refused = name, folder, refused

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Save as a preset of your own", classes="title", markup=False)
            yield Input(self._suggestion, select_on_focus=True, max_length=64, compact=True)
            yield Static("", id="save-note", markup=False)
            yield Static("enter saves, esc cancels", classes="hint", markup=False)

    def on_mount(self) -> None:
        self._note()

    def _why_not(self) -> str:
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

    def __init__(self, title: str, text: str, file_name: str = "") -> None:
        """A text to take along has a file name: it is copied and written to that file at once."""
        super().__init__()
        self._title, self.text, self._file_name = title, text, file_name

    def compose(self) -> ComposeResult:
        note = self._take_along() if self._file_name else ""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            with VerticalScroll():
                shown = "\n".join(map(visible, self.text.splitlines()))
                yield Static(shown, markup=False, id="text-body")
            if note:
                yield Static(note, classes="hint", markup=False)
            yield Static("esc closes, y copies", classes="hint", markup=False)

    def _take_along(self) -> str:
        where = "copied to the clipboard, if the terminal allows it"
        file = log_file().with_name(self._file_name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.text.rstrip("\n") + "\n", "utf-8")
            where += f"; also in {visible(file)}"
        except OSError:
            pass
        self.app.copy_to_clipboard(self.text)
        return where

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.text)
        self.notify("copied", timeout=2)
