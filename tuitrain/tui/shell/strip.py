"""What a terminal that is too small for the screens shows in their place."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from tuitrain.tui.paint.sizes import MIN_HEIGHT, MIN_WIDTH
from tuitrain.tui.shell.protocol import shell


class TextStrip(Widget, can_focus=False):
    """Covers the screen while it is too small; says what trains, in as many lines as there are."""

    DEFAULT_CSS = """
    TextStrip { position: absolute; width: 100vw; height: 100vh; background: $background; color: $foreground; offset: 0 0; }
    """

    def on_mount(self) -> None:
        self._last: tuple[str, ...] = ()
        self.set_interval(1 / shell(self).settings.refresh_hz, self._poll)

    def _lines(self) -> tuple[str, ...]:
        return tuple(shell(self).strip_lines())

    def _poll(self) -> None:
        if self.size and self.display:
            lines = self._lines()
            if lines != self._last:
                self.refresh()

    def render(self) -> Text:
        self._last = self._lines()
        width, height = self.size
        rows = [*self._last[: max(1, height - 1)]]
        if height > len(rows):
            rows.append(
                f"{self.app.size.width}x{self.app.size.height} is too small, {MIN_WIDTH}x{MIN_HEIGHT} needed"
            )
        return Text("\n".join(row[:width] for row in rows), no_wrap=True, overflow="crop", end="")
