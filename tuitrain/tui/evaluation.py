"""What a network under change comes to: its rows as far as they can be worked out, and what breaks. No textual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuitrain.spec.preset import Preset
from tuitrain.spec.table import NetworkError, NetworkTable, Row, network_table

#: Kinds of layers in the order in which they are offered.
KINDS = ("conv", "maxpool", "avgpool", "global_avgpool", "flatten", "linear")
#: What a layer kind is called on the screen.
WORDS = {
    "conv": "conv",
    "maxpool": "max pool",
    "avgpool": "avg pool",
    "global_avgpool": "global avg pool",
    "flatten": "flatten",
    "linear": "linear",
    "input": "input",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a network can't be built: the layer (its index), the operation in its `then`, and the reason."""

    layer: int
    op: int | None
    what: str
    name: str = ""

    def sentence(self) -> str:
        """The problem with the layer's name as the table shows it."""
        return f"{self.name}: {self.what}"


@dataclass(frozen=True)
class Evaluation:
    """What a preset comes to: its table, or the rows up to the layer that breaks."""

    preset: Preset
    rows: tuple[Row, ...]
    table: NetworkTable | None
    problem: Problem | None

    @property
    def parameters(self) -> int:
        """Parameters of the rows that could be worked out."""
        return sum(row.parameters for row in self.rows)


def layer_kind(layer: dict[str, Any]) -> str:
    """The kind of a layer's plain form; `input` where it only has a `then`."""
    return next((kind for kind in KINDS if kind in layer), "input")


def layer_names(layers: Sequence[dict[str, Any]]) -> list[str]:
    """What each layer is called: `conv1`, `conv2`, `max pool after conv2`, `conv3` ... `linear7`."""
    out: list[str] = []
    count, last = 0, ""
    for layer in layers:
        kind = layer_kind(layer)
        if kind in ("conv", "linear"):
            count += 1
            last = f"{kind}{count}"
            out.append(last)
        else:
            out.append(f"{WORDS[kind]} after {last}" if last else WORDS[kind])
    return out


def op_kind(op: Any) -> str:
    """The kind of an operation's plain form."""
    return str(next(iter(op)) if isinstance(op, dict) else op)


def evaluate(preset: Preset) -> Evaluation:
    """The figures of a preset, as far as its network can be worked out."""
    rate = preset.train.dropout
    try:
        table = network_table(preset.model, dropout=rate)
    except NetworkError as error:
        names = layer_names([layer.to_toml_value() for layer in preset.model.layers])
        problem = Problem(error.layer, error.op, error.what, names[error.layer])
    else:
        return Evaluation(preset, table.rows, table, None)
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
        return Evaluation(preset, rows, None, problem)
    return Evaluation(preset, (), None, problem)
