"""Time of training on the monotonic clock, so that a jump of the wall clock changes nothing."""

from __future__ import annotations

import time

REPORT_S = 0.1  # between two progress events, and so the longest until a loss that is not finite is found
SMOOTHING = 0.3  # weight of the latest lap in the rate that is shown


class Stopwatch:
    """Seconds of an epoch without its pauses, and the rate over the last reports.

    Args:
        before: seconds of this epoch that an earlier process spent.
        rate: images a second so far.
    """

    def __init__(self, before: float = 0.0, rate: float = 0.0) -> None:
        self._seconds, self._since, self._held = before, time.monotonic(), False
        self._lap = (self._since, 0, 0)
        self.rate = rate

    def due(self) -> bool:
        """Whether it is time for the next report."""
        return time.monotonic() - self._lap[0] >= REPORT_S

    def restart(self, images: int, step: int) -> None:
        """Begins a lap here."""
        self._lap = (time.monotonic(), images, step)

    @property
    def step(self) -> int:
        """The step at which this lap began."""
        return self._lap[2]

    def lap(self, images: int, step: int) -> float:
        """Ends a lap and begins the next; milliseconds a step in it. `rate` follows, smoothed."""
        (before, images_before, step_before), now = self._lap, time.monotonic()
        self._lap = (now, images, step)
        rate = (images - images_before) / max(now - before, 1e-9)
        self.rate = (1 - SMOOTHING) * self.rate + SMOOTHING * rate if self.rate else rate
        return 1000 * (now - before) / max(step - step_before, 1)

    def seconds(self) -> float:
        """Seconds so far."""
        return self._seconds + (0.0 if self._held else time.monotonic() - self._since)

    def hold(self) -> None:
        """Stops the watch."""
        self._seconds, self._held = self.seconds(), True

    def go(self) -> None:
        """Continues; the pause is not counted."""
        if self._held:
            self._held, self._since = False, time.monotonic()
            self._lap = (self._since, *self._lap[1:])
