"""What a screen says besides its figures: a list with nothing in it, keys while one types, what has no colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.style import Style
from textual.command import CommandList, CommandPalette

from support.at_rest import text_of, until
from support.lab_stage import lab
from support.runs_stage import NoLab, fix, make_group, make_run, runs_shown


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)


async def test_a_filter_that_nothing_matches_says_so(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    make_run(runs, 1)
    app = NoLab(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await runs_shown(pilot, 1)
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: not table.rows)
        assert "no run matches the filter" in text_of(app) and "no runs yet" not in text_of(app)
        keys = text_of(app).splitlines()[-1].split("  ")
        assert keys == [" ⏎ Back to the runs", "esc All runs"], "and no key that is typed"
        await pilot.press("escape")
        await until(pilot, lambda: len(table.rows) == 1)
        assert "+ Queue" in text_of(app)


async def test_more_groups_than_columns_are_compared_from_the_first_on(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for number in range(3):
        make_group(runs, f"g{number}", 3, first=30 * number, train__dropout=0.1 * number)
    app = NoLab(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 3)
        await pilot.press("space", "space", "space", "c")
        await until(pilot, lambda: "What differs" in text_of(app))
        assert text_of(app).splitlines()[1].split()[:5] == ["curve", "a", "━━", "b", "╌╌"]
        await pilot.press("right")
        await until(pilot, lambda: text_of(app).splitlines()[1].split()[1:4:2] == ["b", "c"])


async def test_without_colours_the_chosen_command_stands_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p", *"lesson")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette) and "Lesson" in text_of(app))
        found = app.screen.query_one(CommandList)
        await until(pilot, lambda: found.highlighted is not None)
        rows = [
            strip.text.strip()
            for strip in app.screen._compositor.render_strips()
            if strip.text.strip() and all(s.style and s.style.reverse for s in strip if s.text.strip())
        ]
        assert rows == ["Lesson: backpropagation", "a network of eight weights, term by term"]


async def test_the_legend_of_an_overlay_tells_its_runs_apart(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for number, dropout in enumerate((0.05, 0.1, 0.2)):
        make_run(runs, number, train__batch_size=128, train__epochs=3, train__dropout=dropout)
    app = NoLab(runs)
    async with app.run_test(size=(60, 24)) as pilot:
        await runs_shown(pilot, 3)
        await pilot.press("space", "space", "space", "o")
        await until(pilot, lambda: "dropout 0.05" in text_of(app))
        assert "dropout 0.1" in text_of(app) and "batch" not in text_of(app)


async def test_a_narrow_lab_cuts_no_figure(tmp_path: Path) -> None:
    async with lab(tmp_path, size=(60, 18)) as (app, *_):
        network = [line[29:].rstrip() for line in text_of(app).splitlines()[3:16]]
        assert network[2].split() == ["2", "conv", "3×3", "→10", "28×28", "900"]
        assert network[-1].strip() == "5,854 parameters"
        assert not any("…" in line for line in network), network


async def test_the_mark_of_more_layers_covers_no_figure(tmp_path: Path) -> None:
    async with lab(tmp_path, size=(80, 24), preset="net0") as (app, *_):
        last = next(line for line in text_of(app).splitlines() if "7 conv" in line)
        assert last.split()[-3:] == ["▎", "rf", "40▾"], last


def test_kernels_stand_on_the_ground_of_the_theme() -> None:
    from tuitrain.tui.paint.pictures import kernel

    weights = np.array([[0.0, 1.0]], np.float32)
    for ink, dark in (("light", True), ("dark", False)):
        (zero, _), *_ = kernel(weights, 1.0, 2, ink)  # type: ignore[arg-type]
        style = zero[1]
        assert isinstance(style, Style) and style.bgcolor is not None
        assert (max(style.bgcolor.get_truecolor()) < 64) == dark
