"""The monitor as pictures, on the recorded run with a clock that stands still."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from support import at_rest
from support.monitor_stage import StageApp, finished, live


async def settled(pilot: Pilot[None], *keys: str) -> None:
    """Until the ghost curves are there, then the keys, and what their views read."""
    app = pilot.app
    assert isinstance(app, StageApp)
    await at_rest.settle(pilot)
    assert app.monitor._shown.ghosts or app.feed is None
    await pilot.press(*keys)
    await at_rest.settle(pilot)
    app.monitor._redraw()
    await at_rest.settle(pilot)


CASES = {
    "live_80": (live, (80, 24), (), {}),
    "live_120": (live, (120, 40), (), {}),
    "live_60": (live, (60, 18), (), {}),
    "light_80": (live, (80, 24), (), {"theme": "tuitrain-light"}),
    "colour_blind_80": (live, (80, 24), (), {"theme": "tuitrain-safe"}),
    "no_color_80": (live, (80, 24), (), {"plain": True}),
    "ascii_80": (live, (80, 24), (), {"ascii_only": True}),
    "loss_logarithmic_80": (live, (80, 24), ("m", "L", "left", "left"), {}),
    "epochs_80": (live, (80, 24), ("5",), {}),
    "table_120": (live, (120, 40), ("7",), {}),
    "confusion_80": (finished, (80, 24), ("8",), {}),
    "kernels_80": (finished, (80, 24), ("0",), {}),
    "verdict_80": (finished, (80, 24), ("V",), {}),
    "stop_80": (live, (80, 24), ("x",), {}),
    "empty_80": (lambda: None, (80, 24), (), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_monitor_looks_as_before(snap_compare: Any, name: str) -> None:
    feed, size, keys, how = CASES[name]

    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot, *keys)

    assert snap_compare(StageApp(feed(), **how), terminal_size=size, run_before=before)
