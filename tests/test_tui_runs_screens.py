"""Runs, Compare and Overlay: what they show, and that no meaning hangs on colour alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from runs_stage import NoLab, fix, make_run, runs_shown, some_runs, text_of, until

from tuitrain.tui import together
from tuitrain.tui.screens.compare import CompareScreen
from tuitrain.tui.screens.overlay import OverlayScreen
from tuitrain.tui.widgets.mon_chart import Chart
from tuitrain.words import percent


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)


def chart_rows(text: str) -> str:
    """The part of each line inside the chart's axes."""
    return "\n".join(match[1] for line in text.splitlines() if (match := re.match(r".{7}[│┤|+](.*)", line)))


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_overlaid_runs_are_told_apart_by_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ascii_only: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for number in range(1, 13):
        make_run(tmp_path / "runs", number, best=0.985 + 0.0007 * number)
    app = NoLab(tmp_path / "runs", ascii_only=ascii_only)
    async with app.run_test(size=(80, 30)) as pilot:
        table = await runs_shown(pilot, 12)
        bests = [percent(row.best) for row in table.rows]
        await pilot.press(*["space"] * 12, "o")
        await until(pilot, lambda: isinstance(app.screen, OverlayScreen) and bests[0] in text_of(app))
        await pilot.pause(0.2)
        text = text_of(app)
        assert text.isascii() == ascii_only
        curves = chart_rows(text)
        for letter, best in zip(together.LETTERS[:12], bests, strict=True):
            assert letter in curves, f"the curve of {letter} has its letter"
            assert re.search(rf"{letter} \S+ +{best}", text), f"{letter} and {best} stand together below"


def test_the_looks_of_neighbours_differ_in_colour_and_in_pattern() -> None:
    assert len(set(together.LOOKS)) == 12
    for (style, pattern), (next_style, next_pattern) in zip(together.LOOKS, together.LOOKS[1:], strict=False):
        assert style != next_style and pattern != next_pattern


async def test_a_diverged_run_does_not_flatten_the_others(tmp_path: Path) -> None:
    some_runs(tmp_path / "runs")
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 8)
        await pilot.press("space", "down", "space", "space", "o")
        await until(pilot, lambda: isinstance(app.screen, OverlayScreen) and "lr 0.5" in text_of(app))
        await pilot.pause(0.2)
        assert app.screen.query_one(Chart)._y_min > 90
        assert "▼b" in text_of(app), "where it went, with its letter"


async def test_compare_shows_the_curves(tmp_path: Path) -> None:
    some_runs(tmp_path / "runs")
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        table = await runs_shown(pilot, 8)
        table.cursor = 6
        await pilot.press("space", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "What differs" in text_of(app))
        screen = app.screen
        assert not screen.query_one(Chart).is_on_screen, "no room for both"
        await pilot.press("tab")
        await until(pilot, lambda: "a" in chart_rows(text_of(app)) and "b" in chart_rows(text_of(app)))
        assert "What differs" not in text_of(app)
        await pilot.press("tab")
        await until(pilot, lambda: "What differs" in text_of(app))
        await pilot.resize_terminal(80, 40)
        await pilot.press("tab")
        await until(pilot, lambda: "What differs" in text_of(app) and "b" in chart_rows(text_of(app)))
        assert re.search(r"curve +a ━━ +b ╌╌", text_of(app))
