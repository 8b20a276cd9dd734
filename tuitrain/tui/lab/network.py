"""The network as a table: what each layer is, gives and costs, edited where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tuitrain.figures import shape_text, short_count_text, size_text
from tuitrain.spec.describe import short_layer, short_ops
from tuitrain.spec.layers import Pair, layer_kind, sides_text
from tuitrain.spec.table import NetworkTable
from tuitrain.tui.lab.evaluation import Evaluation
from tuitrain.tui.paint.lines import Line, LinesView, wrap

WIDE = 62  # cells from which on each layer is one row with all its columns
ROOMY = 80  # and from which on these columns are at their ease
BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class LayerRow:
    """One layer with everything that follows it."""

    index: int
    number: str  # of layers with weights: conv1, conv2 ...
    name: str
    kernel: str
    ops: str
    shape: tuple[int, ...] | None  # None where it could not be worked out
    own: int
    of_ops: int
    mult_adds: int
    field: Pair  # the receptive field, height and width
    broken: bool
    heavy: bool  # among the layers that cost most, while the budget is overrun

    @property
    def field_text(self) -> str:
        """The receptive field; of a network in Python it is not known."""
        return sides_text(self.field) if any(self.field) else ""

    @property
    def parameters(self) -> int:
        """Of the layer and its operations."""
        return self.own + self.of_ops


def layer_rows(layers: Sequence[dict[str, Any]], evaluation: Evaluation, over: bool) -> list[LayerRow]:
    """A row a layer, as far as the network can be worked out."""
    found: dict[int, list[Any]] = {}
    for row in evaluation.rows:
        found.setdefault(row.layer, []).append(row)
    totals = {index: sum(r.parameters for r in rows) for index, rows in found.items()}
    costly = sorted(totals, key=lambda index: -totals[index])[:3] if over else []
    out: list[LayerRow] = []
    number = 0
    for index, layer in enumerate(layers):
        kind = layer_kind(layer)
        weighty = kind in ("conv", "linear")
        number += weighty
        rows = found.get(index, [])
        broken = evaluation.problem is not None and evaluation.problem.layer == index
        kernel = layer.get("kernel", 3) if kind == "conv" else layer.get(kind) if "pool" in kind else None
        out.append(
            LayerRow(
                index,
                str(number) if weighty else "",
                short_layer(layer),
                sides_text(kernel, both=True) if kernel and kernel is not True else "",
                short_ops(layer),
                rows[-1].output_shape if rows else None,
                sum(r.parameters for r in rows if not r.is_op),
                sum(r.parameters for r in rows if r.is_op),
                sum(r.mult_adds for r in rows),
                rows[-1].field if rows else (0, 0),
                broken,
                index in costly and totals[index] > 0,
            )
        )
    return out


def figure(count: int, cells: int) -> str:
    """A count in at most so many cells: `1,296`, `4.72 M`; nothing for none."""
    text = f"{count:,}" if count else ""
    return text if len(text) <= cells else short_count_text(count)


def bar(share: float, width: int) -> str:
    """A bar of eighths of a cell."""
    eighths = max(0, min(width * 8, round(share * width * 8)))
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (BLOCKS[rest] if rest else "")


class NetworkView(LinesView):
    """The layers. + and - make one wider or narrower, e edits it, i inserts, I duplicates, D deletes, u takes back."""

    HELP_TITLE = "Network"
    HELP = """
    The layers, each with what follows it, what it puts out for one image, its parameters with their
    share, its multiply-adds, and its receptive field (rf): the pixels a side that one output sees.

    + and - make a layer wider or narrower, e changes the rest, u takes back. Layers with ! cost most
    while the budget is overrun; the one with ✗ can't be built, with the reason below the table.

    The figures are closed forms until torch has loaded, then torchinfo's of the real network.
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.start", "Start", id="network.start"),
        Binding("up,k", "move(-1)", "Layer above", show=False, id="network.up"),
        Binding("down,j", "move(1)", "Layer below", show=False, id="network.down"),
        Binding("home", "move(-999)", "First layer", show=False, id="network.first"),
        Binding("end", "move(999)", "Last layer", show=False, id="network.last"),
        Binding("pageup", "move(-6)", "Six layers up", show=False, id="network.page_up"),
        Binding("pagedown", "move(6)", "Six layers down", show=False, id="network.page_down"),
        Binding("plus,equals_sign", "screen.widen(1)", "Width", key_display="+/-", id="network.wider"),
        Binding("minus,underscore", "screen.widen(-1)", "Narrower", show=False, id="network.narrower"),
        Binding("e", "screen.edit_layer", "Edit", id="network.edit"),
        Binding("i", "screen.insert_layer", "Insert", id="network.insert"),
        Binding("I", "screen.duplicate_layer", "Duplicate", show=False, id="network.duplicate"),
        Binding(
            "D,delete,backspace",
            "screen.delete_layer",
            "Delete",
            key_display="D",
            show=False,
            id="network.delete",
        ),
        Binding("shift+up,K", "screen.move_layer(-1)", "Move up", show=False, id="network.move_up"),
        Binding("shift+down,J", "screen.move_layer(1)", "Move down", show=False, id="network.move_down"),
        Binding("left", "screen.focus_pane('form')", "To the form", show=False, id="network.to_form"),
        Binding("Z", "screen.reset_network", "Reset the network", show=False, id="network.reset"),
    ]

    class Opened(Message):
        """A layer was clicked twice."""

    class Moved(Message):
        """The cursor is on another layer."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[LayerRow] = []
        self.cursor = 0
        self.budget: int | None = None
        self._where: list[int] = []

    def show(self, rows: list[LayerRow], budget: int | None) -> None:
        """Shows other layers; the cursor stays where it can."""
        self.rows, self.budget = rows, budget
        self.cursor = max(0, min(self.cursor, len(rows) - 1))
        self.rebuild()

    def build(self, width: int) -> list[Strip]:
        """One row a layer where there is room for all columns, else a second one for what follows it."""
        out: list[Strip] = []
        self._where = []
        wide = width >= WIDE
        if wide:
            out.append(self._head(width))
            self._where.append(-1)
        largest = max((row.parameters for row in self.rows), default=0)
        for row in self.rows:
            lines = [self._wide(row, width, largest)] if wide else self._narrow(row, width, largest)
            if row.index == self.cursor:
                lines = [self.on_row(line, width) for line in lines]
            out += lines
            self._where += [row.index] * len(lines)
        return out

    def _lead(self, row: LayerRow) -> tuple[str, Style | None]:
        if row.broken:
            return "✗", self.css("bad")
        if row.heavy:
            return "!", self.css("bad")
        return ("▌", self.css("primary")) if row.index == self.cursor else (" ", None)

    def _tone(self, row: LayerRow) -> Style | None:
        if row.broken:
            return self.css("bad")
        return self.css("dim") if row.shape is None else None

    def _bar_style(self, row: LayerRow) -> Style:
        return self.css("bad" if row.heavy else "primary")

    def _narrow(self, row: LayerRow, width: int, largest: int) -> list[Strip]:
        tone = self._tone(row)
        line = Line().add(*self._lead(row)).add(row.number, tone, 2, "right").add(" ")
        # name 15, shape 6, parameters 7, receptive field 5; the bar takes what is left
        name = min(15, max(8, width - 4 - 6 - 7))
        room = max(0, width - 4 - name - 6 - 7 - 6)
        line.add(row.name, tone, name)
        if row.shape is None:
            line.add("–", tone, 6, "right").add("–", tone, 7, "right")
            return [line.strip(), *self._ops_line(row)]
        line.add(shape_text(row.shape, channels=False), tone, 6, "right")
        line.add(figure(row.own, 6), tone, 7, "right").add(" ")
        if row.parameters and largest:
            line.add(bar(row.parameters / largest, room - 1), self._bar_style(row), room)
        if width < 40:
            return [line.strip(), *self._ops_line(row)]
        field = row.field_text
        cells = max(3, len(field))
        line.to(width - 2 - cells).add("rf", self.css("dim")).add(field, tone, cells, "right")
        return [line.strip(), *self._ops_line(row)]

    def _ops_line(self, row: LayerRow) -> list[Strip]:
        if not row.ops:
            return []
        dim = self.css("dim")
        line = Line().add("    ").add(row.ops, dim, min(21, max(8, self.size.width - 11)))
        line.add(figure(row.of_ops, 6), dim, 7, "right")
        return [line.strip()]

    def _widths(self, width: int) -> dict[str, int]:
        """Cells of the columns of the wide table; the bar takes what is left."""
        roomy = width >= ROOMY
        cells = {
            "name": max([len(_bare(row)) for row in self.rows] + [9]) + 1,
            "kernel": 8 if roomy else 4,
            "ops": min(max([len(row.ops) for row in self.rows] + [4]) + 1, 26),
            "shape": 9 if roomy else 6,
            "params": 8 if roomy else 7,
            "mult-adds": 10 if roomy else 7,
            "rf": max([len(row.field_text) + roomy for row in self.rows] + [4 if roomy else 3]),
        }
        room = width - 5 - sum(cells.values())
        if room < 4:
            cells["ops"] = max(6, cells["ops"] - (4 - room))
            room = width - 5 - sum(cells.values())
        return cells | {"bar": max(0, min(room, 32))}

    def _head(self, width: int) -> Strip:
        cells, dim, roomy = self._widths(width), self.css("dim"), width >= ROOMY
        line = Line().add("    ").add("layer", dim, cells["name"])
        line.add("kernel" if roomy else "", dim, cells["kernel"]).add("then", dim, cells["ops"])
        line.add("output", dim, cells["shape"], "right").add("params", dim, cells["params"], "right").add(" ")
        line.add("share" if cells["bar"] > 5 else "", dim, cells["bar"])
        line.add("mult-adds" if roomy else "m-adds", dim, cells["mult-adds"], "right")
        return line.add("rf", dim, cells["rf"], "right").strip()

    def _wide(self, row: LayerRow, width: int, largest: int) -> Strip:
        cells, roomy = self._widths(width), width >= ROOMY
        tone, dim = self._tone(row), self.css("dim")
        line = Line().add(*self._lead(row)).add(row.number, tone, 2, "right").add(" ")
        line.add(_bare(row), tone, cells["name"]).add(row.kernel, tone or dim, cells["kernel"])
        line.add(row.ops, dim, cells["ops"])
        if row.shape is None:
            return (
                line.add("–", tone, cells["shape"], "right").add("–", tone, cells["params"], "right").strip()
            )
        line.add(shape_text(row.shape, channels=roomy), tone, cells["shape"], "right")
        line.add(figure(row.parameters, cells["params"] - 1), tone, cells["params"], "right").add(" ")
        total, room = sum(r.parameters for r in self.rows), cells["bar"]
        start = line.x
        if row.parameters and room:
            percent = 5 if room >= 10 else 0
            line.add(bar(row.parameters / largest, room - percent), self._bar_style(row), room - percent)
            line.add(f"{row.parameters / total:.0%}" if percent else "", dim, percent, "right")
        line.to(start + room)
        line.add(short_count_text(row.mult_adds) if row.mult_adds else "", tone, cells["mult-adds"], "right")
        return line.add(row.field_text, tone, cells["rf"], "right").strip()

    def cursor_span(self) -> tuple[int, int]:
        """All lines of the layer with the cursor, with the head of the table above the first."""
        lines = [y for y, index in enumerate(self._where) if index == self.cursor]
        if not lines:
            return 0, 1
        return (0, lines[-1] + 1) if self.cursor == 0 else (lines[0], len(lines))

    def go_to(self, index: int) -> None:
        """Puts the cursor on a layer."""
        self.cursor = max(0, min(len(self.rows) - 1, index))
        self.rebuild()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        """Another layer."""
        self.go_to(self.cursor + by)

    def on_click(self, event: events.Click) -> None:
        """Selects a layer; twice on the same one edits it."""
        y = event.y + round(self.scroll_y)
        if 0 <= y < len(self._where) and self._where[y] >= 0:
            if event.chain == 2:
                self.post_message(self.Opened())
            self.go_to(self._where[y])


def _bare(row: LayerRow) -> str:
    """The layer's name without its kernel, which has a column of its own."""
    name = row.name.replace(f" {row.kernel}", "") if row.kernel else row.name
    return name.replace("global avg pool", "global pool")


def gauge(parameters: int, budget: int | None, width: int) -> list[tuple[str, str]]:
    """`5,854 of 6,000 ▰▰▰▰▰▰▰▰▰▱ 97.6 %`: pieces and the names of their styles, for a section line of a width."""
    if not budget:
        return [(f"{parameters:,} parameters", "title")]
    share = parameters / budget
    tone = "bad" if parameters > budget else "warn" if share >= 0.9 else "good"
    tail = f" ✗ {parameters - budget:,} over" if parameters > budget else f" {share:.1%}".replace("%", " %")
    text = f"{parameters:,} of {budget:,} " if width >= 40 else f"{parameters:,} "
    cells = max(0, min(20, width - len(text) - len(tail) - 16))
    full = min(cells, int(share * cells))
    if parameters < budget:
        full = max(0, min(full, cells - 1))
    return [
        (text, "bad" if tone == "bad" else "title"),
        ("▰" * full, tone),
        ("▱" * (cells - full), "dim"),
        (tail, tone),
    ]


def closed_figures(table: NetworkTable) -> dict[str, Any]:
    """The totals in closed form, by torchinfo's names (see `training.model.torchinfo_table`)."""
    names = ("parameters", "mult_adds", "input_bytes", "forward_backward_bytes", "parameter_bytes")
    return {name: getattr(table, name) for name in names}


class NetworkFoot(Widget, can_focus=False):
    """Below the table: why the network can't be built, or by how much it overruns; and the totals."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"foot--bad", "foot--dim", "foot--bold"}
    DEFAULT_CSS = """
    NetworkFoot { height: auto; width: 1fr; color: $foreground;
        & > .foot--bad { color: $error; text-style: bold; }
        & > .foot--dim { text-style: dim; }
        & > .foot--bold { text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[tuple[str, str]] = []
        self.table: NetworkTable | None = None
        self.figures: dict[str, Any] | None = None
        self.warning = ""
        self.count = 1

    def show(self, table: NetworkTable | None, warning: str, figures: dict[str, Any] | None) -> None:
        """Shows totals (torchinfo's where they are known) and a warning."""
        if (table, warning, figures) == (self.table, self.warning, self.figures):
            return
        self.table, self.warning, self.figures = table, warning, figures
        self._lay_out()

    def _lay_out(self) -> None:
        count = 1 + len(self._warning_lines())
        self.refresh(layout=count != self.count)
        self.count = count

    def _warning_lines(self) -> list[str]:
        width = max(10, self.size.width or 50)
        return wrap(self.warning, width - 5)[:4] if self.warning else []

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """The totals and the lines of the warning."""
        return 1 + (len(wrap(self.warning, width - 5)[:4]) if self.warning else 0)

    def render_line(self, y: int) -> Strip:
        """One line."""

        def css(name: str) -> Style:
            return self.get_component_rich_style(f"foot--{name}", partial=True)

        warning = self._warning_lines()
        width = self.size.width
        line = Line()
        if y < len(warning):
            line.add("  ✗ " if not y else "    ", css("bad")).add(warning[y], css("bad"))
        elif y == len(warning):
            if self.table is None:
                line.add("    ").add("no totals: this network can't be built", css("dim"))
            else:
                figures = self.figures or closed_figures(self.table)
                size = sum(
                    figures[key] for key in ("input_bytes", "forward_backward_bytes", "parameter_bytes")
                )
                parts = [
                    (f"{figures['parameters']:,}", " parameters"),
                    (short_count_text(figures["mult_adds"]), " mult-adds"),
                    (size_text(size), ""),
                ]
                line.add("    ")
                for number, (figure, word) in enumerate(parts):
                    line.add("  " if number else "").add(figure, css("bold")).add(word, css("dim"))
                note = "torchinfo" if self.figures is not None else "closed form"
                if width - line.x > len(note) + 1:
                    line.to(width - len(note) - 1).add(note, css("dim"))
        return line.strip().adjust_cell_length(width).apply_style(self.rich_style)
