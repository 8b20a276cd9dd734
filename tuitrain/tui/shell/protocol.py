"""What a screen may ask of the app, and the app of a screen: the two know each other by this alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.feed import RunFeed
    from tuitrain.runs.history import History
    from tuitrain.runs.queue import SessionManager
    from tuitrain.study.plan import Plan
    from tuitrain.study.store import StudyDirectory
    from tuitrain.study.watching import StudyWatcher
    from tuitrain.training.job import Job
    from tuitrain.workbench.opening import Opening
    from tuitrain.workbench.settings import Settings


class Shell(Protocol):
    """The app, as its screens know it.

    Attributes:
        settings: of the person, the terminal and the folders.
        manager: the runs of this process.
        opening: what the app was opened with.
        start_drawing: path of the run whose network is asked of drawings first; empty for the newest.
        torch_ready: whether torch is imported.
    """

    settings: Settings
    manager: SessionManager
    opening: Opening
    start_drawing: str
    torch_ready: bool

    def start_run(self, job: Job, parent: RunDirectory | None = None) -> None:
        """Start a run and show it in the monitor; `parent` is the run that a branch begins from."""

    def resume_run(self, run: str) -> None:
        """Go on with a run that was stopped or cut off, and show it.

        Raises:
            TuitrainError: there is no such run, or it can't go on.
        """

    def start_study(self, plan: Plan) -> None:
        """Train a study, and show it in the monitor."""

    def resume_study(self, study: StudyDirectory, more_seeds: str = "") -> None:
        """Go on with a study, with more seeds where they are named, and show it."""

    def open_run(self, feed: RunFeed, readonly: bool = False) -> None:
        """Show a run in the monitor."""

    def open_run_named(self, name: str, readonly: bool = False) -> None:
        """Show a run in the monitor by its name."""

    def open_study(self, name: str, setting: str = "", readonly: bool = False) -> None:
        """Show a study by its name: one of its settings by a digest (`RunSummary.setting`), else the whole."""

    def show_study(self, watcher: StudyWatcher, setting: int | None = None, readonly: bool = False) -> None:
        """Show a study that is watched: one of its settings, or the whole, which is a leaderboard where it has many."""

    def choose_preset(self, name: str) -> None:
        """Show a preset in the lab."""

    def open_lesson(self) -> None:
        """Show the lesson."""

    def open_drawing(self, run: str = "") -> None:
        """Show the field to draw on, for the network of a run, by its path."""

    def leave_aside(self) -> None:
        """Back to the screen before the lesson or the field to draw on."""

    def strip_lines(self) -> list[str]:
        """What a terminal too small for the screens shows."""


def shell(node: DOMNode) -> Shell:
    """The app of a screen or widget, with what only ours has."""
    return cast("Shell", node.app)


@runtime_checkable
class ShowsRuns(Protocol):
    """A screen that shows a run: the monitor."""

    def show_feed(self, feed: RunFeed, readonly: bool = False) -> None:
        """Show a run from its beginning."""

    def live_history(self) -> History | None:
        """What the run has told, while it goes on; else None."""


@runtime_checkable
class ShowsStudies(Protocol):
    """A screen that shows a study: a leaderboard, the monitor of a group, or that of a duel."""

    def show_study(self, watcher: StudyWatcher, setting: int = 0, readonly: bool = False) -> None:
        """Show a study, beginning with one of its settings."""


@runtime_checkable
class ShowsPresets(Protocol):
    """A screen that shows a preset: the lab."""

    def choose_preset(self, name: str) -> None:
        """Show a preset by its name or path."""


@runtime_checkable
class AsksNetworks(Protocol):
    """A screen that asks a run's network of what is drawn on it."""

    def draw_for(self, run: str) -> None:
        """Ask the network of a run, by its path."""


@runtime_checkable
class SpeaksInLines(Protocol):
    """A screen that can say in a few lines what it shows, for a terminal too small for it."""

    def strip_lines(self) -> list[str]:
        """Those lines; none where it has nothing to say."""


@runtime_checkable
class TakesDigits(Protocol):
    """A widget that digits may be typed into, which then change no mode."""

    @property
    def takes_digits(self) -> bool:
        """Whether they are now."""
