"""The form of one layer: its fields, and what a change of one of them edits. No textual."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tuitrain.spec.layers import ACTIVATIONS, DROPOUTS, KIND_WORDS, MAX_OPS, NORMS, layer_kind, op_kind
from tuitrain.tui.lab.editor import NetworkEditor
from tuitrain.tui.lab.fields import Field, FormData, Item, layer_field

NONE = "–"
OPS = (NONE, *ACTIVATIONS, *NORMS, *DROPOUTS)
#: What the setting of an operation is called, its range, and what it is without one.
_SETTINGS: dict[str, tuple[str, float, float, bool]] = {
    "leaky_relu": ("slope", 0, 1, False),
    "groupnorm": ("groups", 1, 1024, False),
    "dropout": ("rate", 0, 1, True),
    "dropout2d": ("rate", 0, 1, True),
}
_CONV = (
    ("kernel", "kernel", "Sides of the window, in pixels: 3, or 1x7 for height 1 and width 7.", 1),
    ("stride", "stride", "Pixels from one window to the next; 1x2: down, across.", 1),
    ("padding", "padding", "Zeros put around the maps; 0x3: above and below, left and right.", 1),
    ("dilation", "dilation", "Distance between the pixels of a window.", 1),
    ("groups", "groups", "Channels are split into this many separate parts.", 1),
)
_DEFAULTS = {"kernel": 3, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}


def layer_values(layer: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a layer's fields, defaults filled in."""
    kind = layer_kind(dict(layer))
    out: dict[str, Any] = {}
    if kind == "conv":
        out |= {"width": layer["conv"]} | {k: layer.get(k, d) for k, d in _DEFAULTS.items()}
    elif kind == "linear":
        out |= {"width": layer["linear"], "bias": layer.get("bias", True)}
    elif kind in ("maxpool", "avgpool"):
        out |= {"window": layer[kind], "stride": layer.get("stride"), "padding": layer.get("padding", 0)}
    for number, op in enumerate(layer.get("then", [])):
        out[f"op{number}"] = op_kind(op)
        if op_kind(op) in _SETTINGS:
            setting = next(iter(op.values())) if isinstance(op, dict) else None
            out[f"op{number}.value"] = 0.01 if setting is None and op_kind(op) == "leaky_relu" else setting
    out[f"op{len(layer.get('then', []))}"] = NONE
    return out


def _fields(layer: Mapping[str, Any]) -> list[Field | Item]:
    kind = layer_kind(dict(layer))
    rows: list[Field | Item] = []
    if kind == "conv":
        rows.append(layer_field("conv", "conv", "channels", "How many maps it makes.", key="width"))
        rows += [layer_field("conv", name, label, help) for name, label, help, _ in _CONV]
    elif kind == "linear":
        rows.append(layer_field("linear", "linear", "features", "How many numbers it makes.", key="width"))
    elif kind in ("maxpool", "avgpool"):
        rows.append(
            layer_field(
                kind,
                kind,
                "window",
                "Sides of the window, in pixels: 3, or 1x7 for height 1 and width 7.",
                key="window",
            )
        )
        rows.append(layer_field(kind, "stride", "stride", "Empty: as the window.", empty="as window"))
        rows.append(layer_field(kind, "padding", "padding", "Pixels put around the maps."))
    if kind in ("conv", "linear"):
        rows.append(Field("bias", "bias", "toggle", "A number of its own added to each output."))
    rows.append(Item("then, in this order"))
    ops = list(layer.get("then", []))
    for number, op in enumerate([*ops, NONE][:MAX_OPS]):
        label = f"{number + 1}" if number < len(ops) else "add"
        rows.append(
            Field(
                f"op{number}",
                label,
                "choice",
                "An activation, norm or dropout; J and K move it.",
                choices=OPS,
            )
        )
        if number < len(ops) and op_kind(op) in _SETTINGS:
            word, low, high, optional = _SETTINGS[op_kind(op)]
            whole = word == "groups"
            help = "Empty: the dropout of the form." if optional else ""
            rows.append(
                Field(
                    f"op{number}.value", f"  {word}", "int" if whole else "float", help, low, high,
                    below=optional, optional=optional, empty="the form's" if optional else "", step=1 if whole else 0.01,
                )
            )  # fmt: skip
    return rows


def layer_data(editor: NetworkEditor, index: int) -> FormData:
    """The form of a layer; its old values where the network has as many layers as the preset's."""
    layer = editor.layers[index]
    values = layer_values(layer)
    base_layers: Sequence[dict[str, Any]] = editor.base.to_dict()["model"]["layers"]
    bases = dict(values)
    if len(base_layers) == len(editor.layers) and layer_kind(base_layers[index]) == layer_kind(layer):
        bases |= {key: value for key, value in layer_values(base_layers[index]).items() if key in values}
    rows = _fields(layer)
    if layer_kind(layer) in ("global_avgpool", "flatten", "input"):
        rows.insert(0, Item(f"{KIND_WORDS[layer_kind(layer)]} has no settings"))
    return FormData(rows, values, bases)


def op_number(key: str) -> int | None:
    """The number of the operation that a field is about."""
    match = re.match(r"op(\d+)", key)
    return int(match[1]) if match else None


def apply_layer_field(
    editor: NetworkEditor, index: int, key: str, value: Any, *, typing: bool = False
) -> bool:
    """Makes the edit that a field's new value means.

    Raises:
        EditError: it is refused.
    """
    kind = layer_kind(editor.layers[index])
    number = op_number(key)
    if number is None:
        name = kind if key in ("width", "window") else key
        return editor.set_layer(index, name, value, merge=typing)
    ops = editor.ops(index)
    if key.endswith(".value"):
        word = op_kind(ops[number])
        ops[number] = word if value is None else {word: value}
    elif value == NONE:
        del ops[number : number + 1]
    else:
        new: Any = {"groupnorm": 2} if value == "groupnorm" else value
        ops[number : number + 1] = [new]
    return editor.set_ops(index, ops)
