"""What nobody means to do: a second answer, a key too early, a terminal too small from the start."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from pathlib import Path

import pytest
from textual import events
from textual.screen import ModalScreen, Screen

import tuitrain.tui
from support.at_rest import text_of, until
from support.lab_stage import App, lab, looked_up, own_folders  # noqa: F401 - own_folders is a fixture
from tuitrain.tui.lab.screen import LabScreen


def test_every_dialog_can_be_left_only_once() -> None:
    for module in pkgutil.walk_packages(tuitrain.tui.__path__, "tuitrain.tui."):
        importlib.import_module(module.name)
    ours = [kind for kind in all_kinds(ModalScreen) if kind.__module__.startswith("tuitrain.")]
    assert len(ours) >= 10
    assert [kind.__name__ for kind in ours if kind.dismiss is Screen.dismiss] == []


def all_kinds(kind: type) -> list[type]:
    return [kind, *(below for one in kind.__subclasses__() for below in all_kinds(one))]


@pytest.mark.parametrize("keys", ["p", "i", "e", "question_mark"])
async def test_a_second_answer_does_not_take_the_screen_below_away(tmp_path: Path, keys: str) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("right", keys)
        await pilot.pause()
        dialog = app.screen
        assert dialog is not screen
        dialog.dismiss(None)
        dialog.dismiss(None)
        await pilot.pause()
        assert app.screen is screen


def test_a_lab_that_has_read_no_preset_yet_has_nothing_for_a_small_terminal() -> None:
    assert LabScreen().strip_lines() == []


@pytest.mark.parametrize("size", [(59, 24), (40, 2), (20, 5), (80, 1), (1, 1)])
async def test_a_terminal_too_small_from_the_start(tmp_path: Path, size: tuple[int, int]) -> None:
    app = App(runs_dir=tmp_path / "runs")
    async with app.run_test(size=size) as pilot:
        assert app.screen.strip_lines() is not None
        await looked_up(app, pilot)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "step13" in text_of(app))


@pytest.mark.parametrize("key", ["pagedown", "pageup", "end", "down"])
async def test_a_key_before_the_palettes_list_is_there(tmp_path: Path, key: str) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        app.action_command_palette()
        await asyncio.sleep(0)
        for _ in range(3):
            app.post_message(events.Key(key, None))
        await pilot.pause()
        await pilot.press("escape")
        assert app.screen is screen
