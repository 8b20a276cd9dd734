"""What a network comes to: the gauge in its heading, and the totals below its table."""

from __future__ import annotations

from typing import Any

from tuitrain.figures import short_count_text, size_text
from tuitrain.spec.table import NetworkTable
from tuitrain.tui.lab.parts import TextLines
from tuitrain.tui.paint.text import Line, Parts, wrap


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
        line.add(f"{figures['parameters']:,}", "bold").add(" parameters  ", "dim")
        line.add(short_count_text(figures["mult_adds"]), "bold").add(" mult-adds  ", "dim")
        line.add(size_text(size), "bold")
        note = "torchinfo" if self.figures is not None else "closed form"
        return line.to(width - len(note) - 1).add(note, "dim") if width - line.x > len(note) + 1 else line
