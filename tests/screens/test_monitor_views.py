"""The monitor's views: charts, tables, the log, the verdict and the report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

from support.monitor_recorded import recorded, report
from support.monitor_stage import ListFeed, StageApp, finished, live, settle, shows
from tuitrain.training.events import EpochFinished
from tuitrain.tui.monitor.views import Views
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.watch.state import Ghost


async def test_a_first_epoch_far_below_is_marked_where_it_leaves_the_chart() -> None:
    feed = finished()
    feed.coming = [
        dataclasses.replace(r, event=dataclasses.replace(r.event, test_acc=0.6))
        if isinstance(r.event, EpochFinished) and r.event.epoch == 1
        else r
        for r in feed.coming
    ]
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        assert "▼ 60.00" in await settle(pilot)


async def test_with_a_ghost_the_first_epoch_of_the_run_is_in_the_chart() -> None:
    feed = live(3, 100)
    for record in feed.coming:
        if isinstance(record.event, EpochFinished):
            object.__setattr__(record.event, "test_acc", 0.95 + 0.01 * record.event.epoch)
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await shows(pilot, "published")
        chart = app.query_one("#left Chart", Chart)
        assert chart._y_min < 96.0 and "▼" not in text


async def test_views_by_number_and_tab() -> None:
    app = StageApp(finished())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        views = app.query_one(Views)
        expected = {
            "5": "seconds",
            "6": "what happened",
            "7": "mult-adds",
            "8": "of 10,000 wrong",
            "9": "misclassified",
            "0": "10 first-layer kernels",
            "V": "Challenge not met",
        }
        for key, piece in expected.items():
            await pilot.press(key)
            assert piece in await settle(pilot), key
        await pilot.press("4")
        order = []
        for _ in range(10):
            order.append((views.view, views.quantity))
            await pilot.press("tab")
        assert order[:4] == [
            ("charts", "accuracy"),
            ("charts", "loss"),
            ("charts", "rate"),
            ("epochs", "rate"),
        ]
        assert [name for name, _ in order[4:]] == [
            "log",
            "table",
            "confusion",
            "mistakes",
            "kernels",
            "verdict",
        ]
        assert views.view == "charts"
        await pilot.press("shift+tab")
        assert views.view == "verdict"


async def test_each_sheet_remembers_where_its_reader_was() -> None:
    feed = live(12, 100)
    app = StageApp(feed)
    async with app.run_test(size=(80, 20)) as pilot:
        await settle(pilot)
        await pilot.press("5")
        lines = app.query_one(SheetLines)
        assert lines.place is None and lines.top > 0, "the table of epochs follows its end"
        await pilot.press("home", "down")
        await pilot.press("7", "pagedown")
        assert lines.place not in (None, 0, 1)
        await pilot.press("5")
        assert lines.place == 1
        feed.coming = [r for r in recorded() if getattr(r.event, "epoch", 0) == 13]
        await settle(pilot)
        assert lines.place == 1, "a reader is not moved by what is added"
        await pilot.press("end")
        assert lines.place is None


async def test_a_click_on_a_name_chooses_its_view() -> None:
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.click("#names", offset=(13, 0))
        assert app.query_one(Views).view == "epochs"


async def test_two_charts_where_there_is_room() -> None:
    app = StageApp(live())
    async with app.run_test(size=(120, 40)) as pilot:
        text = await settle(pilot)
        assert "Accuracy %" in text and "Loss" in text
        await pilot.press("m", "m")
        text = await settle(pilot)
        assert "Accuracy %" in text and "Learning rate" in text and "schedule" in text
        await pilot.resize_terminal(80, 24)
        text = await settle(pilot)
        assert "Learning rate" in text and "Accuracy %" not in text


async def test_the_cursor_reads_values_and_the_zoom_stays_while_epochs_come() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("left")
        assert "epoch 8  ━ test 99.26" in await settle(pilot)
        await pilot.press("left", "left")
        assert "epoch 6  ━ test 99.18" in await settle(pilot)
        await pilot.press("plus")
        chart = app.query_one("#left Chart", Chart)
        zoomed = (chart._x_min, chart._x_max)
        assert chart.zoomed and zoomed[1] - zoomed[0] < 12
        feed.coming = [r for r in recorded() if getattr(r.event, "epoch", 0) == 9]
        await settle(pilot)
        assert (chart._x_min, chart._x_max) == zoomed
        await pilot.press("r", "escape", "L")
        assert "log" in await settle(pilot) and not chart.zoomed
        await pilot.press("S")
        assert "log smooth" in await settle(pilot)


async def test_the_end_brings_the_verdict() -> None:
    records = recorded()
    feed = live(13, 938)
    app = StageApp(feed)
    async with app.run_test(size=(80, 44)) as pilot:
        await settle(pilot)
        feed.coming, feed.progress, feed.alive, feed.phase = records[-4:], None, False, None
        text = await settle(pilot)
        assert app.query_one(Views).view == "verdict"
        for piece in (
            "✓ done",
            "took 22:58",
            "Challenge not met",
            "claimed",
            "another seed",
            "a Another seed",
        ):
            assert piece in text, piece
        await pilot.press("a")
        job = app.started[0]
        assert job.preset.train.seed == 1 and job.budget is None and job.changed["train.seed"] == [0, 1]


async def test_a_verdict_does_not_take_a_view_that_was_chosen() -> None:
    feed = live(13, 938)
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("6")
        feed.coming, feed.alive, feed.phase = recorded()[-1:], False, None
        await settle(pilot)
        assert app.query_one(Views).view == "log"


async def test_the_latest_value_is_in_sight_beside_a_better_run() -> None:
    app = StageApp(ListFeed(recorded()[:2], report(2, 10)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.monitor._shown.ghosts = (Ghost("best here", (0.99,) * 14, (0.02, 0.021) * 7),)
        await settle(pilot)
        chart = app.query_one("#right Chart", Chart)
        assert chart.picture.quantity == "loss"
        assert chart._y_max >= app.monitor.state.epochs[-1].test_loss


async def test_a_report_that_comes_after_the_last_event_is_offered_and_opens(tmp_path: Path) -> None:
    feed = finished()
    feed.alive, feed.directory = True, SimpleNamespace(path=tmp_path, name="a", holder=lambda: None)
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "open the report" not in await settle(pilot)
        (tmp_path / "report.md").write_text(
            "# step13 on mnist\n\n- **target:** No epoch reached it\\_.\n\n" + "a test " * 300
        )
        feed.alive = False
        app.monitor.tick()
        await settle(pilot)
        await pilot.press("enter")
        text = await settle(pilot)
        assert " step13 on mnist" in text and " - target: No epoch reached it_." in text
        assert not any("…" in line for line in text.splitlines() if "a test a test" in line), text
        await pilot.press("enter")
        assert "No epoch reached it_" not in await settle(pilot)


async def test_the_table_says_how_far_a_step_moves_the_weights() -> None:
    names = ("conv1", "conv2", "conv3", "conv4", "conv5", "conv6")
    told = {f"{name}.weight": [2.5, 0.75, 0.3 if name == "conv4" else 1.2e-3] for name in names}
    for width, shown in ((80, ("1.2e-3", "3.0e-1↑")), (120, ("2.5", "0.75", "3.0e-1↑"))):
        feed = live()
        feed.coming = [
            dataclasses.replace(record, event=dataclasses.replace(record.event, norms=told))
            if isinstance(record.event, EpochFinished)
            else record
            for record in feed.coming
        ]
        app = StageApp(feed)
        async with app.run_test(size=(width, 34)) as pilot:
            await settle(pilot)
            await pilot.press("7")
            text = await settle(pilot)
            lines = text.splitlines()
            assert "steps move conv4 too far: 3.0e-1 of its norm – lower the learning rate (l)" in text
            assert all(word.lower() in text.lower() for word in shown), text
            heading, row = (
                next(line for line in lines if all(word in line for word in words)).rstrip(" │┃")
                for words in (("mult-adds",), ("conv4", "3.0e-1↑"))
            )
            assert heading.endswith("update") and len(heading) == len(row) - 1  # the arrow stands behind
            await pilot.press("end")
            assert "About 1.0e-3 is healthy" in await settle(pilot)
