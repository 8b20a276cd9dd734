"""The monitor: one run, live or over, seen whole; and steered, where that can be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tuitrain.errors import TuitrainError, visible
from tuitrain.runs.report_files import REPORT
from tuitrain.tui.monitor.headline import Headline, MachineLine, News, brief
from tuitrain.tui.monitor.reading import Reading
from tuitrain.tui.monitor.steering import STEERING_KEYS, RunSteering
from tuitrain.tui.monitor.views import INSPECTED, VIEWS, Shown, Views
from tuitrain.tui.shell.framed_screen import FramedScreen
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.shell.told import told
from tuitrain.watch.alerts import Alert, alerts
from tuitrain.watch.machine import Sensors
from tuitrain.watch.maps import keeps_network
from tuitrain.watch.rates import planned_rates
from tuitrain.watch.state import MonitorState
from tuitrain.watch.watched_run import MakeSensors, WatchedRun

if TYPE_CHECKING:
    from tuitrain.runs.feed import RunFeed
    from tuitrain.runs.history import History
    from tuitrain.training.events import RunStarted

VIEW_S = 1.0  # the least time between two drawings of a view, four times that on a slow line
MACHINE_S = 2.0  # between two looks at the sensors


class MonitorScreen(FramedScreen[None]):
    """Shows a feed: the headline, a view, the machine, the news."""

    HELP_TITLE = "Monitor"
    DEFAULT_CSS = """
    MonitorScreen #monitor { padding: 0 1; height: 1fr; width: 1fr; }
    MonitorScreen.-narrow BigNumber { width: 21; }
    MonitorScreen.-narrow Headline .-side { width: 14; }
    MonitorScreen.-narrow Headline #acc, MonitorScreen.-narrow Headline #gap { display: none; }
    MonitorScreen.-tall Headline, MonitorScreen.-very-tall Headline { margin: 1 0; }
    MonitorScreen.-tall News, MonitorScreen.-very-tall News { height: 5; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "steer('pause')", "Pause", id="monitor.pause"),
        Binding("space", "steer('resume')", "Resume", id="monitor.resume"),
        Binding("x", "steer('stop')", "Stop", id="monitor.stop"),
        Binding("R", "steer('go_on')", "Resume", id="monitor.go_on"),
        Binding("l", "steer('learning_rate')", "Learning rate", id="monitor.learning_rate"),
        Binding("a", "steer('another_seed')", "Another seed", id="monitor.another_seed"),
        Binding("enter", "report", "Report", id="monitor.report"),
        Binding("M", "steer('members')", "Group", id="monitor.members"),
        Binding("d", "detach", "Detach", id="monitor.detach"),
        Binding("tab", "step_view(1)", "Next view", id="monitor.next_view"),
        Binding("shift+tab", "step_view(-1)", "Previous view", show=False, id="monitor.previous_view"),
        Binding("s", "steer('checkpoint')", "Save a checkpoint now", show=False, id="monitor.checkpoint"),
        Binding("E", "steer('add_epochs')", "More epochs", show=False, id="monitor.add_epochs"),
        Binding("P", "steer('pause_after')", "Pause after an epoch", show=False, id="monitor.pause_after"),
        Binding("B", "steer('branch')", "Branch from an epoch", id="monitor.branch"),
        Binding("h", "steer('draw')", "Draw a digit by hand for it", show=False, id="monitor.draw"),
        Binding("m", "next_chart", "Next quantity", show=False, id="monitor.next_chart"),
        Binding("left", "image(-1)", "Maps: previous image", show=False, id="monitor.previous_image"),
        Binding("right", "image(1)", "Maps: next image", show=False, id="monitor.next_image"),
        Binding("r", "image", "Maps: any image", show=False, id="monitor.any_image"),
        Binding("L", "logarithmic", "Logarithmic axis", show=False, id="monitor.logarithmic"),
        Binding("S", "smooth", "Smooth curves", show=False, id="monitor.smooth"),
        *(
            Binding(key, f"view('{name}')", f"View: {title}", show=False, id=f"monitor.{name}")
            for name, key, title in VIEWS
        ),
    ]

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        make_sensors: MakeSensors | None = Sensors,
    ) -> None:
        """`clock` gives seconds, for how long ago something was; without `make_sensors` there are none."""
        super().__init__()
        self._clock, self._make_sensors = clock, make_sensors
        self.watched = WatchedRun()
        self._shown = Shown()
        self._alerts: tuple[Alert, ...] = ()
        self._heard = clock()
        self._views_due = self._machine_due = self._news_due = 0.0
        self._views_stale = False
        self._reading = Reading(self, self.watched, self._shown, self._redraw)
        self._steering = RunSteering(self, self.watched, self.tick)
        self._footing: object = None
        self._ran = False

    @property
    def state(self) -> MonitorState:
        return self.watched.state

    # -- the screen ------------------------------------------------------------------------------

    def panes(self) -> ComposeResult:
        ascii_only = shell(self).settings.ascii_only
        with Vertical(id="monitor"):
            yield Headline(ascii_only=ascii_only)
            yield Views(id="views")
            yield MachineLine()
            yield News()

    def on_mount(self) -> None:
        settings = shell(self).settings
        self._pace = 4.0 if settings.low_bandwidth else 1.0
        self.set_interval(1 / settings.refresh_hz, self.tick)
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._redraw())
        self.query_one(Views).focus_view()
        self._redraw()

    def on_unmount(self) -> None:
        self.watched.leave_machine()

    def on_screen_resume(self) -> None:
        self._redraw()

    def show_feed(self, feed: RunFeed, readonly: bool = False) -> None:
        self.watched.leave_machine()
        self.watched = WatchedRun(feed, readonly, self._make_sensors)
        self._shown, self._alerts, self._ran = Shown(), (), False
        self._reading = Reading(self, self.watched, self._shown, self._redraw)
        self._steering = RunSteering(self, self.watched, self.tick)
        self._heard = self._clock()
        if self.is_mounted and self.is_running:  # one that is being closed has lost its widgets
            self.set_context(self.watched.title)
            self.query_one(Views).choose("charts")
            self._redraw()

    def live_history(self) -> History | None:
        """What the run has told, while it goes on; else None."""
        state = self.state
        return None if state.over or state.started is None else state.history

    def _redraw(self) -> None:
        self._views_due = self._machine_due = self._news_due = 0.0
        self._views_stale = True
        self.tick()

    def strip_lines(self) -> list[str]:
        return brief(self.state)

    # -- following -------------------------------------------------------------------------------

    def tick(self) -> None:
        """One look at the feed; paints what changed."""
        if not (self.is_mounted and self.is_running) or self not in self.app.screen_stack:
            return
        before, now = self.state, self._clock()
        with told(self, "the run can't be read", errors=(TuitrainError, OSError)):
            self.watched.poll()
        state = self.state
        if state is not before:
            self._heard = now
            self._followed(before, state)
        silent = now - self._heard if state.phase == "training" and not (state.paused or state.over) else 0.0
        self.query_one(Headline).show(state, self._shown.ghosts, silent)
        self.query_one(MachineLine).show_speed(state)
        if now >= self._machine_due:
            self._machine_due = now + MACHINE_S * self._pace * (4 if state.paused else 1)
            self._look_at_machine()
            self._read_for_view("maps")
        if self._pace == 1.0 or now >= self._news_due:
            self._news_due = now + VIEW_S * self._pace
            self.query_one(News).show(state, self._alerts)
        if self._views_stale and now >= self._views_due:
            self._views_due, self._views_stale = now + VIEW_S * self._pace, False
            self.query_one(Views).show(state, self._shown)
        footing = (
            state.over, state.paused, self.watched.readonly, self.watched.feed is None, self._shown.has_report
        )  # fmt: skip
        if footing != self._footing:
            self._footing = footing
            self.refresh_bindings()

    def _followed(self, before: MonitorState, state: MonitorState) -> None:
        """What follows from news, but for painting."""
        if state.started is not before.started and state.started is not None:
            self._begun(state.started)
        if state.log is not before.log or state.epochs is not before.epochs or state.alive != before.alive:
            self._views_stale = True
            self._alerts = alerts(state, self.watched.readings)
        if state.epochs is not before.epochs or state.finished is not before.finished:
            self._read_for_view(*INSPECTED)
        self._ran = self._ran or not state.over
        if (
            state.finished is not None and state.alive != before.alive
        ):  # its report is written after its last event
            self._shown.has_report = self.watched.has_report
        if state.finished is not None and before.finished is None:
            self._views_due = 0.0
            self._shown.has_report, self._shown.can_go_on = self.watched.has_report, self.watched.can_go_on
            views = self.query_one(Views)
            views.show(state, self._shown)
            if before.started is not None and self._ran and views.view == "charts":
                views.choose("verdict")

    def _begun(self, started: RunStarted) -> None:
        self.set_context(self.watched.title)
        self._shown.plan = planned_rates(self.state.history)
        self._shown.has_network = not started.own_network and keeps_network(
            self.watched.directory, self.state.over
        )
        self._reading.ghosts()
        self.watched.watch_machine()

    def _look_at_machine(self) -> None:
        if self.state.over:
            self.watched.leave_machine()
        readings = self.watched.readings
        self.query_one(MachineLine).show_machine(self.state, readings[-1] if readings else None)
        self._alerts = alerts(self.state, readings)

    # -- views -----------------------------------------------------------------------------------

    def action_view(self, name: str) -> None:
        self.query_one(Views).choose(name)

    def action_step_view(self, by: int) -> None:
        self.query_one(Views).step(by)

    def on_views_chosen(self, message: Views.Chosen) -> None:
        """Some views need what has to be read first."""
        message.stop()
        self._read_for_view("maps", *INSPECTED)

    def _read_for_view(self, *views: str) -> None:
        """What the view in sight needs, if it is one of these: an evaluation, or the maps of the newest network."""
        view = self.query_one(Views).view
        if view in views:
            (self._reading.maps if view == "maps" else self._reading.inspection)()

    def action_image(self, by: int | None = None) -> None:
        """The maps of another image of the judging set; of any, unless it is said how far on."""
        if not self._reading.another_image(by):
            self.app.bell()

    def action_next_chart(self) -> None:
        self.query_one(Views).next_chart()

    def action_logarithmic(self) -> None:
        """A logarithmic axis, or a plain one again; of accuracy it is the error's logarithm."""
        views = self.query_one(Views)
        views.logarithmic = not views.logarithmic
        views.draw()

    def action_smooth(self) -> None:
        views = self.query_one(Views)
        views.smooth = not views.smooth
        views.draw()

    def action_report(self) -> None:
        if self._shown.report is not None:
            self._shown.report = None
        elif (directory := self.watched.directory) is not None:
            try:
                self._shown.report = self.watched.report()
            except OSError:
                self.notify(f"{visible(directory.name)} has no {REPORT}", severity="warning", markup=False)
                return
        self.query_one(Views).choose("verdict")

    # -- steering --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Steering that can't be is not offered; what belongs to the end comes with the end."""
        if action == "image":
            return self.is_mounted and self.query_one(Views).view == "maps"
        what = str(parameters[0]) if action == "steer" else action
        return self._steering.allowed(what, self._shown.has_report)

    def on_key(self, event: events.Key) -> None:
        """A key that would steer says why it doesn't."""
        if event.key in STEERING_KEYS and self._steering.refused():
            event.stop()

    def action_steer(self, what: str) -> None:
        """One of the actions of `RunSteering`."""
        self._steering.actions[what]()

    async def action_detach(self) -> None:
        await self.app.run_action("app.detach")
