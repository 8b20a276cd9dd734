"""What an app shows, and waiting for what it still has to do: a pause of fixed length is not enough on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.worker import WorkerCancelled


def _has_messages(app: App[Any]) -> bool:
    nodes = (node for screen in app.screen_stack for node in screen.walk_children(with_self=True))
    return any(not pump._message_queue.empty() for pump in (app, *nodes))


_wait_once = Pilot._wait_for_screen


async def wait_for_messages(pilot: Pilot[Any], timeout: float = 30.0) -> bool:
    """In the place of the pilot's own: waits for the messages that messages bring about too.

    The pilot's own waits for those that are in the queues when it is called, and before that for 20 ms in which the
    process did little, which is also so while other processes have the processor. A key or a new size goes through
    several queues.
    """
    for _ in range(50):
        if not await _wait_once(pilot, timeout):
            return False
        if not _has_messages(pilot.app):
            break
    return True


async def settle(pilot: Pilot[Any]) -> None:
    """Until no worker is at work, and what they brought about is done, which may have begun others."""
    for _ in range(50):
        with suppress(WorkerCancelled):  # one that another has taken the place of
            await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        if all(worker.is_finished for worker in pilot.app.workers):
            return


def text_of(app: App[Any]) -> str:
    """What is on the screen."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def in_one_line(app: App[Any]) -> str:
    """What is on the screen, with single spaces between the words."""
    return " ".join(text_of(app).split())


async def until(pilot: Pilot[Any], true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so, and for what else that has brought about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, text_of(pilot.app)
        await pilot.pause(0.02)
    await pilot.pause(0)
