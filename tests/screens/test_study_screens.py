"""The monitor of a group of seeds: what it shows, how one comes to it and to its members, what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.at_rest import in_one_line, text_of, until
from support.runs_stage import NoLab, first_opened, fix, make_duel, make_group, make_study, runs_shown
from tuitrain import figures
from tuitrain.runs.directory import RunDirectory
from tuitrain.stats import noise_floor
from tuitrain.study.watching import StudyWatcher
from tuitrain.tui.monitor.screen import MonitorScreen
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.intervals import Row, interval_lines
from tuitrain.tui.runs.compare import CompareScreen
from tuitrain.tui.study.duel import DuelScreen
from tuitrain.tui.study.group import GroupScreen


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)


async def test_a_group_is_opened_from_its_row_and_leads_to_its_members(tmp_path: Path) -> None:
    study = make_study(tmp_path / "runs", "one", 6, more_seeds=2)
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await first_opened(pilot, GroupScreen)
        assert screen.looked is not None and screen.looked.state == "stopped"
        text = in_one_line(app)
        assert "mean, 99.3" in text and "sd 0.05, 6 seeds" in text and "6 of 8 finished" in text
        assert "target 99.4 %: 1 of 6 (3 to 56 %) at the end" in text
        assert "worst 99.32 % (seed 2), best 99.40 % (seed 0)" in text
        assert "░" in text and "· published" in text and "64 images" in text
        assert "R Resume" in text and "+ More seeds" in text and "x Stop" not in text
        assert screen.member_at(7) is None, "it has not begun"
        await pilot.press("tab")
        await until(pilot, lambda: "Two seeds differ on" in text_of(app))
        assert "2 seeds of 8 not finished." in text_of(app)
        await pilot.press("tab", "end")
        await until(pilot, lambda: "○ waiting 7" in in_one_line(app))
        await pilot.press("home", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "seed 1" in text_of(app))
        await pilot.press("M")
        await until(pilot, lambda: app.screen is screen and screen.looked is not None)
        await pilot.press("1", "2")
        await until(pilot, lambda: app.screen is screen)
        assert app.watched_mode == "group" and study.name == "one"


async def test_more_seeds_and_going_on_are_asked_of_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(tmp_path / "runs", "one", 4, open_seeds=1)
    app = NoLab(tmp_path / "runs")
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(app, "resume_study", lambda study, more="": asked.append((study.name, more)))
    async with app.run_test(size=(80, 24)) as pilot:
        await first_opened(pilot, GroupScreen)
        await pilot.press("R")
        await pilot.press("plus")
        await until(pilot, lambda: "a number of them, from 4 on" in in_one_line(app))
        await pilot.press("backspace", *"8-9", "enter")
        await until(pilot, lambda: len(asked) == 2)
        assert asked == [("one", ""), ("one", "8-9")]


async def test_a_group_is_compared_with_a_preset(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    make_study(runs, "one", 4, train__dropout=0.3)
    make_group(runs, "two", 4, best=0.9945, first=1)
    app = NoLab(runs)
    async with app.run_test(size=(80, 40)) as pilot:
        await runs_shown(pilot, 2)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, GroupScreen) and app.screen.looked is not None)
        await pilot.press("c")
        await until(pilot, lambda: "Compare with" in text_of(app))
        await pilot.press("enter")
        await until(
            pilot,
            lambda: isinstance(app.screen, CompareScreen) and "is worse than step13" in in_one_line(app),
        )


async def test_a_study_that_is_only_watched_is_not_steered(tmp_path: Path) -> None:
    make_study(tmp_path / "runs", "one", 4, open_seeds=1)
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_study("one", readonly=True)
        await until(pilot, lambda: isinstance(app.screen, GroupScreen) and app.screen.looked is not None)
        screen = app.screen
        assert isinstance(screen, GroupScreen) and "(read only)" in text_of(app)
        offered = {
            name: screen.check_action(name, ()) for name in ("stop", "go_on", "more", "compare", "detach")
        }
        assert offered == {"stop": False, "go_on": None, "more": None, "compare": True, "detach": False}
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "(read only)" in text_of(app))


async def test_a_study_that_is_not_there_is_said(tmp_path: Path) -> None:
    make_group(tmp_path / "runs", "gone", 3)
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 1)
        await pilot.press("enter")
        await until(pilot, lambda: any("no study 'gone'" in note.message for note in app._notifications))
        assert app.current_mode == "runs"


async def test_nothing_is_drawn_where_nothing_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(tmp_path / "runs", "one", 5, open_seeds=1)
    app = NoLab(tmp_path / "runs")
    drawn: list[int] = []
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await first_opened(pilot, GroupScreen)
        watcher, before = screen.watcher, screen.looked
        assert watcher is not None
        monkeypatch.setattr(GroupScreen, "show", lambda self, seen: drawn.append(1))
        monkeypatch.setattr(Chart, "paint", lambda self: drawn.append(2))
        so_far = -1
        while so_far < len(drawn):  # the first layout, which may still be under way
            so_far = len(drawn)
            await pilot.pause(0.1)
        drawn.clear()
        for _ in range(3):
            screen.look()
            await until(pilot, lambda: not screen._looking)
        assert screen.looked is before
        assert not drawn
        log = RunDirectory(study.runs_dir / "one_seed4").path / "events.jsonl"
        lines = log.read_text().splitlines()
        log.write_text("\n".join(lines[:-1]) + "\n")
        screen.look()
        await until(pilot, lambda: drawn), "one epoch fewer"


def test_statistics_are_worked_out_again_only_when_a_seed_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(tmp_path / "runs", "one", 6, open_seeds=1)
    counted: list[int] = []
    real = noise_floor.disagreements
    monkeypatch.setattr(noise_floor, "disagreements", lambda right: counted.append(1) or real(right))
    watcher = StudyWatcher(study)
    first = watcher.look()
    log = study.runs_dir / "one_seed5" / "events.jsonl"
    lines = log.read_text().splitlines()
    log.write_text("\n".join(lines[:-1]) + "\n")
    before, second = len(counted), watcher.look()
    assert second is not first and len(counted) == before, "an epoch changes no statistics"
    assert second.group.mean == first.group.mean and second.group.disagreement == first.group.disagreement
    (study.runs_dir / "one_seed4" / "events.jsonl").write_text("\n".join(lines) + "\n")  # not ended any more
    assert len(watcher.look().group.ended) == 4 and len(counted) > before


def test_a_plan_that_grew_is_read_again(tmp_path: Path) -> None:
    study = make_study(tmp_path / "runs", "one", 3)
    watcher = StudyWatcher(study)
    assert len(watcher.look().group.runs) == 3 and watcher.look().state == "done"
    study.write_plan(watcher.plan.with_seeds((7, 8)))
    seen = watcher.look()
    assert [run.seed for run in seen.group.runs] == [0, 1, 2, 7, 8] and seen.state == "stopped"


async def test_a_duel_shows_its_looks_and_its_pairs(tmp_path: Path) -> None:
    make_duel(tmp_path / "runs", "one", 6)
    app = NoLab(tmp_path / "runs", study="one")
    async with app.run_test(size=(80, 30)) as pilot:
        app.open_study("one")
        await until(pilot, lambda: isinstance(app.screen, DuelScreen) and app.screen.looked is not None)
        screen = app.screen
        assert isinstance(screen, DuelScreen) and screen.looked is not None
        duel = screen.looked.duel
        assert duel is not None and len(duel.looks) == 4
        text = in_one_line(app)
        assert "6 of at most 24" in text and "looks for a gain of 0.06 points or more" in text
        assert "95 % interval" in text and "worse ‹" in text and "› better" in text
        assert screen.looked.says[0] in text, "what it comes to is watch's sentence"
        for look in duel.looks:
            assert f"({figures.signed_points_text(look.interval.low)} to" in text
        await pilot.press("tab")
        await until(pilot, lambda: "noise floor" in text_of(app))
        await pilot.press("tab", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "dropout 0.05" in text_of(app))
        await pilot.press("M")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "dropout" not in text_of(app))


def test_intervals_have_zero_in_their_middle_and_end_in_arrows() -> None:
    rows = [
        Row("3", 0.001, -0.02, 0.022, "a"),
        Row("5", 0.001, -0.003, 0.005, "b"),
        Row("6", 0.002, 0.001, 0.003, "c"),
        Row("7", -0.002, -0.003, -0.001, "d"),
    ]
    lines = ["".join(text for text, _ in line) for line in interval_lines(rows, 60, 9, 0.002)]
    zero = lines[0].index(" 0 ") + 1
    goal = lines[2].index("┆")
    assert goal > zero and lines[4][goal] == "┆", "the gain has a line, through intervals and beside them"
    assert lines[1][5] == "‹" and "›" in lines[1], "wider than the axis"
    assert lines[2][zero] == "┼" and lines[3][zero] == "│" == lines[4][zero]
    assert lines[3].index("├") > zero > lines[4].index("┤")
    few = interval_lines(rows, 60, 3)
    assert len(few) == 3 and few[1][0][0].strip() == "3" and few[2][0][0].strip() == "7"
    assert len(interval_lines(rows, 20, 9)) == 5 and interval_lines([], 60, 5)
