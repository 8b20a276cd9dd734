"""What a new layer is like: in the manner of the layers before it, and naming only layers that fit."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

from tuitrain.spec.layers import LAYERS, REFERRING, layer_names
from tuitrain.spec.sides import pair
from tuitrain.spec.table import NetworkError
from tuitrain.spec.walk import network_table
from tuitrain.workbench.editor import EditError, NetworkEditor


def like_neighbours(editor: NetworkEditor, index: int, kind: str) -> dict[str, Any]:
    """A new layer of a kind for position `index`, in the manner of the layers before it."""
    if kind in ("maxpool", "avgpool"):
        return {kind: 2}
    if kind in ("global_avgpool", "flatten"):
        return {kind: True}
    if kind == "linear":
        return {"linear": 10}
    if kind == "blurpool":
        return {"blurpool": 3, "padding": 1}
    if kind in REFERRING:
        name = fitting(editor, index, kind)[-1]
        then = editor.ops(layer_names(editor.layers).index(name)) if kind == "share" else []
        return {kind: name, "then": then} if then else {kind: name}
    before = [layer for layer in editor.layers[:index] if "conv" in layer] or [
        layer for layer in editor.layers if "conv" in layer
    ]
    if not before:
        return {"conv": 10, "kernel": 3, "padding": 1, "then": ["relu"]}
    new = copy.deepcopy(before[-1])
    # Padded, so that it fits wherever the maps have got to.
    for key in ("stride", "dilation", "groups", "padding"):
        new.pop(key, None)
    kernel = new.get("kernel", 3)
    then = new.pop("then", None)
    if kernel != 1:
        halves = [side // 2 for side in pair(kernel)]
        new["padding"] = halves[0] if halves[0] == halves[1] else halves
    if then:
        new["then"] = then
    return new


def fitting(editor: NetworkEditor, index: int, kind: str) -> list[str]:
    """The earlier layers that a layer of a kind at position `index` can name, the nearest last.

    Raises:
        EditError: there is none.
    """
    names, model = layer_names(editor.layers)[:index], editor.preset.model
    fit = []
    for name in names[:-1] if kind == "residual" else names:  # the sum of a layer and itself is of no use
        tried = (*model.layers[:index], LAYERS[kind].model_validate({kind: name}))
        with suppress(NetworkError):
            network_table(model.model_copy(update={"layers": tried}), classes=None)
            fit.append(name)
    if not fit:
        raise EditError(
            "no layer further up has weights for these channels, so there are none to share"
            if kind == "share"
            else "no layer further up puts out the same shape, so there is none to add here"
        )
    return fit
