"""Keys: one meaning a letter on all screens, help in the order of use, the digits of the header."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import tuitrain.tui
from support.at_rest import text_of
from support.lab_stage import lab, own_folders, settle
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.tui.shell.help import HelpScreen, binding_groups
from tuitrain.tui.terminal.driver import KeyParser

__all__ = ["own_folders"]

#: What each letter means, wherever it means something; and the bindings that it is given to.
LETTERS = {
    "a": ("train again", "lab.again monitor.another_seed"),
    "b": ("budget", "lab.budget"),
    "c": ("compare; in a drawing, clear", "runs.compare compare.back data.originals study.compare draw.clear"),
    "d": ("detach", "app.detach monitor.detach study.detach"),
    "e": ("edit", "network.edit lesson.ends"),
    "f": ("frontier", "runs.frontier board.front"),
    "g": ("first", "presets.first runs.first"),
    "h": ("draw by hand", "runs.draw monitor.draw"),
    "i": ("insert", "network.insert"),
    "j": ("down", "form.down network.down networks.down presets.down runs.down sheet.down steps.down members.down"),
    "k": ("up", "form.up network.up networks.up presets.up runs.up sheet.up steps.up members.up"),
    "l": ("learning rate", "lab.find_rate monitor.learning_rate lesson.rates"),
    "m": ("another quantity", "monitor.next_chart overlay.next"),
    "n": ("note; in a drawing, next network", "runs.note draw.next"),
    "o": ("overlay of curves", "runs.overlay compare.overlay overlay.back lesson.curves rates.back"),
    "p": ("presets; in a drawing, previous network", "lab.presets draw.previous"),
    "q": ("leave", "app.quit help.close data.close text.close details.close"),
    "r": ("reset; in a drawing and maps, random", "form.reset chart.reset lesson.again draw.sample monitor.any_image"),
    "s": ("save", "lab.save monitor.checkpoint lesson.save draw.save"),
    "t": ("tag; in the lesson, table", "runs.tag lesson.table steps.back"),
    "u": ("undo", "lab.undo layer.undo runs.undo draw.undo"),
    "v": ("see the data; in the lesson, variant", "lab.data data.close lesson.variant rates.variant"),
    "w": ("what is cut, whole; in the lesson and a drawing, weights",
          "lab.changes runs.details details.close lesson.weights draw.weights"),
    "x": ("stop", "monitor.stop study.stop"),
    "y": ("copy", "lab.copy_command text.copy"),
    "z": ("zoom", "data.zoom"),
    "A": ("the run of A", "duel.open_a"),
    "B": ("branch", "monitor.branch runs.branch"),
    "D": ("delete", "network.delete runs.delete"),
    "E": ("more epochs", "monitor.add_epochs"),
    "G": ("last", "presets.last runs.last"),
    "H": ("heat map", "board.heat"),
    "I": ("insert a copy", "network.duplicate"),
    "J": ("move down", "network.move_down layer.op_down runs.later"),
    "K": ("move up", "network.move_up layer.op_up runs.earlier"),
    "L": ("logarithmic", "monitor.logarithmic overlay.log lesson.log rates.log"),
    "M": ("what it is one of", "monitor.members group.board"),
    "N": ("maps of the network", "monitor.maps"),
    "P": ("pause after an epoch", "monitor.pause_after"),
    "R": ("resume", "runs.resume monitor.go_on study.go_on"),
    "S": ("smooth", "monitor.smooth"),
    "U": ("unmark all", "runs.unmark"),
    "V": ("verdict; in the lab, a duel for one", "monitor.verdict lab.duel"),
    "W": ("sweep", "lab.sweep"),
    "Y": ("copy the preset", "lab.copy_toml"),
    "Z": ("reset all", "form.reset_all network.reset"),
}  # fmt: skip


def all_bindings() -> Iterator[Binding]:
    """Every binding that a class of ours declares."""
    seen: set[type] = set()
    for module in pkgutil.walk_packages(tuitrain.tui.__path__, "tuitrain.tui."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, DOMNode) and value not in seen:
                seen.add(value)
                if value.__module__.startswith("tuitrain."):
                    yield from (b for b in value.__dict__.get("BINDINGS", ()) if isinstance(b, Binding))


def test_a_letter_means_one_thing_on_all_screens() -> None:
    found: dict[str, set[str]] = {}
    for binding in all_bindings():
        assert binding.id, f"{binding.key} {binding.description} has no id"
        for key in binding.key.split(","):
            if len(key) == 1 and key.isalpha():
                found.setdefault(key, set()).add(binding.id)
    assert found == {key: set(ids.split()) for key, (_, ids) in LETTERS.items()}


@pytest.mark.parametrize(("pane", "title"), [("network", "Network"), ("form", "Setup")])
async def test_help_begins_with_the_pane_that_has_the_focus(tmp_path: Path, pane: str, title: str) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        screen.set_focus(screen.query_one(f"#{pane}"))
        await pilot.press("question_mark")
        await settle(app, pilot)
        assert isinstance(app.screen, HelpScreen)
        lines = [line.partition("│")[2].strip() for line in text_of(app).splitlines()[2:]]
        assert lines[0].startswith(title), text_of(app)
        assert "Start" in lines[1] or "Accept" in lines[1]  # the keys of the footer first
        groups = binding_groups(app, screen)
        assert [where for where, _ in groups[:3]] == [title, "Lab", "Everywhere"]
        assert all(name for _, rows in groups for *_, name in rows)  # Textual's own have none
        said = {what for _, rows in groups for _, what, _ in rows}
        assert not said & {"Scroll Up", "Focus Next", "Page Down", "Copy selected text"}
        pair = {name: keys for _, rows in groups for keys, _, name in rows if name.startswith(f"{pane}.")}
        more, less = ("form.more", "form.less") if pane == "form" else ("network.wider", "network.narrower")
        assert (pair[more], pair[less]) == ("+", "-")


async def test_the_digits_of_the_header_stand_back_while_a_field_takes_them(tmp_path: Path) -> None:
    def offered() -> bool:
        header = app.screen_stack[0].query_one(HeaderLine)
        key = header.style("accent")
        return any(segment.text == "2" and segment.style == key for segment in header.render_line(0))

    async with lab(tmp_path) as (app, pilot, screen):
        assert offered()
        screen.set_focus(screen.query_one(FormView))
        await pilot.pause()
        assert not offered()
        screen.query_one(FormView).go_to("train.optimizer.name")
        await pilot.pause()
        assert offered()
        await pilot.press("p")  # a dialog: it is answered first
        await pilot.pause()
        assert not offered()
        await pilot.press("escape")
        await pilot.pause()
        assert offered()


async def test_alt_and_a_digit_go_from_a_field_and_from_a_dialog(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        screen.set_focus(screen.query_one(FormView))
        await pilot.press("2")
        assert app.current_mode == "lab" and screen.query_one(FormView).editing
        await pilot.press("alt+3")
        assert app.current_mode == "runs"
        await pilot.press("alt+1")
        await pilot.press("escape", "tab", "e")
        assert len(app.screen_stack) == 2
        await pilot.press("alt+3")
        assert app.current_mode == "runs"
        await pilot.press("1")
        assert app.screen is screen
        assert "alt+2" in re.sub(r"\s+", " ", str(binding_groups(app, screen)))


@pytest.mark.parametrize("key", ["e", "p", "v", "i"])
async def test_a_dialog_has_help_too(tmp_path: Path, key: str) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press(key)
        await settle(app, pilot)
        dialog = app.screen
        assert dialog is not screen
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen) and app.screen.about is dialog
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.screen is dialog


@pytest.mark.parametrize(("sent", "key"), [("\x1b1", "alt+1"), ("\x1b3", "alt+3"), ("£", "pound_sign")])
def test_a_terminal_says_alt_with_a_digit_by_an_escape_before_it(sent: str, key: str) -> None:
    events = [event for event in KeyParser().feed(sent) if hasattr(event, "key")]
    assert [event.key for event in events] == [key]
