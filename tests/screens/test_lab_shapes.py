"""The picture of the network below its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.at_rest import text_of, until
from support.lab_stage import App, lab, looked_up, own_folders, settle
from tuitrain.spec.preset_files import load_preset
from tuitrain.tui.lab.network import NetworkView
from tuitrain.tui.lab.shapes import GAP, blocks_of, fitted, half_rows, sees
from tuitrain.workbench.network_check import check_network, layer_rows

__all__ = ["own_folders"]


def rows_of(name: str) -> list[object]:
    preset = load_preset(name)
    return list(layer_rows(preset.to_dict()["model"]["layers"], check_network(preset), False))


def test_half_rows_are_exact_to_half_a_cell() -> None:
    assert half_rows(0, 4, 2) == ["█", "█"]
    assert half_rows(1, 2, 2) == ["▄", "▀"]
    assert half_rows(1, 1, 2) == ["▄", " "]


@pytest.mark.parametrize("name", ["step13", "twelvek", "mlp", "net8"])
@pytest.mark.parametrize("room", [8, 40, 120])
def test_blocks_fit_and_more_channels_are_never_narrower(name: str, room: int) -> None:
    found = blocks_of(rows_of(name))  # type: ignore[arg-type]
    sized = fitted(found, 2, room)
    assert sized and sum(block.cells + GAP for block in sized) <= room
    assert any(block.index == 2 for block in sized)
    by_channels = sorted((block.channels, block.cells) for block in sized)
    assert [cells for _, cells in by_channels] == sorted(cells for _, cells in by_channels)


def test_what_an_output_sees_in_words() -> None:
    rows = rows_of("step13")
    assert sees(rows[3]) == "12 maps of 14×14, each sees 10×10 pixels"  # type: ignore[arg-type]
    assert sees(rows[-1]) == "10 maps of 1×1, each sees all of the input"  # type: ignore[arg-type]
    assert sees(rows_of("twelvek")[-1]).startswith("10 numbers")  # type: ignore[arg-type]


async def test_the_picture_follows_each_key(tmp_path: Path) -> None:
    async with lab(tmp_path, size=(120, 40)) as (app, pilot, screen):
        view = screen.query_one(NetworkView)
        assert view.has_focus
        first = text_of(app)
        assert "10 maps of 28×28, each sees 3×3 pixels" in first and "▲" in first
        await pilot.press("down", "down", "down")
        await pilot.pause()
        assert "12 maps of 14×14, each sees 10×10 pixels" in text_of(app)
        await pilot.press(*["plus"] * 12)
        await pilot.pause()
        assert "24 maps of 14×14" in text_of(app)
        await pilot.press("D")
        await settle(app, pilot)
        assert len(view.rows) == len(rows_of("step13")) - 1 and "Shapes" in text_of(app)


async def test_no_picture_where_the_table_needs_the_room(tmp_path: Path) -> None:
    async with lab(tmp_path, size=(80, 24)) as (app, pilot, screen):
        assert "Shapes" not in text_of(app)
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "Shapes" in text_of(app))
        await settle(app, pilot)
        for _ in range(12):
            screen.editor.insert(1, {"conv": 10, "kernel": 3, "padding": 1})
        screen.after_edit()
        await settle(app, pilot)
        assert "Shapes" not in text_of(app)
        assert screen.query_one(NetworkView).size.height > 20  # the table has all of it again
        await pilot.resize_terminal(80, 24)
        await settle(app, pilot)
        assert screen.query_one(NetworkView).size.height > 15


async def test_a_network_that_breaks_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    async with lab(tmp_path, size=(120, 40)) as (app, pilot, screen):
        screen.editor.set_layer(1, "kernel", 31)
        screen.after_edit()
        await pilot.press("end")
        await settle(app, pilot)
        assert "Shapes" in text_of(app) and "▲" not in text_of(app)


async def test_the_picture_is_there_before_any_key_where_the_screen_comes_after_the_first_frame(
    tmp_path: Path,
) -> None:
    app = App(runs_dir=tmp_path / "runs", frame_first=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await looked_up(app, pilot)
        text = text_of(app)
        assert "Shapes" in text and "▰" * 19 in text
