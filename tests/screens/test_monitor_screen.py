"""The monitor screen under a pilot: what it shows, how it steers, and how little it paints."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.style import Style
from textual.pilot import Pilot
from textual.widgets import Input

from support import at_rest
from support.monitor_recorded import recorded, report
from support.monitor_stage import FakeSensors, ListFeed, StageApp, finished, live
from tuitrain.nvml import OtherProcess
from tuitrain.runs.feed import FeedUpdate
from tuitrain.training.events import Control, EpochFinished, Notice, Record, RunFinished
from tuitrain.training.inspection import LastEvaluation
from tuitrain.tui.monitor.headline import Headline, MachineLine, News, brief
from tuitrain.tui.monitor.views import Views
from tuitrain.tui.paint import pictures
from tuitrain.tui.paint.bars import bucketed, spark_range
from tuitrain.tui.paint.cells import BigNumber, Field, Spark
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.watch import ghosts
from tuitrain.watch.ghosts import JudgingImages
from tuitrain.watch.state import Ghost, MonitorState, reduce_all

SIZES = [(80, 24), (120, 40), (60, 18), (160, 45)]


def screen_text(app: StageApp) -> str:
    """What is on the screen, line by line."""
    height = app.size.height
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines[:height])


def said(app: StageApp) -> list[str]:
    """What was notified, oldest first."""
    return [note.message for note in app._notifications]


async def settle(pilot: Pilot[None]) -> str:
    app = pilot.app
    assert isinstance(app, StageApp)
    await at_rest.settle(pilot)
    app.monitor._redraw()
    await at_rest.settle(pilot)
    return screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_everything_that_matters_is_in_sight(size: tuple[int, int]) -> None:
    app = StageApp(live())
    async with app.run_test(size=size) as pilot:
        text = await settle(pilot)
        assert app.query_one(BigNumber).value == "99.26"
        for piece in ("● training", "epoch 9", "epoch 8", "last 99.26 %", "target 99.40 not yet", "ETA 7:32",
                      "665 / 938", "62 %", "98.53", "lr 0.0019", "51 %", "ms/step", "step13 · seed 0"):  # fmt: skip
            assert piece in text, piece
        assert "…" not in "\n".join(text.splitlines()[:6]), "nothing of the headline is cut"


async def test_ghost_curves_say_how_far_ahead() -> None:
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(40):
            text = await settle(pilot)
            if "published" in text:
                break
        assert "0.07 behind published" in text
        assert "published: behind by 0.07 at this epoch" in text


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
        for _ in range(40):
            text = await settle(pilot)
            if "published" in text:
                break
        chart = app.query_one("#left Chart", Chart)
        assert chart._y_min < 96.0 and "▼" not in text


async def test_a_run_that_stands_still_shows_its_speed_as_of_before() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "597 img/s" in await settle(pilot)
        figure = app.query_one("#rate", Field)
        assert figure._parts[0] == ("597", "")
        feed.stalled_s = 63.0
        text = await settle(pilot)
        assert (
            "⚠ stalled 63 s" in text
            and "ETA –" in text
            and "▲ the process behind this run stands still" in text
        )
        assert figure._parts[0] == ("597", "dim")


async def test_the_gap_between_train_and_test_has_a_sign() -> None:
    app = StageApp(finished())
    async with app.run_test(size=(80, 24)) as pilot:
        assert "gap −0.48" in await settle(pilot)
        await pilot.press("5")
        last = next(line for line in (await settle(pilot)).splitlines() if line.startswith("    14 "))
        assert last.split()[:7] == ["14", "99.27", "0.0215", "98.79", "0.0371", "−0.48", "0.0019"]


async def test_no_meaning_hangs_on_colour_alone() -> None:
    """The log, the news and the table of mistakes say by a glyph what they say by colour."""
    feed = finished()
    feed.coming.insert(5, Record(Notice("the disk is full", level="error", code="disk"), 1795186830.0, 30.0))
    feed.coming.insert(5, Record(Notice("this is slow", level="warning", code="slow"), 1795186830.0, 30.0))
    app = StageApp(feed, plain=True)
    async with app.run_test(size=(80, 40)) as pilot:
        text = await settle(pilot)
        assert "✓ done after 14 epochs" in text
        await pilot.press("6")
        text = await settle(pilot)
        assert "✗ the disk is full" in text and "▲ this is slow" in text
        await pilot.press("8")
        text = await settle(pilot)
        assert "•7 " in text and text.count("◂") == 2 and "the weakest class" in text


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


async def test_a_run_that_can_not_be_read_any_more_stays_in_sight() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)

        def poll() -> FeedUpdate:
            raise OSError(5, "Input/output error", "runs/\x1b[31m")

        feed.poll = poll  # type: ignore[method-assign]
        text = await settle(pilot)
        assert "⚠ interrupted" in text and "best test accuracy, epoch 8" in text
        assert len(said(app)) == 1 and "Input/output error" in said(app)[0] and "\x1b" not in said(app)[0]


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


async def test_pause_and_resume_are_asked_then_done() -> None:
    feed = live()
    feed.control.answers = False
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        assert "pausing…" in await settle(pilot)
        feed.coming.append(Record(Control("paused", 8, 665, source="keyboard"), 1.0, 1.0))
        text = await settle(pilot)
        assert (
            "‖ paused" in text and "pausing" not in text and "paused in epoch 9, step 665 (keyboard)" in text
        )
        assert "space Resume" in text
        feed.control.answers = True
        await pilot.press("space")
        assert "● training" in await settle(pilot)
        assert feed.control.told == [("pause", "keyboard"), ("resume", "keyboard")]


async def test_stop_asks_how() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("x", "escape")
        assert feed.control.told == []
        await pilot.press("x", "e")
        await settle(pilot)
        await pilot.press("x", "n")
        assert [what[:2] for what in feed.control.told] == [("stop", "epoch"), ("stop", "now")]


async def test_the_learning_rate_is_checked_at_each_key() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("l")
        field = app.screen.query_one(Input)
        assert field.value == "0.0019"
        for wrong, reason in (
            ("abc", "type a number"),
            ("-1", "above 0"),
            ("nan", "above 0"),
            ("11", "at most 10"),
        ):
            field.value = wrong
            await pilot.press("enter")
            assert reason in screen_text(app), wrong
        assert feed.control.told == []
        field.value = "1e-3"
        await pilot.press("enter")
        text = await settle(pilot)
        assert feed.control.told == [("set_lr", 0.001, "keyboard")]
        assert "learning rate set to 0.001" in text


async def test_more_epochs_and_a_checkpoint() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("E", "3", "enter", "s")
        text = await settle(pilot)
        assert feed.control.told == [("add_epochs", 3, "keyboard"), ("checkpoint", "keyboard")]
        assert "epoch 9 of 17" in text


async def test_a_command_that_fails_says_why() -> None:
    feed = live()
    feed.control.fails = True
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        text = await settle(pilot)
        assert "tuitrain resume step13" in said(app)[-1] and "pausing" not in text


@pytest.mark.parametrize("kind", ["readonly", "over", "empty"])
async def test_what_can_not_be_steered_says_why(kind: str) -> None:
    feed = {"readonly": live, "over": finished}.get(kind, lambda: None)()
    reason = {"readonly": "only looking", "over": "run is over", "empty": "no run is shown"}[kind]
    app = StageApp(feed, readonly=kind == "readonly")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for count, key in enumerate(("space", "x", "s", "l", "E"), 1):
            await pilot.press(key)
            told = said(app)
            assert len(told) == count and reason in told[-1], key
        assert len(app.screen_stack) == 1, "no dialog was opened"
        assert feed is None or feed.control.told == []


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


async def test_alerts_come_before_the_log_with_their_remedy() -> None:
    feed = live()
    feed.progress = dataclasses.replace(report(9, 665), train_loss=float("nan"))
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        lines = [field.text for field in app.query_one(News).query(Field)]
        assert lines[0] == "✗ the loss is not finite – stop (x) and lower it (l)"


async def test_text_of_a_run_is_not_markup() -> None:
    feed = live()
    feed.coming.append(Record(Notice("[bold]x[/bold] \x1b[31m", "see [link=http://x]y[/link]"), 2.0, 2.0))
    app = StageApp(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await settle(pilot)
        assert "[bold]x[/bold] \\x1b[31m" in text and "[link=http://x]y[/link]" in text


async def test_another_run_begins_from_nothing() -> None:
    app = StageApp(finished())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.monitor.show_feed(ListFeed(recorded()[:2], report(2, 10)))
        text = await settle(pilot)
        assert "epoch 2 of 14" in text and app.query_one(BigNumber).value == "98.53"


async def test_a_reset_feed_starts_over() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        poll = feed.poll
        feed.coming = recorded()[:3]
        feed.poll = lambda: dataclasses.replace(poll(), reset=True)  # type: ignore[method-assign]
        app.monitor.tick()
        feed.poll = poll  # type: ignore[method-assign]
        assert [e.epoch for e in app.monitor.state.epochs] == [1]


async def test_what_was_being_read_when_the_screen_is_closed_is_not_painted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A screen that is being closed has lost its widgets before what it reads in threads is called off."""
    read, closing = threading.Event(), threading.Event()

    def wait_for_the_end(*_args: object) -> tuple[Ghost, ...]:
        read.set()
        assert closing.wait(60)
        return ()

    left = MachineLine._message_loop_exit

    async def leave(self: MachineLine) -> None:
        await left(self)
        closing.set()
        await asyncio.sleep(0.3)  # in which what was read comes back

    monkeypatch.setattr(ghosts, "ghosts", wait_for_the_end)
    monkeypatch.setattr(MachineLine, "_message_loop_exit", leave)
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        while not read.is_set():
            await pilot.pause(0.05)
    assert closing.is_set()


# ------------------------------------------------------------------------------ little is painted


async def test_nothing_is_painted_when_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(3):
            await settle(pilot)
        await pilot.pause(0.5)
        painted: list[str] = []
        for cls in (Field, BigNumber, Spark, Chart, SheetLines):
            original = cls.refresh

            def refresh(self: Field, *args: object, _original: object = original, **kwargs: object) -> object:
                painted.append(repr(self))
                return _original(self, *args, **kwargs)  # type: ignore[operator]

            monkeypatch.setattr(cls, "refresh", refresh)
        for _ in range(5):
            app.monitor.tick()
        await pilot.pause(0.1)
        assert painted == []


async def test_a_step_repaints_only_its_figures() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(3):
            await settle(pilot)
        before = screen_text(app).splitlines()
        feed.progress = report(9, 700)
        app.monitor.tick()
        await pilot.pause(0.1)
        changed = [
            y for y, (a, b) in enumerate(zip(before, screen_text(app).splitlines(), strict=True)) if a != b
        ]
        assert set(changed) <= {1, 4, 5, 20}, "state line, bars, running figures, machine"


async def test_no_layout_while_training() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(3):
            await settle(pilot)
        count = app.screen.layout_count = 0  # type: ignore[attr-defined]
        reflow = app.screen._compositor.reflow

        def counted(*args: object) -> object:
            nonlocal count
            count += 1
            return reflow(*args)  # type: ignore[arg-type]

        app.screen._compositor.reflow = counted  # type: ignore[method-assign, assignment]
        for epoch in (9, 10, 11):
            feed.coming = [r for r in recorded() if getattr(r.event, "epoch", 0) == epoch]
            feed.progress = report(epoch + 1, 100)
            await settle(pilot)
        assert len(app.monitor.state.epochs) == 11
        assert count == 0


# ------------------------------------------------------------------------------ pictures


def inspection() -> LastEvaluation:
    rng = np.random.default_rng(1)
    labels = np.arange(200, dtype=np.uint8) % 10
    predictions = labels.copy()
    predictions[:5] = (labels[:5] + 1) % 10
    confidences = np.linspace(0.5, 0.99, 200).astype(np.float32)
    return LastEvaluation(labels, predictions, confidences, 8, rng.normal(size=(10, 3, 3)).astype(np.float32))


def test_the_most_confident_mistake_comes_first() -> None:
    seen = inspection()
    images = np.zeros((200, 28, 28), np.uint8)
    heading, rows = pictures.mistakes(seen, images, (), 78, small=True, ink="light")
    assert "5 misclassified after epoch 8" in heading[0][0]
    assert "".join(text for text, _ in rows[0]).split()[:3] == ["4", "→", "5"]


def test_without_the_images_the_list_is_still_there() -> None:
    _, rows = pictures.mistakes(inspection(), None, (), 78, small=True, ink="light")
    text = "\n".join("".join(t for t, _ in row) for row in rows)
    assert "can't be read here" in text and "4 → 5" in text


def test_a_digit_is_seen_without_colours() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255
    plain = ["".join(t for t, _ in row) for row in pictures.digit(image, "plain")]
    assert len(plain) == 14 and all(len(row) == 28 for row in plain)
    assert plain[0].strip() == "" and plain[6][12:16] == "@@@@"
    coloured = pictures.digit(image)
    assert all(isinstance(style, Style) for row in coloured for _, style in row)


def test_kernels_are_as_large_as_they_fit() -> None:
    layer = inspection().first_layer
    _, small = pictures.kernel_lines(layer, 8, 78, 11, "light")
    _, large = pictures.kernel_lines(layer, 8, 118, 30, "light")
    assert len(small) <= 11 and len(small) < len(large) <= 30
    assert pictures.kernel_lines(None, 8, 78, 11, "light")[1] == []


async def test_views_of_the_last_evaluation() -> None:
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.monitor._shown.inspection = inspection()
        app.monitor._shown.judged = JudgingImages(np.zeros((200, 28, 28), np.uint8), ())
        for key, piece in (
            ("8", "5 of 200 wrong"),
            ("9", "5 misclassified"),
            ("0", "10 first-layer kernels"),
        ):
            await pilot.press(key)
            assert piece in await settle(pilot), key


def test_a_sparkline_of_more_epochs_than_cells_keeps_its_peaks() -> None:
    values = [0.0] * 99
    values[50] = 1.0
    assert max(bucketed(values, 10)) == 1.0 and len(bucketed(values, 10)) == 10
    assert bucketed([1.0, 2.0], 10) == [1.0, 2.0]


def test_a_sparkline_shows_the_shape_of_the_end() -> None:
    assert spark_range([0.49, 0.93, 0.95, 0.951, 0.96, 0.965, 0.966]) == (0.93, 0.966)
    assert spark_range([0.984, 0.986, 0.99]) == (0.984, 0.99)
    assert spark_range([0.9, 0.9]) == (0.9, 0.9)
    assert all(math.isnan(v) for v in spark_range([math.nan]))


async def test_a_failed_run_shows_its_message() -> None:
    done = RunFinished(
        "diverged", 8, 0.99, 8, 0.98, 0.97, 0.1, 30.0, 100.0, "the training loss is not finite in epoch 9"
    )
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        feed.coming, feed.alive, feed.phase = [Record(done, 3.0, 3.0)], False, None
        text = await settle(pilot)
        assert "✗ diverged" in text and "not finite in epoch 9" in text
        await pilot.resize_terminal(80, 44)
        assert "back to the Lab" in await settle(pilot)
        assert app.query_one(Headline)


async def test_a_run_on_a_gpu_shows_its_card() -> None:
    feed = live()
    first = feed.coming[0]
    feed.coming[0] = dataclasses.replace(first, event=dataclasses.replace(first.event, device="cuda:0"))
    card = dataclasses.replace(
        FakeSensors.reading, gpu="NVIDIA X", gpu_util=0.25, gpu_memory_used=2**30, gpu_memory_total=4 * 2**30,
        power_w=100.0, others=(OtherProcess(7, "python", "ann", 2**29),),
    )  # fmt: skip
    app = StageApp(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        line = app.query_one(MachineLine)
        line.show_machine(app.monitor.state, card)
        assert line.query_one("#machine", Field).text == (
            "cuda:0 25 %  1.0/4 GB  +1 other  100 W  n/a °C  cpu 51 %  ram 0.9/24 GB  X"
        )


async def test_the_latest_value_is_in_sight_beside_a_better_run() -> None:
    app = StageApp(ListFeed(recorded()[:2], report(2, 10)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.monitor._shown.ghosts = (Ghost("best here", (0.99,) * 14, (0.02, 0.021) * 7),)
        await settle(pilot)
        chart = app.query_one("#right Chart", Chart)
        assert chart.picture.quantity == "loss"
        assert chart._y_max >= app.monitor.state.epochs[-1].test_loss


def test_a_small_terminal_is_told_in_three_lines() -> None:
    assert brief(MonitorState()) == []
    assert brief(reduce_all(MonitorState(), recorded())) == [
        "✓ done  14 epochs  took 22:58",
        "best 99.30 % in epoch 13, last 99.27 %",
        "step13",
    ]


async def test_a_report_that_comes_after_the_last_event_is_offered_and_opens(tmp_path: Path) -> None:
    feed = finished()
    feed.alive, feed.directory = True, SimpleNamespace(path=tmp_path, name="a", holder=lambda: None)
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "open the report" not in await settle(pilot)
        (tmp_path / "report.md").write_text("# step13 on mnist\n\n- **target:** No epoch reached it\\_.\n")
        feed.alive = False
        app.monitor.tick()
        await settle(pilot)
        await pilot.press("enter")
        text = await settle(pilot)
        assert " step13 on mnist" in text and " - target: No epoch reached it_." in text
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
