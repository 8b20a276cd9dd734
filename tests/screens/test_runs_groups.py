"""Runs: the seeds of a study are one row, opened and closed, filtered, marked, compared, deleted; many stay fast."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.at_rest import in_one_line, text_of, until
from support.runs_stage import NoLab, fix, make_group, make_run, runs_shown
from tuitrain.runs.index import list_runs
from tuitrain.tui.runs.compare import CompareScreen
from tuitrain.tui.runs.table import RunTable


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)


def said(app: NoLab) -> str:
    """What is on the screen, in one line."""
    return in_one_line(app)


async def test_seeds_are_one_row_that_opens(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    make_group(runs, "one", 4)
    make_group(runs, "two", 6, open_seeds=2, first=30, train__dropout=0.05)
    make_run(runs, 1)
    app = NoLab(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await runs_shown(pilot, 3)
        await until(pilot, lambda: all(row.spread for row in table.rows if row.members))
        assert [row.state for row in table.rows] == ["interrupted", "done", "done"]
        assert [row.changed for row in table.rows] == ["4 of 6 seeds · dropout 0.05", "4 seeds", "–"]
        assert table.rows[1].spread.startswith("±.0") and "▸ 4 seeds" in text_of(app)
        await pilot.press("down", "right")
        await until(pilot, lambda: len(table.rows) == 7)
        assert [row.seed for row in table.rows if row.inside] == [0, 1, 2, 3]
        await pilot.press("down", "down", "left")
        await until(pilot, lambda: len(table.rows) == 3)
        assert table.cursor == 1, "closed, the cursor stays on the group"
        await pilot.press("slash", *"seed=5", "enter")
        await until(pilot, lambda: len(table.rows) == 1)
        assert table.rows[0].changed.startswith("4 of 6"), "a group is found by one of its runs"
        await pilot.press("right")
        await until(pilot, lambda: len(table.rows) == 2)
        assert table.rows[1].seed == 5
        await pilot.press("escape")
        await until(pilot, lambda: len(table.rows) == 3 + 6)
        await pilot.press("greater_than_sign")
        best = [row.best for row in table.rows if not row.inside]
        assert best == sorted(best, reverse=True)


async def test_marked_groups_are_compared_by_their_evidence(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    make_group(runs, "one", 5, best=0.9938)
    make_group(runs, "two", 5, best=0.9918, first=30, train__dropout=0.3)
    make_run(runs, 1, train__rotation=9.0)
    app = NoLab(runs)
    async with app.run_test(size=(80, 34)) as pilot:
        table = await runs_shown(pilot, 3)
        table.cursor = 1
        await pilot.press("space")
        table.cursor = 0
        await pilot.press("space")
        await until(pilot, lambda: "step13 · dropout 0.3 is worse than step13" in said(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "What it shows" in text_of(app))
        text = text_of(app)
        assert "dropout" in text and "0.069" in text and "noise floor" in text
        assert "is worse than" in text and "On new images" in text and "95 % interval" in text
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.query(RunTable))
        await pilot.press("U", "home", "space", "end", "space")
        await until(pilot, lambda: "and 1 seed" in said(app)), "a group and a run"


async def test_runs_without_predictions_are_compared_by_their_accuracies(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    make_run(runs, 1, best=0.9938)
    make_run(runs, 2, best=0.9918, train__dropout=0.3)
    make_run(runs, 3, best=0.93, dataset="digits", train__dropout=0.2)
    app = NoLab(runs)
    async with app.run_test(size=(80, 34)) as pilot:
        table = await runs_shown(pilot, 3)
        await pilot.press("down", "down", "space", "up", "space")
        await until(pilot, lambda: "one seed each: no evidence about the settings" in said(app))
        await pilot.press("U")
        table.cursor = 0
        await pilot.press("space", "space")
        await until(pilot, lambda: "were judged by different images" in said(app))


async def test_a_group_is_deleted_whole_and_comes_back(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    make_group(runs, "one", 4)
    make_run(runs, 1)
    app = NoLab(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await runs_shown(pilot, 2)
        await pilot.press("D")
        await until(pilot, lambda: "Delete 4 runs?" in text_of(app))
        await pilot.press("y")
        await until(pilot, lambda: len(table.rows) == 1)
        assert len(list_runs(runs)) == 1
        await pilot.press("u")
        await until(pilot, lambda: len(table.rows) == 2)
        assert len(list_runs(runs)) == 5
