"""A stage for the monitor: a recorded run, a feed that plays it, and an app that shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from textual.app import App
from textual.pilot import Pilot

import tuitrain.tui
from support import at_rest
from support.monitor_recorded import DIRECTORY, recorded, report, up_to
from tuitrain.errors import RunDirectoryError
from tuitrain.runs.feed import FeedState, FeedUpdate
from tuitrain.training.events import Control, Record, StepProgress
from tuitrain.training.job import Job
from tuitrain.tui.monitor.screen import MonitorScreen
from tuitrain.tui.paint import sizes
from tuitrain.tui.shell import themes
from tuitrain.tui.terminal.filters import AsciiFilter, PlainFilter
from tuitrain.watch.machine import Reading
from tuitrain.watch.state import Ghost
from tuitrain.workbench.opening import Opening
from tuitrain.workbench.settings import Settings


@dataclass
class FakeControl:
    """Remembers what it was told; answers as the trainer would, where it has a feed."""

    feed: ListFeed
    told: list[tuple[object, ...]] = field(default_factory=list)
    answers: bool = True
    fails: bool = False

    def _tell(self, *what: object) -> None:
        if self.fails:
            raise RunDirectoryError("run step13 is not running; go on with `tuitrain resume step13`")
        self.told.append(what)

    def _answer(self, **fields: object) -> None:
        if self.answers:
            event = Control(epoch=8, step=665, **fields)  # type: ignore[arg-type]
            self.feed.coming.append(Record(event, 1795186830.0, 30.0))

    def pause(self, source: str = "", *, after_epoch: int | None = None) -> None:
        if after_epoch is not None:
            self._tell("pause", after_epoch, source)
            self._answer(action="pause_after", value=float(after_epoch), source=source)
            return
        self._tell("pause", source)
        self._answer(action="paused", source=source)
        self.feed.phase = "paused" if self.answers else self.feed.phase

    def resume(self, source: str = "") -> None:
        self._tell("resume", source)
        self._answer(action="resumed", source=source)
        self.feed.phase = "training"

    def checkpoint(self, source: str = "") -> None:
        self._tell("checkpoint", source)
        self._answer(action="checkpoint", source=source)

    def stop(self, reason: str = "", when: str = "now", source: str = "") -> None:
        self._tell("stop", when, source)
        self._answer(action="stop", detail=reason, source=source)

    def set_lr(self, lr: float, source: str = "") -> None:
        self._tell("set_lr", lr, source)
        self._answer(action="learning_rate", value=lr, source=source)

    def add_epochs(self, count: int, source: str = "") -> None:
        self._tell("add_epochs", count, source)
        self._answer(action="extended", value=float(count), source=source)


@dataclass
class ListFeed:
    """A feed over a list of records."""

    coming: list[Record] = field(default_factory=list)
    progress: StepProgress | None = None
    phase: str | None = "training"
    alive: bool = True
    directory: object = None
    stalled_s: float = 0.0
    title: str = ""

    def __post_init__(self) -> None:
        self.control = FakeControl(self)

    def poll(self) -> FeedUpdate:
        new, self.coming = self.coming, []
        state: FeedState = "live" if self.alive else "ended"
        return FeedUpdate(new, self.progress, self.phase, self.alive, state, stalled_s=self.stalled_s)


#: What `Sensors` read on the machine of the recording while it trained step13 on one thread.
MACHINE = Reading(
    cpu=0.513,
    cpus=2,
    ram_used=923_049_984,
    ram_total=25_276_502_016,
    own_ram=701_751_296,
    disk_free=59_130_007_552,
)


class FakeSensors:
    """Always the same reading."""

    reading = MACHINE

    def __init__(self, *_: object) -> None:
        self.readings = (self.reading,)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


class StageApp(App[None]):
    """The monitor alone, with a clock that stands still."""

    CSS_PATH = Path(tuitrain.tui.__file__).with_name("theme.tcss")
    HORIZONTAL_BREAKPOINTS = sizes.WIDTHS
    VERTICAL_BREAKPOINTS = sizes.HEIGHTS

    def __init__(self, feed: ListFeed | None, *, readonly: bool = False, theme: str = "tuitrain-dark",
                 ascii_only: bool = False, ghosts: tuple[Ghost, ...] | None = None, low_bandwidth: bool = False,
                 plain: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.settings = Settings(
            Path(tuitrain.tui.__file__) / "no-runs", ascii_only=ascii_only, low_bandwidth=low_bandwidth
        )
        self.opening = Opening(runs_dir=self.settings.runs_dir, attach="the recorded run")
        self.feed, self.readonly, self.ghosts = feed, readonly, ghosts
        for house_theme in themes.THEMES:
            self.register_theme(house_theme)
        self.theme = theme
        self.started: list[Job] = []
        if plain:
            self.no_color = True
            self._filters[:] = [PlainFilter(self)]
        if ascii_only:
            self._filters.append(AsciiFilter())

    def start_run(self, job: Job, parent: object = None) -> None:
        self.started.append(job)

    def resume_run(self, run: str) -> None:
        raise AssertionError("no run of the stage can go on")

    def strip_lines(self) -> list[str]:
        return self.monitor.strip_lines()

    def get_default_screen(self) -> MonitorScreen:
        return MonitorScreen(clock=lambda: 1000.0, make_sensors=FakeSensors)

    @property
    def monitor(self) -> MonitorScreen:
        screen = self.screen_stack[0]
        assert isinstance(screen, MonitorScreen)
        return screen

    def on_mount(self) -> None:
        self.animation_level = "none"
        if self.feed is not None:
            self.monitor.show_feed(self.feed, self.readonly)


def live(epoch: int = 8, step: int = 665) -> ListFeed:
    """The recorded run in the middle of the epoch after `epoch`."""
    records = recorded()
    return ListFeed(up_to(records, epoch), report(epoch + 1, step))


def finished() -> ListFeed:
    """The recorded run, over, with what its last evaluation saw."""
    directory = SimpleNamespace(path=DIRECTORY, name=DIRECTORY.name, holder=lambda: None)
    return ListFeed(recorded(), None, None, False, directory)


def said(app: StageApp) -> list[str]:
    """What was notified, oldest first."""
    return [note.message for note in app._notifications]


async def settle(pilot: Pilot[None]) -> str:
    """What is on the screen once nothing is left to do."""
    app = pilot.app
    assert isinstance(app, StageApp)
    await at_rest.settle(pilot)
    app.monitor._redraw()
    await at_rest.settle(pilot)
    return at_rest.text_of(app)


async def shows(pilot: Pilot[None], piece: str) -> str:
    """What is on the screen once this is in it."""
    await at_rest.until(pilot, lambda: piece in at_rest.text_of(pilot.app))
    return await settle(pilot)
