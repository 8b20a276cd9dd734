"""How layers, settings and their changes read: `conv 3×3 →12`, `rotation 5.0 → 7.0`, `conv2 10 → 11`.

The plain forms may come from anywhere: an odd log gives odd words, but no error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tuitrain.errors import visible
from tuitrain.spec.layers import KIND_WORDS, LAYERS, REFERRING, layer_kind, layer_names
from tuitrain.spec.operations import op_kind
from tuitrain.spec.preset import Preset, differences, flattened
from tuitrain.spec.train import Train

#: What a key is called, where that is not its last part.
LABELS = {
    "challenge.consistently.epochs": "rule: epochs at target",
    "challenge.consistently.of_last": "rule: of the last",
    "train.optimizer.lr": "learning rate",
    "train.optimizer.name": "optimizer",
    "train.optimizer.weight_decay": "weight decay",
    "train.schedule.name": "schedule",
}
#: What the keys of a table are called, where the last part alone would not say it.
TABLES = {
    "challenge.": "rule: {}",
    "train.early_stop.": "early stop: {}",
    "train.augment_p.": "{} probability",
}
#: The same where there is less room.
SHORT_LABELS = {"learning rate": "lr", "batch size": "batch"}
#: Operations where there is less room.
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
_MOST_PAIRS = 40_000  # of layers that are compared with each other
#: A key of a layer: its index, its setting or `then`, and of an operation in `then` its index and setting.
_LAYER = re.compile(r"model\.layers\[(\d{1,4})\]\.(?:(?!then\[)(\w+)|then\[(\d{1,4})\](?:\.(\w+))?)")


class Change(NamedTuple):
    """One difference in words; with neither value, the label says it all (`+ conv3`)."""

    label: str
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        return f"{self.label} {self.old} → {self.new}" if self.old or self.new else self.label

    @property
    def short(self) -> str:
        """What it is now, in few letters: `rotation 7.0`, `lr 0.01`, `conv2 11`."""
        label = SHORT_LABELS.get(self.label, self.label)
        return f"{label} {self.new}" if 0 < len(self.new) <= 12 else label


def value_text(value: Any) -> str:
    """A value as one would type it: 0.069, 1e-08, 60,000 stays 60000, lists with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        text = f"{value:.10g}"
        return text if any(c in text for c in ".en") else text + ".0"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value)
    return visible(value)


def label_of(key: str) -> str:
    """What a dotted key is called."""
    if key in LABELS or key.startswith("model."):
        return LABELS.get(key, visible(key))
    last = visible(key.rpartition(".")[2].replace("_", " "))
    for table, text in TABLES.items():
        if key.startswith(table):
            return text.format(last)
    return last


# ---------------------------------------------------------------------------------- layers


def short_op(op: Any) -> str:
    """An operation in a few letters, with its own setting: `bn`, `drop .1`, `gn 2`."""
    word = SHORT_OPS.get(op_kind(op), op_kind(op))
    setting = next(iter(op.values()), True) if isinstance(op, dict) else True
    if isinstance(setting, bool):
        return visible(word)
    shown = f"{setting:g}" if isinstance(setting, float) else value_text(setting)
    return f"{visible(word)} {shown}".replace(" 0.", " .")


def short_ops(layer: Mapping[str, Any]) -> str:
    """What follows a layer, in order and in short."""
    return " ".join(short_op(op) for op in layer.get("then") or ())


def short_layer(layer: Mapping[str, Any]) -> str:
    """A layer in a few words: `conv 3×3 →12`, `max pool`."""
    kind = layer_kind(layer)
    word, size = KIND_WORDS[kind], value_text(layer.get(kind))
    if kind == "conv":
        return f"conv {_sides(layer.get('kernel', 3), both=True)} →{size}"
    if kind == "linear":
        return f"linear →{size}"
    if kind == "residual":
        return f"adds {size}"
    if kind == "share":
        return f"{size} again"
    return (
        f"{word} {_sides(layer.get(kind), both=True)}"
        if "pool" in kind and layer.get(kind) not in (True, 2)
        else word
    )


def _sides(value: Any, *, both: bool = False) -> str:
    """`3` or `1×7`, with `both` `3×3`; what is no such thing (in a stranger's log) as it is."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return f"{value_text(value[0])}×{value_text(value[1])}"
    return f"{value_text(value)}×{value_text(value)}" if both else value_text(value)


#: How the first setting of a kind of layer is called behind the layer's name; of the others it is their window.
_FIRST_SETTINGS = {"conv": "", "linear": "", "residual": " adds", "share": " uses"}


def layer_settings(layer: Mapping[str, Any]) -> dict[str, str]:
    """What a layer is set to, by what stands behind its name: `""` for a width, `" kernel"`, `" then"`."""
    kind = layer_kind(layer)
    out: dict[str, str] = {}
    for key, info in LAYERS[kind].model_fields.items():
        if key == kind:
            out[_FIRST_SETTINGS.get(kind, " window")] = _sides(layer.get(key))
        elif key != "then":
            out[f" {key}"] = _sides(layer.get(key, info.default))
    return out | {" then": short_ops(layer) or "none"}


def layer_changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs between two layers of one kind."""
    before, after = layer_settings(old), layer_settings(new)
    return [Change(name + key, before[key], after[key]) for key in after if before[key] != after[key]]


def aligned_layers(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> list[tuple[int | None, int | None]]:
    """Which layer of a network became which of another, in order; None where one was added or taken out.

    Of all ways to pair layers of one kind without crossing, the one with the fewest changes: a layer that is added or
    taken out counts 1, one with other settings a part of that for each of them.
    """
    if len(old) * len(new) > _MOST_PAIRS:  # of no preset, but a log may hold anything
        return [*((i, None) for i in range(len(old))), *((None, j) for j in range(len(new)))]
    changes = [
        [_change_cost(a, b) for b in map(_kind_and_settings, new)] for a in map(_kind_and_settings, old)
    ]
    costs = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old), -1, -1):
        for j in range(len(new), -1, -1):
            ways = [1 + costs[i + 1][j]] if i < len(old) else []
            ways += [1 + costs[i][j + 1]] if j < len(new) else []
            ways += [changes[i][j] + costs[i + 1][j + 1]] if i < len(old) and j < len(new) else []
            costs[i][j] = min(ways, default=0.0)
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and costs[i][j] == changes[i][j] + costs[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif i < len(old) and costs[i][j] == 1 + costs[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    return pairs


def _kind_and_settings(layer: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    return layer_kind(layer), layer_settings(layer)


def _change_cost(old: tuple[str, dict[str, str]], new: tuple[str, dict[str, str]]) -> float:
    if old[0] != new[0]:
        return math.inf
    return min(1.5, 0.25 * sum(old[1][key] != new[1][key] for key in new[1]))


def renamed_references(
    old: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
    pairs: Sequence[tuple[int | None, int | None]],
) -> list[dict[str, Any]]:
    """The old layers with references by the names that those layers have now: a name that only moved is no change."""
    before, now = layer_names(old), layer_names(new)
    names = {before[i]: now[j] for i, j in pairs if i is not None and j is not None}
    return [
        {key: names.get(str(value), value) if key in REFERRING else value for key, value in layer.items()}
        for layer in old
    ]


def network_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Change]:
    """What differs between two lists of layers, inserted and deleted ones by name."""
    names, names_old = layer_names(new), layer_names(old)
    pairs = aligned_layers(old, new)
    renamed = renamed_references(old, new, pairs)
    out: list[Change] = []
    for i, j in pairs:
        if i is not None and j is not None:
            out += layer_changes(names[j], renamed[i], new[j])
        elif j is not None:
            out.append(Change(f"+ {names[j]}"))
        elif i is not None:
            out.append(Change(f"− {names_old[i]}"))
    return out


def augmentation_text(train: Train) -> str:
    """What is done to training images: `rotation up to ±5°, shift 2 px`; `no rotation` where nothing is."""
    low, high = train.rotation_range
    turn = f"rotation up to ±{high:g}°" if low == -high else f"rotation {low:g}° to {high:g}°"
    parts = [turn if low or high else "no rotation"]
    for name, unit in (
        ("shift", " px"), ("zoom", ""), ("shear", "°"), ("erase", ""), ("crop", " px"), ("brightness", ""),
        ("contrast", ""),
    ):  # fmt: skip
        value = getattr(train, name)
        if value:
            parts.append(f"{name} {value:g}{unit}")
    return ", ".join(parts)


# ---------------------------------------------------------------------------------- changes


def preset_changes(base: Preset, now: Preset) -> list[Change]:
    """What differs between two presets, in words."""
    return describe_changes(differences(base, now), layers_of(now.to_dict()))


def describe_changes(changed: Mapping[str, Any], layers: Sequence[Any]) -> list[Change]:
    """Differences in words, the settings that came with another optimizer or schedule left out.

    Args:
        changed: [old, new] by dotted key, as `differences` gives it.
        layers: the plain forms of the layers after the change, for their names.
    """
    pairs = {k: p for k, p in changed.items() if isinstance(p, list | tuple) and len(p) == 2}
    replaced = [f"train.{table}." for table in ("optimizer", "schedule") if f"train.{table}.name" in pairs]
    network = _network_pairs(pairs, layers)
    rest = {
        key: pair
        for key, pair in pairs.items()
        if not (network and key.startswith("model."))
        and not (None in pair and any(key.startswith(table) for table in replaced))
    }
    out = [Change(label_of(key), value_text(old), value_text(new)) for key, (old, new) in rest.items()]
    return out + (network_changes(*network) if network else [])


def layers_of(preset: Mapping[str, Any]) -> list[Any]:
    """The layers in a preset's plain form; none where it has none."""
    model = preset.get("model")
    layers = model.get("layers") if isinstance(model, dict) else None
    return layers if isinstance(layers, list) else []


def short_changes(changed: Mapping[str, Any], layers: Sequence[Any]) -> str:
    """What was changed, with its new value: `rotation 7.0, lr 0.01, conv2 11`."""
    return ", ".join(change.short for change in describe_changes(changed, layers))


def _network_pairs(
    pairs: Mapping[str, Any], layers: Sequence[Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | None:
    """The layers before and after a change, or None where none was changed or it can't be told."""
    if "model.layers" in pairs:
        old, new = pairs["model.layers"]
    else:
        old, new = _before({key: pair[0] for key, pair in pairs.items() if _LAYER.match(key)}, layers), layers
    if all(isinstance(side, list | tuple) and all(map(_is_layer, side)) for side in (old, new)):
        return old, new
    return None


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("then", []), list)


def _before(old: Mapping[str, Any], layers: Sequence[Any]) -> list[dict[str, Any]] | None:
    """The layers before a change, from those after it and the old values by dotted key (None: there was none)."""
    if not old:
        return None
    flat = flattened(list(layers), "model.layers")
    flat = {key: value for key, value in {**flat, **old}.items() if value is not None}
    found: dict[int, dict[str, Any]] = {}
    for key, value in flat.items():
        match = _LAYER.fullmatch(key)
        if match is None:
            return None
        layer = found.setdefault(int(match[1]), {})
        setting, op, of_op = match[2], match[3], match[4]
        if setting:
            layer[setting] = value
        elif isinstance(layer.setdefault("then", {}), dict):
            layer["then"][int(op)] = {of_op: value} if of_op else value
    for layer in found.values():
        if isinstance(layer.get("then"), dict):
            layer["then"] = [op for _, op in sorted(layer["then"].items())]
    return [layer for _, layer in sorted(found.items())]
