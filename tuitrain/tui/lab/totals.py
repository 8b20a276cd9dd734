"""What a network comes to: the gauge in its heading, and the totals below its table."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tuitrain.figures import short_count_text, size_text
from tuitrain.spec.table import NetworkTable
from tuitrain.tui.paint.lines import Line, wrap


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
