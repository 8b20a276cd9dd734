"""The middle of the monitor: charts, sheets and pictures, one view at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from tuitrain.tui.monitor import curves, sheets
from tuitrain.tui.monitor.sheets import report_sheet
from tuitrain.tui.paint import pictures
from tuitrain.tui.paint.axes import Quantity
from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import Sheet
from tuitrain.tui.paint.sizes import WIDE
from tuitrain.tui.paint.styles import ink_of
from tuitrain.tui.paint.text import HeadedLines, Line
from tuitrain.tui.shell.protocol import shell
from tuitrain.watch.ghosts import JudgingImages
from tuitrain.watch.maps import ShownMaps
from tuitrain.watch.state import Ghost, MonitorState

if TYPE_CHECKING:
    from tuitrain.spec.table import NetworkTable
    from tuitrain.training.inspection import LastEvaluation

#: Views in the order of the tab key: name, key, title. The digits go on where the modes end.
VIEWS = (
    ("charts", "4", "Charts"),
    ("epochs", "5", "Epochs"),
    ("log", "6", "Log"),
    ("table", "7", "Table"),
    ("confusion", "8", "Confusion"),
    ("mistakes", "9", "Mistakes"),
    ("kernels", "0", "Kernels"),
    ("maps", "N", "Maps"),
    ("verdict", "V", "Verdict"),
)
SHORTER = {"Confusion": "Matrix"}  # where the whole names don't fit, by so much that all fit 80 columns
FOLLOWED = ("epochs", "log")  # they stay at their end while lines are added
INSPECTED = ("confusion", "mistakes", "kernels")
QUANTITIES: tuple[Quantity, ...] = ("accuracy", "loss", "rate")


@dataclass
class Shown:
    """What the views draw from, beside the state."""

    ghosts: Sequence[Ghost] = ()
    inspection: LastEvaluation | None = None
    has_network: bool = False
    maps: ShownMaps | None = None
    image: int = 0  # whose maps are shown
    judged: JudgingImages | None = None
    report: Sequence[str] | None = None
    can_go_on: bool = False
    has_report: bool = False
    plan: tuple[float | None, ...] = field(default_factory=tuple)


class ChartPanel(Vertical):
    """A chart under its title."""

    DEFAULT_CSS = "ChartPanel { width: 1fr; height: 1fr; }"

    def __init__(self, quantity: Quantity, *, id: str) -> None:
        super().__init__(id=id)
        self.quantity: Quantity = quantity
        self.heading = Field()
        self.chart = Chart()

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.chart


class Names(Field):
    """The line of the views' names; a click chooses one."""

    def show(self, names: Sequence[tuple[str, str, str]], here: str) -> None:
        """Show these views, as roomy as they fit; too narrow for that, the names are shortened."""
        width, line = self.size.width, Line()
        gap = next((g for g in ("   ", "  ", " ") if _length(names, g) <= width), " ")
        if _length(names, gap) > width:
            names = [(name, key, SHORTER.get(title, title)) for name, key, title in names]
        for longest in (99, 8, 7, 6, 5, 4, 3):
            shown = [(name, key, title if name == here else title[:longest]) for name, key, title in names]
            if _length(shown, gap) <= width:
                break
        for name, key, word in shown:
            start = line.add(gap if line else "").x
            if name == here:
                line.add(f"{key} {word}", "bold underline")
            else:
                line.add(key, "accent").add(f" {word}", "dim")
            line.link(f"screen.view('{name}')", start)
        self.links = line
        self.set(*line)


def _length(names: Sequence[tuple[str, str, str]], gap: str) -> int:
    return sum(len(key) + 1 + len(title) for _, key, title in names) + len(gap) * (len(names) - 1)


class Views(Vertical):
    """A line of names, and the view that was chosen."""

    DEFAULT_CSS = """
    Views { height: 1fr; width: 1fr; }
    Views > #names { background: $surface; }
    Views > #charts { height: 1fr; width: 1fr; }
    Views #right { margin-left: 2; }
    Views Sheet { display: none; }
    """

    class Chosen(Message):
        """Another view is shown."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = "charts"
        self.quantity: Quantity = "accuracy"
        self.smooth = self.logarithmic = False
        self.cursor: int | None = None
        self._state = MonitorState()
        self._shown = Shown()
        self._places: dict[str, int | None] = {}
        self._tables: tuple[object, NetworkTable | None] = (None, None)

    def compose(self) -> ComposeResult:
        """Two charts, the second only where there is room, and one sheet for all other views."""
        yield Names(id="names")
        with Horizontal(id="charts"):
            yield ChartPanel("accuracy", id="left")
            yield ChartPanel("loss", id="right")
        yield Sheet()

    def on_mount(self) -> None:
        self._arrange()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()
        self.draw()

    @property
    def wide(self) -> bool:
        """Whether two charts fit side by side."""
        return self.size.width >= WIDE

    @property
    def names(self) -> list[tuple[str, str, str]]:
        """The views there are now: a verdict only comes with the end, maps where the run keeps its network."""
        ended = self._state.finished is not None and self._state.over
        there = {"verdict": ended, "maps": self._shown.has_network}
        return [entry for entry in VIEWS if there.get(entry[0], True)]

    # -- choosing --------------------------------------------------------------------------------

    def choose(self, view: str) -> None:
        """Show a view."""
        if view not in [name for name, _, _ in self.names]:
            return
        lines = self.query_one(Sheet).lines
        self._places[self.view] = lines.place
        self.view = view
        lines.turn_to(self._places.get(view), follow=view in FOLLOWED)
        self._arrange()
        self.draw()
        self.focus_view()
        self.post_message(self.Chosen())

    def step(self, by: int) -> None:
        """The next or previous view; with room for one chart, each of the three counts as a view."""
        stops: list[tuple[str, Quantity]] = []
        for name, _, _ in self.names:
            if name == "charts" and not self.wide:
                stops += [("charts", quantity) for quantity in QUANTITIES]
            else:
                stops.append((name, self.quantity))
        here = stops.index((self.view, self.quantity)) if (self.view, self.quantity) in stops else 0
        view, self.quantity = stops[(here + by) % len(stops)]
        self.choose(view)

    def next_chart(self) -> None:
        self.quantity = QUANTITIES[(QUANTITIES.index(self.quantity) + 1) % 3]
        self.choose("charts")

    def focus_view(self) -> None:
        """What answers the arrow keys."""
        if self.view == "charts":
            panel = self.query_one(
                "#right" if self.wide and self.quantity != "accuracy" else "#left", ChartPanel
            )
            panel.chart.focus(scroll_visible=False)
        else:
            self.query_one(Sheet).lines.focus(scroll_visible=False)

    def _arrange(self) -> None:
        self.query_one("#charts").display = self.view == "charts"
        left, right = self.query_one("#left", ChartPanel), self.query_one("#right", ChartPanel)
        right.display = self.wide
        left.quantity = "accuracy" if self.wide else self.quantity
        if self.wide:
            right.quantity = self.quantity if self.quantity != "accuracy" else right.quantity
        self.query_one(Sheet).display = self.view != "charts"

    @on(Chart.CursorMoved)
    def _cursor_moved(self, message: Chart.CursorMoved) -> None:
        message.stop()
        self.cursor = message.epoch
        self.draw()

    # -- drawing ---------------------------------------------------------------------------------

    def show(self, state: MonitorState, shown: Shown) -> None:
        self._state, self._shown = state, shown
        self.draw()

    def draw(self) -> None:
        """Draw the view in sight again."""
        if not self.is_mounted or not self.size.area:
            return
        self.query_one(Names).show(self.names, self.view)
        if self.view == "charts":
            for panel in self.query(ChartPanel):
                if panel.display:
                    self._draw_chart(panel)
            return
        self.query_one(Sheet).set(*self._sheet(self.view))

    def _draw_chart(self, panel: ChartPanel) -> None:
        picture = curves.picture(
            self._state,
            self._shown.ghosts,
            panel.quantity,
            smooth=self.smooth,
            logarithmic=self.logarithmic,
            cursor=self.cursor,
            plan=self._shown.plan,
        )
        width = panel.size.width or self.size.width
        title = curves.title(self._state, self._shown.ghosts, picture, smooth=self.smooth, width=width)
        panel.heading.set(*title)
        panel.chart.show(picture)

    def _sheet(self, view: str) -> HeadedLines:
        state, shown, width = self._state, self._shown, self.size.width
        if view == "epochs":
            return sheets.epochs(state, shown.ghosts)
        if view == "log":
            return sheets.log(state, width)
        if view == "table":
            table = self._table()
            if table is None:
                if self._state.started is not None and self._state.started.own_network:
                    return sheets.own_network(state.last)
                return ((" the table comes with the run", "dim underline"),), []
            return sheets.network(table, state.history.budget, state.last, width)
        if view == "verdict":
            if shown.report is not None:
                return report_sheet(shown.report, width - 2)  # beside its thumb
            return sheets.verdict(
                state,
                shown.ghosts,
                width,
                can_go_on=shown.can_go_on,
                has_report=shown.has_report,
            )
        if view == "maps":
            return sheets.maps(shown.maps, width, ink_of(self.app, shell(self).settings.ascii_only))
        return self._inspected(view, width)

    def _inspected(self, view: str, width: int) -> HeadedLines:
        seen, judged = self._shown.inspection, self._shown.judged or JudgingImages(None, ())
        if seen is None:
            over = self._state.over
            text = "nothing was kept of it" if over else "this comes with the end of the first epoch"
            return ((f" {text}", "dim underline"),), []
        if view == "confusion":
            return pictures.confusion(seen, judged.classes, width)
        height, ink = self.size.height - 2, ink_of(self.app, shell(self).settings.ascii_only)
        if view == "mistakes":
            small = height < 20 or width < 100
            return pictures.mistakes(seen, judged.images, judged.classes, width, small=small, ink=ink)
        return pictures.kernel_lines(seen.first_layer, seen.epoch, width, height, ink)

    def _table(self) -> NetworkTable | None:
        started = self._state.started
        if self._tables[0] is not started:
            self._tables = (started, self._state.history.table())
        return self._tables[1]
