"""The learning-rate finder in the lab: a real test of a small network."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from support.at_rest import text_of, until
from support.lab_stage import App, lab, own_folders
from support.queue_fake import Line
from tuitrain.training import lr_range
from tuitrain.tui.lab.rate_finder import RateFinder

__all__ = ["own_folders"]

DIGITS = {"train.dataset": "digits", "train.epochs": 1}


async def found(app: App, pilot: Any) -> RateFinder:
    """The dialog, once its test is over."""
    await pilot.press("l")
    dialog = app.screen
    assert isinstance(dialog, RateFinder)
    await until(pilot, lambda: dialog._search.found is not None or dialog._search.problem)
    dialog.look()
    await pilot.pause()
    return dialog


async def test_the_suggested_rate_goes_into_the_form(tmp_path: Path) -> None:
    async with lab(tmp_path, preset="mlp", overrides=DIGITS) as (app, pilot, screen):
        before = screen.editor.value("train.optimizer.lr")
        dialog = await found(app, pilot)
        shown = text_of(app)
        assert dialog.rate is not None and dialog.rate != before
        assert "Suggested: " in shown and "falls fastest" in shown and "●" in shown
        assert f"enter takes {dialog.rate:g} into the form" in shown
        await pilot.press("enter")
        assert screen.editor.value("train.optimizer.lr") == dialog.rate
        await pilot.press("u")
        assert screen.editor.value("train.optimizer.lr") == before
        assert not app.started and not (tmp_path / "runs").exists()


async def test_it_does_not_run_beside_a_training_of_this_process(tmp_path: Path) -> None:
    line = Line(tmp_path)
    async with lab(tmp_path, preset="mlp", overrides=DIGITS, manager=line.manager) as (app, pilot, screen):
        line.start()
        before = screen.editor.value("train.optimizer.lr")
        dialog = await found(app, pilot)
        assert "this process is busy (step13 · seed 0); try again when it is done" in text_of(app)
        await pilot.press("enter")  # nothing to take
        assert app.screen is dialog
        await pilot.press("escape")
        assert screen.editor.value("train.optimizer.lr") == before
        line.manager.stop_all("end", "test")


async def test_leaving_ends_the_test_and_what_waited_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = lr_range.range_test

    def slow(*arguments: Any, look: Callable[[Any], bool], **settings: Any) -> Any:
        """So slow that it can't be over before it is looked at."""
        return real(*arguments, look=lambda points: time.sleep(0.05) or look(points), **settings)  # type: ignore[func-returns-value]

    monkeypatch.setattr(lr_range, "range_test", slow)
    line = Line(tmp_path)
    async with lab(tmp_path, preset="mlp", overrides=DIGITS, manager=line.manager) as (app, pilot, _):
        await pilot.press("l")
        dialog = app.screen
        assert isinstance(dialog, RateFinder)
        await until(pilot, lambda: line.manager._held)
        await pilot.press("escape")
        feed = line.start()
        await until(pilot, lambda: feed.entry.state == "training")
        assert feed.entry.state == "training" and len(dialog._search.points) < 200
        line.manager.stop_all("end", "test")


async def test_missing_data_is_said(tmp_path: Path) -> None:
    async with lab(tmp_path, preset="mlp", data_dir=tmp_path) as (app, pilot, _):
        await found(app, pilot)
        # The sentence itself: on the screen its lines break wherever the folder's name ends.
        said = str(app.screen.query_one("#rates-said", Static).content)
        assert "run `tuitrain data fetch --dataset mnist" in said
