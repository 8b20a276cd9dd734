"""The app: three modes (Lab, Monitor, Runs), and what they share.

Nothing heavy is imported here: the first paint comes before torch, which a background thread
imports afterwards (see `warmup`).
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import ModalScreen, Screen

from tuitrain import trust
from tuitrain.errors import TuitrainError, visible
from tuitrain.report import report_files
from tuitrain.runs.queue import SessionManager
from tuitrain.tui.ends import RunTelling
from tuitrain.tui.modes import MODES
from tuitrain.tui.paint import sizes
from tuitrain.tui.shell import themes
from tuitrain.tui.shell.header import MODE_KEYS
from tuitrain.tui.shell.protocol import (
    AsksNetworks,
    Shell,
    ShowsPresets,
    ShowsRuns,
    ShowsStudies,
    SpeaksInLines,
)
from tuitrain.tui.shell.told import told
from tuitrain.tui.terminal.job import Leaving, TerminalApp
from tuitrain.workbench.opening import Opening

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.feed import RunFeed
    from tuitrain.study.plan import Plan
    from tuitrain.study.store import StudyDirectory
    from tuitrain.study.watching import StudyWatcher
    from tuitrain.training.job import Job

#: How long an error is shown.
LONG_S = 12.0
#: Nobody needs torch at once who came to watch; what is read for the screen meanwhile would take twice as long.
TORCH_WAITS_S = 3.0


def _providers() -> type[Provider]:
    from tuitrain.tui.shell.palette import EverythingProvider

    return EverythingProvider


class TuitrainApp(TerminalApp):
    """The terminal lab."""

    TITLE = "tuitrain"
    CSS_PATH = Path(__file__).with_name("theme.tcss")
    DEFAULT_MODE = "lab"
    MODES = MODES
    COMMANDS = {_providers}  # noqa: RUF012 (textual declares it so)
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = sizes.WIDTHS
    VERTICAL_BREAKPOINTS = sizes.HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"mode('{mode}')", title, show=False, id=f"app.{mode}")
            for key, mode, title in MODE_KEYS
        ),
        *(
            Binding(
                f"alt+{key}",
                f"leave_for('{mode}')",
                f"{title}, from a field or a dialog too",
                show=False,
                priority=True,  # a dialog leaves nothing else to the app
                id=f"app.{mode}_always",
            )
            for key, mode, title in MODE_KEYS
        ),
        Binding("question_mark", "help", "Help", key_display="?", id="app.help"),
        Binding("f1", "help_focused", "Explain the focused pane", show=False, id="app.explain"),
        Binding("ctrl+p", "command_palette", "All commands", show=False, priority=True, id="app.palette"),
        Binding("d", "detach", "Detach: leave, training goes on", show=False, id="app.detach"),
        Binding("q", "leave", "Quit", show=False, id="app.quit"),
        Binding("ctrl+c", "leave", "Quit", show=False, priority=True, id="app.interrupt"),
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="app.quit_always"),
        Binding(
            "ctrl+z", "suspend_process", "Suspend to the shell", show=False, priority=True, id="app.suspend"
        ),
        Binding("ctrl+t", "next_theme", "Next theme", show=False, id="app.theme"),
        Binding("ctrl+l", "repaint", "Paint the screen again", show=False, priority=True, id="app.repaint"),
    ]

    def __init__(
        self, opening: Opening, *, frame_first: bool = False, manager: SessionManager | None = None
    ) -> None:
        """Nothing is read from disk but its config file; `frame_first` paints a frame before the first screen is imported."""
        self.opening = opening
        self.start_drawing = opening.drawing or ""
        self._came_from: dict[str, str] = {}  # by a mode that is left again, the one before it
        self.DEFAULT_MODE = "opening" if frame_first else opening.mode  # type: ignore[misc]
        self.settings, self.config_problem = opening.settings()
        super().__init__()
        self.animation_level = "none"  # every frame of an animation takes time from training
        self.watched_mode = "monitor"  # what `2` shows: the monitor of a run, or that of a study
        self.demo = opening.demo
        self.torch_ready = False
        self.telling = RunTelling(self, lambda: self.mode_screen("monitor"))
        self.shown_feed: RunFeed | None = None
        self.manager = manager or SessionManager(
            runs_dir=opening.runs_dir, data_dir=opening.data_dir, reporter=report_files
        )
        for house_theme in themes.THEMES:
            self.register_theme(house_theme)
        self._choose_theme()
        self.set_filters()
        if self.settings.keys:
            self.set_keymap(self.settings.keys)

    # -- looks ---------------------------------------------------------------------------------

    def _choose_theme(self) -> None:
        colors = 16 if self.console.color_system in {"standard", "windows"} else None
        self.theme, problem = themes.chosen_theme(self.settings.theme, colors, self.available_themes)
        self.config_problem = problem or self.config_problem

    def action_next_theme(self) -> None:
        self.theme = themes.next_theme(self.theme)
        self.notify(f"theme {self.theme}", timeout=2)

    # -- life ----------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """After the first paint: the rest is loaded behind it."""
        if self.config_problem:
            self.notify(self.config_problem, title="config", severity="warning", markup=False, timeout=12)
        from tuitrain.spec.preset_files import project_preset_dir

        trust.obeyed(project_preset_dir())
        for sentence in trust.refused():
            self.notify(sentence, severity="warning", markup=False, timeout=12)
        self.telling.begin()
        self.call_after_refresh(self.call_later, self._after_frame)

    async def _after_frame(self) -> None:
        # A study decides for itself on which of its screens it is shown.
        if self.current_mode == "opening" and self.opening.study is None:
            await self.switch_mode(self.opening.mode)
            self.remove_mode("opening")
        self.call_after_refresh(self._after_first_paint)

    def _after_first_paint(self) -> None:
        gc.freeze()  # what was imported stays: never look at it again
        gc.enable()
        asked = self.opening
        attached = asked.study is not None or asked.attach is not None
        if not self.is_headless:  # a pilot has no time for torch
            if attached:
                self.set_timer(TORCH_WAITS_S, self._warm_up)
            else:
                self._warm_up()
        if attached:
            self._open_attached()
        elif self.demo:
            from tuitrain.tui.shell.tour import Tour

            Tour(self, self.start_preset_now).begin()
        elif asked.start:
            self.start_preset_now()

    def _warm_up(self) -> None:
        from tuitrain.tui.shell.warmup import warm_up

        warm_up(lambda: self.call_later(setattr, self, "torch_ready", True))

    def _open_attached(self) -> None:
        """The run or study that was asked for; if it can't be shown, the app is left again with the sentence."""
        asked = self.opening
        try:
            if asked.study is not None:
                self.show_study(self._watcher_of(asked.study), readonly=asked.watch_only)
            elif asked.attach is not None:
                self.open_run(self.manager.feed_of(asked.attach), readonly=asked.watch_only)
        except TuitrainError as error:
            self.exit("quit", return_code=int(error.exit_code), message=visible(error))

    # -- modes and runs ------------------------------------------------------------------------

    async def action_mode(self, mode: str) -> None:
        """Go to `lab`, `monitor` or `runs`."""
        if not isinstance(self.screen, ModalScreen):  # a dialog is answered first
            await self.switch_mode(self.watched_mode if mode == "monitor" else mode)

    async def action_leave_for(self, mode: str) -> None:
        """Go there from anywhere: what is typed stands, a dialog is closed without an answer."""
        while isinstance(self.screen, ModalScreen):
            await self.screen.dismiss(None)
        await self.action_mode(mode)

    def mode_screen(self, mode: str) -> Screen[Any] | None:
        """The base screen of a mode, None until it was first shown."""
        stack = self._screen_stacks.get(mode) or []
        return stack[0] if stack else None

    async def _go_to(self, mode: str) -> Screen[Any] | None:
        await self.switch_mode(mode)
        return self.mode_screen(mode)

    def start_preset_now(self) -> None:
        """Train the preset that the app was opened with, as its flags and settings say."""
        with told(self, "not started", LONG_S):
            self.start_run(self.opening.job(self.settings))

    def start_run(self, job: Job, parent: RunDirectory | None = None) -> None:
        with told(self, "not started", LONG_S):
            self.open_run(self.manager.start(job, parent))

    def resume_run(self, run: str) -> None:
        from tuitrain.runs.index import find_run

        self.open_run(self.manager.resume(find_run(self.settings.runs_dir, run)))

    def start_study(self, plan: Plan) -> None:
        from tuitrain.study.queueing import start_study

        with told(self, "not started", LONG_S):
            self.open_study(start_study(self.manager, plan).name)

    def resume_study(self, study: StudyDirectory, more_seeds: str = "") -> None:
        """Go on with a study, with more seeds where they are named (`4`, `20-29`), and show it."""
        from tuitrain.study.queueing import resume_study

        with told(self, "not resumed", LONG_S):
            resume_study(self.manager, study, more_seeds)
            self.open_study(study.name)

    def open_run(self, feed: RunFeed, readonly: bool = False) -> None:
        self.shown_feed = feed
        self.run_worker(self._open_run(feed, readonly), group="open_run", exclusive=True)

    async def _open_run(self, feed: RunFeed, readonly: bool) -> None:
        self.watched_mode = "monitor"
        screen = await self._go_to("monitor")
        if isinstance(screen, ShowsRuns):
            screen.show_feed(feed, readonly)

    def open_study(self, name: str, setting: str = "", readonly: bool = False) -> None:
        with told(self, timeout=LONG_S):
            watcher = self._watcher_of(name)
            self.show_study(watcher, watcher.setting_of(setting) if setting else None, readonly)

    def _watcher_of(self, study: str) -> StudyWatcher:
        from tuitrain.study.store import the_study
        from tuitrain.study.watching import StudyWatcher

        return StudyWatcher(the_study(self.settings.runs_dir, study))

    def show_study(self, watcher: StudyWatcher, setting: int | None = None, readonly: bool = False) -> None:
        self.run_worker(self._show_study(watcher, setting, readonly), group="open_run", exclusive=True)

    async def _show_study(self, watcher: StudyWatcher, setting: int | None, readonly: bool) -> None:
        self.watched_mode = "board" if watcher.has_board and setting is None else "group"
        if watcher.plan.kind == "duel":
            self.watched_mode = "duel"
        opening = self.current_mode == "opening"
        screen = await self._go_to(self.watched_mode)
        if opening:
            self.remove_mode("opening")
        if isinstance(screen, ShowsStudies):
            screen.show_study(watcher, setting or 0, readonly)

    def strip_lines(self) -> list[str]:
        """What a terminal too small for the screens shows; a screen may say it better."""
        screen = self.mode_screen(self.current_mode)
        lines: list[str] = screen.strip_lines() if isinstance(screen, SpeaksInLines) else []
        return lines or [f"tuitrain: {self.manager.describe()}", "q Quit  ? Help"]

    def choose_preset(self, name: str) -> None:
        self.run_worker(self._choose_preset(name), group="choose_preset", exclusive=True)

    async def _choose_preset(self, name: str) -> None:
        screen = await self._go_to("lab")
        if isinstance(screen, ShowsPresets):
            screen.choose_preset(name)

    def open_lesson(self) -> None:
        self.run_worker(self._open_aside("lesson"), group="aside", exclusive=True)

    def open_drawing(self, run: str = "") -> None:
        self.start_drawing = run or self.start_drawing
        self.run_worker(self._open_drawing(run), group="aside", exclusive=True)

    async def _open_drawing(self, run: str) -> None:
        await self._open_aside("draw")
        screen = self.mode_screen("draw")
        if run and isinstance(screen, AsksNetworks):
            screen.draw_for(run)

    async def _open_aside(self, mode: str) -> None:
        if self.current_mode != mode:
            self._came_from[mode] = self.current_mode
            await self.action_leave_for(mode)

    def leave_aside(self) -> None:
        """Back to the screen before the lesson or the drawing; from one that the app was opened with, to the shell."""
        before = self._came_from.get(self.current_mode)
        if before:
            self.run_worker(self.action_leave_for(before), group="aside", exclusive=True)
        else:
            self.action_leave()

    def open_run_named(self, name: str, readonly: bool = False) -> None:
        with told(self, timeout=LONG_S):
            self.open_run(self.manager.feed_of(name), readonly)

    # -- leaving -------------------------------------------------------------------------------

    def action_command_palette(self) -> None:
        from tuitrain.tui.shell.palette import Palette

        if self.screen.id != Palette.ID:
            self.push_screen(Palette(id=Palette.ID))

    def action_leave(self) -> None:
        """Quit; while something trains here, ask first."""
        from tuitrain.tui.shell.modal import ask
        from tuitrain.tui.shell.question import LeaveDialog

        if self.demo or not self.manager.busy():  # nothing of a demo is worth a question
            self.exit("quit")
            return
        if isinstance(self.screen, LeaveDialog):
            return
        studies = any(entry.study for entry in self.manager.training())
        resume = "tuitrain study resume" if studies else "tuitrain resume"
        ask(self, LeaveDialog(self.manager.describe(), resume), lambda how: self.exit(cast("Leaving", how)))

    def action_detach(self) -> None:
        self.exit("detach" if self.manager.busy() and not self.demo else "quit")

    # -- help ----------------------------------------------------------------------------------

    def action_help(self) -> None:
        from tuitrain.tui.shell.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_help_focused(self) -> None:
        from tuitrain.tui.shell.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen, focused=self.focused or self.screen))


if TYPE_CHECKING:  # so that mypy holds the app to what its screens ask of it
    _AppIsShell: type[Shell] = TuitrainApp
