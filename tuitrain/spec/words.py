"""What was changed, in a few words: `rotation 5 → 7`, `layer 2 conv 10 → 11`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tuitrain.errors import visible

_SHORT = {
    "train.batch_size": "batch",
    "train.optimizer.lr": "lr",
    "train.optimizer.momentum": "momentum",
    "train.optimizer.nesterov": "nesterov",
    "train.optimizer.weight_decay": "weight decay",
    "train.label_smoothing": "label smoothing",
    "train.val_split": "held out",
    "train.normalize.mean": "mean",
    "train.normalize.std": "std",
    "challenge.max_parameters": "ceiling",
    "challenge.target_accuracy": "target",
}
_LAYER = re.compile(r"model\.layers\[(\d+)\](?:\.(.*))?$")
_KINDS = ("optimizer", "schedule")


def _word(key: str) -> str:
    if key in _SHORT:
        return _SHORT[key]
    layer = _LAYER.match(key)
    if layer:
        rest = (layer[2] or "").replace("then[", "op[").replace("_", " ")
        return f"layer {int(layer[1]) + 1} {rest}".strip()
    return key.removeprefix("train.").removeprefix("challenge.").replace("_", " ").replace(".", " ")


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "(" + " ".join(_value(item) for item in value) + ")"
    if isinstance(value, dict):
        return " ".join(f"{_value(v)}" if v is True else f"{k} {_value(v)}" for k, v in value.items())
    return visible(value)


def changes_in_words(changed: Mapping[str, Sequence[Any]]) -> list[str]:
    """Each change as a few words, the settings of a new optimizer or schedule folded into its name.

    Args:
        changed: [old, new] by dotted key, as `differences` gives it.
    """
    out = []
    folded = {kind for kind in _KINDS if f"train.{kind}.name" in changed}
    for key, (old, new) in changed.items():
        kind = next((k for k in folded if key.startswith(f"train.{k}.")), None)
        if kind and key != f"train.{kind}.name":
            if kind == "optimizer" and key.endswith(".lr"):
                out.append(f"lr {_value(old)} → {_value(new)}")
            continue
        if kind:
            out.append(f"{kind} {_value(old)} → {_value(new)}")
        elif key == "model.layers":
            out.append(f"layers {len(old)} → {len(new)}")
        else:
            out.append(f"{_word(key)} {_value(old)} → {_value(new)}")
    return out
