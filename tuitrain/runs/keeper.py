"""What keeps a run of this process and its directory in step, five times a second.

So other shells see and steer it while a step, an evaluation or a pause lasts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuitrain.errors import RunDirectoryError
from tuitrain.training.command import Command, RunControl
from tuitrain.training.events import Notice

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.recorder import Recorder
    from tuitrain.runs.snapshot import Snapshot

KEEPER_S = 0.2
HEARTBEAT_S = 1.0


class Keeper(threading.Thread):
    """Looks at `control.jsonl` and replaces `progress.json`."""

    def __init__(
        self,
        directory: RunDirectory,
        recorder: Recorder,
        control: RunControl,
        snapshot: Callable[[], Snapshot],
        look_after_directory: Callable[[], None],
    ) -> None:
        """A keeper that is not started yet.

        Args:
            directory: of the run.
            recorder: what goes wrong is written down with it.
            control: takes the commands of other shells.
            snapshot: gives the latest of the run.
            look_after_directory: makes the directory again where it is gone.
        """
        super().__init__(name=f"keeper-{directory.name}", daemon=True)
        self._directory, self._recorder, self._control = directory, recorder, control
        self._snapshot, self._look_after_directory = snapshot, look_after_directory
        self._deaf = False  # commands of another user were refused, and reported
        self._done = threading.Event()

    def finish(self) -> None:
        """Stop, and wait for the end."""
        self._done.set()
        if self.is_alive():
            self.join(2.0)

    def run(self) -> None:
        """Keep them up to date until `finish` is called."""
        beat = 0
        told: Snapshot | None = None
        told_at = 0.0
        while not self._done.wait(KEEPER_S):
            self._obey_shells()
            self._look_after_directory()
            now = time.monotonic()
            snapshot = self._snapshot()
            if snapshot is told and now - told_at < HEARTBEAT_S:
                continue
            beat += 1
            told, told_at = snapshot, now
            try:
                self._directory.write_progress(
                    snapshot.progress, snapshot.phase, snapshot.epoch, beat, snapshot.phase_s
                )
            except OSError as error:
                self._recorder.failed("progress.json", error)
            else:
                self._recorder.resolved("progress.json")
        self._recorder.resolved("progress.json")  # it is no longer needed

    def _obey_shells(self) -> None:
        try:
            for line in self._directory.new_commands():
                command = Command.from_json(line)
                if command is not None:  # another user who may write there may write anything
                    self._control.post(command)
        except RunDirectoryError as error:
            if not self._deaf:  # reported once: it may happen every second
                self._deaf = True
                remedy = "remove that file, and look who may write in this folder"
                self._recorder.add(Notice(str(error), remedy, code="commands_refused"))
