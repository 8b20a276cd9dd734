"""The screen to draw on: keys, mouse, networks, what it says, the ways in and out, and how it looks."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from textual import events
from textual.pilot import Pilot

from support.at_rest import text_of, until
from support.digits_runs import digits_run
from support.lab_stage import App, chosen_in_palette, own_folders, settle
from tuitrain.data.load import load_dataset
from tuitrain.data.picture import read_picture
from tuitrain.runs.checkpoint import entries
from tuitrain.tui.draw import screen
from tuitrain.tui.draw.field import DrawingField
from tuitrain.tui.draw.networks import NetworksDialog
from tuitrain.tui.draw.panes import network_age
from tuitrain.tui.draw.screen import DrawScreen
from tuitrain.workbench import asking

__all__ = ["own_folders"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on scikit-learn's digits: `good`, and the newer `short`."""
    folder = tmp_path_factory.mktemp("runs")
    digits_run(folder, "good", epochs=3)
    digits_run(folder, "short", epochs=1)
    return folder


@asynccontextmanager
async def drawing(
    runs: Path, run: str = "", size: tuple[int, int] = (80, 24), **more: Any
) -> AsyncIterator[tuple[App, Pilot[Any], DrawScreen]]:
    app = App(runs_dir=runs, drawing=str(runs / run) if run else "", **more)
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        shown = app.screen
        assert isinstance(shown, DrawScreen)
        await until(pilot, lambda: shown.answer is not None or bool(shown._refusal))
        yield app, pilot, shown


def answered(shown: DrawScreen) -> bool:
    answer = shown.answer
    return answer is not None and answer.question.number == shown.drawing.number


def likened(shown: DrawScreen) -> bool:
    return shown.likeness is not None and shown.likeness.answer is shown.answer


async def test_keys_draw_and_the_network_follows(runs: Path) -> None:
    async with drawing(runs, "good") as (app, pilot, shown):
        assert "Draw a digit: with the mouse" in text_of(app) and "after epoch 3" in text_of(app)
        await pilot.press("up", "up", "left")
        assert shown.drawing.empty and shown.query_one(DrawingField).pen == (13, 12)
        await pilot.press("shift+down", "shift+down")
        assert shown.drawing.image[12:15, 13].min() == 255
        await pilot.press("space", *["right"] * 3, "space", "right", "right")
        assert shown.drawing.image[14, 13:17].min() == 255 and not shown.drawing.image[14, 18]
        await until(pilot, lambda: answered(shown) and likened(shown))
        answer, likeness = shown.answer, shown.likeness
        assert answer is not None and answer.probabilities is not None and likeness is not None
        assert answer.probabilities.sum() == pytest.approx(1)
        best = int(answer.probabilities.argmax())
        assert f"▸{best} " in text_of(app) and "looks like" in text_of(app)
        train = load_dataset("digits").train
        distances = ((train.images.astype(int) - answer.image) ** 2).sum((1, 2))
        assert likeness.index == distances.argmin() and train.labels[likeness.index] == likeness.label
        await pilot.press("u")  # the whole stroke of the pen
        assert not shown.drawing.image[14, 16] and shown.drawing.image[14, 13] == 255
        await pilot.press("backspace")
        await pilot.press("c", "u")
        assert not shown.drawing.empty
        await pilot.press("c")
        await until(pilot, lambda: answered(shown) and "Draw a digit: with" in text_of(app))
        assert shown.answer is not None and shown.answer.probabilities is None
        assert "▸" not in text_of(app)


@pytest.mark.parametrize(("size", "times"), [((80, 24), 1), ((120, 36), 2)])
async def test_the_mouse_draws_and_its_right_button_rubs_out(
    runs: Path, size: tuple[int, int], times: int
) -> None:
    async with drawing(runs, "good", size) as (_, pilot, shown):
        field = shown.query_one(DrawingField)

        def cell(x: int, y: int) -> tuple[int, int]:  # of a pixel, inside of the border
            return (1 + x * times, 1 + (y if times == 2 else y // 2))

        await pilot.mouse_down(field, offset=cell(6, 4))
        drag = [events.MouseMove]
        await pilot._post_mouse_events(
            drag, field, cell(6, 20), button=1
        )  # one line, however far the mouse has jumped
        await pilot.mouse_up(field, offset=cell(6, 20))
        assert shown.drawing.image[5:20, 6].min() > 200 and not shown.drawing.image[:, 9].any()
        await pilot.hover(field, offset=cell(20, 20))
        assert not shown.drawing.image[:, 15].any()  # the button is up
        await pilot.mouse_down(field, offset=cell(6, 12), button=3)
        await pilot.mouse_up(field, offset=cell(6, 12))
        await pilot.mouse_down(field, offset=cell(20, 4))
        await pilot.hover(
            field, offset=cell(12, 4)
        )  # the button was let go where the terminal does not see it
        assert shown.drawing.image[4:6, 20].max() > 200 and not shown.drawing.image[:, 15].any()
        await pilot.press("u")
        assert not shown.drawing.image[12, 6] and shown.drawing.image[6, 6] > 200
        await pilot.press("u", "u")
        assert shown.drawing.empty


async def test_other_networks_are_asked_of_the_same_drawing(runs: Path) -> None:
    async with drawing(runs) as (app, pilot, shown):
        assert shown.path == runs / "short" and "1 of 2" in text_of(app)  # the newest run
        await pilot.press("shift+down", "shift+down", "shift+down")
        await until(pilot, lambda: answered(shown))
        first = shown.answer
        await pilot.press("n")
        await until(pilot, lambda: answered(shown))
        second = shown.answer
        assert first is not None and second is not None and "2 of 2" in text_of(app)
        assert not np.array_equal(first.probabilities, second.probabilities)
        assert np.array_equal(first.image, second.image)
        await pilot.press("p", "enter")
        await settle(app, pilot)
        assert isinstance(app.screen, NetworksDialog) and "short" not in text_of(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.screen is shown and shown.path == runs / "good" and answered(shown))


async def test_w_asks_the_averaged_weights_of_a_run_that_keeps_them(tmp_path: Path) -> None:
    digits_run(tmp_path, "plain", epochs=1)
    digits_run(tmp_path, "averaged", epochs=2, ema=0.9)
    async with drawing(tmp_path, "averaged") as (app, pilot, shown):
        assert "after epoch 2, weights as trained" in text_of(app)
        await pilot.press("shift+down", "shift+down", "shift+down")
        await until(pilot, lambda: answered(shown))
        first = shown.answer
        await pilot.press("w")
        await until(pilot, lambda: answered(shown) and "after epoch 2, averaged weights" in text_of(app))
        second = shown.answer
        assert first is not None and second is not None
        assert not np.array_equal(first.probabilities, second.probabilities)
        await pilot.press("w")
        await until(pilot, lambda: answered(shown) and "weights as trained" in text_of(app))
        assert shown.answer is not None and np.array_equal(shown.answer.probabilities, first.probabilities)
        await pilot.press("w", "n", "w")  # the other run has no such weights, so there the key does nothing
        await until(pilot, lambda: shown.path == tmp_path / "plain" and answered(shown))
        assert not shown.averaged and "weights" not in text_of(app)


async def test_a_random_test_image_is_asked_as_it_is_and_saved(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking.secrets, "randbelow", lambda count: 41)
    async with drawing(runs, "good") as (app, pilot, shown):
        await pilot.press("s")
        assert app.screen is shown  # there is nothing to save
        await pilot.press("r")
        await until(pilot, lambda: shown.sample is not None and answered(shown))
        test = load_dataset("digits").test
        assert shown.answer is not None and np.array_equal(shown.answer.image, test.images[41])
        article = "an" if test.labels[41] == 8 else "a"
        assert f"test image 41: {article} {test.labels[41]}, which it" in text_of(app)
        await pilot.press("s", "enter")
        await until(pilot, lambda: (tmp_path / "digit.png").exists())
        assert np.array_equal(read_picture(tmp_path / "digit.png").image, test.images[41])
        Image.fromarray(test.images[0]).save(tmp_path / "digit.png")
        await pilot.press("s", "enter")
        await pilot.pause()
        assert np.array_equal(read_picture(tmp_path / "digit.png").image, test.images[0])  # not written over
        await pilot.press("space")
        await until(pilot, lambda: answered(shown))
        assert "test image 41" not in text_of(app)


async def test_of_a_run_that_goes_on_the_newest_checkpoint_is_asked(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.setattr(screen, "LOOK_S", 0.05)
    monkeypatch.setattr(asking, "LOOK_S", 0.0)
    copy = tmp_path / "runs" / "good"
    shutil.copytree(runs / "good", copy)
    (copy / "model.safetensors").unlink()
    newest = entries(copy / "checkpoints")[-1].path
    hidden = newest.rename(tmp_path / newest.name)
    async with drawing(tmp_path / "runs", "good") as (app, pilot, shown):
        assert shown.answer is not None and "after epoch 2" in text_of(app)
        await pilot.press("shift+down", "shift+down")
        await until(pilot, lambda: answered(shown))
        old = shown.answer.probabilities
        hidden.rename(newest)
        await until(pilot, lambda: shown.answer and network_age(shown.answer.network) == "after epoch 3")
        assert shown.answer.probabilities is not None and not np.array_equal(shown.answer.probabilities, old)


async def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    async with drawing(tmp_path / "runs") as (app, pilot, _):
        assert "No run has kept a network yet" in text_of(app)
        await pilot.press("space", "right", "n", "enter", "r", "s", "p")
        assert "No run has kept a network yet" in text_of(app)
    run = digits_run(tmp_path / "runs", "bare", epochs=1)
    (run.path / "model.safetensors").unlink()
    for entry in entries(run.path / "checkpoints"):
        entry.path.unlink()
    async with drawing(tmp_path / "runs", "bare") as (app, _, _shown):
        assert "run bare has kept no network" in text_of(app)


async def test_the_ways_in_and_out(runs: Path) -> None:
    app = App(runs_dir=runs)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("3")
        await settle(app, pilot)
        await until(pilot, lambda: "2 runs" in text_of(app))
        await pilot.press("down", "h")
        await settle(app, pilot)
        shown = app.screen
        assert isinstance(shown, DrawScreen) and shown.path == runs / "good"
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.current_mode == "runs"
        app.open_run_named("short")
        await settle(app, pilot)
        await pilot.press("h")
        await settle(app, pilot)
        assert app.screen is shown and shown.path == runs / "short"
        await pilot.press("1", "ctrl+p", *"draw a")
        await chosen_in_palette(app, pilot, "Draw a digit")
        await until(pilot, lambda: app.screen is shown)
        assert shown.path == runs / "short"  # as it was left
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.current_mode == "lab"
    async with drawing(runs, "good") as (app, pilot, _):
        await pilot.press("escape")
        await pilot.pause()
    assert app.return_value == "quit"


STROKES = ["left"] * 4 + ["up"] * 6 + ["space"] + ["right"] * 8 + ["down"] * 6 + ["left"] * 6 + ["space"]
CASES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "dark_80": ((80, 24), {}),
    "dark_120": ((120, 36), {}),
    "light_120": ((120, 36), {"look": "light"}),
    "plain_80": ((80, 24), {"plain": True}),
    "ascii_60": ((60, 18), {"ascii_only": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_screen_looks_as_before(
    snap_compare: Any, runs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    size, how = CASES[name]
    how = dict(how)
    if how.pop("plain", False):
        monkeypatch.setenv("NO_COLOR", "1")
    look = how.pop("look", "dark")
    app = App(runs_dir=runs, drawing=str(runs / "good"), **how)
    app.theme = f"tuitrain-{look}"

    async def before(pilot: Pilot[Any]) -> None:
        await settle(app, pilot)
        await pilot.press(*STROKES)
        shown = app.screen
        assert isinstance(shown, DrawScreen)
        await until(pilot, lambda: answered(shown) and likened(shown))
        # The last digits of what was trained differ from machine to machine.
        answer = shown.answer
        assert answer is not None and answer.probabilities is not None
        answer.probabilities[:] = np.eye(10, dtype=np.float32)[2] * 0.9 + 0.01
        assert shown.likeness is not None
        shown.likeness = dataclasses.replace(shown.likeness, said=(shown.likeness.label + 5) % 10)
        shown.paint()
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)
