"""The words of small networks in a preset: written and read, in the schema, in commands, and as differences."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from support.training_small import WORDS, tiny
from tuitrain.report.architecture import architecture_svg
from tuitrain.spec.describe import network_changes
from tuitrain.spec.json_schema import preset_schema
from tuitrain.spec.layers import layer_names
from tuitrain.spec.preset import override, preset_from_toml
from tuitrain.spec.repeat import run_arguments
from tuitrain.watch.network_diff import layer_differences


def test_they_are_written_read_and_in_the_schema() -> None:
    preset = tiny(WORDS, ema=0.999)
    assert preset_from_toml(preset.to_toml(), "toml") == preset
    assert preset.to_dict()["model"]["layers"] == WORDS and "ema" not in tiny(WORDS).to_dict()["train"]
    jsonschema.validate(preset.to_dict(), preset_schema())
    wrong: list[dict[str, Any]] = [
        {"residual": 3}, {"share": ""}, {"blurpool": 8}, {"blurpool": 3, "then": [{"prelu": 4}]}, {"share": "conv1", "kernel": 3},
    ]  # fmt: skip
    for layer in wrong:
        data = preset.to_dict()
        data["model"]["layers"][2] = layer
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, preset_schema())


def test_a_flag_sets_them_and_the_command_repeats_it() -> None:
    base = tiny(WORDS)
    changed = override(
        base, {"model.layers[3].residual": "conv1", "train.ema": 0.99} | {"model.layers[1].maxpool": 1}
    )
    arguments = run_arguments(base, "tiny", changed)
    assert 'model.layers[3].residual="conv1"' in arguments and "train.ema=0.99" in arguments


def test_what_differs_is_named_and_a_layer_that_only_got_another_number_is_not() -> None:
    new = [{"conv": 1, "kernel": 1}, *WORDS]
    pooled = {
        "conv": 6,
        "kernel": 3,
        "padding": 1,
        "bias": False,
        "then": ["prelu", "batchnorm", "dropout2d"],
    }
    assert WORDS[0] == pooled
    follows = [dict(layer) for layer in new]
    for layer in follows:
        for key in ("residual", "share"):
            if key in layer:
                layer[key] = {"max pool after conv1": "max pool after conv2", "conv2": "conv3"}[layer[key]]
    assert [str(change) for change in network_changes(WORDS, follows)] == ["+ conv1"]
    other = [layer if "residual" not in layer else layer | {"residual": "conv1"} for layer in WORDS]
    said = [str(change) for change in network_changes(WORDS, other)]
    assert said == ["residual after conv2 adds max pool after conv1 → conv1"]
    one, two = tiny(WORDS), tiny([{"conv": 1, "kernel": 1}, *follows[1:]])
    assert [d.status for d in layer_differences(one, two)] == ["added", *["same"] * len(WORDS)]


def test_a_picture_of_them_has_every_layer() -> None:
    text = architecture_svg("words", tiny(WORDS).table())
    for title in ("blur pool", "adds max pool after conv1", "conv2 again 3×3 →6"):
        assert title in text


def test_groups_and_dilation_are_named_where_there_are_such() -> None:
    layers = [
        {"conv": 4, "padding": 1},
        {"conv": 4, "padding": 2, "groups": 4, "dilation": 2},
        {"conv": 4, "dilation": [1, 2], "padding": 1},
        *[{"share": "conv2"}, {"flatten": True}, {"linear": 10}],
    ]
    titles = [row.title for row in tiny(layers).table().rows]
    assert titles[:4] == [
        "conv1 3×3 →4", "conv2 3×3 →4 groups 4 dilation 2", "conv3 3×3 →4 dilation 1×2",
        "conv2 again 3×3 →4 groups 4 dilation 2",
    ]  # fmt: skip
    assert layer_names(layers)[3:5] == ["conv2 again", "flatten after conv2 again"]
