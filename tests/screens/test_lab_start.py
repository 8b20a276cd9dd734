"""The lab from its opening to a run: the way of a newcomer, what is asked before, and what starts nothing."""

from __future__ import annotations

from pathlib import Path

from support.at_rest import text_of, until
from support.lab_stage import App, lab, own_folders, settle  # noqa: F401 - own_folders is a fixture
from tuitrain.training.runtime import Runtime
from tuitrain.tui.lab.dialogs import PresetDropDown
from tuitrain.tui.lab.layer_dialog import LayerDialog
from tuitrain.tui.lab.screen import LabScreen
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.tui.shell.question import ConfirmDialog, Question


async def test_the_newcomer_from_presets_to_start(tmp_path: Path) -> None:
    """Pick step13, halve its dropout, widen conv2 to 54 over budget, set it back, start."""
    async with lab(tmp_path, preset="step1") as (app, pilot, screen):
        await pilot.press("p")
        assert isinstance(app.screen, PresetDropDown)
        await pilot.press(*["down"] * 12, "enter")
        await pilot.pause()
        assert screen.state.base.name == "step13"
        assert "5,854 of 6,000" in text_of(app)

        await pilot.press("tab", *"0.0345", "enter")
        assert screen.preset.train.dropout == 0.0345
        await pilot.press("tab", "down", "plus")
        text = text_of(app)
        assert "6,054 of 6,000" in text
        assert "54 over" in text
        assert "✗ 6,054 of at most 6,000" in text
        assert "dropout 0.069 → 0.0345" in text and "conv2 10 → 11" in text
        head = screen.query_one("#network-head")
        assert ("6,054 of 6,000 ", "bad") in head.right  # type: ignore[attr-defined]

        await pilot.press("enter")  # over budget: asks first
        await settle(app, pilot)
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("escape")
        assert not app.started
        await pilot.press("minus")
        assert "5,854 of 6,000" in text_of(app)
        screen.editor.set_value("train.dataset", "digits")
        await pilot.press("enter")
        await settle(app, pilot)
        job = app.started[0]
        assert job.command.startswith("tuitrain run --preset step13 ")
        assert job.preset.table().parameters == 5854
        assert job.preset.train.dropout == 0.0345
        assert job.budget == 6000
        assert job.runtime == Runtime()
        assert job.changed == {"train.dropout": [0.069, 0.0345], "train.dataset": ["mnist", "digits"]}


async def test_a_confirmed_overrun_starts_without_a_budget(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        screen.editor.set_value("train.dataset", "digits")
        await pilot.press("down", "plus", "enter", "y")
        await settle(app, pilot)
        job = app.started[0]
        assert "--budget" not in job.command
        assert job.preset.table().parameters == 6054
        assert job.budget is None


async def test_missing_data_offers_to_fetch_or_digits(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        assert "MNIST ✗" in screen.query_one(HeaderLine).context
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, Question)
        await pilot.press("d")
        await settle(app, pilot)
        assert app.started[0].preset.train.dataset == "digits"


async def test_an_impossible_network_says_why_and_does_not_start(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("down", "e")
        assert isinstance(app.screen, LayerDialog)
        await pilot.press("down", *"31", "enter")
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is screen
        text = text_of(app)
        assert "✗ can't be built" in text
        assert "conv2: conv 31×31 reaches over 31×31" in text
        await pilot.press("enter")
        await settle(app, pilot)
        assert not app.started
        await pilot.press("u")
        assert "5,854 of 6,000" in text_of(app)


async def test_same_again_keeps_the_seed(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        screen.editor.set_value("train.dataset", "digits")
        screen.editor.set_value("train.seed", 7)
        await pilot.press("enter")
        await settle(app, pilot)
        screen.editor.set_value("train.seed", 8)
        screen.choose_preset("step1")
        await pilot.press("a")
        await settle(app, pilot)
        assert len(app.started) == 2
        assert app.started[0] == app.started[1]
        assert app.started[1].preset.train.seed == 7


async def test_flags_are_changes_to_the_preset(tmp_path: Path) -> None:
    async with lab(tmp_path, overrides={"train.rotation": 7.0}) as (app, pilot, screen):
        assert screen.preset.train.rotation == 7.0
        assert "rotation 5.0 → 7.0" in text_of(app)


async def test_an_unknown_preset_is_said_and_the_lab_opens(tmp_path: Path) -> None:
    async with lab(tmp_path, preset="step31") as (app, pilot, screen):
        assert screen.state.base.name == "step13"
        assert any("did you mean 'step13'?" in n.message for n in app._notifications)


async def test_keys_that_come_in_one_burst_act_in_their_order(tmp_path: Path) -> None:
    """A frozen machine or a script delivers keys at once: none may act on the pane of a later Tab."""
    async with lab(tmp_path) as (app, pilot, screen):
        for key in ["tab", *"0.0345", "enter", "tab", "down", "plus"]:
            app.simulate_key(key)
        await until(pilot, lambda: screen.editor.over_budget == 54)
        await settle(app, pilot)
        assert app.screen is screen
        assert screen.preset.train.dropout == 0.0345
        assert screen.editor.over_budget == 54
        assert not app.started


async def test_a_second_enter_is_not_a_second_run(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        screen.editor.set_value("train.dataset", "digits")
        await pilot.press("enter")
        await settle(app, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        assert len(app.started) == 1


async def test_presets_may_be_opened_while_they_are_still_read(tmp_path: Path) -> None:
    app = App(runs_dir=tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        app.simulate_key("p")
        app.simulate_key("down")
        await until(pilot, lambda: isinstance(app.screen, PresetDropDown) and "step13" in text_of(app))
        await settle(app, pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, LabScreen)


async def test_a_lab_that_was_left_starts_asks_and_shows_nothing_more(tmp_path: Path) -> None:
    """What was being fetched or looked up comes back to a screen whose widgets are gone."""
    async with lab(tmp_path) as (app, pilot, screen):
        job = screen.state.order()
    screen.show_progress("fetching mnist 5%")
    screen.ask(ConfirmDialog("Start?", "", yes="Start"), lambda answer: None)
    screen.start(job)
    assert app.started == []
