"""The form of one layer: its fields, and what a change of one of them edits. No textual."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from tuitrain.spec.layers import KIND_WORDS, LAYERS, REFERRING, layer_kind
from tuitrain.spec.operations import ACTIVATIONS, DROPOUTS, MAX_OPS, NORMS, OP_SETTINGS, op_kind
from tuitrain.workbench.editor import EditError, NetworkEditor
from tuitrain.workbench.fields import FormData, FormField, Item, schema_field
from tuitrain.workbench.new_layer import fitting

NONE = "–"
OPS = (NONE, *ACTIVATIONS, *NORMS, *DROPOUTS)
#: What the first number of a layer is called, and the setting of an operation.
_WORDS = {
    "conv": "channels", "linear": "features", "maxpool": "window", "avgpool": "window",
    "blurpool": "window", "share": "uses", "residual": "adds",
    "leaky_relu": "slope", "prelu": "one for all", "groupnorm": "groups", "dropout": "rate", "dropout2d": "rate",
}  # fmt: skip


def _settings(kind: str) -> list[str]:
    """The names of what a kind of layer is set to."""
    return [name for name in LAYERS[kind].model_fields if name != "then" and kind in _WORDS]


def layer_values(layer: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a layer's fields, defaults filled in."""
    kind = layer_kind(dict(layer))
    fields = LAYERS[kind].model_fields
    out: dict[str, Any] = {name: layer.get(name, fields[name].default) for name in _settings(kind)}
    ops = layer.get("then", [])
    for number, op in enumerate(ops):
        out[f"op{number}"] = op_kind(op)
        if op_kind(op) in OP_SETTINGS:
            setting = next(iter(op.values())) if isinstance(op, dict) else None
            if op_kind(op) == "prelu":
                setting = setting is not None
            out[f"op{number}.value"] = 0.01 if setting is None and op_kind(op) == "leaky_relu" else setting
    return out | {f"op{len(ops)}": NONE}


def _named(editor: NetworkEditor, index: int, name: str) -> dict[str, Any]:
    """For a setting that is another layer's name: those to choose from, and the present one."""
    if name not in REFERRING:
        return {}
    now = editor.layers[index][name]
    with suppress(EditError):
        fit = fitting(editor, index, name)
        return {"kind": "choice", "choices": tuple(fit if now in fit else [*fit, now])}
    return {"kind": "choice", "choices": (now,)}


def _fields(editor: NetworkEditor, index: int) -> list[FormField | Item]:
    layer = editor.layers[index]
    kind = layer_kind(dict(layer))
    rows: list[FormField | Item] = [
        schema_field(
            name,
            LAYERS[kind],
            name,
            label=_WORDS.get(name, name),
            empty="as window",
            **_named(editor, index, name),
        )
        for name in _settings(kind)
    ]
    rows.append(Item("then, in this order"))
    ops = list(layer.get("then", []))
    for number, op in enumerate([*ops, NONE][:MAX_OPS]):
        label = f"{number + 1}" if number < len(ops) else "add"
        help = "An activation, norm or dropout; J and K move it."
        rows.append(FormField(f"op{number}", label, "choice", help, choices=OPS))
        word = op_kind(op)
        if number < len(ops) and word in OP_SETTINGS:
            form: dict[str, Any] = {"optional": True, "empty": "default"} if word in DROPOUTS else {}
            help = "Empty: the dropout of the form." if form else ""
            label = f"  {_WORDS[word]}"
            if word == "prelu":
                help = "One slope for all channels, not one for each."
                rows.append(FormField(f"op{number}.value", label, "toggle", help))
                continue
            rows.append(
                schema_field(f"op{number}.value", OP_SETTINGS[word], word, label=label, help=help, **form)
            )
    return rows


def layer_data(editor: NetworkEditor, index: int) -> FormData:
    """The form of a layer; its old values where the network has as many layers as the preset's."""
    layer = editor.layers[index]
    values = layer_values(layer)
    base_layers: Sequence[dict[str, Any]] = editor.base.to_dict()["model"]["layers"]
    bases = dict(values)
    if len(base_layers) == len(editor.layers) and layer_kind(base_layers[index]) == layer_kind(layer):
        bases |= {key: value for key, value in layer_values(base_layers[index]).items() if key in values}
    rows = _fields(editor, index)
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
    number = op_number(key)
    if number is None:
        return editor.set_layer(index, key, value, merge=typing)
    ops = editor.ops(index)
    if key.endswith(".value"):
        word = op_kind(ops[number])
        ops[number] = word if value is None or value is False else {word: 1 if value is True else value}
    elif value == NONE:
        del ops[number : number + 1]
    else:
        new: Any = {"groupnorm": 2} if value == "groupnorm" else value
        ops[number : number + 1] = [new]
    return editor.set_ops(index, ops)


def reset_layer_field(editor: NetworkEditor, index: int, key: str) -> None:
    """Takes a field back, where the network has as many layers as the preset's."""
    bases = layer_data(editor, index).bases
    if len(editor.base.model.layers) == len(editor.layers) and key in bases:
        apply_layer_field(editor, index, key, bases[key])
