"""What a network costs: shapes, parameters, multiply-adds, receptive field; `walk.py` works it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from tuitrain.errors import PresetError, UsageError, visible
from tuitrain.spec.sides import Pair, sides_text

INPUT_SHAPE = (1, 28, 28)
FLOAT_BYTES = 4

Shape = tuple[int, ...]


class NetworkError(PresetError):
    """A network that can't be built: `layer` is the offending entry's index, `op` the one in its `then`."""

    def __init__(self, layer: int, name: str, what: str, *, op: int | None = None) -> None:
        self.layer, self.op = layer, op
        self.sentence = f"{name}: {what}"
        place = f"model.layers[{layer}]" + ("" if op is None else f".then[{op}]")
        super().__init__(f"{name} ({place}): {what}")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the table: a layer, or an operation that follows it (`op` is its index in `then`).

    `layer` is the index in `model.layers`, `name` what that layer is called (see `layer_names`);
    a network in Python has no such names. `field` is the height and width of the receptive field, whose
    larger side is `receptive_field`.
    """

    layer: int
    op: int | None
    kind: str
    label: str
    kernel: str
    output_shape: Shape
    parameters: int
    mult_adds: int
    receptive_field: int
    dropout: float | None = None
    name: str = ""
    field: Pair = (0, 0)

    @property
    def is_op(self) -> bool:
        """Whether this is an operation of a `then`, not a layer of its own."""
        return self.op is not None

    @property
    def field_text(self) -> str:
        """The receptive field in pixels a side: `5`, or `5×11` of height 5 and width 11."""
        return sides_text(self.field)

    @property
    def path(self) -> str:
        """Its place in a preset, as `--set` takes it: `model.layers[0]`, `model.layers[0].then[1]`."""
        return f"model.layers[{self.layer}]" + ("" if self.op is None else f".then[{self.op}]")

    @property
    def title(self) -> str:
        """The label with the layer's number in it: `conv2 3×3 →10`, `max pool`, `batch norm`."""
        numbered = self.name and self.kind in ("conv", "linear")
        return self.label.replace(self.kind, self.name, 1) if numbered else self.label


@dataclass(frozen=True, slots=True)
class NetworkTable:
    """The rows of a network and their totals for one image."""

    input_shape: Shape
    rows: tuple[TableRow, ...]

    @property
    def parameters(self) -> int:
        """All trainable parameters."""
        return sum(row.parameters for row in self.rows)

    @property
    def mult_adds(self) -> int:
        """Multiply-adds of one forward pass of one image."""
        return sum(row.mult_adds for row in self.rows)

    @property
    def receptive_field(self) -> int:
        """Pixels a side of the image that one logit depends on, padding counted; of the larger side."""
        return self.rows[-1].receptive_field

    @property
    def input_bytes(self) -> int:
        """One image as float32."""
        return FLOAT_BYTES * prod(self.input_shape)

    @property
    def parameter_bytes(self) -> int:
        """All parameters as float32."""
        return FLOAT_BYTES * self.parameters

    @property
    def forward_backward_bytes(self) -> int:
        """Outputs of the layers with parameters, shared ones too, twice (for their gradients)."""
        weighty = (row for row in self.rows if row.parameters or row.kind == "share")
        return 2 * FLOAT_BYTES * sum(prod(row.output_shape) for row in weighty)

    def layer_parameters(self) -> dict[int, int]:
        """Parameters of each entry of `model.layers`, its operations included."""
        out: dict[int, int] = {}
        for row in self.rows:
            out[row.layer] = out.get(row.layer, 0) + row.parameters
        return out


def costliest(table: NetworkTable, count: int = 3) -> Sequence[tuple[str, int]]:
    """The layers with the most parameters: (name, parameters), largest first."""
    names = {row.layer: row.name for row in table.rows}
    costs = sorted(table.layer_parameters().items(), key=lambda item: -item[1])[:count]
    return [(names[layer], parameters) for layer, parameters in costs]


def refuse_over_budget(table: NetworkTable, name: str, budget: int | None) -> None:
    """Refuses a network above the budget, before anything is loaded.

    Args:
        table: of the network.
        name: of its preset.
        budget: the most parameters; None for any number.

    Raises:
        UsageError: over budget, with the layers that cost most.
    """
    if not budget or table.parameters <= budget:
        return
    over = table.parameters - budget
    worst = ", ".join(f"{name} {count:,}" for name, count in costliest(table))
    raise UsageError(
        f"--budget {budget:,}: {visible(name)} has {table.parameters:,} parameters, {over:,} too many "
        f"(most in {worst}); make them narrower."
    )
