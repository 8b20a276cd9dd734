"""The lab through its keys: what each does to a preset, and what is shown of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from support.at_rest import in_one_line, text_of, until
from support.lab_stage import lab, own_folders, settle  # noqa: F401 - own_folders is a fixture
from tuitrain.spec.preset_files import load_preset
from tuitrain.tui.lab.data import DataScreen, DigitGrid
from tuitrain.tui.lab.dialogs import SaveDialog, TextDialog
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.network import NetworkView
from tuitrain.tui.lab.parts import NetworkFoot
from tuitrain.tui.lab.presets import PresetBrowser
from tuitrain.tui.shell.footer import KeyFooter


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("1.5", "must be below 1"),
        ("abc", "not a number"),
        ("0..1", "not a number"),
        ("1", "must be below 1"),
        ("", "type a number"),
        ("nan", "must be finite"),
    ],
)
async def test_a_wrong_value_has_its_reason_below_the_field(tmp_path: Path, typed: str, reason: str) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("tab", "right", "ctrl+u", *typed)
        assert f"✗ {reason}" in text_of(app)
        assert screen.preset.train.dropout in (0.069, 0.0, 0.1)  # the last right value while typing
        await pilot.press("down", "enter")
        await settle(app, pilot)
        assert not app.started
        assert screen.query_one(FormView).cursor == "train.dropout"
        await pilot.press("r")
        assert reason not in text_of(app).splitlines()[4]
        assert not screen.editor.is_changed


async def test_half_of_a_value_can_be_typed_as_such(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("tab", "right", "slash", "2", "enter")
        assert screen.preset.train.dropout == 0.0345


async def test_esc_while_typing_goes_back(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("tab", *"0.5")
        assert screen.preset.train.dropout == 0.5
        await pilot.press("escape")
        assert screen.preset.train.dropout == 0.069
        assert not screen.query_one(FormView).editing


async def test_digits_change_the_screen_unless_a_number_is_typed(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("3")
        await pilot.pause()
        assert app.current_mode == "runs"
        await pilot.press("1")
        await pilot.pause()
        assert app.current_mode == "lab"
        await pilot.press("tab", "down", "down", "3", "2", "enter")
        assert app.current_mode == "lab"
        assert screen.preset.train.batch_size == 32


async def test_a_choice_brings_its_settings(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        form = screen.query_one(FormView)
        await pilot.press("tab")
        form.go_to("train.optimizer.name")
        await pilot.press("right")
        assert screen.preset.train.optimizer.name == "adam"
        assert "betas" in text_of(app)
        await pilot.press("u")
        assert screen.preset.train.optimizer.name == "sgd"


async def test_save_never_writes_over_a_file_silently(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("down", "minus", "s")
        assert isinstance(app.screen, SaveDialog)
        await pilot.press("enter")
        await settle(app, pilot)
        file = tmp_path / "config" / "tuitrain" / "presets" / "step13-mine.toml"
        assert load_preset(str(file)).table().parameters == screen.preset.table().parameters
        assert screen.state.base.name == "step13-mine"
        before = file.read_text()
        await pilot.press("down", "down", "minus", "s", "enter")
        await pilot.pause()
        assert isinstance(app.screen, SaveDialog)  # the name is taken: still open
        assert file.read_text() == before
        await pilot.press("ctrl+o")
        await settle(app, pilot)
        assert file.read_text() != before


async def test_a_builtin_name_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("s")
        app.screen.query_one(Input).value = "step12"
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, SaveDialog)
        assert "built-in preset" in text_of(app)


async def test_the_command_is_copied_shown_and_written(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("down", "plus", "tab", *"0.5", "enter", "y")
        await pilot.pause()
        assert isinstance(app.screen, TextDialog)
        command = app.clipboards[0]
        assert command.startswith("tuitrain run --preset step13 --dropout 0.5")
        assert "model.layers[1].conv=11" in command
        assert (tmp_path / "state" / "tuitrain" / "command.sh").read_text() == command + "\n"
        assert "--dropout" in text_of(app)


async def test_insert_duplicate_move_delete_and_back(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        base = screen.editor.layers
        await pilot.press("i", "c")
        await pilot.pause()
        assert len(screen.editor.layers) == len(base) + 1
        assert screen.query_one(NetworkView).cursor == 1
        await pilot.press("I", "D", "shift+down", "u", "u", "u", "u")
        assert screen.editor.layers == base
        await pilot.press("u")
        assert screen.editor.layers == base


async def test_search_and_sort_of_presets(tmp_path: Path) -> None:
    async with lab(tmp_path, size=(120, 40)) as (app, pilot, screen):
        browser = screen.query_one("#lab-browser", PresetBrowser)
        await pilot.press("slash", *"net8")
        await pilot.pause()
        assert [row for row in browser.presets._rows if not row.endswith("/")] == ["net8"]
        await pilot.press("enter")
        await pilot.pause()
        assert screen.state.base.name == "net8"
        assert len(browser.presets._rows) > 30  # the search has ended
        assert browser.presets.cursor == "net8"
        await pilot.press("p", ">")
        await pilot.pause()
        first = browser.presets.items and browser.presets._rows[0]
        assert first == "small3413"  # the fewest parameters


async def test_edits_stay_with_their_preset(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("down", "plus")
        screen.choose_preset("step1")
        await pilot.pause()
        assert not screen.editor.is_changed
        screen.choose_preset("step13")
        await pilot.pause()
        assert screen.preset.table().parameters == 6054


async def test_torchinfo_takes_over_when_torch_is_there(tmp_path: Path) -> None:
    async with lab(tmp_path, size=(120, 40)) as (app, pilot, screen):
        assert screen.query_one(NetworkFoot).figures is None
        app.torch_ready = True
        await until(pilot, lambda: screen.query_one(NetworkFoot).figures is not None)
        figures = screen.query_one(NetworkFoot).figures
        table = screen.editor.check.table
        assert figures is not None and table is not None
        for key in ("parameters", "mult_adds", "input_bytes", "forward_backward_bytes", "parameter_bytes"):
            assert figures[key] == getattr(table, key)
        assert "torchinfo" in text_of(app)


async def test_see_the_data_of_digits(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        screen.editor.set_value("train.dataset", "digits")
        await pilot.press("v")
        await settle(app, pilot)
        assert isinstance(app.screen, DataScreen)
        grid = app.screen.query_one(DigitGrid)
        assert [sample.label for sample in grid.samples] == ["0", "1", "2", "3", "4"]
        first = grid.samples
        await pilot.press("space")
        await settle(app, pilot)
        assert [sample.label for sample in grid.samples] == ["5", "6", "7", "8", "9"]
        await pilot.press("left")
        await settle(app, pilot)
        again = zip(grid.samples, first, strict=True)  # the same draw is the same
        assert all((one.augmented == other.augmented).all() for one, other in again)
        await pilot.press("7")
        await settle(app, pilot)
        assert {sample.label for sample in grid.samples} == {"7"}
        assert "▀" in text_of(app)
        await pilot.press("escape")
        assert app.screen is screen


async def test_missing_data_is_one_sentence_in_the_view(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("v")
        await settle(app, pilot)
        assert "tuitrain data fetch" in in_one_line(app)


async def test_every_layer_can_be_clicked_and_edited(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.click(NetworkView, offset=(10, 5))
        assert screen.query_one(NetworkView).cursor == 3
        await pilot.click(FormView, offset=(5, 3))
        assert screen.query_one(FormView).cursor == "train.rotation"


@pytest.mark.parametrize(
    "sizes", [[(1, 1), (118, 30), (20, 5)], [(60, 18), (160, 45)], [(300, 90), (120, 40)]], ids=str
)
async def test_any_size(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    async with lab(tmp_path, size=sizes[0]) as (app, pilot, screen):
        for size in sizes:
            await pilot.resize_terminal(*size)
            await pilot.press("tab", "tab", "tab", "down", "plus", "e", "down", "escape")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "Network" in text_of(app)


@pytest.mark.parametrize("name", ["step1", "twelvek", "twelvek-bn-relu", "drill3", "mlp", "net0", "net8"])
async def test_every_kind_of_preset_is_shown(tmp_path: Path, name: str) -> None:
    async with lab(tmp_path, preset=name) as (app, pilot, screen):
        assert f"{load_preset(name).table().parameters:,}" in text_of(app)


async def test_the_footer_leads_the_way(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        line = text_of(app).splitlines()[-1]
        for word in ("Start", "+/- Width", "e Edit", "tab Pane", "u Undo", "p Presets", "? Help"):
            assert word in line
        assert screen.query_one(KeyFooter).region.height == 1


async def test_f1_explains_the_field_with_the_cursor(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("tab", "down", "f1")
        await pilot.pause()
        assert "learning rate: How far each step moves the weights." in text_of(app)


async def test_slash_searches_from_the_lab(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("slash")
        await pilot.pause()
        await pilot.press(*"net8")
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is screen
        assert screen.state.base.name == "net8"
