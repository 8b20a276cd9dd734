"""The panes of the lab: the form with the challenge, the network with its pictures, and all of them side by side."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from tuitrain.spec.preset import Preset
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.network import NetworkView
from tuitrain.tui.lab.parts import ChallengeView, Divider, LrChart, NetworkFoot, gauge
from tuitrain.tui.lab.presets import PresetBrowser
from tuitrain.tui.lab.settings_form import SettingsForm, Subject
from tuitrain.tui.lab.shapes import ShapesView, sees
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.sizes import COLUMNS
from tuitrain.tui.shell.behind import Behind
from tuitrain.workbench.formdata import form_data, lr_curve, lr_note
from tuitrain.workbench.lab_state import LabState

SHAPES_LINES = 11  # of the picture of the shapes, at the least
RATE_LINES = 9  # of the learning rate with its heading


class FormPane(Vertical):
    """The settings, and the challenge below them."""

    DEFAULT_CSS = "FormPane { height: 100%; }"

    def compose(self) -> ComposeResult:
        yield SettingsForm("form")
        yield SectionLine("Challenge", id="challenge-head")
        yield ChallengeView(id="challenge")

    def show(self, state: LabState) -> None:
        editor = state.editor
        self.query_one(SettingsForm).show(
            Subject(
                title="Setup",
                data=form_data(editor, state.devices),
                set=lambda key, value, typing: editor.set_value(key, value, merge=typing),
                reset=editor.reset,
                settle=editor.settle,
                edited=state.edited,
            )
        )
        points = state.points()
        if points is not None:
            self.query_one(ChallengeView).show(points, 5 if self.screen.size.height < 30 else 99)


class NetworkPane(Vertical):
    """The network: its table, the picture of its shapes, its totals; and the learning rate."""

    DEFAULT_CSS = """
    NetworkPane { height: 100%;
        & #lr-head, & #lr-chart, & #shapes-head, & #shapes { display: none; }
        &.-shapes #shapes-head, &.-shapes #shapes { display: block; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state: LabState | None = None
        # torchinfo's, of the network as it stands
        self._figures = Behind(self, "lab-torchinfo", _torchinfo, self._figures_found)

    def compose(self) -> ComposeResult:
        yield SectionLine("Network", id="network-head")
        yield NetworkView(id="network")
        yield SectionLine("Shapes", id="shapes-head")
        yield ShapesView(id="shapes")
        yield NetworkFoot(id="network-foot")
        yield SectionLine("Learning rate", id="lr-head")
        yield LrChart(id="lr-chart")

    def show(self, state: LabState) -> None:
        self._state = state
        preset = state.preset
        self.query_one(LrChart).show(lr_curve(preset, max(22, self.screen.size.width)), preset.train.epochs)
        self.query_one("#lr-head", SectionLine).set(right=((lr_note(preset), "dim"),))
        self.show_network()

    def show_network(self) -> None:
        """The table, the gauge, the picture and the totals."""
        state = self._state
        if state is None:
            return
        editor, view = state.editor, self.query_one(NetworkView)
        view.show(state)
        self._ask_torchinfo(state)
        foot, warning = self.query_one(NetworkFoot), state.warning(view.rows)
        foot.show(state.table, warning, self._figures.answer, state.trying_out)
        pieces: list[tuple[str, str]] = []
        if editor.check.problem is not None and not editor.model:
            pieces = [("✗ can't be built", "bad")]
        elif state.parameters is not None:
            pieces = gauge(state.parameters, editor.budget, view.size.width)
        self.query_one("#network-head", SectionLine).set(right=pieces)
        self.show_head()
        self._arrange_shapes(drawn=not editor.model)
        self.show_shapes()

    def _arrange_shapes(self, *, drawn: bool) -> None:
        """The picture takes what the table leaves of a wide pane, where that is enough for one."""
        view = self.query_one(NetworkView)
        lines = view.total
        below = RATE_LINES if self.screen.has_class("-very-tall") else 0
        free = self.size.height - lines - 3 - below
        shown = drawn and self.screen.size.width >= COLUMNS and free >= SHAPES_LINES
        view.styles.height = lines if shown else "1fr"
        self.set_class(shown, "-shapes")

    @on(NetworkView.Moved)
    def show_shapes(self) -> None:
        """The picture and what it says of the layer with the cursor."""
        view = self.query_one(NetworkView)
        if self.has_class("-shapes") and view.rows:
            self.query_one(ShapesView).show(view.rows, view.cursor)
            said = sees(view.rows[view.cursor])
            self.query_one("#shapes-head", SectionLine).set(right=((said, "dim"),) if said else ())

    @on(LinesView.Focused)
    def show_head(self) -> None:
        """Whether the table has the focus."""
        self.query_one("#network-head", SectionLine).set(here=self.query_one(NetworkView).has_focus)

    def _ask_torchinfo(self, state: LabState) -> None:
        """The closed forms stand until torchinfo, asked off the UI thread, has said the same or better."""
        if state.editor.model or not state.torch_ready or state.table is None:
            self._figures.forget()
        else:
            self._figures.ask(json.dumps(state.editor.layers), state.preset)

    def _figures_found(self, figures: dict[str, Any]) -> None:
        foot = self.query_one(NetworkFoot)
        foot.show(foot.table, foot.warning, figures)


def _torchinfo(preset: Preset) -> dict[str, Any]:
    from tuitrain.training.model import torchinfo_table

    # In a thread that ends: OpenMP keeps a team for each thread that has used it, and where there are more
    # threads than cores it puts all of them to sleep at every barrier, those of a training too.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torchinfo_table, preset).result()


class LabBody(Horizontal):
    """All between the lab's title and its line of changes."""

    def compose(self) -> ComposeResult:
        """The columns; whether that of the presets shows is the screen's to say."""
        with Vertical(id="lab-presets"):
            yield PresetBrowser(id="lab-browser", classes="-column")
        yield Divider(id="lab-divider-presets")
        yield FormPane(id="lab-left")
        yield Divider(id="lab-divider")
        yield NetworkPane(id="lab-right")

    @property
    def browser(self) -> PresetBrowser | None:
        """The column of presets, where it shows."""
        browser = self.query_one(PresetBrowser)
        return browser if browser.region.width else None

    def pane_after(self, pane: Widget | None, by: int) -> Widget:
        """The pane so many to the right, or round to the first; of none, the first or the last."""
        browser = self.browser
        panes: list[Widget] = [browser.presets] if browser is not None else []
        panes += [self.query_one(FormView), self.query_one(NetworkView)]
        at = panes.index(pane) if pane in panes else 0 if by < 0 else -1
        return panes[(at + by) % len(panes)]

    def join(self, form_covered: bool = False) -> None:
        """The dividers' joints with the section lines beside them; those of a form that is covered have none."""
        top = self.region.y

        def at(*heads: str) -> set[int]:
            regions = [self.query_one(f"#{head}").region for head in heads]
            return {region.y - top for region in regions if region.height}

        challenge = set() if form_covered else at("challenge-head")
        beside = {"lab-divider-presets": (at("story-head"), challenge)}
        beside["lab-divider"] = (challenge, at("shapes-head", "lr-head"))
        for divider, (left, right) in beside.items():
            joints = dict.fromkeys(left, "┤") | dict.fromkeys(right, "├") | dict.fromkeys(left & right, "┼")
            self.query_one(f"#{divider}", Divider).join({0: "┬", **joints})
