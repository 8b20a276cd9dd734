"""What is asked of a run from the monitor, and what it answers."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from support.at_rest import text_of
from support.monitor_stage import StageApp, finished, live, said, settle
from tuitrain.training.events import Control, Record


async def test_pause_and_resume_are_asked_then_done() -> None:
    feed = live()
    feed.control.answers = False
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        assert "pausing…" in await settle(pilot)
        feed.coming.append(Record(Control("paused", 8, 665, source="keyboard"), 1.0, 1.0))
        text = await settle(pilot)
        assert (
            "‖ paused" in text and "pausing" not in text and "paused in epoch 9, step 665 (keyboard)" in text
        )
        assert "space Resume" in text
        feed.control.answers = True
        await pilot.press("space")
        assert "● training" in await settle(pilot)
        assert feed.control.told == [("pause", "keyboard"), ("resume", "keyboard")]


async def test_stop_asks_how() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("x", "escape")
        assert feed.control.told == []
        await pilot.press("x", "e")
        await settle(pilot)
        await pilot.press("x", "n")
        assert [what[:2] for what in feed.control.told] == [("stop", "epoch"), ("stop", "now")]


async def test_the_learning_rate_is_checked_at_each_key() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("l")
        field = app.screen.query_one(Input)
        assert field.value == "0.0019"
        for wrong, reason in (
            ("abc", "type a number"),
            ("-1", "above 0"),
            ("nan", "above 0"),
            ("11", "at most 10"),
        ):
            field.value = wrong
            await pilot.press("enter")
            assert reason in text_of(app), wrong
        assert feed.control.told == []
        field.value = "1e-3"
        await pilot.press("enter")
        text = await settle(pilot)
        assert feed.control.told == [("set_lr", 0.001, "keyboard")]
        assert "learning rate set to 0.001" in text


async def test_more_epochs_and_a_checkpoint() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("E", "3", "enter", "s")
        text = await settle(pilot)
        assert feed.control.told == [("add_epochs", 3, "keyboard"), ("checkpoint", "keyboard")]
        assert "epoch 9 of 17" in text


async def test_a_command_that_fails_says_why() -> None:
    feed = live()
    feed.control.fails = True
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        text = await settle(pilot)
        assert "tuitrain resume step13" in said(app)[-1] and "pausing" not in text


@pytest.mark.parametrize("kind", ["readonly", "over", "empty"])
async def test_what_can_not_be_steered_says_why(kind: str) -> None:
    feed = {"readonly": live, "over": finished}.get(kind, lambda: None)()
    reason = {"readonly": "only looking", "over": "run is over", "empty": "no run is shown"}[kind]
    app = StageApp(feed, readonly=kind == "readonly")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for count, key in enumerate(("space", "x", "s", "l", "E"), 1):
            await pilot.press(key)
            told = said(app)
            assert len(told) == count and reason in told[-1], key
        assert len(app.screen_stack) == 1, "no dialog was opened"
        assert feed is None or feed.control.told == []
