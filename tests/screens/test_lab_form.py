"""The lab's form, its dialogs and its line of changes: what is typed, chosen and read there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from textual.widgets import Input

from support.at_rest import text_of
from support.lab_stage import App, lab, own_folders, settle
from tuitrain.runs.estimate import TimeEstimate
from tuitrain.spec.preset_files import load_preset
from tuitrain.tui.lab.dialogs import SaveDialog, TextDialog
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.parts import Divider
from tuitrain.tui.lab.screen import LabScreen
from tuitrain.watch import devices
from tuitrain.watch.devices import Device
from tuitrain.workbench.editor import NetworkEditor
from tuitrain.workbench.fields import FormField
from tuitrain.workbench.formdata import form_data

__all__ = ["own_folders"]


async def test_an_optimizer_keeps_what_was_typed_for_it(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("tab", *"0.0345", "enter")  # the learning rate
        form = screen.query_one(FormView)
        form.go_to("train.optimizer.lr")
        await pilot.press(*"0.123", "enter")
        form.go_to("train.optimizer.name")
        await pilot.press("right", "right")  # by way of others
        assert screen.preset.train.optimizer.name not in ("sgd",)
        await pilot.press("left", "left")
        await pilot.pause()
        assert (screen.preset.train.optimizer.name, screen.preset.train.optimizer.lr) == ("sgd", 0.123)
        await pilot.press("r")  # with all of its settings
        assert screen.preset.train.optimizer == screen.state.base.train.optimizer


def test_a_schedule_keeps_its_settings_and_a_reset_forgets_them() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.set_value("train.schedule.step_size", 3)
    editor.choose("train.schedule", "exponential")
    editor.set_value("train.schedule.gamma", 0.8)
    editor.choose("train.schedule", "step")
    assert editor.value("train.schedule.step_size") == 3
    editor.choose("train.schedule", "exponential")
    assert editor.value("train.schedule.gamma") == 0.8
    editor.reset_all()
    editor.choose("train.schedule", "exponential")
    editor.choose("train.schedule", "step")
    assert editor.value("train.schedule.step_size") == editor.base_value("train.schedule.step_size")


async def test_typing_takes_the_place_of_the_suggested_name(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("down", "minus", "s")
        await pilot.pause()
        assert isinstance(app.screen, SaveDialog)
        field = app.screen.query_one(Input)
        assert field.value == "step13-mine" and field.selected_text == "step13-mine"
        await pilot.press(*"small")
        assert field.value == "small"


async def test_all_changes_can_be_seen_at_80_columns(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        line = text_of(app).splitlines()[-2]
        assert "w all" not in line
        for key, value in (("dropout", 0.25), ("rotation", 12.0), ("epochs", 9), ("batch_size", 256)):
            screen.editor.set_value(f"train.{key}", value)
        screen.editor.widen(1, 1)
        screen.after_edit()
        await pilot.pause()
        line = text_of(app).splitlines()[-2]
        assert line.endswith("… w all ─") and len(line) == 80
        await pilot.press("w")
        await settle(app, pilot)
        assert isinstance(app.screen, TextDialog)
        for piece in ("dropout 0.069 → 0.25", "batch size 64 → 256", "epochs 14 → 9", "10 → 11"):
            assert piece in text_of(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_joint_stands_beside_the_settings_of_a_layer(tmp_path: Path, size: tuple[int, int]) -> None:
    async with lab(tmp_path, size=size) as (app, pilot, screen):
        divider = screen.query_one("#lab-divider", Divider)
        assert "┤" in divider.joints.values()
        await pilot.press("e", "plus")
        await settle(app, pilot)
        assert "┤" not in divider.joints.values()
        await pilot.press("escape")
        await settle(app, pilot)
        assert "┤" in divider.joints.values()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45)])
async def test_a_choice_is_whole_whatever_stood_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    found = [Device("cuda:0", "NVIDIA H200", 138 << 30, 140 << 30), Device("cpu", "16 cores")]
    monkeypatch.setattr(devices, "devices", lambda: found)
    async with lab(tmp_path, size=size) as (app, pilot, screen):
        screen.lookups.devices_found(found)
        form = screen.query_one(FormView)
        screen.set_focus(form)
        choices = [
            row
            for row in form_data(screen.editor, found).rows
            if isinstance(row, FormField) and row.kind == "choice"
        ]
        assert {"train.dataset", "lab.device", "train.schedule.name"} <= {row.key for row in choices}
        for row in choices:
            form.go_to(row.key)
            for _ in row.choices:
                await pilot.press("right")
                await pilot.pause()
                top, _ = form.cursor_span()
                line = "".join(text for text, _ in form.lines[top])
                chosen = form.field.show(form.data.values[row.key])  # type: ignore[union-attr]
                assert chosen in line and row.label in line, line
                assert "… " not in line.partition("‹")[2], line
                assert cell_len(line) <= form.size.width


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        ([Device("cpu", "2 cores", why="no CUDA device")], "auto", "cpu: no CUDA device"),
        ([Device("cpu", "2 cores", why="no CUDA device")], "cpu", ""),
        ([Device("cpu", "2 cores", why="no CUDA device")], "cuda:3", "no cuda:3 here"),
        ([Device("cuda:0", "H200", 7 << 30, 9 << 30), Device("cpu", "2 cores")], "auto", "7 of 9 GB free"),
    ],
)
def test_the_device_says_why_it_is_this_one(found: list[Device], wanted: str, said: str) -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.set_value("lab.device", wanted)
    rows = form_data(editor, found).rows
    notes = [row.text for row in rows if not isinstance(row, FormField) and row.below == "lab.device"]
    assert notes == ([said] if said else [])
    device = next(row for row in rows if isinstance(row, FormField) and row.key == "lab.device")
    assert wanted in device.choices


def test_a_gpu_that_torch_can_not_use_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpus", lambda: [Device("cuda:0", "H200", 7 << 30, 9 << 30)])
    monkeypatch.setitem(sys.modules, "torch", None)
    assert [device.name for device in devices.devices()][-2:] == ["cuda:0", "cpu"]
    torch = SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: False), version=SimpleNamespace(cuda=None)
    )
    monkeypatch.setitem(sys.modules, "torch", torch)  # type: ignore[arg-type]
    assert devices.devices()[-1].why == "torch has no CUDA"
    assert "cuda:0" not in [device.name for device in devices.devices()]


async def test_the_time_that_a_run_will_take_stands_beside_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def told(*what: object) -> TimeEstimate:
        asked.append(what)
        return TimeEstimate(60.0 * len(asked), "by size")

    pending: list[Callable[[], None]] = []

    def set_timer(after_s: float, call: Callable[[], None]) -> object:
        pending[:] = [call]
        return SimpleNamespace(stop=pending.clear)

    # What is asked as the lab opens waits too.
    monkeypatch.setattr("tuitrain.tui.shell.behind.AFTER_S", 3600.0)
    async with lab(tmp_path) as (app, pilot, screen):
        monkeypatch.setattr("tuitrain.runs.estimate.estimate", told)
        monkeypatch.setattr(screen, "set_timer", set_timer)

        async def quiet() -> str:
            while pending:
                pending.pop()()
            await settle(app, pilot)
            return text_of(app).splitlines()[-1]

        await pilot.press("down", "plus", "plus", "plus")
        assert asked == [] and len(pending) == 1  # nothing on the way of the keys
        assert " ⏎ Start (about 1 min)" in await quiet()
        assert len(asked) == 1 and asked[0][1:] == ("auto", tmp_path / "runs")
        await pilot.resize_terminal(120, 40)
        screen.editor.set_value("train.epochs", 3)
        screen.after_edit()
        assert " ⏎ Start (about 2 min, by size)" in await quiet()
        while screen.editor.check.problem is None:
            screen.editor.insert(1, {"maxpool": 2})
        screen.after_edit()
        assert " ⏎ Start  " in await quiet() and len(asked) == 2


async def test_a_layers_settings_do_not_offer_to_start(tmp_path: Path) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        await pilot.press("e")
        await settle(app, pilot)
        assert "Start" not in text_of(app).splitlines()[-1] and "esc Done" in text_of(app).splitlines()[-1]
        await pilot.press("enter")
        assert app.screen is screen and app.started == []


def joined(app: App, screen: LabScreen) -> None:
    """Each joint of a divider has its section line beside it, and each line its joint."""
    for divider in screen.query(Divider):
        x, top = divider.region.x, divider.region.y
        for y in range(divider.region.height if divider.display else 0):
            row = text_of(app).splitlines()[top + y].ljust(app.size.width)
            beside = (row[x - 1] in "─━", row[x + 1] in "─━")
            wanted = {(True, True): "┬" if y == 0 else "┼", (True, False): "┤", (False, True): "├"}
            assert row[x] == ("┬" if y == 0 else wanted.get(beside, "│")), f"line {y}: {row}"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45)])
async def test_dividers_join_the_lines_beside_them_wherever_these_go(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with lab(tmp_path, size=size) as (app, pilot, screen):
        for preset in ("step13", "net0", "twelvek", "mlp", "step13"):  # challenges of 0 to 7 points
            screen.choose_preset(preset)
            await settle(app, pilot)
            await pilot.pause()
            joined(app, screen)
        await pilot.resize_terminal(size[0] + 1, size[1] + 3)
        await settle(app, pilot)
        await pilot.pause()
        joined(app, screen)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45)])
async def test_figures_of_millions_are_not_cut(tmp_path: Path, size: tuple[int, int]) -> None:
    async with lab(tmp_path, size=size, preset="net0") as (app, pilot, screen):
        await pilot.press("end")
        await pilot.pause()
        text = "\n".join("".join(text for text, _ in line) for line in screen.query_one("#network").lines)  # type: ignore[attr-defined]
        assert "4.72 M" in text or "4,719,616" in text or "4,718,592" in text, text
        assert "…" not in text.replace("… ", ""), text
