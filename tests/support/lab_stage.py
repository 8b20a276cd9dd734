"""The app with only the lab alive: what it would start is written down, nothing runs in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList
from textual.pilot import Pilot

from support import at_rest
from support.at_rest import until
from tuitrain.training.job import Job
from tuitrain.tui.app import TuitrainApp
from tuitrain.tui.lab.screen import LabScreen
from tuitrain.workbench.opening import Opening


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of the test's own, and nothing from the environment."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.delenv("TUITRAIN_DATA_DIR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("tuitrain.runs.estimate.estimate", lambda *what: None)  # depends on the machine


class App(TuitrainApp):
    """The app, with what it would start written down and no torch loaded."""

    def __init__(self, *, frame_first: bool = False, manager: Any = None, **more: Any) -> None:
        super().__init__(Opening(theme="dark", **more), frame_first=frame_first, manager=manager)
        self.started: list[Job] = []
        self.clipboards: list[str] = []

    def _after_first_paint(self) -> None:
        pass

    def start_run(self, job: Job, parent: object = None) -> None:
        self.started.append(job)

    def copy_to_clipboard(self, text: str) -> None:
        self.clipboards.append(text)


@asynccontextmanager
async def lab(
    tmp_path: Path, size: tuple[int, int] = (80, 24), **more: Any
) -> AsyncIterator[tuple[App, Pilot[Any], LabScreen]]:
    app = App(runs_dir=tmp_path / "runs", **more)
    async with app.run_test(size=size) as pilot:
        await looked_up(app, pilot)
        screen = app.screen
        assert isinstance(screen, LabScreen)
        yield app, pilot, screen


async def settle(app: App, pilot: Pilot[Any]) -> None:
    await at_rest.settle(pilot)


async def looked_up(app: TuitrainApp, pilot: Pilot[Any]) -> None:
    """Until the lab shows what it looks up as it opens: presets, devices, and whether the data is there."""

    def found() -> bool:
        state = app.screen.state if isinstance(app.screen, LabScreen) else None
        return bool(state and state.items and state.devices and state.data_found)

    await until(pilot, found)
    await at_rest.settle(pilot)


async def chosen_in_palette(app: App, pilot: Pilot[Any], title: str) -> None:
    """Takes the first command of the palette, once what was typed has brought it there."""
    await settle(app, pilot)

    def found() -> bool:
        commands = app.screen.query_one(CommandList)
        return commands.highlighted == 0 and title in str(commands.get_option_at_index(0).prompt)

    await until(pilot, found)
    await pilot.press("enter")
    await settle(app, pilot)
