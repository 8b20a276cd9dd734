"""What the monitor's views need from disk, read in threads: earlier runs, the last evaluation, the maps of an image."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from textual.screen import Screen

from tuitrain.tui.monitor.views import Shown
from tuitrain.tui.shell.protocol import shell
from tuitrain.watch import ghosts
from tuitrain.watch.ghosts import JudgingImages
from tuitrain.watch.maps import read_maps
from tuitrain.watch.watched_run import WatchedRun


class Reading:
    """Reads for one watched run what its views draw from, and calls `changed` when it has."""

    def __init__(
        self, screen: Screen[Any], watched: WatchedRun, shown: Shown, changed: Callable[[], None]
    ) -> None:
        self._screen, self._watched, self.shown = screen, watched, shown
        # By the screen's own queue: one that is being closed has lost its widgets, and takes no calls any more.
        self._changed = partial(screen.call_later, changed)
        self._reading_maps = False

    def ghosts(self) -> None:
        """The published curve and earlier runs."""
        self._screen.run_worker(self._ghosts(), group="ghosts", exclusive=True)

    async def _ghosts(self) -> None:
        started = self._watched.state.started
        if started is None:
            return
        found = await asyncio.to_thread(ghosts.ghosts, started, shell(self._screen).settings.runs_dir)
        if self._watched.state.started is started:
            self.shown.ghosts = found
            self._changed()

    def inspection(self) -> None:
        """What the last evaluation said of each image."""
        self._screen.run_worker(self._inspect(), group="inspection", exclusive=True)

    async def _inspect(self) -> None:
        from tuitrain.runs import inspect

        started, directory = self._watched.state.started, self._watched.directory
        if started is None or directory is None:
            return
        seen = await asyncio.to_thread(inspect.read_last_evaluation, directory.path)
        judged = await self._judging_images()
        if self._watched.state.started is started:
            self.shown.inspection, self.shown.judged = seen, judged
            self._changed()

    async def _judging_images(self) -> JudgingImages | None:
        started = self._watched.state.started
        if self.shown.judged is not None or started is None:
            return self.shown.judged
        return await asyncio.to_thread(ghosts.judging_images, started, shell(self._screen).settings.data_dir)

    def maps(self) -> None:
        """The maps of the image, where the run has kept a newer network, as it does after an epoch."""
        if not self._reading_maps:
            self._reading_maps = True
            self._screen.run_worker(self._read_maps(), group="maps")

    async def _read_maps(self) -> None:
        directory, shown = self._watched.directory, self.shown
        try:
            if directory is None or (judged := await self._judging_images()) is None:
                return
            shown.judged = judged
            found = await asyncio.to_thread(read_maps, directory, judged, shown.maps, shown.image)
            if found is not shown.maps:
                shown.maps = found
                self._changed()
        finally:
            self._reading_maps = False
        if found.image != shown.image:  # another one was asked for meanwhile
            self.maps()

    def another_image(self, by: int | None) -> bool:
        """The maps of an image so many after this one, or of any other; whether there is one."""
        judged = self.shown.judged
        count = len(judged.images) if judged is not None and judged.images is not None else 0
        if not count:
            return False
        by = 1 + secrets.randbelow(max(1, count - 1)) if by is None else by
        self.shown.image = (self.shown.image + by) % count
        self.maps()
        return True
