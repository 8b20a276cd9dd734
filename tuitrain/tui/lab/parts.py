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
from tuitrain.tui.paint.dots import Dots
from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.workbench.lab_state import Title


class TextLines(Painted):
    """As many lines as there are, with no cursor; `build` says what they are for a width."""

    DEFAULT_CSS = "TextLines { height: auto; width: 1fr; color: $foreground; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Parts] = []

    def build(self, width: int) -> list[Parts]:
        """The lines for a width."""
        raise NotImplementedError

    def rebuild(self) -> None:
        """Paints what has changed, if it is in sight at all."""
        if self.display:
            before, self._lines = self._lines, self.build(self.size.width or 50)
            if before != self._lines:
                self.refresh(layout=len(before) != len(self._lines))

    def on_resize(self) -> None:
        self.rebuild()

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        return len(self.build(width))

    def render_line(self, y: int) -> Strip:
        return self.strip(self._lines[y] if y < len(self._lines) else (), self.size.width)


class LabTitle(TextLines):
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
        self.title = title
        self.rebuild()

    def build(self, width: int) -> list[Parts]:
        """The line; figures give way to the name."""
        family, name, changed, claim_word, claim, best, budget = self.title
        line = Line().add(" ")
        if family:
            line.add(f"{family} / ", "dim")
        line.add(name, "primary bold").add(" •" if changed else "", "accent")
        line.add(" ▾", "dim")
        end = line.x
        right = f"{budget:,}" if budget else "none"
        room = width - line.x - cell_len(right) - 12
        for word, value in ((claim_word, claim), ("best here", best)):
            text = f"{value:.2f} %" if value else "–"
            cells = cell_len(word) + cell_len(text) + 4
            if room > cells:
                line.add(f"   {word} ", "dim").add(text)
                room -= cells
        self._ends = (end, width - cell_len(right) - 11)
        if width - line.x > cell_len(right) + 11:
            line.to(width - cell_len(right) - 10).add("budget ", "dim")
            line.add(right, "bold").add(" ▾", "dim")
        return [line]

    def on_click(self, event: events.Click) -> None:
        if event.x < self._ends[0]:
            self.post_message(self.Pressed("presets"))
        elif event.x >= self._ends[1]:
            self.post_message(self.Pressed("budget"))


class ChallengeView(TextLines):
    """The challenge as a checklist: ✓ met, ✗ not met, · not known before training."""

    points: Sequence[Point] = ()
    most = 99

    def show(self, points: Sequence[Point], most: int = 99) -> None:
        """Shows other points; where they are more than `most`, those that are met share a line."""
        self.points, self.most = points, most
        self.rebuild()

    def build(self, width: int) -> list[Parts]:
        if not self.points:
            return [Line().add("  ").add("none: train as you like", "dim")]
        met = [point for point in self.points if point.met]
        if len(self.points) > self.most:
            met = met[: max(0, self.most - 1 - (len(self.points) - len(met)))]
        shown = [point for point in self.points if not point.met or point in met]
        marks = {True: ("✓", "good"), False: ("✗", "bad"), None: ("·", "dim")}
        lines: list[Parts] = []
        for point in shown:
            mark, style = marks[point.met]
            tone = "bad" if point.met is False else ""
            lines.append(Line().add(f"  {mark} ", style).add(point_text(point), tone, width - 4))
        rest = len(self.points) - len(shown)
        if rest:
            lines.append(Line().add("  ✓ ", "good").add(f"{plural(rest, 'more point')} met"))
        return lines


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
        return self.strip(((self.joints.get(y, "┬" if y == 0 else "│"), "faint"),), 1)


class LrChart(TextLines):
    """The learning rate over the epochs, larger than in the form; shown where the table leaves room."""

    ROWS = 6
    values: Sequence[float] = ()
    epochs = 1

    def show(self, values: Sequence[float], epochs: int) -> None:
        """Another curve: values at even distances over so many epochs."""
        self.values, self.epochs = values, epochs
        self.rebuild()

    def build(self, width: int) -> list[Parts]:
        """Braille dots over zero, the largest value at the left, epochs below."""
        high, room = max(self.values, default=0.0), max(1, width - 14)
        lines: list[Parts] = [()]
        for y, dots in enumerate(braille_rows(self.values, room, self.ROWS) if high else ()):
            label = f"{high:.4g}" if not y else "0" if y == self.ROWS - 1 else ""
            line = Line().add(label, "dim", 9, right=True).add(" ┤" if label else " │", "dim")
            lines.append(line.add(dots, "primary"))
        last = f"epoch {self.epochs}"
        axis = Line().to(11).add("1", "dim").to(11 + room - len(last)).add(last, "dim") if high else Line()
        return [*lines, axis]


def braille_rows(values: Sequence[float], cells: int, rows: int) -> list[str]:
    """A curve over zero in braille, a text a row; a fall within a column is drawn as a stroke."""
    high, count = max(values), len(values)
    dots = Dots()
    before: int | None = None
    for x in range(cells * 2):
        value = values[min(count - 1, x * count // (cells * 2))]
        level = rows * 4 - 1 - round(value / high * (rows * 4 - 1))
        start = level if before is None else before
        for at in range(min(level, start), max(level, start) + 1):
            dots.light(x, at)
        before = level
    return ["".join(dots.char((x, y)) for x in range(cells)) for y in range(rows)]
