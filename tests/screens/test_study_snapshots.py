"""Pictures of the monitors of a study; `pytest --snapshot-update` makes them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from support import at_rest
from support.at_rest import text_of, until
from support.runs_stage import (
    NoLab,
    fix,
    make_duel,
    make_reproduction,
    make_search,
    make_study,
    make_sweep,
    runs_shown,
)
from tuitrain.tui.paint.chart import Chart

#: Size, keys once the study is shown, a text to wait for, and how the app is opened.
CASES: dict[str, tuple[tuple[int, int], list[str], str, dict[str, Any]]] = {
    "group_80": ((80, 24), ["down", "right"], "▸ ✓ done          1", {}),
    "group_120": ((120, 36), [], "Two seeds differ", {}),
    "group_light_120": ((120, 36), ["tab"], "Two seeds differ", {"theme": "light"}),
    "group_plain_80": ((80, 24), ["tab"], "Two seeds differ", {"plain": True}),
    "duel_80": ((80, 24), ["down"], "at most 24", {"duel": True}),
    "duel_120": ((120, 36), [], "noise floor", {"duel": True}),
    "duel_light_ascii_80": ((80, 24), [], "at most 24", {"duel": True, "theme": "light", "ascii_only": True}),
    "duel_plain_120": ((120, 36), [], "noise floor", {"duel": True, "plain": True}),
    "group_ascii_80": ((80, 24), [], "64 images", {"ascii_only": True}),
    "board_80": ((80, 24), ["down", "down"], "95 %", {"make": make_sweep}),
    "board_heat_plain_80": ((80, 24), ["H", "down"], "dropout", {"make": make_sweep, "plain": True}),
    "board_120": ((120, 36), ["down"], "best of 5 settings", {"make": make_sweep}),
    "board_light_150": ((150, 40), [], "best of 5 settings", {"make": make_sweep, "theme": "light"}),
    "board_heat_ascii_80": ((80, 24), ["H"], "dropout", {"make": make_sweep, "ascii_only": True}),
    "search_80": ((80, 24), ["down"], "99.4", {"make": make_search}),
    "search_front_light_80": ((80, 24), ["f"], "best for its size", {"make": make_search, "theme": "light"}),
    "search_plain_80": (
        (80, 24),
        ["f"],
        "best for its size",
        {"make": make_search, "ascii_only": True, "plain": True},
    ),
    "search_150": ((150, 40), ["down"], "best for its size", {"make": make_search}),
    "reproduction_80": ((80, 24), ["down"], "99.43", {"make": make_reproduction}),
    "reproduction_150": ((150, 30), [], "99.43", {"make": make_reproduction}),
}


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_the_screens_look_as_before(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    size, keys, wanted, how = CASES[name]
    if how.pop("plain", False):
        monkeypatch.setenv("NO_COLOR", "1")
    duel = how.pop("duel", False)
    if make := how.pop("make", None):
        make(Path("runs"), "one")
    elif duel:
        make_duel(Path("runs"), "one", 9)
    else:
        make_study(Path("runs"), "one", 8, more_seeds=4, open_seeds=2, train__dropout=0.05)
    app = NoLab(Path("runs"), **how)

    async def before(pilot: Pilot[Any]) -> None:
        await runs_shown(pilot, 1 + duel)
        await pilot.press("enter")
        await until(pilot, lambda: getattr(app.screen, "looked", None) is not None)
        await pilot.press(*keys)
        await until(pilot, lambda: wanted in text_of(app))
        await until(pilot, lambda: all(c._datasets for c in app.screen.query(Chart) if c.is_on_screen))
        await at_rest.settle(pilot)
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=before)
