"""The lesson on its screen: keys, dialogs, the table, the curves, the ways in and out, and how it looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from support.at_rest import in_one_line, text_of, until
from support.lab_stage import App, chosen_in_palette, own_folders, settle
from tuitrain.lessons.export import csv_text
from tuitrain.lessons.lesson import Lesson
from tuitrain.lessons.sheet import published, read_sheet
from tuitrain.tui.lab.screen import LabScreen
from tuitrain.tui.lesson.curves import CurvesScreen
from tuitrain.tui.lesson.screen import LessonScreen
from tuitrain.tui.lesson.table import StepTable, TableScreen
from tuitrain.tui.paint.chart import Chart

__all__ = ["own_folders"]


@asynccontextmanager
async def lesson(
    tmp_path: Path, size: tuple[int, int] = (80, 24), **more: Any
) -> AsyncIterator[tuple[App, Pilot[Any], LessonScreen]]:
    app = App(runs_dir=tmp_path / "runs", lesson=Lesson(published()), **more)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        yield app, pilot, screen


async def test_keys_go_through_terms_steps_and_variants(tmp_path: Path) -> None:
    async with lesson(tmp_path) as (app, pilot, screen):
        assert "h1 = w1·i1 + w2·i2" in text_of(app) and "step 0 of 199" in text_of(app)
        await pilot.press(*["right"] * 20, "down", "down", "up")
        assert "∂E/∂w8 = ∂E/∂a_o2 · ∂a_o2/∂o2 · ∂o2/∂w8" in text_of(app)
        assert "21 of 43" in text_of(app) and "step 1 of 199" in text_of(app)
        assert screen.query_one(Chart).picture.curves[0].values == tuple(screen.state.lesson.losses()[:2])
        await pilot.press("v", "tab", "right")
        assert "The published sheet takes w6 here." in in_one_line(app)
        await pilot.press("home", "pagedown", "left", "L")
        assert (screen.state.term.quantity, screen.state.lesson.step) == ("dE1/da_h1", 10)
        assert not screen.query_one(Chart).picture.logarithmic
        await pilot.press("end", "r")
        assert screen.state.lesson == Lesson(published()) and "1 of 43" in text_of(app)


async def test_it_plays_until_it_is_stopped(tmp_path: Path) -> None:
    async with lesson(tmp_path) as (app, pilot, screen):
        await pilot.press("space")
        await until(pilot, lambda: screen.state.lesson.step >= 2)
        await pilot.press("space")
        step = screen.state.lesson.step
        await pilot.pause(0.6)
        assert screen.state.lesson.step == step >= 2


async def test_numbers_are_typed_and_wrong_ones_are_asked_for_again(tmp_path: Path) -> None:
    async with lesson(tmp_path) as (app, pilot, screen):

        async def typed(key: str, text: str) -> None:
            names = {",": "comma", " ": "space"}
            await pilot.press(key, "ctrl+u", *(names.get(char, char) for char in text), "enter")
            await pilot.pause()

        await pilot.press("w", "enter")
        assert screen.state.lesson == Lesson(published())  # as they were, to the last digit
        await pilot.press("down")
        await typed("w", "1,2")
        assert "the weights has 2 numbers; give 8, w1 to w8." in text_of(app)
        await pilot.press("ctrl+u", "0", "full_stop", "5", "enter")
        assert screen.state.lesson.sheet.start.weights == (0.5,) * 8 and screen.state.lesson.step == 0
        await typed("e", "1, 2, 0, 1")
        assert screen.state.lesson.sheet.start.inputs == (
            1,
            2,
        ) and screen.state.lesson.sheet.start.targets == (0, 1)
        await typed("l", "0")
        assert "the learning rate is 0; use a number above 0" in text_of(app)
        await pilot.press("ctrl+u", "2", "comma", "3", "enter")
        assert screen.state.lesson.sheet.learning_rates == (2, 3)
        assert "lr 2" in text_of(app)


async def test_the_table_has_all_columns_and_goes_to_a_step(tmp_path: Path) -> None:
    async with lesson(tmp_path) as (app, pilot, screen):
        await pilot.press("t")
        table = app.screen.query_one(StepTable)
        assert isinstance(app.screen, TableScreen) and "columns 1 to 6 of 31" in text_of(app)
        assert "106 of 106 figures as in the sheet" in text_of(app)
        await pilot.press(*["right"] * 40)
        assert table.shown[-1] == "dE/dw8" and "∂E/∂w8" in text_of(app) and "columns 26 to 31" in text_of(app)
        await pilot.press("end", "up", "enter")
        assert app.screen is screen and screen.state.lesson.step == 198
        await pilot.press("t", "up", "escape")
        assert app.screen is screen and screen.state.lesson.step == 198


async def test_figures_of_a_sheet_are_marked_where_they_differ(tmp_path: Path) -> None:
    rows = Lesson(published()).table()[:3]
    (tmp_path / "a.csv").write_text(csv_text([*rows[:2], rows[2] | {"E_total": 0.5}]))
    app = App(runs_dir=tmp_path / "runs", lesson=Lesson(read_sheet(tmp_path / "a.csv")))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("t", *["right"] * 22)
        assert "72 of 73 figures as in the sheet; the first other: E at step 2" in text_of(app)
        table = app.screen.query_one(StepTable)
        looks = [dict(table.line(step + 1)) for step in range(3)]
        assert looks[1]["0.121113"] == "good" and looks[2]["0.0660347"] == "warn underline"


async def test_curves_of_all_rates_and_what_the_mistake_did(tmp_path: Path) -> None:
    async with lesson(tmp_path, (100, 30)) as (app, pilot, screen):
        await pilot.press("end", "o")
        await pilot.pause()
        assert isinstance(app.screen, CurvesScreen)
        assert len(app.screen.query_one(Chart).picture.curves) == 7
        text = in_one_line(app)
        assert "a 10 0.00024256 0.00024256 0.00027993 0.00024256 +15.41 %" in text
        await pilot.press("v", "left")
        assert "with the published mistake" in text_of(app) and "step 198" in text_of(app)
        await pilot.press("escape")
        assert app.screen is screen and "published mistake" in text_of(app)


async def test_the_table_is_saved_and_nothing_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with lesson(tmp_path) as (_, pilot, _screen):
        await pilot.press("s", "enter")
        await pilot.pause()
        assert read_sheet(tmp_path / "backprop.xlsx").rows == 200
        before = (tmp_path / "backprop.xlsx").read_bytes()
        await pilot.press("v", "s", "enter")
        await pilot.pause()
        assert (tmp_path / "backprop.xlsx").read_bytes() == before
        await pilot.press("s", "ctrl+u", "a", "full_stop", "c", "s", "v", "enter")
        await pilot.pause()
        assert (tmp_path / "a.csv").read_text().startswith("t1,t2,i1,i2,w1")


async def test_the_palette_leads_to_it_and_escape_back_to_where_one_was(tmp_path: Path) -> None:
    app = App(runs_dir=tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert isinstance(app.screen, LabScreen)
        await pilot.press("3", "ctrl+p", *"backpropag")
        await chosen_in_palette(app, pilot, "Lesson: backpropagation")
        await until(pilot, lambda: isinstance(app.screen, LessonScreen))
        assert isinstance(app.screen, LessonScreen)
        await pilot.press("right", "escape")
        await settle(app, pilot)
        assert app.current_mode == "runs"
        app.open_lesson()
        await settle(app, pilot)
        assert isinstance(app.screen, LessonScreen) and app.screen.state.at == 1  # as it was left


async def test_escape_leaves_an_app_that_was_opened_with_it(tmp_path: Path) -> None:
    async with lesson(tmp_path) as (app, pilot, _):
        await pilot.press("escape")
        await pilot.pause()
    assert app.return_value == "quit"


async def test_a_small_terminal_has_the_term_in_words(tmp_path: Path) -> None:
    async with lesson(tmp_path, (40, 8)) as (app, pilot, screen):
        await pilot.press("right")
        assert screen.strip_lines() == ["step 0, forward pass", "a_h1 = σ(h1)", "= σ(0.0275) = 0.506875"]
        await until(pilot, lambda: "σ(0.0275) = 0.506875" in text_of(app))


CASES: dict[str, tuple[tuple[int, int], list[str], dict[str, Any]]] = {
    "forward_80": ((80, 24), ["right"] * 4, {}),
    "backward_80": ((80, 24), ["down", *["tab"] * 2, *["right"] * 8], {}),
    "mistake_80": ((80, 24), ["v", *["tab"] * 3, *["right"] * 5], {}),
    "update_60": ((60, 18), [*["tab"] * 4, *["right"] * 5], {}),
    "backward_120": ((120, 36), ["pagedown", *["tab"] * 3, *["right"] * 5], {}),
    "mistake_light_120": ((120, 36), ["v", *["tab"] * 3, "right"], {"look": "light"}),
    "plain_80": ((80, 24), ["v", *["tab"] * 3, "right"], {"plain": True}),
    "ascii_80": ((80, 24), [*["tab"] * 3, *["right"] * 5], {"ascii_only": True}),
    "table_80": ((80, 24), ["down", "t", *["right"] * 16], {}),
    "curves_80": ((80, 24), ["pagedown", "o"], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_lesson_looks_as_before(
    snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    size, keys, how = CASES[name]
    how = dict(how)
    if how.pop("plain", False):
        monkeypatch.setenv("NO_COLOR", "1")
    look = how.pop("look", "dark")
    app = App(runs_dir=tmp_path / "runs", lesson=Lesson(published()), **how)
    app.theme = f"tuitrain-{look}"

    async def before(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        await pilot.press(*keys)
        await until(pilot, lambda: all(c._datasets for c in app.screen.query(Chart) if c.is_on_screen))
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)
