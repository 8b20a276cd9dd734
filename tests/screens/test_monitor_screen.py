"""The monitor screen under a pilot: what it says of a run, whatever becomes of it."""

from __future__ import annotations

import dataclasses

import pytest

from support.monitor_recorded import recorded, report
from support.monitor_stage import FakeSensors, ListFeed, StageApp, finished, live, said, settle, shows
from tuitrain.nvml import OtherProcess
from tuitrain.runs.feed import FeedUpdate
from tuitrain.training.events import Notice, Record, RunFinished
from tuitrain.tui.monitor.headline import Headline, MachineLine, News, brief
from tuitrain.tui.paint.cells import BigNumber, Field
from tuitrain.watch.state import MonitorState, reduce_all

SIZES = [(80, 24), (120, 40), (60, 18), (160, 45)]


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
        text = await shows(pilot, "published")
        assert "0.07 behind published" in text
        assert "published: behind by 0.07 at this epoch" in text


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
        assert "•7 " in text and text.count("◂") == 2 and "the weakest class, 6" in text


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


def test_a_small_terminal_is_told_in_three_lines() -> None:
    assert brief(MonitorState()) == []
    assert brief(reduce_all(MonitorState(), recorded())) == [
        "✓ done  14 epochs  took 22:58",
        "best 99.30 % in epoch 13, last 99.27 %",
        "step13",
    ]
