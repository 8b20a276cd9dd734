"""The monitor's view of what each layer makes of a test image: from the newest network, and only while it is looked at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.at_rest import text_of, until
from support.digits_runs import digits_run
from support.lab_stage import App, own_folders, settle
from tuitrain.runs.checkpoint import entries
from tuitrain.tui.monitor import reading
from tuitrain.tui.monitor import screen as monitor
from tuitrain.tui.monitor.screen import MonitorScreen
from tuitrain.tui.paint.digits import RAMP

__all__ = ["own_folders"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on scikit-learn's digits, `good`, of a network with maps of two sizes."""
    folder = tmp_path_factory.mktemp("runs")
    layers = [
        {"conv": 6, "kernel": 5, "stride": 2, "then": ["relu"]}, {"maxpool": 2}, {"flatten": True}, {"linear": 10},
    ]  # fmt: skip
    digits_run(folder, "good", layers, epochs=2)
    return folder


async def test_the_maps_are_those_of_the_newest_network(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "MACHINE_S", 0.05)
    asked: list[object] = []
    read = reading.read_maps
    monkeypatch.setattr(reading, "read_maps", lambda *what: asked.append(what) or read(*what))
    copy = tmp_path / "runs" / "good"
    shutil.copytree(runs / "good", copy)
    (copy / "model.safetensors").unlink()
    newest = entries(copy / "checkpoints")[-1].path
    hidden = newest.rename(tmp_path / newest.name)
    app = App(runs_dir=tmp_path / "runs")
    async with app.run_test(size=(100, 40)) as pilot:
        app.open_run_named("good")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "N Maps" in text_of(app))
        assert isinstance(app.screen, MonitorScreen) and not asked
        await pilot.press("N")
        await until(pilot, lambda: "test image 0 after epoch 1: taken for" in text_of(app))
        text = text_of(app)
        assert "conv1  6 maps of 12×12, from" in text and "max pool after conv1  6 maps of 6×6" in text
        assert "linear2  10 values, from" in text
        shown = app.screen._shown.maps
        count = len(asked)
        await until(pilot, lambda: len(asked) > count + 1)
        assert app.screen._shown.maps is shown  # the same network: nothing is worked out again
        hidden.rename(newest)
        await until(pilot, lambda: "test image 0 after epoch 2: taken for" in text_of(app))
        await pilot.press("right", "right", "left")
        await until(pilot, lambda: "test image 1 after epoch 2: taken for" in text_of(app))
        await pilot.press("left", "left")
        await until(pilot, lambda: "test image 296 after" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: "test image 296 after" not in text_of(app))
        await pilot.press("4")
        await settle(app, pilot)
        count = len(asked)
        await pilot.pause(0.4)
        assert len(asked) == count  # nobody looks


async def test_a_run_that_kept_no_network_has_no_such_view(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "runs" / "good"
    shutil.copytree(runs / "good", copy)
    (copy / "model.safetensors").unlink()
    shutil.rmtree(copy / "checkpoints")
    app = App(runs_dir=tmp_path / "runs")
    async with app.run_test(size=(100, 40)) as pilot:
        app.open_run_named("good")
        await settle(app, pilot)
        await pilot.press("5", "N")
        await until(pilot, lambda: "train %" in text_of(app))
        await settle(app, pilot)
        assert "Maps" not in text_of(app) and "train %" in text_of(app)


@pytest.mark.parametrize("how", ["no colour", "ascii", "light"])
async def test_the_maps_are_drawn_in_characters_where_greys_are_not_to_be_had(
    runs: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    app = App(runs_dir=runs, ascii_only=how == "ascii")
    async with app.run_test(size=(80, 40)) as pilot:
        if how == "light":
            app.theme = "tuitrain-light"
        app.open_run_named("good")
        await settle(app, pilot)
        await pilot.press("N")
        await until(pilot, lambda: "test image 0 after epoch 2" in text_of(app))
        strips = app.screen._compositor.render_strips()
        text = "\n".join(strip.text for strip in strips)
        map_lines = text[text.index("conv1") : text.index("max pool")].splitlines()[2:-1]
        inked = set("".join(map_lines)) - set(" 123456")
        colours = {seg.style.bgcolor for strip in strips for seg in strip if seg.style and seg.style.bgcolor}
        if how == "light":
            assert inked == {"▀"} and len(colours) > 4
        else:
            assert inked <= set(RAMP) | {"┃", "│", "|"} and len(inked & set(RAMP)) >= 4
            assert how == "ascii" or not any(
                colour.triplet and len(set(colour.triplet)) > 1 for colour in colours
            )
        if how == "ascii":
            assert text.isascii()
