"""The dialogs of the list of runs: what is put in line, and a text that is cut elsewhere, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from tuitrain.errors import TuitrainError, visible
from tuitrain.figures import plural
from tuitrain.tui.paint.text import fit
from tuitrain.tui.shell.modal import Dialog
from tuitrain.tui.shell.protocol import shell
from tuitrain.workbench.queue_plan import plan_of
from tuitrain.workbench.settings import RunDefaults

if TYPE_CHECKING:
    from tuitrain.training.job import Job


class PresetMarks(SelectionList[str]):
    """Presets to mark; a mark is a glyph, not only a colour."""

    HELP = "Space marks a preset, tab goes on to seeds, variations and devices."

    def render_line(self, y: int) -> Strip:
        """A box with a mark in it, or an empty one: textual's own tells them apart by colours."""
        strip = super().render_line(y)
        index = y + self.scroll_offset.y
        if not 0 <= index < self.option_count:
            return strip
        _left, _inner, _right, *rest = strip
        marked = self.get_option_at_index(index).value in self.selected
        box = Segment("[x]" if marked else "[ ]", rest[0].style if rest else None)
        return Strip([box, *rest], strip.cell_length)


class QueueDialog(Dialog["list[Job] | None"]):
    """Presets to mark, seeds, settings to vary, devices; Enter puts them in line."""

    DEFAULT_CSS = """
    QueueDialog > Vertical { width: 72; height: 90%; max-height: 30; }
    QueueDialog SelectionList { height: 1fr; padding: 0; background: $surface; }
    QueueDialog .hint { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="queue.cancel"),
        Binding("ctrl+s", "add", "Add to queue", priority=True, id="queue.add"),
    ]

    def compose(self) -> ComposeResult:
        manager = shell(self).manager
        presets = manager.preset_names()
        longest = max((cell_len(visible(name)) for name, _ in presets), default=0)
        with Vertical():
            yield Static("Add to the queue: space marks presets", classes="title", markup=False)
            yield PresetMarks(
                *(
                    Selection(Content(f"{fit(visible(name), longest)}  {visible(family)}"), name)
                    for name, family in presets
                ),
                compact=True,
            )
            yield Static("seeds, like 0-4, 7", classes="hint", markup=False)
            yield Input("0", id="seeds", select_on_focus=False, compact=True)
            yield Static(
                "variations, like rotation=5,7 lr=0.01,0.02 (empty: as the preset is)",
                classes="hint",
                markup=False,
            )
            yield Input("", id="variations", select_on_focus=False, compact=True)
            yield Static("devices, dealt in turn, like cuda:0,cuda:1", classes="hint", markup=False)
            yield Input(self._place.runtime.device, id="devices", select_on_focus=False, compact=True)
            yield Static("", classes="reason -keys", markup=False)

    @property
    def _place(self) -> RunDefaults:
        return shell(self).settings.place

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def _plan(self) -> list[Job]:
        names = [str(name) for name in self.query_one(SelectionList).selected]
        seeds, variations, devices = map(self._value, ("seeds", "variations", "devices"))
        return plan_of(names, seeds, variations, devices, self._place)

    @on(Input.Changed)
    @on(SelectionList.SelectedChanged)
    def _count(self) -> None:
        try:
            count = len(self._plan())
        except TuitrainError as error:
            self.say(visible(error))
        else:
            them = "it" if count == 1 else "them"
            self.say(
                f"{plural(count, 'run')}: enter in a field, or ctrl+s, adds {them} to the queue",
                refused=False,
            )

    @on(Input.Submitted)
    def action_add(self) -> None:
        try:
            self.dismiss(self._plan())
        except TuitrainError as error:
            self.say(visible(error))


class Details(Dialog[None]):
    """A title and a text that scrolls; Esc closes it."""

    HELP_TITLE = "Details"
    DEFAULT_CSS = "Details > VerticalScroll { width: 90%; max-width: 100; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,w,q", "dismiss(None)", "Close", key_display="esc", id="details.close"),
    ]

    def __init__(self, title: str, body: str) -> None:
        super().__init__()
        self.details_title, self.body = title, body

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = self.details_title.replace("[", "\\[")
            box.border_subtitle = "esc close"
            yield Static(self.body, markup=False)
