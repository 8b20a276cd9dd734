"""Several presets, seeds and variations, put in line in one go."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, ClassVar

from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from tuitrain.errors import TuitrainError, UsageError, visible
from tuitrain.figures import plural
from tuitrain.spec.assignment import settings_in
from tuitrain.tui.shell.modal import Dialog
from tuitrain.tui.shell.protocol import shell
from tuitrain.workbench.settings import RunDefaults

if TYPE_CHECKING:
    from tuitrain.training.job import Job

    Plan = list[Job]

MOST = 200


def seeds_of(text: str) -> list[int]:
    """`0-4, 7` as numbers.

    Raises:
        UsageError: something else.
    """
    seeds: dict[int, None] = {}
    try:
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            low, dash, high = part.partition("-")
            numbers = range(int(low), int(high) + 1) if dash else (int(low),)
            if len(numbers) > MOST:
                raise ValueError
            seeds.update(dict.fromkeys(numbers))
    except ValueError:
        raise UsageError(f"seeds '{visible(text)}': write numbers like 0-4, 7") from None
    if not seeds or min(seeds) < 0:
        raise UsageError("seeds: write at least one number, 0 or more")
    return list(seeds)


def variations_of(text: str) -> list[dict[str, Any]]:
    """`rotation=5,7 lr=0.01` as every combination of the values, by dotted key.

    Raises:
        UsageError: a part that is no setting, or one that is there twice.
    """
    from tuitrain.study.grid import grid_of

    grid = grid_of(settings_in(text), "variations")
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def plan_of(
    names: list[str], seeds: str, variations: str, devices: str, place: RunDefaults | None = None
) -> Plan:
    """Every preset with every variation and seed, dealt to the devices in turn; the rest as the settings say.

    Raises:
        TuitrainError: a preset, setting, seed or device that can't be used.
    """
    from tuitrain.spec.preset import differences, override
    from tuitrain.spec.preset_files import load_preset
    from tuitrain.training.job import Job

    if not names:
        raise UsageError("choose a preset with space")
    place = place or RunDefaults()
    wanted = [device.strip() for device in devices.split(",") if device.strip()]
    places = itertools.cycle(
        [dataclasses.replace(place.runtime, device=device) for device in wanted] or [place.runtime]
    )
    plan: Plan = []
    for name in names:
        base = load_preset(name)
        for change, seed in itertools.product(variations_of(variations), seeds_of(seeds)):
            preset = override(base, place.changes | change | {"train.seed": seed})
            plan.append(Job(preset, next(places), place.budget, differences(base, preset)))
            if len(plan) > MOST:
                raise UsageError(f"more than {MOST} runs at once; choose fewer")
    return plan


class PresetMarks(SelectionList[str]):
    """Presets to mark; a mark is a glyph, not only a colour."""

    HELP = "Space marks a preset, tab goes on to seeds, variations and devices."

    def render_line(self, y: int) -> Strip:
        """An empty box where nothing is marked."""
        strip = super().render_line(y)
        index = y + self.scroll_offset.y
        if not 0 <= index < self.option_count or self.get_option_at_index(index).value in self.selected:
            return strip
        left, inner, *rest = strip
        return Strip([left, Segment(" ", inner.style), *rest], strip.cell_length)


class QueueDialog(Dialog["Plan | None"]):
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
        """The list and three lines."""
        manager = shell(self).manager
        with Vertical():
            yield Static("Add to the queue: space marks presets, enter in a field adds", markup=False)
            yield PresetMarks(
                *(
                    Selection(Content(f"{visible(name)}  {visible(family)}"), name)
                    for name, family in manager.preset_names()
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
            yield Static("", classes="reason", markup=False)

    def on_mount(self) -> None:
        """The list has the focus."""
        self.query_one(SelectionList).focus()

    @property
    def _place(self) -> RunDefaults:
        return shell(self).settings.place

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def _plan(self) -> Plan:
        names = [str(name) for name in self.query_one(SelectionList).selected]
        seeds, variations, devices = map(self._value, ("seeds", "variations", "devices"))
        return plan_of(names, seeds, variations, devices, self._place)

    @on(Input.Changed)
    @on(SelectionList.SelectedChanged)
    def _count(self) -> None:
        try:
            text = f"{plural(len(self._plan()), 'run')}: enter in a field, or ctrl+s, adds them to the queue"
        except TuitrainError as error:
            text = visible(error)
        self.query_one(".reason", Static).update(text)

    @on(Input.Submitted)
    def action_add(self) -> None:
        """Put them in line."""
        try:
            self.dismiss(self._plan())
        except TuitrainError as error:
            self.query_one(".reason", Static).update(visible(error))
