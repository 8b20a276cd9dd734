"""The leaderboard of a study of many settings: how one comes to it, what it shows, what it leads to."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from support.at_rest import in_one_line, text_of, until
from support.runs_stage import (
    NoLab,
    first_opened,
    fix,
    make_group,
    make_reproduction,
    make_search,
    make_sweep,
    runs_shown,
)
from tuitrain.cli.leaderboard_text import leaderboard_picture
from tuitrain.cli.search_text import front_chart
from tuitrain.figures import percent_text
from tuitrain.report.front import front_svg
from tuitrain.runs.queue_entry import QueueEntry
from tuitrain.study import watching
from tuitrain.study.grid import leaderboard_of
from tuitrain.study.search_result import board_of
from tuitrain.study.watching import StudyWatcher
from tuitrain.training.job import Job
from tuitrain.tui.runs.compare import CompareScreen
from tuitrain.tui.study.board import BoardScreen, SettingsTable, board_lines
from tuitrain.tui.study.group import GroupScreen
from tuitrain.watch.leaderboard import leaderboard_rows


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)


async def test_a_sweep_is_one_row_of_the_list_and_opens_its_leaderboard(tmp_path: Path) -> None:
    study = make_sweep(tmp_path / "runs", "one")
    groups = StudyWatcher(study).look().groups
    ranked = leaderboard_rows(leaderboard_of(study.plan(), groups))
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await first_opened(pilot, BoardScreen)
        text = in_one_line(app)
        assert "sweep 6 settings · 3 seeds" in text and "14 of 18 runs" in text
        assert "Best so far: learning rate 0.019, dropout 0.0, mean 99.4" in text, text_of(app)
        for cells in ranked[:5]:  # the same figures as on the command line, in the same order
            assert " ".join([*cells[:6], cells[-1]]) in text
        assert "○ waiting" in text and "✗ cut off" not in text
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, GroupScreen) and app.screen.looked is not None)
        await until(pilot, lambda: "2 of 6: learning rate 0.01, drop" in in_one_line(app))
        await pilot.press("M")
        await until(pilot, lambda: app.screen is screen)
        assert screen.query_one(SettingsTable).cursor == 1
        await pilot.press("1", "2")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("tab")
        await until(pilot, lambda: "is the best of 5 settings" in in_one_line(app))
        assert text_of(app).count("Best so far") == 1
        await pilot.press("tab", "c")
        await until(pilot, lambda: "Compare with" in text_of(app))


async def test_the_heat_map_has_the_figures_of_the_command_line_and_leads_to_settings(tmp_path: Path) -> None:
    from rich.console import Console

    study = make_sweep(tmp_path / "runs", "one")
    console = Console(width=100, file=open("/dev/null", "w"), record=True)  # noqa: SIM115 - nothing is written there
    console.print(leaderboard_picture(leaderboard_of(study.plan(), StudyWatcher(study).look().groups)))
    wanted = [line.split() for line in console.export_text().splitlines()[-3:]]
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await first_opened(pilot, BoardScreen)
        await pilot.press("H")
        await until(pilot, lambda: "Mean accuracy at the end" in text_of(app))
        for value, *means in wanted:
            numbers = [mean for mean in means if mean[0].isdigit()]
            line = next(line for line in text_of(app).splitlines() if line.split()[:1] == [value])
            assert [word.strip("[]") for word in line.split()[1:]] == numbers + ["–"] * (2 - len(numbers))
        assert f"[{wanted[1][1]}]" in text_of(app), "the setting under the cursor"
        await pilot.press("up", "right")
        await until(pilot, lambda: f"[{wanted[0][3]}]" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: "2 of 6: learning rate 0.01, drop" in in_one_line(app))
        await pilot.press("M", "H")
        await until(pilot, lambda: "▸ 2" in text_of(app))


async def test_the_cursor_stays_on_its_setting_while_others_overtake_it(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "one")
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await first_opened(pilot, BoardScreen)
        await pilot.press("down")
        assert screen.setting == 1
        make_group(tmp_path / "runs", "one", 3, best=0.9960, slug="s5", first=400, train__optimizer__lr=0.05)
        screen.look()
        await until(pilot, lambda: "99.58" in in_one_line(app) and "17 of 18 runs" in in_one_line(app))
        assert screen.setting == 1 and "▸ 3" in text_of(app)
        assert "Best so far: learning rate 0.05, dropout 0.069" in in_one_line(app)


async def test_all_settings_of_a_sweep_are_opened_below_its_row_and_compared(tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs", "one", waiting=3)
    make_group(tmp_path / "runs", "two", 3)
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(120, 36)) as pilot:
        table = await runs_shown(pilot, 2)
        at = next(n for n, row in enumerate(table.rows) if row.is_board)
        table.cursor = at
        await until(pilot, lambda: "sweep of 6 · 9 of 18 runs" in text_of(app))
        await pilot.press("right")
        await until(pilot, lambda: len(table.rows) == 5)
        assert "▸ dropout 0.0 · 3 seeds" in text_of(app) and "lr 0.01 · 3 seeds" in text_of(app)
        await pilot.press("down", "right")
        await until(pilot, lambda: [row.inside for row in table.rows[at : at + 6]] == [0, 1, 2, 2, 2, 1])
        await pilot.press("down", "down", "left")
        await until(pilot, lambda: len(table.rows) == 5)
        assert table.cursor == at + 1
        await pilot.press("left", "left")
        await until(pilot, lambda: len(table.rows) == 2 and table.cursor == at)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "What differs" in text_of(app))
        assert "0.069" in text_of(app)


async def test_a_reproduction_shows_claims_beside_figures_here(tmp_path: Path) -> None:
    make_reproduction(tmp_path / "runs", "one")
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(150, 30)) as pilot:
        await first_opened(pilot, BoardScreen)
        text = in_one_line(app)
        assert "reproduction 3 systems · 3 seeds" in text and "6 of 9 runs" in text
        assert "published" in text and "99.40 (12)" in text and "not run" in text
        assert "of a best accuracy with 3 seeds or more" in text
        assert app.screen.check_action("heat", ()) is False
        await pilot.press("down", "enter")
        await until(pilot, lambda: "2 of 3: step11" in in_one_line(app))


def test_what_has_no_room_gives_way_in_its_order(tmp_path: Path) -> None:
    board = StudyWatcher(make_sweep(tmp_path / "runs", "one")).look().board
    assert board is not None

    def titles(room: int) -> str:
        return " ".join("".join(text for text, _ in board_lines(board, room)[0]).split())

    assert titles(110) == "lr dropout params mean 95 % worst at target seeds state"
    assert titles(84) == "lr dropout params mean 95 % at target seeds state"
    assert titles(75) == "lr dropout params mean 95 % seeds state"
    assert titles(60) == "lr dropout params mean seeds state"
    assert titles(45) == "params mean seeds state setting"
    row = "".join(text for text, _ in board_lines(board, 45)[1][0])
    assert row.endswith("lr 0.019, dropout 0.0")


def test_predictions_of_many_runs_are_read_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_sweep(tmp_path / "runs", "one")
    whole = StudyWatcher(study).look().groups
    monkeypatch.setattr(watching, "READ_AT_ONCE", 4)
    watcher = StudyWatcher(study)
    known = [[group.right is not None for group in watcher.look().groups] for _ in range(3)]
    assert known == [[True] * 2 + [False] * 4, [True] * 4 + [False] * 2, [True] * 5 + [False]]
    seen = watcher.look()
    assert seen is watcher.look() and [g.mean for g in seen.groups] == [g.mean for g in whole]


async def test_the_end_of_a_sweep_in_the_queue_is_told_and_leaves_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, got = make_sweep(tmp_path / "runs", "one"), tmp_path / "got.json"
    monkeypatch.setenv("TUITRAIN_ON_FINISH", f"cat > {got}.part; mv {got}.part {got}; exit 3")
    app = NoLab(tmp_path / "runs")
    told: list[str] = []
    monkeypatch.setattr(app, "notify", lambda text, **more: told.append(text))
    async with app.run_test(size=(80, 24)) as pilot:
        plan = study.plan()
        entry = QueueEntry(Job(plan.settings[0].preset, plan.runtime), study="one")
        await asyncio.to_thread(app.telling.run_ended, entry)
        await until(pilot, lambda: told and "on_finish ended with code 3" in told[0])
    found = json.loads(got.read_text())
    assert found["study"] == "one" and found["kind"] == "sweep" and len(found["leaderboard"]) == 6
    assert found["csv"] == str(study.path / "leaderboard.csv") and Path(found["csv"]).exists()


async def test_a_search_shows_its_front_over_the_published_systems(tmp_path: Path) -> None:
    study = make_search(tmp_path / "runs", "one")
    found = StudyWatcher(study).look().board
    assert found is not None and found.frontier is not None
    front = [place.run for place in found.frontier.front]
    assert front == ["t3", "t1", "t0"] and found.frontier.published
    assert [row.cells[0] for row in found.rows] == ["front"] * 3 + [""] * 3
    assert [row.state for row in found.rows] == ["done"] * 4 + ["stopped", "waiting"]
    judged = "networks: on held-out images; published systems: on the test set"
    assert judged in front_svg(found.frontier, "a")
    chart = front_chart(board_of(study.plan(), StudyWatcher(study).look().groups), 80)
    assert judged in " ".join(map(str, chart))
    assert (
        found.frontier.judged_text("runs") == "runs: on held-out images; published systems: on the test set"
    )
    assert replace(found.frontier, judged_by="test").judged_text() == "all accuracies: on the test set"
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await first_opened(pilot, BoardScreen)
        text = in_one_line(app)
        assert "search 6 networks · 3 seeds" in text and "judged by" not in text
        assert screen.check_action("front", ()) is True and screen.check_action("heat", ()) is False
        await pilot.press("down", "f")
        await until(pilot, lambda: "Mean validation accuracy in % over parameters" in text_of(app))
        await until(pilot, lambda: judged in text_of(app))
        place = found.frontier.front[1]
        here = f"◉ {percent_text(place.accuracy)} with {place.parameters:,}"
        for piece in (here, "■ best for its size", "○ published", "trial 1"):
            await until(pilot, lambda piece=piece: piece in text_of(app))
        await pilot.press("f", "enter")
        await until(pilot, lambda: "2 of 6: trial 1" in in_one_line(app))
