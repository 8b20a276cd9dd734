"""The network as a drawing: its numbers in boxes and on edges, what the present term uses in its colours. No textual.

Inputs are at the left, then the hidden and the output neurons, and at the right what the error is made of. Slopes, on
the way back, are written as ∂ with the name of what the error is derived by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuitrain.lessons.terms import Kind, kind, number_text
from tuitrain.tui.paint.dots import Dots
from tuitrain.tui.paint.sizes import NORMAL, WIDE
from tuitrain.tui.paint.text import Part, Parts
from tuitrain.workbench.lesson_state import LessonState

#: Styles of what a quantity belongs to, in the drawing and in the formulas.
STYLES: dict[Kind, str] = {
    "input": "good", "weight": "bold", "hidden": "primary", "output": "warn", "error": "bad", "slope": "violet",
    "rate": "bold underline",
}  # fmt: skip
Point = tuple[int, int]
LOW = 11  # lines: below, neurons are drawn without their slopes


def style_of(quantity: str) -> str:
    """The style of a quantity; nothing for what is no quantity."""
    return STYLES[kind(quantity)] if quantity else ""


def fitted(value: float, width: int, digits: int = 6) -> str:
    """A number in as many digits as there is room for: `−0.0012`, `−2e-4`; a zero with its sign where there is none."""
    if not math.isfinite(value):
        return "?" if math.isnan(value) else "∞" if value > 0 else "−∞"
    short = ("−" if value < 0 else "") + f"{abs(value):.0e}".replace("e-0", "e-").replace("e+", "e")
    forms = (*(number_text(value, count) for count in range(digits, 0, -1)), short)
    return next((text for text in forms if len(text) <= width), "−0" if value < 0 else "0")


@dataclass(frozen=True, slots=True)
class Measures:
    """Columns and lines of a drawing.

    Attributes:
        number: cells for a number in a box.
        edge: and for one on an edge.
        boxes: width of an input, of a neuron, and of the errors at the right.
        gap: cells between two columns of boxes.
        lines: of a box.
        digits: that a number has at most.
    """

    width: int
    height: int
    number: int
    edge: int
    boxes: tuple[int, int, int]
    gap: int
    lines: int
    digits: int

    @classmethod
    def of(cls, width: int, height: int) -> Measures:
        number, edge, digits = (9, 8, 6) if width >= WIDE else (6, 6, 4)
        pads = 2 if width >= WIDE else 0
        boxes = (number + 2 + pads // 2, number + 7 + pads, number + 4 if width >= NORMAL else 0)
        gap = (width - 2 - boxes[0] - 2 * boxes[1] - boxes[2] - 1) // 2
        return cls(width, height, number, edge, boxes, gap, 5 if height >= LOW else 4, digits)

    @property
    def lefts(self) -> tuple[int, int, int, int]:
        """The left column of the inputs, the hidden, the output neurons and the errors."""
        first, neuron, _ = self.boxes
        hidden = 1 + first + self.gap
        output = hidden + neuron + self.gap
        return 1, hidden, output, output + neuron + 1

    def top(self, k: int) -> int:
        """The first line of the boxes of neuron 1 or 2."""
        return 0 if k == 1 else self.height - self.lines

    def centre(self, k: int) -> int:
        """The line of the edges of neuron 1 or 2."""
        return self.top(k) + self.lines // 2


class Canvas:
    """Cells with a character and a style, and lines of dots below them."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells: list[list[Part]] = [[(" ", "")] * width for _ in range(height)]
        self._dots = Dots()

    def write(self, x: int, y: int, text: str, style: str = "") -> None:
        """Puts a text there, cut at the edges."""
        if 0 <= y < self.height:
            for at, char in enumerate(text, x):
                if 0 <= at < self.width:
                    self._cells[y][at] = (char, style)

    def line(self, begin: Point, end: Point, style: str) -> None:
        """Draws a line of dots from the middle of one cell to that of another, below what is written later."""
        (x0, y0), (x1, y1) = begin, end
        for cell in self._dots.line((2 * x0 + 1, 4 * y0 + 1.5), (2 * x1 + 1, 4 * y1 + 1.5)):
            self.write(*cell, self._dots.char(cell), style)

    def rows(self) -> list[Parts]:
        """The lines, neighbours of one style together."""
        out: list[Parts] = []
        for row in self._cells:
            parts: list[Part] = []
            for char, style in row:
                if parts and parts[-1][1] == style:
                    parts[-1] = (parts[-1][0] + char, style)
                else:
                    parts.append((char, style))
            out.append(parts)
        return out


#: Weight, the column of its edge (0 into the hidden neurons), and the numbers of the neurons at its ends.
EDGES = (
    ("w1", 0, 1, 1), ("w2", 0, 2, 1), ("w3", 0, 1, 2), ("w4", 0, 2, 2),
    ("w5", 1, 1, 1), ("w6", 1, 2, 1), ("w7", 1, 1, 2), ("w8", 1, 2, 2),
)  # fmt: skip


class Drawing:
    """One drawing in the making."""

    def __init__(self, state: LessonState, width: int, height: int) -> None:
        self.values, self.known, self.term = state.values, state.known, state.term
        self.uses, self.wrong = frozenset(state.term.uses), state.wrong
        self.at = Measures.of(width, height)
        self.canvas = Canvas(width, height)

    def style(self, quantity: str) -> str:
        """How a quantity looks now: the result reversed, what it is made of in its colour, all else stands back."""
        if quantity == self.term.quantity:
            return f"{style_of(quantity.rstrip(chr(39)))} reverse"
        if quantity in self.uses:
            return "warn bold" if quantity in self.wrong else style_of(quantity)
        return "dim" if quantity in self.known else "faint"

    def rows(self) -> list[Parts]:
        lit = [edge for edge in EDGES if self.edge_in_use(edge[0])]
        for edge in (*(edge for edge in EDGES if edge not in lit), *lit):  # those in use on top
            self.edge_line(*edge)
        for edge in EDGES:
            self.edge_labels(*edge)
        for k in (1, 2):
            self.input_box(k)
            self.neuron_box(1, f"h{k}", k)
            self.neuron_box(2, f"o{k}", k)
        if self.at.boxes[2]:
            self.errors()
        return self.canvas.rows()

    def edge_in_use(self, weight: str) -> bool:
        """Whether the term has to do with a weight, its slope, or what it becomes."""
        return bool({weight, f"dE/d{weight}"} & (self.uses | {self.term.quantity}))

    def ends(self, column: int, source: int, target: int) -> tuple[Point, Point]:
        """The cells between which an edge lies."""
        lefts, boxes = self.at.lefts, self.at.boxes
        right = lefts[column] + boxes[min(column, 1)]
        down = target - source  # one that crosses begins and ends beside those that don't
        return (right, self.at.centre(source) + down), (lefts[column + 1] - 1, self.at.centre(target) - down)

    def edge_line(self, weight: str, column: int, source: int, target: int) -> None:
        """The line of an edge, with an arrow in the direction that is looked at."""
        (x0, y0), (x1, y1) = self.ends(column, source, target)
        used = self.edge_in_use(weight)
        style = ("warn bold" if weight in self.wrong else STYLES["weight"]) if used else "track"
        if y0 == y1:
            self.canvas.write(x0, y0, "─" * (x1 - x0 + 1), style)
        else:
            self.canvas.line((x0, y0), (x1, y1), style)
        if used and "/d" in self.term.quantity:
            self.canvas.write(x0, y0, "◂", style)
        elif used and not self.term.quantity.endswith("'"):
            self.canvas.write(x1, y1, "▸", style)

    def edge_labels(self, weight: str, column: int, source: int, target: int) -> None:
        """A weight near the begin of its edge, and its slope near the end."""
        (x0, y0), (x1, y1) = self.ends(column, source, target)
        down = target - source
        new = f"{weight}'"
        shown = new if new in self.known else weight
        label = f"{weight}{'→' if shown == new else ' '}{self.number(shown, self.at.edge)}"
        slope = f"dE/d{weight}"
        room = min(self.at.edge + 2, self.at.gap - 8)
        small = (
            f"∂{weight} {self.number(slope, room)}" if slope in self.known and room >= self.at.edge else ""
        )
        if down:
            rows = max(1, round(abs(y1 - y0) / 4))
            x = round(x0 + (x1 - x0) * rows / abs(y1 - y0)) - len(label) // 2
            self.label(max(x0 + 1, x), y0 + down * rows, label, self.style(shown))
            self.label(x1 - len(small) - 1, y1, small, self.style(slope))
        else:
            self.label(x0 + (x1 - x0 + 1 - len(label)) // 2, y0, label, self.style(shown))
            beside = y0 + (1 if source == 2 else -1)
            self.label(x0 + (x1 - x0 + 1 - len(small)) // 2, beside, small, self.style(slope))

    def label(self, x: int, y: int, text: str, style: str) -> None:
        """A text on an edge, with air around it."""
        if text:
            self.canvas.write(x - 1, y, f" {text} ")
            self.canvas.write(x, y, text, style)

    def number(self, quantity: str, width: int | None = None) -> str:
        """A value, or a dot where it is not known yet."""
        room = self.at.number if width is None else width
        return fitted(self.values[quantity], room, self.at.digits) if quantity in self.known else "·"

    def box(self, x: int, y: int, width: int, lines: int, title: str, style: str) -> None:
        head = f"╭─ {title} ".ljust(width - 1, "─") + "╮"
        self.canvas.write(x, y, head, style)
        self.canvas.write(x + 3, y, title, f"{style} bold")
        for row in range(y + 1, y + lines - 1):
            self.canvas.write(x, row, "│" + " " * (width - 2) + "│", style)
        self.canvas.write(x, y + lines - 1, "╰" + "─" * (width - 2) + "╯", style)

    def input_box(self, k: int) -> None:
        x, y, width = self.at.lefts[0], self.at.centre(k) - 1, self.at.boxes[0]
        self.box(x, y, width, 3, f"i{k}", STYLES["input"] if f"i{k}" in self.uses else "faint")
        room = self.at.number
        self.canvas.write(x + 1, y + 1, self.number(f"i{k}").rjust(room), self.style(f"i{k}"))

    def neuron_box(self, column: int, name: str, k: int) -> None:
        """A neuron: its sum, what σ makes of it, and how the error changes with the sum."""
        x, y, width = self.at.lefts[column], self.at.top(k), self.at.boxes[1]
        slopes = (f"dE/d{name}", f"dE/da_{name}", f"da_{name}/d{name}", f"dE1/da_{name}", f"dE2/da_{name}")
        mine = {name, f"a_{name}", *slopes}
        used = bool(mine & (self.uses | {self.term.quantity}))
        frame = STYLES["hidden" if column == 1 else "output"] if used else "faint"
        self.box(x, y, width, self.at.lines, name, frame)
        pad = " " * (width > self.at.number + 7)
        slope = next((one for one in slopes if one == self.term.quantity), slopes[0])
        shown = {name: name, f"a_{name}": f"a_{name}", slope: _short(slope, name)}
        for row, (quantity, label) in enumerate([*shown.items()][: self.at.lines - 2], y + 1):
            style = self.style(quantity)
            room = width - 2 - 2 * len(pad) - len(label) - 1
            self.canvas.write(x + 1 + len(pad), row, label, style)
            text = self.number(quantity, min(room, self.at.number))
            self.canvas.write(x + width - 1 - len(pad) - len(text), row, text, style)

    def errors(self) -> None:
        """Targets and errors beside the outputs, their sum between them."""
        x = self.at.lefts[3]
        for k in (1, 2):
            y = self.at.centre(k) - 1
            for row, name in ((y, f"t{k}"), (y + 1, f"E{k}")):
                self.canvas.write(x, row, f"{name} {self.number(name)}", self.style(name))
        middle = (self.at.centre(1) + self.at.centre(2)) // 2
        style = self.style("E_total")
        self.canvas.write(x, middle, f"E  {self.number('E_total')}", style)


def _short(slope: str, name: str) -> str:
    """A slope in a neuron's box, by what the error is derived by."""
    return "σ'" if slope == f"da_{name}/d{name}" else f"∂{slope.partition('/d')[2]}"


def network(state: LessonState, width: int, height: int) -> list[Parts]:
    """The drawing of a training step at one of its terms, in so many cells and lines."""
    return Drawing(state, width, height).rows()
