"""A queue of runs whose sessions are fakes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tuitrain.runs.queue import SessionManager
from tuitrain.spec.preset_files import load_preset
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime


class FakeSession:
    """Trains until told to end."""

    def __init__(self, entry: Any) -> None:
        self.entry, self.control = entry, entry.control
        self.records: list[Any] = []
        self.end = threading.Event()
        self.exit_code = 0
        self.directory = None
        self.abandoned = ""

    def start(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self.end.is_set():
            command = self.control.take()
            if command is not None and command.action == "stop":
                self.end.set()
            self.end.wait(0.01)

    def join(self) -> bool:
        return self.end.wait(60)

    def abandon(self, message: str, source: str) -> bool:
        self.abandoned = message
        return True


class Line:
    """A manager whose sessions are fakes."""

    def __init__(self, tmp_path: Path) -> None:
        self.sessions: list[FakeSession] = []
        self.trouble: Exception | None = None
        self.manager = SessionManager(runs_dir=tmp_path, make_session=self.make)  # type: ignore[arg-type]

    def make(self, entry: Any, runs_dir: Path, data_dir: Path | None) -> FakeSession:
        if self.trouble is not None:
            raise self.trouble
        self.sessions.append(FakeSession(entry))
        return self.sessions[-1]

    def start(self, device: str = "cpu", seed: int = 0) -> Any:
        preset = load_preset("step13")
        return self.manager.start(Job(preset, Runtime(device=device), changed={"train.seed": [0, seed]}))
