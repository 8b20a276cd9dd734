"""What the names of styles mean: the table in `theme.tcss`, for every widget that paints itself."""

from __future__ import annotations

from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import App
from textual.strip import Strip
from textual.widget import Widget

from tuitrain.tui.paint.digits import Ink
from tuitrain.tui.paint.text import Line, Parts, cut

#: The names; several of them between spaces are laid over each other.
STYLES = ("bold", "underline", "reverse", "dim", "faint", "track", "good", "warn", "bad", "primary", "second", "violet",
          "accent", "cursor", "idle")  # fmt: skip
#: For the COMPONENT_CLASSES of a widget.
CLASSES = {f"paint--{name}" for name in STYLES}


def look(widget: Widget, names: str) -> Style:
    """The style of these names on a widget's own ground."""
    style = widget.rich_style
    for name in names.split():
        whole, own = (
            widget.get_component_rich_style(f"paint--{name}", partial=partial) for partial in (False, True)
        )  # only the whole one has its colours mixed with the ground
        style += own.without_color
        style += Style(color=own.color and whole.color, bgcolor=own.bgcolor and whole.bgcolor)
    return style


def ink_of(app: App[Any], ascii_only: bool) -> Ink:
    """The ink for an app's theme: plain without colours, in ASCII and on a terminal with few colours."""
    if app.no_color or ascii_only or app.current_theme.name.startswith("ansi"):
        return "plain"
    return "light" if app.current_theme.dark else "dark"


class Painted(Widget):
    """A widget that paints parts; a click on its first line runs the action that is linked there."""

    COMPONENT_CLASSES = CLASSES
    links = Line()  # the first line, where it has links
    #: Textual works a style out again at every paint, which takes longer than painting.
    _styles: dict[str, Style] | None = None

    def style(self, names: str | Style) -> Style:
        """A style by its names, or one of its own, on the widget's ground."""
        if isinstance(names, Style):
            return self.style("") + names
        if self._styles is None:
            self._styles = {}
        if names not in self._styles:
            self._styles[names] = look(self, names)
        return self._styles[names]

    def notify_style_update(self) -> None:
        self._styles = None
        super().notify_style_update()

    @on(events.Click)
    async def _follow_link(self, event: events.Click) -> None:
        if event.y == 0 and (action := self.links.linked(event.x)):
            await self.run_action(action)

    def strip(self, parts: Parts, width: int) -> Strip:
        """One painted line, filled up to the width."""
        segments = [Segment(text, self.style(style)) for text, style in cut(parts, width) if text]
        return Strip(segments).adjust_cell_length(width, self.style(""))
