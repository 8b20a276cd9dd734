"""The panes of the lab beside each other: presets where there is room for them, form, network; rules between them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.network import NetworkView
from tuitrain.tui.lab.panes import FormPane, NetworkPane
from tuitrain.tui.lab.parts import Divider
from tuitrain.tui.lab.presets import PresetBrowser


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
