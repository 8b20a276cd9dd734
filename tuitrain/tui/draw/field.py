"""The field to draw on: with the mouse, or with a pen that the keys move."""

from __future__ import annotations

from rich.style import Style
from textual import events
from textual.message import Message

from tuitrain.tui.paint.digits import digit
from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.styles import ink_of
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.shell.protocol import shell
from tuitrain.workbench.drawing import SIDE, Drawing, Point

RIGHT_BUTTON = 3


class DrawingField(LinesView, can_focus=False):
    """The drawing in half blocks; where it is twice as large, a pixel is two cells beside each other.

    Attributes:
        pen: column and row of the pixel that the keys are at.
        down: whether moving it draws.
        by_keys: whether it is shown.
    """

    DEFAULT_CSS = """
    DrawingField { width: 30; height: 16; border: round $foreground 25%; }
    DrawingField.-large { width: 58; height: 30; }
    DrawingField.-down { border: round $accent; }
    """

    class Drawn(Message):
        """The drawing is another one; it is not painted yet."""

    def __init__(self, drawing: Drawing) -> None:
        super().__init__()
        self.drawing = drawing
        self.pen = SIDE // 2, SIDE // 2
        self.down = False
        self.by_keys = True
        self._in_stroke = False
        self._last: Point | None = None  # of a stroke of the mouse
        self._rubs = False

    @property
    def times(self) -> int:
        """Cells that a pixel is wide."""
        return 2 if self.has_class("-large") else 1

    # -- looks -----------------------------------------------------------------------------------

    def build(self, width: int) -> list[Parts]:
        ink = ink_of(self.app, shell(self).settings.ascii_only)
        image = self.drawing.image.repeat(self.times, 0).repeat(self.times, 1)
        lines = digit(image, ink)
        if self.by_keys:
            x, y = self.pen
            row = y if self.times == 2 else y // 2
            lines[row] = self._with_pen(lines[row], x * self.times, lower=bool(y % 2), plain=ink == "plain")
        return lines

    def _with_pen(self, line: Parts, x: int, *, lower: bool, plain: bool) -> Parts:
        """The line with the pen at a column."""
        before, rest = _split(line, x)
        under, after = _split(rest, self.times)
        ground = under[0][1]
        text = "[]" if self.times == 2 else "+" if plain else "▄" if lower else "▀"
        if plain or not isinstance(ground, Style):
            return (*before, (text, "reverse"), *after)
        accent = self.style("accent")
        upper, below = ground.color, ground.bgcolor
        other = below if self.times == 2 or not lower else upper
        return (*before, (text, Style(color=accent.color, bgcolor=other, bold=True)), *after)

    def repaint(self) -> None:
        self.set_class(self.down, "-down")
        self.rebuild()

    # -- keys ------------------------------------------------------------------------------------

    def move(self, across: int, down: int, *, draw: bool) -> None:
        """Moves the pen by so many pixels, and draws with it where it is down or `draw` says so."""
        x, y = self.pen
        self.pen = min(max(x + across, 0), SIDE - 1), min(max(y + down, 0), SIDE - 1)
        self.by_keys = True
        if self.down or draw:
            self._begin()
            self.drawing.line(_middle((x, y)), _middle(self.pen))
            self.post_message(self.Drawn())
        else:
            self.lift()

    def toggle_pen(self) -> None:
        """Puts the pen down, which draws a dot, or lifts it."""
        self.by_keys = True
        if self.down:
            self.lift()
            return
        self._end_stroke()
        self.down = True
        self._begin()
        self.drawing.line(_middle(self.pen), _middle(self.pen))
        self.post_message(self.Drawn())

    def rub(self) -> None:
        """Rubs out what is under the pen."""
        self._end_stroke()
        self.by_keys = True
        self.drawing.begin()
        self.drawing.line(_middle(self.pen), _middle(self.pen), rub=True)
        self.post_message(self.Drawn())

    def lift(self) -> None:
        """Ends a stroke."""
        self._end_stroke()
        self.repaint()

    def _end_stroke(self) -> None:
        self.down = self._in_stroke = False
        self._last = None

    def _begin(self) -> None:
        if not self._in_stroke:
            self._in_stroke = True
            self.drawing.begin()

    # -- mouse -----------------------------------------------------------------------------------

    def _point(self, event: events.MouseEvent) -> Point:
        """Where the mouse is, in pixels: the middle of its cell, which may lie outside of the image."""
        x, y = event.x - self.gutter.left, event.y - self.gutter.top
        return ((x + 0.5) / 2, y + 0.5) if self.times == 2 else (x + 0.5, 2.0 * y + 1)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begins a stroke; the right button rubs out."""
        event.stop()
        self._end_stroke()
        self.capture_mouse()
        self.by_keys, self._rubs, self._last = False, event.button == RIGHT_BUTTON, self._point(event)
        self._begin()
        self._stroke(self._last)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._last is None:
            return
        event.stop()
        if event.button:
            self._stroke(self._point(event))
        else:  # it was let go where the terminal does not see it
            self.on_mouse_up(event)

    def on_mouse_up(self, event: events.MouseEvent) -> None:
        event.stop()
        self.release_mouse()
        if self._last is not None:
            self.lift()

    def _stroke(self, point: Point) -> None:
        self.drawing.line(self._last or point, point, rub=self._rubs)
        self._last = point
        self.pen = min(max(int(point[0]), 0), SIDE - 1), min(max(int(point[1]), 0), SIDE - 1)
        self.post_message(self.Drawn())


def _middle(pixel: tuple[int, int]) -> Point:
    return pixel[0] + 0.5, pixel[1] + 0.5


def _split(line: Parts, column: int) -> tuple[Line, Line]:
    """A line of narrow characters in two."""
    left, right = Line(), Line()
    for text, style in line:
        room = max(0, column - left.x)
        left.add(text[:room], style)
        right.add(text[room:], style)
    return left, right
