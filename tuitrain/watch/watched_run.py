"""A run that is watched: its events so far, the machine it trains on, and what can be done with it."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import TuitrainError, visible
from tuitrain.runs.report_files import REPORT
from tuitrain.spec.describe import layers_of, short_changes
from tuitrain.watch.machine import Reading, Sensors
from tuitrain.watch.runlist import RESUMABLE
from tuitrain.watch.state import MonitorState, asked, reduce_all, with_alive, with_phase

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.feed import RunFeed
    from tuitrain.training.command import Steering
    from tuitrain.training.job import Job


#: Makes the sensors of a device, a run's folder and the processes that train it.
MakeSensors = Callable[[str, Path | None, tuple[int, ...]], Sensors]


class WatchedRun:
    """Follows a feed; without one there is nothing to see, and nothing to steer.

    Attributes:
        state: what the run has told.
        readonly: nothing may be steered.
    """

    def __init__(
        self,
        feed: RunFeed | None = None,
        readonly: bool = False,
        make_sensors: MakeSensors | None = Sensors,
    ) -> None:
        """A run from its beginning.

        Args:
            feed: of the run.
            readonly: nothing may be steered.
            make_sensors: makes the sensors of its device; None for a run without any.
        """
        self.feed, self.readonly = feed, readonly
        self.state = MonitorState()
        self._make_sensors = make_sensors
        self._sensors: Sensors | None = None

    @property
    def directory(self) -> RunDirectory | None:
        """Its run directory, once there is one."""
        return self.feed.directory if self.feed is not None else None

    @property
    def title(self) -> str:
        """The preset, the seed and what was changed; before its first event what the feed knows."""
        started = self.state.started
        if started is None:
            return visible(self.feed.title) if self.feed is not None else ""
        changed = {key: pair for key, pair in started.changed.items() if key != "train.seed"}
        change = short_changes(changed, layers_of(started.preset))
        title = " · ".join(filter(None, (started.name or "run", f"seed {started.seed}", change)))
        return visible(title) + (" (read only)" if self.readonly else "")

    def poll(self) -> None:
        """Takes in what is new.

        Raises:
            TuitrainError, OSError: it can't be read any more; what is known stays, and it is no longer followed.
        """
        if self.feed is None:
            return
        try:
            update = self.feed.poll()
        except (TuitrainError, OSError):  # the directory is gone, say
            self.feed, self.state = None, with_alive(self.state, False)
            raise
        state = self.state
        if update.reset:
            state = MonitorState(asks=state.asks)
        state = with_alive(reduce_all(state, update.records), update.alive or not state.started)
        if update.progress is not None:
            state = reduce_all(state, (update.progress,))
        phase = update.phase if update.alive else None
        self.state = with_phase(state, phase, update.phase_s, update.stalled_s)

    # -- the machine ---------------------------------------------------------------------------

    @property
    def readings(self) -> Sequence[Reading]:
        """What the sensors have read; nothing where the run is over, or trains on another machine."""
        return self._sensors.readings if self._sensors is not None else ()

    def watch_machine(self) -> None:
        """Reads the sensors of a run that has begun, from now on."""
        started, directory = self.state.started, self.directory
        if self._make_sensors is None or started is None or self.state.over:
            return
        holder = directory.holder() if directory is not None else None
        if holder is None or holder.host in ("", socket.gethostname()):
            processes = (os.getpid(), *((holder.pid,) if holder is not None else ()))
            folder = directory.path if directory is not None else None
            self._sensors = self._make_sensors(started.device, folder, processes)
            self._sensors.start()

    def leave_machine(self) -> None:
        """Reads the sensors no more."""
        if self._sensors is not None:
            self._sensors.stop()
        self._sensors = None

    # -- what may be done ----------------------------------------------------------------------

    @property
    def refusal(self) -> str:
        """Why nothing can be steered, or nothing."""
        if self.feed is None:
            return "no run is shown: start one in the Lab (1) or open one in Runs (3)"
        if self.readonly:
            return "only looking: open it with tuitrain attach to steer it"
        return "this run is over: nothing is left to steer" if self.state.over else ""

    @property
    def can_go_on(self) -> bool:
        """Whether it is over and can be resumed here."""
        here = self.directory is not None and not self.readonly
        return here and self.state.over and self.state.status in RESUMABLE

    def ask(self, action: str, text: str, send: Callable[[Steering], None]) -> None:
        """Sends a command, and shows that it was sent.

        Args:
            action: of the event that will answer it.
            text: what is asked, in words.
            send: sends it.

        Raises:
            TuitrainError: it can't be steered.
        """
        if self.feed is not None:
            send(self.feed.control)
            self.state = asked(self.state, action, text)

    def next_seed(self, model: str) -> Job | None:
        """The same job with the next seed; None before the first event, and for a network that isn't `model`."""
        from tuitrain.spec.preset import override
        from tuitrain.training.job import Job

        preset, started = self.state.history.preset, self.state.started
        if preset is None or started is None:
            return None
        named = started.own_network.get("model", "") if started.own_network else ""
        if named and named != model:  # only what the user named here is run
            return None
        seed = started.seed + 1
        changed = {**started.changed, "train.seed": [preset.train.seed, seed]}
        job = Job.of(started, override(preset, {"train.seed": seed}))
        return dataclasses.replace(job, changed=changed, command="", model=named)

    # -- the report ----------------------------------------------------------------------------

    @property
    def has_report(self) -> bool:
        """Whether a report lies in its directory."""
        return self.directory is not None and (self.directory.path / REPORT).is_file()

    def report(self) -> list[str]:
        """The lines of the report.

        Raises:
            OSError: there is none.
        """
        if self.directory is None:
            raise FileNotFoundError(REPORT)
        text = (self.directory.path / REPORT).read_text("utf-8", "replace")
        return [visible(line) for line in text.splitlines()]
