"""The small parts of the lab: its title line, the challenge, the totals, the divider, the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from textual.strip import Strip

from tuitrain.figures import plural, short_count_text, size_text
from tuitrain.spec.challenge import Point
from tuitrain.spec.table import NetworkTable
from tuitrain.tui.paint.dots import Dots
from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.paint.text import Line, Parts, wrap
from tuitrain.workbench.lab_state import Title


class TextLines(Painted):
    """As many lines as there are, with no cursor; `build` says what they are for a width."""

    DEFAULT_CSS = "TextLines { height: auto; width: 1fr; color: $foreground; }"

    _lines: Sequence[Parts] = ()

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

    title = Title()

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
        line.add(" ▾", "dim").link("screen.presets", 0)
        right = f"{budget:,}" if budget else "none"
        room = width - line.x - cell_len(right) - 12
        for word, value in ((claim_word, claim), ("best here", best)):
            text = f"{value:.2f} %" if value else "–"
            cells = cell_len(word) + cell_len(text) + 4
            if room > cells:
                line.add(f"   {word} ", "dim").add(text)
                room -= cells
        if width - line.x > cell_len(right) + 11:
            start = line.to(width - cell_len(right) - 10).x
            line.add("budget ", "dim").add(right, "bold").add(" ▾", "dim").link("screen.budget", start)
        self.links = line
        return [line]


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
            text = f"{point.got}{between}" if point.met is False else ""
            text += point.wanted + word
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


def gauge(parameters: int, budget: int | None, width: int) -> list[tuple[str, str]]:
    """`5,854 of 6,000 ▰▰▰▰▰▰▰▰▰▱ 97.6 %`: pieces and the names of their styles, for a section line of a width."""
    if not budget:
        return [(f"{parameters:,} parameters", "bold")]
    share = parameters / budget
    tone = "bad" if parameters > budget else "warn" if share >= 0.9 else "good"
    tail = f" ✗ {parameters - budget:,} over" if parameters > budget else f" {share:.1%}".replace("%", " %")
    text = f"{parameters:,} of {budget:,} " if width >= 40 else f"{parameters:,} "
    cells = max(0, min(20, width - len(text) - len(tail) - 16))
    full = min(cells, int(share * cells))
    if parameters < budget:
        full = max(0, min(full, cells - 1))
    return [
        (text, "bad" if tone == "bad" else "bold"),
        ("▰" * full, tone),
        ("▱" * (cells - full), "dim"),
        (tail, tone),
    ]


def closed_figures(table: NetworkTable) -> dict[str, Any]:
    """The totals in closed form, by torchinfo's names (see `training.model.torchinfo_table`)."""
    names = ("parameters", "mult_adds", "input_bytes", "forward_backward_bytes", "parameter_bytes")
    return {name: getattr(table, name) for name in names}


class NetworkFoot(TextLines):
    """Below the table: why the network can't be built, or by how much it overruns; and the totals."""

    table: NetworkTable | None = None
    figures: dict[str, Any] | None = None
    warning = ""
    waiting = False

    def show(
        self, table: NetworkTable | None, warning: str, figures: dict[str, Any] | None, waiting: bool = False
    ) -> None:
        """Shows totals (torchinfo's where they are known) and a warning, or that both are still to come."""
        self.table, self.warning, self.figures, self.waiting = table, warning, figures, waiting
        self.rebuild()

    def build(self, width: int) -> list[Parts]:
        warning = wrap(((f"  ✗ {self.warning}", "bad"),), max(10, width) - 1, 4)[:4] if self.warning else []
        return [*warning, self._totals(width)]

    def _totals(self, width: int) -> Parts:
        line = Line().add("    ")
        if self.waiting:
            return line.add("trying it out, once torch has loaded …", "dim")
        if self.table is None:
            return line.add("no totals: this network can't be built", "dim")
        figures = self.figures or closed_figures(self.table)
        size = sum(figures[key] for key in ("input_bytes", "forward_backward_bytes", "parameter_bytes"))
        told = (
            (f"{figures['parameters']:,}", " parameters"),
            (short_count_text(figures["mult_adds"]), " mult-adds"),
            (size_text(size), ""),
        )
        for figure, what in told:
            gap = "  " if line.x > 4 else ""
            if line.x + len(gap + figure + what) > width:
                break
            line.add(gap, "dim").add(figure, "bold").add(what, "dim")
        note = "torchinfo" if self.figures is not None else "closed form"
        return line.to(width - len(note) - 1).add(note, "dim") if width - line.x > len(note) + 1 else line
