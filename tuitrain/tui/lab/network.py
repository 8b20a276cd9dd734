"""The network as a table: what each layer is, gives and costs, edited where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tuitrain.errors import visible
from tuitrain.figures import shape_text, short_count_text
from tuitrain.tui.paint.bars import bar
from tuitrain.tui.paint.lines import cursor_keys
from tuitrain.tui.paint.rows import RowsView
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.shell.modal import ask
from tuitrain.workbench.editor import EditError, NetworkEditor
from tuitrain.workbench.lab_state import LabState
from tuitrain.workbench.network_check import LayerRow
from tuitrain.workbench.new_layer import like_neighbours

WIDE = 62  # cells from which on each layer is one row with all its columns
ROOMY = 80  # and from which on these columns are at their ease


def short_count(count: int, cells: int) -> str:
    """A count in at most so many cells: `1,296`, `4.72 M`; nothing for none."""
    text = f"{count:,}" if count else ""
    return text if len(text) <= cells else short_count_text(count)


class NetworkView(RowsView[int]):
    """The layers. + and - make one wider or narrower, e edits it, i inserts, I duplicates, D deletes, u takes back."""

    HELP_TITLE = "Network"
    HELP = """
    The layers, each with what follows it, what it puts out for one image, its parameters with their
    share, its multiply-adds, and its receptive field (rf): the pixels a side that one output sees.

    + and - make a layer wider or narrower, u takes back. e changes the rest: kernel, stride, padding,
    dilation and groups, and what follows (prelu, batch norm, dropout ...). i inserts a layer, also one that
    adds an earlier one's output (residual) or uses its weights again (share), or a blurred pooling.

    Layers with ! cost most while the budget is overrun; the one with ✗ can't be built, with the reason
    below the table.

    The figures are closed forms until torch has loaded, then torchinfo's of the real network.
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.start", "Start", id="network.start"),
        *cursor_keys("network", "layer", page=6),
        Binding("plus,equals_sign", "widen(1)", "Width", key_display="+/-", id="network.wider"),
        Binding(
            "minus,underscore", "widen(-1)", "Narrower", show=False, key_display="-", id="network.narrower"
        ),
        Binding("e", "edit_layer", "Edit", id="network.edit"),
        Binding("i", "insert_layer", "Insert", id="network.insert"),
        Binding("I", "duplicate_layer", "Duplicate", show=False, id="network.duplicate"),
        Binding(
            "D,delete,backspace",
            "delete_layer",
            "Delete",
            key_display="D",
            show=False,
            id="network.delete",
        ),
        Binding("shift+up,K", "move_layer(-1)", "Move up", show=False, id="network.move_up"),
        Binding("shift+down,J", "move_layer(1)", "Move down", show=False, id="network.move_down"),
        Binding("left", "screen.focus_pane('form')", "To the form", show=False, id="network.to_form"),
        Binding("Z", "reset_network", "Reset the network", show=False, id="network.reset"),
    ]

    cursor = 0
    state: LabState | None = None
    rows: Sequence[LayerRow] = ()

    def show(self, state: LabState) -> None:
        self.state, self.rows = state, state.rows()
        self.cursor = max(0, min(self.cursor, len(self.rows) - 1))
        self.rebuild()

    def build(self, width: int) -> list[Parts]:
        lines = super().build(width)
        scrolls = len(lines) > self.size.height > 0
        return (
            super().build(width - 1) if scrolls else lines
        )  # the mark of more lines stands beside the figures

    def rows_for(self, width: int) -> Iterator[tuple[int | None, Sequence[Parts]]]:
        """One line a layer where there is room for all columns, else a second one for what follows it."""
        wide = width >= WIDE
        if wide:
            yield None, [self._head(width)]
        largest = max((row.parameters for row in self.rows), default=0)
        for row in self.rows:
            lines = [self._wide(row, width, largest)] if wide else self._narrow(row, width, largest)
            here = row.index == self.cursor
            yield row.index, [self.on_row(line, self.size.width) for line in lines] if here else lines

    def _lead(self, row: LayerRow) -> tuple[str, str]:
        if row.broken:
            return "✗", "bad"
        if row.heavy:
            return "!", "bad"
        return ("▌", "primary") if row.index == self.cursor else (" ", "")

    def _tone(self, row: LayerRow) -> str:
        if row.broken:
            return "bad"
        return "dim" if row.shape is None else ""

    def _bar_style(self, row: LayerRow) -> str:
        return "bad" if row.heavy else "primary"

    def _narrow(self, row: LayerRow, width: int, largest: int) -> list[Parts]:
        tone = self._tone(row)
        line = Line().add(*self._lead(row)).add(row.number, tone, 2, right=True).add(" ")
        # name 15, shape 6, parameters 7, receptive field 5; the bar takes what is left
        name = min(15, max(8, width - 4 - 6 - 7))
        room = max(0, width - 4 - name - 6 - 7 - 6)
        line.add(row.name, tone, name)
        if row.shape is None:
            line.add("–", tone, 6, right=True).add("–", tone, 7, right=True)
            return [line, *self._ops_line(row, width)]
        line.add(shape_text(row.shape, channels=False), tone, 6, right=True)
        line.add(short_count(row.own, 6), tone, 7, right=True).add(" " if room else "")
        if row.parameters and largest:
            line.add(bar(row.parameters / largest, room - 1), self._bar_style(row), room)
        if width < 40:
            return [line, *self._ops_line(row, width)]
        field = row.field_text
        cells = max(3, len(field))
        line.to(width - 2 - cells).add("rf", "dim").add(field, tone, cells, right=True)
        return [line, *self._ops_line(row, width)]

    def _ops_line(self, row: LayerRow, width: int) -> list[Parts]:
        if not row.ops:
            return []
        line = Line().add("    ").add(row.ops, "dim", min(21, max(8, width - 11)))
        line.add(short_count(row.of_ops, 6), "dim", 7, right=True)
        return [line]

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

    def _head(self, width: int) -> Line:
        cells, roomy = self._widths(width), width >= ROOMY
        line = Line().add("    ").add("layer", "dim", cells["name"])
        line.add("kernel" if roomy else "", "dim", cells["kernel"]).add("then", "dim", cells["ops"])
        line.add("output", "dim", cells["shape"], right=True).add(
            "params", "dim", cells["params"], right=True
        ).add(" ")
        line.add("share" if cells["bar"] > 5 else "", "dim", cells["bar"])
        line.add("mult-adds" if roomy else "m-adds", "dim", cells["mult-adds"], right=True)
        return line.add("rf", "dim", cells["rf"], right=True)

    def _wide(self, row: LayerRow, width: int, largest: int) -> Line:
        cells, roomy = self._widths(width), width >= ROOMY
        tone = self._tone(row)
        line = Line().add(*self._lead(row)).add(row.number, tone, 2, right=True).add(" ")
        line.add(_bare(row), tone, cells["name"]).add(row.kernel, tone or "dim", cells["kernel"])
        line.add(row.ops, "dim", cells["ops"])
        if row.shape is None:
            return line.add("–", tone, cells["shape"], right=True).add("–", tone, cells["params"], right=True)
        line.add(shape_text(row.shape, channels=roomy), tone, cells["shape"], right=True)
        line.add(short_count(row.parameters, cells["params"] - 1), tone, cells["params"], right=True).add(" ")
        total, room = sum(r.parameters for r in self.rows), cells["bar"]
        start = line.x
        if row.parameters and room:
            percent = 5 if room >= 10 else 0
            line.add(bar(row.parameters / largest, room - percent), self._bar_style(row), room - percent)
            line.add(f"{row.parameters / total * 100:.0f} %" if percent else "", "dim", percent, right=True)
        line.to(start + room)
        line.add(
            short_count_text(row.mult_adds) if row.mult_adds else "", tone, cells["mult-adds"], right=True
        )
        return line.add(row.field_text, tone, cells["rf"], right=True)

    def cursor_span(self) -> tuple[int, int]:
        """All lines of the layer with the cursor, with the head of the table above the first."""
        first, count = super().cursor_span()
        return (0, first + count) if self.cursor == 0 else (first, count)

    def on_click(self, event: events.Click) -> None:
        """Selects a layer; twice on the same one edits it."""
        layer = self.key_at(event.y)
        if layer is not None:
            if event.chain == 2:
                self.action_edit_layer()
            self.go_to(layer)

    # -- edits ---------------------------------------------------------------------------------

    def _edit(self, edit: Callable[[NetworkEditor], bool], cursor: int | None = None) -> None:
        """Makes an edit and puts the cursor on a layer; says why it is refused."""
        state = self.state
        if state is None or self._refused(state):
            return
        try:
            done = edit(state.editor)
        except EditError as error:
            self.notify(visible(error), severity="warning", markup=False, timeout=5)
            return
        if not done:
            self.app.bell()
            return
        if cursor is not None:
            self.cursor = max(0, min(cursor, len(state.editor.layers) - 1))
        state.edited()

    def _refused(self, state: LabState) -> bool:
        reason = state.refused("its layers are changed in its file")
        if reason:
            self.notify(reason, markup=False, timeout=5)
        return bool(reason)

    def action_widen(self, delta: int) -> None:
        self._edit(lambda editor: editor.widen(self.cursor, delta))

    def action_duplicate_layer(self) -> None:
        self._edit(lambda editor: editor.duplicate(self.cursor), self.cursor + 1)

    def action_delete_layer(self) -> None:
        self._edit(lambda editor: editor.delete(self.cursor), self.cursor)

    def action_move_layer(self, by: int) -> None:
        self._edit(lambda editor: editor.move(self.cursor, by), self.cursor + by)

    def action_reset_network(self) -> None:
        self._edit(NetworkEditor.reset_layers)

    def action_insert_layer(self) -> None:
        if self.state is None or self._refused(self.state):
            return
        from tuitrain.tui.lab.layer_dialog import KindDialog

        below = self.cursor + 1

        def insert(kind: str) -> None:
            self._edit(lambda editor: editor.insert(below, like_neighbours(editor, below, kind)), below)

        ask(self, KindDialog(self.state.editor.name(self.cursor)), insert)

    def action_edit_layer(self) -> None:
        if self.state is None or self._refused(self.state):
            return
        from tuitrain.tui.lab.layer_dialog import LayerDialog

        over = self.screen.query_one("#lab-left")
        self.app.push_screen(LayerDialog(self.state, self.cursor, over, self.go_to))


def _bare(row: LayerRow) -> str:
    """The layer's name without its kernel, which has a column of its own."""
    name = row.name.replace(f" {row.kernel}", "") if row.kernel else row.name
    return name.replace("global avg pool", "global pool")
