"""What a network under change comes to: its rows as far as they can be worked out, and what breaks. No textual."""

from __future__ import annotations

from dataclasses import dataclass

from tuitrain.spec.preset import Preset
from tuitrain.spec.table import NetworkError, NetworkTable, TableRow, network_table


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a network can't be built: the layer (its index), the operation in its `then`, and a sentence with its name."""

    layer: int
    op: int | None
    sentence: str


@dataclass(frozen=True)
class Evaluation:
    """What a preset comes to: its table, or the rows up to the layer that breaks."""

    preset: Preset
    rows: tuple[TableRow, ...]
    table: NetworkTable | None
    problem: Problem | None

    @property
    def parameters(self) -> int:
        """Parameters of the rows that could be worked out."""
        return sum(row.parameters for row in self.rows)


def evaluate(preset: Preset) -> Evaluation:
    """The figures of a preset, as far as its network can be worked out."""
    rate = preset.train.dropout
    try:
        table = network_table(preset.model, dropout=rate)
    except NetworkError as error:
        problem = Problem(error.layer, error.op, error.sentence)
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
