"""Two networks layer by layer: what is the same, what was changed, added and taken out, and what each part costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuitrain.spec.describe import Change, aligned_layers, layer_changes, layers_of, renamed_references

if TYPE_CHECKING:
    from tuitrain.spec.preset import Preset
    from tuitrain.spec.table import NetworkTable, Shape


@dataclass(frozen=True)
class LayerFacts:
    """A layer of one of the networks.

    Attributes:
        path: its place in the preset, `model.layers[0]`.
        title: as the tables have it, `conv1 3×3 →10`.
        parameters: with those of the operations that follow it.
        output_shape: without the batch.
        receptive_field: of one of its outputs, in pixels a side.
        field_text: the same as text, `5` or `5×11`.
    """

    path: str
    title: str
    parameters: int
    output_shape: Shape
    receptive_field: int
    field_text: str


@dataclass(frozen=True)
class LayerDifference:
    """One layer in both networks, or in one of them (the other is None)."""

    status: Literal["same", "changed", "added", "removed"]
    old: LayerFacts | None
    new: LayerFacts | None
    changes: tuple[Change, ...] = ()


def layer_differences(old: Preset, new: Preset) -> list[LayerDifference]:
    """The layers of two networks in order, those of the first beside what became of them in the second."""
    layers, layers_new = layers_of(old.to_dict()), layers_of(new.to_dict())
    facts, facts_new = _facts(old.table()), _facts(new.table())
    out = []
    pairs = aligned_layers(layers, layers_new)
    renamed = renamed_references(layers, layers_new, pairs)
    for i, j in pairs:
        if i is None and j is not None:
            out.append(LayerDifference("added", None, facts_new[j]))
        elif i is not None and j is None:
            out.append(LayerDifference("removed", facts[i], None))
        elif i is not None and j is not None:
            changes = layer_changes("", renamed[i], layers_new[j])
            named = [Change((change.label.strip() or "width"), change.old, change.new) for change in changes]
            status: Literal["same", "changed"] = "changed" if named else "same"
            out.append(LayerDifference(status, facts[i], facts_new[j], tuple(named)))
    return out


def _facts(table: NetworkTable) -> dict[int, LayerFacts]:
    """By the index of the layer; of an input without a row of its own, those of its operations."""
    parameters = table.layer_parameters()
    out: dict[int, LayerFacts] = {}
    for row in table.rows:
        if row.layer not in out:
            title = row.name if row.is_op else row.title
            shape, field = row.output_shape, row.receptive_field
            out[row.layer] = LayerFacts(
                f"model.layers[{row.layer}]", title, parameters[row.layer], shape, field, row.field_text
            )
    return out
