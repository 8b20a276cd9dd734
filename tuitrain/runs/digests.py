"""Digests by which runs are found that train the same thing, or whose epochs are the same work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuitrain.training.events import RunStarted


def workload(preset: Mapping[str, Any], user_network: Mapping[str, str] | None = None) -> str:
    """A digest that is the same for runs whose epochs are the same work: network, data set and batch size.

    Args:
        preset: its plain form, which is not trusted.
        user_network: the network in Python in the place of the preset's, as `RunStarted.own_network` has it.
    """
    train = preset.get("train")
    settings = train if isinstance(train, dict) else {}
    parts = [settings.get(key) for key in ("dataset", "batch_size", "val_split")]
    network = user_network.get("sha256") if user_network else preset.get("model")
    text = json.dumps([network, parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


#: Keys of a preset that name it rather than say what is trained.
NAMES = ("name", "title", "family", "source", "story", "schema", "claims")


def setting_digest(start: RunStarted) -> str:
    """A digest that is the same for runs that train the same thing, but for the seed, to the same precision.

    Branches are the same only if they begin from the same place.
    """
    precision = start.runtime.get("precision", "fp32")
    return preset_digest(start.preset, start.own_network.get("sha256"), precision, start.parent)


def preset_digest(
    preset: Mapping[str, Any],
    network: str | None = None,
    precision: str = "fp32",
    parent: Mapping[str, Any] | None = None,
) -> str:
    """The same of a preset's plain form; `network` is the digest of a network in Python in its place."""
    data = {key: value for key, value in preset.items() if key not in (*NAMES, "challenge")}
    train = data.get("train")
    if isinstance(train, dict):
        data["train"] = {key: value for key, value in train.items() if key != "seed" and value is not None}
    if network:
        data["model"] = network
    parts = [data, precision, parent] if parent else [data, precision]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
