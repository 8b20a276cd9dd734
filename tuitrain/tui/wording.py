"""How a change reads on the screen. No textual."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from tuitrain.spec.preset import Preset, differences
from tuitrain.tui.evaluation import WORDS, layer_kind, layer_names, op_kind

#: What a key of `[train]` is called on the screen; the rest by their own name.
LABELS = {
    "train.optimizer.lr": "learning rate",
    "train.optimizer.name": "optimizer",
    "train.optimizer.weight_decay": "weight decay",
    "train.schedule.name": "schedule",
    "train.schedule.step_size": "step size",
    "train.normalize.mean": "mean",
    "train.normalize.std": "std",
}
#: Short forms of operations, for a line of the network table.
SHORT_OPS = {
    "batchnorm": "bn",
    "groupnorm": "gn",
    "layernorm": "ln",
    "instancenorm": "in",
    "leaky_relu": "lrelu",
    "sigmoid": "sigm",
    "dropout": "drop",
    "dropout2d": "drop2",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference from the chosen preset, in words."""

    label: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.label} {self.old} → {self.new}" if self.old or self.new else self.label


def number(value: Any) -> str:
    """A value as one would type it: 0.069, 1e-08, 60,000 stays 60000, lists with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        text = f"{value:.10g}"
        return text if any(c in text for c in ".en") else text + ".0"
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value)
    return str(value)


def label_of(key: str) -> str:
    """What a dotted key is called on the screen."""
    if key in LABELS:
        return LABELS[key]
    section, _, rest = key.partition(".")
    layer = re.match(r"layers\[(\d+)\]\.?(.*)", rest)
    if section == "model" and layer:
        return f"layer {int(layer[1]) + 1} {layer[2]}".rstrip().replace("_", " ")
    last = key.rpartition(".")[2].replace("_", " ")
    return f"rule: {last}" if section == "challenge" else last


def short_op(op: Any) -> str:
    """An operation in a few letters, with its own setting: `bn`, `drop .1`, `gn 2`."""
    kind = op_kind(op)
    word = SHORT_OPS.get(kind, kind)
    if isinstance(op, dict):
        setting = next(iter(op.values()))
        return f"{word} {setting:g}".replace(" 0.", " .") if not isinstance(setting, bool) else word
    return word


def short_ops(layer: Mapping[str, Any]) -> str:
    """What follows a layer, in order and in short."""
    return " ".join(short_op(op) for op in layer.get("then", []))


def short_layer(layer: Mapping[str, Any]) -> str:
    """A layer in a few words: `conv 3×3 →12`, `max pool`."""
    kind = layer_kind(dict(layer))
    if kind == "conv":
        return f"conv {layer.get('kernel', 3)}×{layer.get('kernel', 3)} →{layer['conv']}"
    if kind == "linear":
        return f"linear →{layer['linear']}"
    if kind in ("maxpool", "avgpool"):
        size = layer[kind]
        return WORDS[kind] if size == 2 else f"{WORDS[kind]} {size}×{size}"
    return WORDS[kind]


def _layer_changes(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    kind, kind_new = layer_kind(dict(old)), layer_kind(dict(new))
    if kind != kind_new:
        return [Change(place, short_layer(old), short_layer(new))]
    out: list[Change] = []
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) == new.get(key):
            continue
        if key == "then":
            out.append(Change(place, short_ops(old) or "none", short_ops(new) or "none"))
        elif key == kind:
            out.append(
                Change(
                    place if key in ("conv", "linear") else f"{place} window",
                    number(old[key]),
                    number(new[key]),
                )
            )
        else:
            defaults = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "kernel": 3}
            default = defaults.get(key)
            if key == "stride" and kind in ("maxpool", "avgpool"):
                default = None
            out.append(Change(f"{place} {key}", number(old.get(key, default)), number(new.get(key, default))))
    return out


def network_changes(old: list[Any], new: list[Any]) -> list[Change]:
    """What differs between two lists of layers, inserted and deleted ones by name."""
    names, names_old = layer_names(new), layer_names(old)
    out: list[Change] = []
    if [layer_kind(layer) for layer in old] == [layer_kind(layer) for layer in new]:
        for place, a, b in zip(names, old, new, strict=True):
            out += _layer_changes(place, a, b)
        return out
    # Layers as text, so that equal ones are found again wherever they have moved to.
    a_text, b_text = [repr(x) for x in old], [repr(x) for x in new]
    for tag, a0, a1, b0, b1 in SequenceMatcher(a=a_text, b=b_text, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        shared = min(a1 - a0, b1 - b0)
        for k in range(shared):
            out += _layer_changes(names[b0 + k], old[a0 + k], new[b0 + k])
        out += [Change(f"+ {names[i]}", "", "") for i in range(b0 + shared, b1)]
        out += [Change(f"− {names_old[i]}", "", "") for i in range(a0 + shared, a1)]
    return out


def changes(base: Preset, now: Preset) -> list[Change]:
    """What was changed, in words, in the order of the form and then of the network."""
    out: list[Change] = []
    found = differences(base, now)
    for table in ("optimizer", "schedule"):
        key = f"train.{table}.name"
        if key in found:
            old, new = found[key]
            out.append(Change(label_of(key), number(old), number(new)))
            # Its other settings came with it.
            same = {k for k in found if k.startswith(f"train.{table}.") and k != key and None in found[k]}
            found = {k: v for k, v in found.items() if k != key and k not in same}
    train = [
        Change(label_of(k), number(a), number(b)) for k, (a, b) in found.items() if k.startswith("train.")
    ]
    return train + out + network_changes(base.to_dict()["model"]["layers"], now.to_dict()["model"]["layers"])


def count_short(value: float) -> str:
    """`1.28 M`, `70.6 k`, `940`: three figures."""
    for limit, word in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit * 0.9995:
            part = value / limit
            return (
                f"{part:.2f} {word}"
                if part < 10
                else f"{part:.1f} {word}"
                if part < 100
                else f"{part:.0f} {word}"
            )
    return f"{value:.0f}"


def megabytes(size: int) -> str:
    """Bytes in MB of a million, as torchinfo has them."""
    return f"{size / 1e6:.2f} MB"


def shape_text(shape: tuple[int, ...], *, channels: bool) -> str:
    """An output shape: `10×28×28`, or without its channels `28×28`; a vector by its width."""
    if len(shape) == 1:
        return str(shape[0])
    return "×".join(str(side) for side in (shape if channels else shape[1:]))


def sparkline(values: Sequence[float]) -> str:
    """Values as blocks from the smallest above zero to the largest; equal ones as a half."""
    if not values:
        return ""
    high = max(values)
    if high <= 0:
        return "▁" * len(values)
    if min(values) == high:
        return "▅" * len(values)
    blocks = "▁▂▃▄▅▆▇█"
    return "".join(blocks[min(7, int(max(0.0, value) / high * 7.999))] for value in values)
