"""Pictures of Runs, its frontier, Compare, Overlay, the queue and the help; `pytest --snapshot-update` makes them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from support import at_rest
from support.at_rest import text_of, until
from support.runs_stage import NoLab, fix, make_group, runs_shown, some_runs
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.runs import frontier
from tuitrain.watch.frontier import FrontierPoint

PUBLISHED = (
    ("mnist", FrontierPoint(8_582, 0.9944, "step8")),
    ("mnist", FrontierPoint(389_560, 0.9787, "mlp")),
)
#: Size, the row of the cursor, keys, a text to wait for, and how the app is opened.
CASES: dict[str, tuple[tuple[int, int], int, list[str], str, dict[str, Any]]] = {
    "runs_80": ((80, 24), 0, ["space", "down", "space"], "Compare", {}),
    "runs_120": ((120, 40), 6, [], "rotation seems", {}),
    "runs_groups_80": (
        (80, 24),
        0,
        ["space", "space", "up", "right"],
        "step13 is better than",
        {"groups": True},
    ),
    "runs_groups_light_120": ((120, 36), 0, ["right"], "seed 3", {"groups": True, "theme": "light"}),
    "compare_groups_120": ((120, 36), 0, ["space", "space", "c"], "What it shows", {"groups": True}),
    "runs_plain_80": ((80, 24), 3, ["space"], "stopped", {"plain": True}),
    "details_80": ((80, 24), 0, ["w"], "batch size 64 → 128", {}),
    "frontier_80": ((80, 24), 3, ["f"], "○ published", {}),
    "frontier_light_120": ((120, 40), 3, ["f"], "○ published", {"theme": "light"}),
    "compare_80": ((80, 24), 6, ["space", "space", "c"], "What it shows", {}),
    "compare_120": ((120, 40), 6, ["space", "space", "c"], "What it shows", {}),
    "overlay_80": ((80, 24), 3, ["space"] * 5 + ["o"], "e ╌╌", {}),
    "overlay_plain_80": ((80, 24), 3, ["space"] * 5 + ["o"], "e ╌╌", {"plain": True}),
    "overlay_ascii_80": ((80, 24), 3, ["space"] * 5 + ["o"], "e --", {"ascii_only": True}),
    "queue_80": ((80, 24), 0, ["plus", "space"], "1 run: enter", {}),
    "help_80": ((80, 24), 0, ["question_mark"], "esc close", {}),
}


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)
    monkeypatch.setattr(frontier, "published_systems", lambda: PUBLISHED)


@pytest.mark.parametrize("name", CASES)
def test_the_screens_look_as_before(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    size, row, keys, wanted, how = CASES[name]
    if how.pop("plain", False):
        monkeypatch.setenv("NO_COLOR", "1")
    some_runs(Path("runs"))  # the folder of the test, which is not shown
    rows = 8
    if how.pop("groups", False):
        make_group(Path("runs"), "one", 6)
        make_group(Path("runs"), "two", 8, best=0.9925, open_seeds=2, first=30, train__dropout=0.3)
        rows = 10
    app = NoLab(Path("runs"), **how)

    async def before(pilot: Pilot[Any]) -> None:
        table = await runs_shown(pilot, rows)
        await until(pilot, lambda: all(r.spread for r in table.rows if r.members))
        table.cursor = row
        await pilot.press(*keys)
        await until(pilot, lambda: wanted in text_of(app))
        await until(pilot, lambda: all(c._datasets for c in app.screen.query(Chart) if c.is_on_screen))
        await until(pilot, lambda: "reading ..." not in text_of(app))  # what marked runs differ in
        await at_rest.settle(pilot)
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=before)
