"""Runs, Compare and Overlay: what they show, and that no meaning hangs on colour alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import at_rest
from support.at_rest import text_of, until
from support.runs_stage import NoLab, fix, make_run, runs_shown, some_runs
from tuitrain.figures import percent_text
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.runs import curves, frontier
from tuitrain.tui.runs.compare import CompareScreen
from tuitrain.tui.runs.overlay import OverlayScreen
from tuitrain.watch.frontier import FrontierPoint, pareto_front


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
        bests = [percent_text(row.best) for row in table.rows]
        await pilot.press(*["space"] * 12, "o")
        await until(pilot, lambda: isinstance(app.screen, OverlayScreen) and bests[0] in text_of(app))
        letters = curves.LETTERS[:12]
        await until(pilot, lambda: all(letter in chart_rows(text_of(app)) for letter in letters))
        text = text_of(app)
        assert text.isascii() == ascii_only
        chart = chart_rows(text)
        for letter, best in zip(curves.LETTERS[:12], bests, strict=True):
            assert letter in chart, f"the curve of {letter} has its letter"
            assert re.search(rf"{letter} \S+ +{best}", text), f"{letter} and {best} stand together below"


def test_the_looks_of_neighbours_differ_in_colour_and_in_pattern() -> None:
    assert len(set(curves.LOOKS)) == 12
    for (style, pattern), (next_style, next_pattern) in zip(curves.LOOKS, curves.LOOKS[1:], strict=False):
        assert style != next_style and pattern != next_pattern


async def test_a_diverged_run_does_not_flatten_the_others(tmp_path: Path) -> None:
    some_runs(tmp_path / "runs")
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 8)
        await pilot.press("space", "down", "space", "space", "o")
        await until(pilot, lambda: isinstance(app.screen, OverlayScreen) and "lr 0.5" in text_of(app))
        await until(pilot, lambda: "▼b" in text_of(app))
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
        assert re.search(r"test accuracy +a ━━ step13 99.\d\d +b ╌╌ step13 99.\d\d", text_of(app))
        await pilot.press("tab")
        await until(pilot, lambda: "What differs" in text_of(app))
        await pilot.resize_terminal(80, 40)
        await pilot.press("tab")
        await until(pilot, lambda: "What differs" in text_of(app) and "b" in chart_rows(text_of(app)))
        assert re.search(r"curve +a ━━ +b ╌╌", text_of(app))
        screen.query_one(Chart).focus()
        await pilot.press("escape")
        assert not isinstance(app.screen, CompareScreen), "the chart does not keep the key"


@pytest.mark.parametrize(
    ("outcome", "epochs", "offered"),
    [("stopped", 0, True), ("stopped", 3, True), (None, 3, True), ("failed", 2, True), ("diverged", 2, False),
     ("completed", 14, False)],
)  # fmt: skip
async def test_the_monitor_of_a_run_that_can_go_on_offers_to_resume_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str | None, epochs: int, offered: bool
) -> None:
    directory = make_run(tmp_path / "runs", 1, epochs=epochs, outcome=outcome)
    app = NoLab(tmp_path / "runs")
    asked: list[str] = []
    monkeypatch.setattr(app, "resume_run", asked.append)
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 1)
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "monitor" and "seed 0" in text_of(app))
        await until(pilot, lambda: not offered or "R Resume" in text_of(app).splitlines()[-1])
        await at_rest.settle(pilot)
        await pilot.pause(0.3)
        assert ("R Resume" in text_of(app).splitlines()[-1]) == offered
        await pilot.press("R")
        assert asked == ([str(directory.path)] if offered else [])


async def test_without_colour_the_cursor_and_the_marks_are_glyphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    some_runs(tmp_path / "runs")
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 8)
        await pilot.press("space", "down", "down", "space")
        wanted = [" ◆⚠ cut off", "  ✓ done", "  ✗ diverged", " ◆■ stopped", "▸ ✓ done", "  ✓ done", "  ✓ done",
                  "  ✓ done"]  # fmt: skip
        await until(pilot, lambda: [line[:12].rstrip() for line in text_of(app).splitlines()[2:10]] == wanted)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_the_front_is_what_no_smaller_network_reaches(pairs: list[tuple[int, int]]) -> None:
    places = [FrontierPoint(size, accuracy / 50, "", str(i)) for i, (size, accuracy) in enumerate(pairs)]
    front = pareto_front(places)
    for place in places:
        better = [p for p in places if p.parameters <= place.parameters and p.accuracy >= place.accuracy]
        same = {(p.parameters, p.accuracy) for p in better} == {(place.parameters, place.accuracy)}
        assert same == ((place.parameters, place.accuracy) in {(p.parameters, p.accuracy) for p in front})
    assert len(front) == len({(p.parameters, p.accuracy) for p in front})


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_frontier_shows_my_runs_and_the_published_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ascii_only: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    published = (
        ("mnist", FrontierPoint(50_000, 0.985, "of a paper")),
        ("digits", FrontierPoint(900, 0.9, "another")),
    )
    monkeypatch.setattr(frontier, "published_systems", lambda: published)
    some_runs(tmp_path / "runs")
    app = NoLab(tmp_path / "runs", ascii_only=ascii_only)
    here, front, mine, other = "@#*o" if ascii_only else "◉■●○"
    async with app.run_test(size=(80, 24)) as pilot:
        table = await runs_shown(pilot, 8)
        await pilot.press("f")
        table.cursor = 3
        await until(pilot, lambda: other in chart_rows(text_of(app)) and "seed 1" in chart_rows(text_of(app)))
        text = text_of(app)
        assert "over parameters (logarithmic), mnist" in text
        legend = f"{here} 98.22 with 5,854  {front} best for its size  {mine} 7 runs  {other} published"
        assert legend in text, "the run on digits is not among them"
        curves = chart_rows(text)
        assert curves.count(here) == 1 and curves.count(other) == 1
        assert curves.count(front) == 2, "the best with 5,854 parameters and the one with 6,254"
        assert mine in curves, "the large one"
        assert curves.count("v" if ascii_only else "▼") == 1, "the diverged one is below"
        assert re.search(r"10k +20k", text)
        table.cursor = 1
        await until(pilot, lambda: "digits" in text_of(app) and f"{mine} 1 run" in text_of(app))
        assert re.search(r"\d[k ]", text_of(app).splitlines()[-2]), "one run has an axis too"
        await pilot.press("f")
        await until(pilot, lambda: "over parameters" not in text_of(app))


async def test_what_the_table_cuts_can_be_read_whole(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    some_runs(runs)
    note = " ".join(f"word{i}" for i in range(200)) + " the end"
    make_run(runs, 9, tags=("first", "second"), note=note)
    app = NoLab(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await runs_shown(pilot, 9)
        table.cursor = 1
        await until(
            pilot, lambda: "changed  batch 128, lr 0.025, momentum 0.85, dropout 0.05" in text_of(app)
        )
        table.cursor = 0
        await until(pilot, lambda: "word3" in text_of(app))
        assert "the end" not in text_of(app)
        await pilot.press("w", "end")
        await until(pilot, lambda: "the end" in text_of(app))
        await pilot.press("escape")
        table.cursor = 1
        await pilot.press("w")
        await until(pilot, lambda: "batch size 64 → 128" in text_of(app))
