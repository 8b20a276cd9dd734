"""The learning-rate finder: the curve grows while the test runs in a thread; Enter takes what it suggests."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tuitrain.errors import visible
from tuitrain.figures import plural, rate_text
from tuitrain.tui.paint.lines import DrawnView
from tuitrain.tui.paint.rates import rate_curve
from tuitrain.tui.paint.text import Parts
from tuitrain.tui.shell.modal import Dialog
from tuitrain.tui.shell.protocol import shell
from tuitrain.watch.rates import rate_sentences, rate_to_take
from tuitrain.workbench.rate_search import RateSearch

if TYPE_CHECKING:
    from tuitrain.training.job import Job


class RateFinder(Dialog[float | None]):
    """Finds a learning rate for what is in the form; the result is the rate to take, or None."""

    HELP_TITLE = "Find a learning rate"
    HELP = (
        "A network of its own is trained for 200 steps, each with a larger learning rate. Where the loss falls "
        "fastest is a rate that training bears well. Nothing is saved, and a later run is not changed by it."
    )
    DEFAULT_CSS = """
    RateFinder > Vertical { width: 78; }
    RateFinder DrawnView { height: 12; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take it", id="rates.take"),
        Binding("escape", "dismiss(None)", "Leave", id="rates.leave"),
    ]

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._said: object = None

    def compose(self) -> ComposeResult:
        app = shell(self)
        self._search = RateSearch(self._job, app.manager, app.settings.data_dir)
        name = visible(self._job.model or self._job.preset.name)
        with Vertical():
            yield Static(f"Loss over the learning rate: {name}", classes="title", markup=False)
            yield DrawnView(self._curve)
            yield Static("", id="rates-said", markup=False)
            yield Static("", id="rates-keys", classes="hint", markup=False)

    def on_mount(self) -> None:
        settings = shell(self).settings
        self._search.begin()
        self.set_interval((4.0 if settings.low_bandwidth else 1.0) / settings.refresh_hz, self.look)
        self.look()

    def on_unmount(self) -> None:
        self._search.end()

    def _curve(self, width: int, height: int) -> list[Parts]:
        search = self._search
        suggested = search.found.suggested if search.found is not None else None
        return rate_curve(search.points, suggested, width, height, search.ends)

    @property
    def rate(self) -> float | None:
        """What Enter takes."""
        found = self._search.found
        return None if found is None else rate_to_take(found, self._job.preset)

    def look(self) -> None:
        search, rate = self._search, self.rate
        state = (len(search.points), search.doing, search.found, search.problem)
        if state == self._said:
            return
        self._said = state
        curve = self.query_one(DrawnView)
        curve.rebuild()
        curve.display = not search.problem
        if search.problem:
            said, keys = search.problem, "esc leaves"
        elif search.found is None:
            step = search.points[-1] if search.points else None
            said = f"{search.doing} …"
            if step is not None:
                said = f"{plural(len(search.points), 'step')}, learning rate {rate_text(step.lr)} …"
            keys = "esc ends it"
        else:
            said = " ".join(rate_sentences(search.found, self._job.preset))
            keys = "esc leaves" if rate is None else f"enter takes {rate:g} into the form, esc leaves"
        self.query_one("#rates-said", Static).update(said)
        self.query_one("#rates-keys", Static).update(keys)

    def action_take(self) -> None:
        if self.rate is None:
            self.app.bell()
        else:
            self.dismiss(self.rate)
