"""How little the monitor paints."""

from __future__ import annotations

import asyncio
import threading

import pytest

from support import at_rest
from support.at_rest import text_of, until
from support.monitor_recorded import recorded, report
from support.monitor_stage import StageApp, live, settle, shows
from tuitrain.tui.monitor.headline import MachineLine
from tuitrain.tui.paint.cells import BigNumber, Field, Spark
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.watch import ghosts
from tuitrain.watch.state import Ghost


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
        await until(pilot, read.is_set)
    assert closing.is_set()


async def test_nothing_is_painted_when_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "published")  # what was read in threads has come
        painted: list[str] = []
        for cls in (Field, BigNumber, Spark, Chart, SheetLines):
            original = cls.refresh

            def refresh(self: Field, *args: object, _original: object = original, **kwargs: object) -> object:
                painted.append(repr(self))
                return _original(self, *args, **kwargs)  # type: ignore[operator]

            monkeypatch.setattr(cls, "refresh", refresh)
        for _ in range(5):
            app.monitor.tick()
        await at_rest.settle(pilot)
        assert painted == []


async def test_a_step_repaints_only_its_figures() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "published")
        before = text_of(app).splitlines()
        feed.progress = report(9, 700)
        app.monitor.tick()
        await at_rest.settle(pilot)
        changed = [
            y for y, (a, b) in enumerate(zip(before, text_of(app).splitlines(), strict=True)) if a != b
        ]
        assert set(changed) <= {1, 4, 5, 20}, "state line, bars, running figures, machine"


async def test_no_layout_while_training() -> None:
    feed = live()
    app = StageApp(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "published")
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
