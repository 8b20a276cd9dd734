"""`tuitrain demo`: a minute's tour that explains what one sees, on the built-in digits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.app import App
from textual.widget import Widget


@dataclass(frozen=True)
class Stop:
    """One stop of the tour: a screen, what to say, how long, and whether training starts on arrival."""

    mode: str
    text: str
    seconds: float
    starts: bool = False


STOPS = (
    Stop("lab", "The lab: a network of 5,854 parameters, its layers in the table, its settings beside it. "
                "The gauge compares it with the budget of 6,000.", 9),
    Stop("lab", "With the built-in digits (1,500 images of 8x8, enlarged) it trains in seconds, "
                "without network or GPU. Enter would start it; the tour does it now.", 8),
    Stop("monitor", "Torch is loaded behind the screen, then training begins. The line on top always says "
                    "what goes on; the keys below steer: space pauses, x stops.", 11,
         starts=True),
    Stop("monitor", "The large number is the best test accuracy so far. The sparkline below it holds every "
                    "epoch; the chart shows train and test, with the target as a line.", 11),
    Stop("monitor", "Training doesn't need this screen: d would detach it, a closed terminal would not end "
                    "it, and tuitrain attach would show it again.", 9),
    Stop("runs", "Runs: everything that was ever trained here, with what was changed. Space marks runs, "
                 "c compares them, o lays their curves over each other.", 9),
    Stop("monitor", "That was the tour. Look around with 1, 2 and 3, ask ? for all keys; q leaves, and "
                    "nothing of the tour stays on the disk.", 600),
)  # fmt: skip


class Caption(Widget, can_focus=False):
    """Two or three lines over the lower part of the screen."""

    DEFAULT_CSS = """
    Caption { position: absolute; width: 100%; height: 4; offset-x: 0; background: $accent 20%;
        border-top: heavy $accent; color: $foreground; padding: 0 1; }
    """

    def __init__(self, text: str, place: str) -> None:
        super().__init__()
        self._text, self._place = text, place

    def on_mount(self) -> None:
        self._settle()

    def on_resize(self) -> None:
        self._settle()

    def _settle(self) -> None:
        self.styles.offset = (0, max(0, self.app.size.height - 5))

    def render(self) -> Text:
        return Text(f"{self._place}  {self._text}")


class Tour:
    """Goes from stop to stop on a timer; the person may use every key meanwhile."""

    def __init__(self, app: App[Any], start: Callable[[], None]) -> None:
        """`start` starts the training."""
        self.app, self._start = app, start
        self._here = -1
        self._until = 0.0
        self._caption: Caption | None = None

    def begin(self) -> None:
        self.app.set_interval(0.5, self._tick)
        self.app.run_worker(self._go(0), group="tour", exclusive=True)

    def _tick(self) -> None:
        if time.monotonic() >= self._until > 0 and self._here + 1 < len(STOPS):
            if len(self.app.screen_stack) > 1:  # somebody reads help or answers a question
                return
            self._until = 0.0
            self.app.run_worker(self._go(self._here + 1), group="tour", exclusive=True)

    async def _go(self, number: int) -> None:
        stop = STOPS[number]
        self._here = number
        if self._caption is not None:
            await self._caption.remove()
        await self.app.switch_mode(stop.mode)
        if stop.starts:
            self._start()
        self._caption = Caption(stop.text, f"Tour {number + 1} of {len(STOPS)}:")
        await self.app.screen_stack[0].mount(self._caption)
        self._until = time.monotonic() + stop.seconds
