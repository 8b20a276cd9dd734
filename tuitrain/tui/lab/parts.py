"""The small parts of the lab: its title line, the challenge, the divider, the line of changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from tuitrain.figures import plural
from tuitrain.spec.challenge import Point
from tuitrain.tui.lab.lab_state import Title
from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line


class _Part(Painted):
    DEFAULT_CSS = "_Part { height: 1; width: 1fr; color: $foreground; }"

    def finish(self, line: Line) -> Strip:
        """The line, as wide as the widget."""
        return self.strip(line, self.size.width)


class LabTitle(_Part):
    """`era-s7 / step13 ▾   claim 99.40 %   best here 99.41 %        budget 6,000 ▾`; its ends can be clicked."""

    class Pressed(Message):
        """One end was clicked: "presets" or "budget"."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.title = Title()
        self._ends = (0, 0)

    def show(self, title: Title) -> None:
        """Shows this."""
        if title != self.title:
            self.title = title
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; figures give way to the name."""
        family, name, changed, claim_word, claim, best, budget = self.title
        line = Line().add(" ")
        if family:
            line.add(f"{family} / ", "dim")
        line.add(name, "primary bold").add(" •" if changed else "", "accent")
        line.add(" ▾", "dim")
        end = line.x
        right = f"{budget:,}" if budget else "none"
        room = self.size.width - line.x - cell_len(right) - 12
        for word, value in ((claim_word, claim), ("best here", best)):
            text = f"{value:.2f} %" if value else "–"
            cells = cell_len(word) + cell_len(text) + 4
            if room > cells:
                line.add(f"   {word} ", "dim").add(text)
                room -= cells
        self._ends = (end, self.size.width - cell_len(right) - 11)
        if self.size.width - line.x > cell_len(right) + 11:
            line.to(self.size.width - cell_len(right) - 10).add("budget ", "dim")
            line.add(right, "bold").add(" ▾", "dim")
        return self.finish(line)

    def on_click(self, event: events.Click) -> None:
        """The name opens the presets, the budget goes to its field."""
        if event.x < self._ends[0]:
            self.post_message(self.Pressed("presets"))
        elif event.x >= self._ends[1]:
            self.post_message(self.Pressed("budget"))


class ChallengeView(_Part):
    """The challenge as a checklist: ✓ met, ✗ not met, · not known before training."""

    DEFAULT_CSS = "ChallengeView { height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.points: tuple[Point, ...] = ()
        self.met_too = 0  # points that are met and were left out for want of room

    def show(self, points: Sequence[Point], most: int = 99) -> None:
        """Shows other points; where they are more than `most`, those that are met share a line."""
        old = (self.points, self.met_too)
        self.points, self.met_too = tuple(points), 0
        if len(points) > most:
            met = [point for point in points if point.met]
            rest = [point for point in points if not point.met]
            keep = max(0, most - 1 - len(rest))
            self.met_too = len(met) - keep
            self.points = tuple(point for point in points if not point.met or point in met[:keep])
        if old != (self.points, self.met_too):
            self.refresh(layout=len(old[0]) + bool(old[1]) != len(self.points) + bool(self.met_too))

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """A line a point."""
        return max(1, len(self.points) + bool(self.met_too))

    def render_line(self, y: int) -> Strip:
        """One point."""
        line = Line()
        if not self.points:
            return self.finish(line.add("  ").add("none: train as you like", "dim"))
        if y < len(self.points):
            point = self.points[y]
            mark, style = {True: ("✓", "good"), False: ("✗", "bad"), None: ("·", "dim")}[point.met]
            line.add(f"  {mark} ", style)
            line.add(point_text(point), "bad" if point.met is False else "", self.size.width - line.x)
        elif self.met_too:
            line.add("  ✓ ", "good").add(f"{plural(self.met_too, 'more point')} met")
        return self.finish(line)


def point_text(point: Point) -> str:
    """A point in a few words; of one that is missed, what there is in place of it."""
    match point.point:
        case "parameters" | "epochs":
            word = f" {point.point}" if point.met is not False or point.point == "epochs" else ""
            between = " of " if point.wanted.startswith("at most") else ", not "
            text = (
                point.wanted + word if point.met is not False else f"{point.got}{between}{point.wanted}{word}"
            )
        case "dropout" | "rotation" | "batch size" | "batch_size":
            text = f"{point.point} {point.wanted}" + (f", is {point.got}" if point.met is False else "")
        case "accuracy":
            text = f"{point.wanted} on the test set"
        case _:
            text = point.wanted
    if len(text) <= 23:
        return text
    for long, short in (("at most", "≤"), ("at least", "≥"), ("of the last", "of last"), ("with ", "")):
        text = text.replace(long, short)
    return text


class Divider(Painted):
    """A rule between two panes that joins their section lines."""

    DEFAULT_CSS = "Divider { width: 1; height: 100%; color: $foreground; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.joints: dict[int, str] = {}

    def join(self, joints: dict[int, str]) -> None:
        """Which character stands at which line, beside `│`."""
        if joints != self.joints:
            self.joints = joints
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One cell."""
        return self.strip(((self.joints.get(y, "┬" if y == 0 else "│"), "faint"),), 1)


class LrChart(_Part):
    """The learning rate over the epochs, larger than in the form; shown where the table leaves room."""

    DEFAULT_CSS = "LrChart { height: 8; }"
    ROWS = 6

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.values: tuple[float, ...] = ()
        self.epochs = 1
        self._drawn: tuple[tuple[int, tuple[float, ...]], list[str]] = ((0, ()), [])

    def show(self, values: Sequence[float], epochs: int) -> None:
        """Another curve: values at even distances over so many epochs."""
        if (tuple(values), epochs) != (self.values, self.epochs):
            self.values, self.epochs = tuple(values), epochs
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of braille dots over zero, the largest value at the left, epochs below."""
        line = Line()
        high = max(self.values, default=0.0)
        room = max(1, self.size.width - 14)
        if y == 0 or not high or y > self.ROWS + 1:
            return self.finish(line)
        if y == self.ROWS + 1:
            last = f"epoch {self.epochs}"
            line.to(11).add("1", "dim").to(11 + room - len(last)).add(last, "dim")
            return self.finish(line)
        label = f"{high:.4g}" if y == 1 else "0" if y == self.ROWS else ""
        line.add(label, "dim", 9, right=True).add(" ┤" if label else " │", "dim")
        return self.finish(line.add(self._dots(room)[y - 1], "primary"))

    def _dots(self, cells: int) -> list[str]:
        """The curve in braille, a text a row; a fall within a column is drawn as a stroke."""
        if (cells, self.values) != self._drawn[0]:
            high, count, rows = max(self.values), len(self.values), self.ROWS
            marks = [[0] * cells for _ in range(rows)]
            before: int | None = None
            for x in range(cells * 2):
                value = self.values[min(count - 1, x * count // (cells * 2))]
                level = rows * 4 - 1 - round(value / high * (rows * 4 - 1))
                start = level if before is None else before
                for at in range(min(level, start), max(level, start) + 1):
                    marks[at // 4][x // 2] |= DOTS[at % 4][x % 2]
                before = level
            text = ["".join(chr(0x2800 + mark) for mark in row) for row in marks]
            self._drawn = ((cells, self.values), text)
        return self._drawn[1]


#: Bits of the dots of a braille character, by row and column.
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
