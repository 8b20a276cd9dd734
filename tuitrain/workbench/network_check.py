"""What a network under change comes to: its rows as far as they can be worked out, and what breaks. No textual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuitrain.errors import visible
from tuitrain.spec.describe import short_layer, short_ops
from tuitrain.spec.layers import layer_kind, unusual_conv
from tuitrain.spec.preset import Preset
from tuitrain.spec.sides import Pair, sides_text
from tuitrain.spec.table import NetworkError, NetworkTable, TableRow
from tuitrain.spec.walk import network_table


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a network can't be built: the layer (its index), the operation in its `then`, and a sentence with its name."""

    layer: int
    op: int | None
    sentence: str


@dataclass(frozen=True)
class NetworkCheck:
    """What a preset comes to: its table, or the rows up to the layer that breaks."""

    preset: Preset
    rows: tuple[TableRow, ...]
    table: NetworkTable | None
    problem: Problem | None

    @property
    def parameters(self) -> int:
        """Parameters of the rows that could be worked out."""
        return sum(row.parameters for row in self.rows)


def check_network(preset: Preset) -> NetworkCheck:
    """The figures of a preset, as far as its network can be worked out."""
    rate = preset.train.dropout
    try:
        table = network_table(preset.model, dropout=rate)
    except NetworkError as error:
        problem = Problem(error.layer, error.op, error.sentence)
    else:
        return NetworkCheck(preset, table.rows, table, None)
    layers = preset.model.layers
    whole = layers[problem.layer]
    # The end may be wrong with every row right; else: up to the layer, or up to its operation, that breaks.
    for tries in (
        layers,
        (*layers[: problem.layer], whole.model_copy(update={"then": whole.then[: problem.op or 0]})),
        layers[: problem.layer],
    ):
        if not tries:
            continue
        try:
            rows = network_table(
                preset.model.model_copy(update={"layers": tries}), dropout=rate, classes=None
            ).rows
        except NetworkError:
            continue
        return NetworkCheck(preset, rows, None, problem)
    return NetworkCheck(preset, (), None, problem)


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


def layer_rows(layers: Sequence[dict[str, Any]], check: NetworkCheck, over: bool) -> list[LayerRow]:
    """A row a layer, as far as the network can be worked out."""
    found: dict[int, list[Any]] = {}
    for row in check.rows:
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
        broken = check.problem is not None and check.problem.layer == index
        kernel = layer.get("kernel", 3) if kind == "conv" else layer.get(kind) if "pool" in kind else None
        out.append(
            LayerRow(
                index,
                str(number) if weighty else "",
                short_layer(layer),
                sides_text(kernel, both=True) if kernel and kernel is not True else "",
                f"{unusual_conv(layer)} {short_ops(layer)}".strip() if kind == "conv" else short_ops(layer),
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


def table_rows(table: NetworkTable) -> list[LayerRow]:
    """A row for each layer of a network in Python that was called when it was tried out."""
    return [
        LayerRow(
            index, "", visible(row.label), "", "", row.output_shape, row.parameters, 0, row.mult_adds, (0, 0), False,
            False,
        )
        for index, row in enumerate(table.rows)
    ]  # fmt: skip
