"""Kernels, strides, paddings and dilations of two sides: `kernel = [1, 7]`."""

import jsonschema
import pytest

from tuitrain.errors import PresetError
from tuitrain.spec.describe import network_changes, short_layer
from tuitrain.spec.json_schema import preset_schema
from tuitrain.spec.preset import differences, override, preset_from_dict, preset_from_toml
from tuitrain.spec.preset_files import load_preset
from tuitrain.spec.repeat import run_arguments
from tuitrain.spec.sides import sides_text
from tuitrain.workbench.editor import NetworkEditor
from tuitrain.workbench.layerform import apply_layer_field, layer_data
from tuitrain.workbench.new_layer import like_neighbours

KEY = "model.layers[0].kernel"


def layers(**first: object) -> dict:
    return {"model": {"layers": [{"conv": 10, **first}, {"global_avgpool": True}]}}


def test_equal_sides_are_one_number_and_two_survive_toml() -> None:
    both, one = (preset_from_dict(layers(kernel=k), "a test") for k in ([3, 3], 3))
    assert both == one and both.to_dict() == one.to_dict()
    two = preset_from_dict(layers(kernel=[1, 7], padding=[0, 3], stride=[2, 1], dilation=[1, 2]), "a test")
    again = preset_from_toml(two.to_toml(), "a test", name=two.name)
    assert again == two and two.to_dict()["model"]["layers"][0]["kernel"] == [1, 7]
    row = two.table().rows[0]
    assert (row.output_shape, row.parameters, row.kernel) == ((10, 14, 22), 80, "1×7")
    assert row.mult_adds == 80 * 14 * 22 and row.field == (1, 13) and row.path == "model.layers[0]"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([1, 2, 3], "kernel has too many entries; the limit is 2"),
        ([1], r"kernel\[1\] is missing; add it"),
        ([0, 3], r"kernel\[0\] is 0; use 1 or more"),
        ([1, "7"], r"kernel\[1\] is '7'; use a whole number"),
        (65, "kernel is 65; use 64 or less"),
        (3.0, "kernel is 3.0; use a whole number"),
        (True, "kernel is true; use a whole number"),
        ("1x7", "kernel is '1x7'; use a whole number"),
        ([29, 1], "conv 29×1 reaches over 29×1 but its input has shrunk to 28×28"),
    ],
)
def test_a_mistake_in_them_is_one_sentence(value: object, says: str) -> None:
    with pytest.raises(PresetError, match=says):
        preset_from_dict(layers(kernel=value), "mine.toml")


def test_pooling_of_two_sides() -> None:
    data = layers()
    data["model"]["layers"][1:1] = [{"maxpool": [1, 2], "padding": [0, 1]}]
    assert preset_from_dict(data, "a test").table().rows[1].output_shape == (10, 26, 14)
    data["model"]["layers"][1] = {"avgpool": [1, 3], "padding": 1}
    with pytest.raises(PresetError, match="padding = 1 is more than half of the 1×3 window; use 0×1 or less"):
        preset_from_dict(data, "a test")


def test_it_is_set_by_a_flag_repeated_worded_and_in_the_schema() -> None:
    base = load_preset("step13")
    changed = override(base, {KEY: [1, 3], "model.layers[0].padding": [0, 1]})
    assert differences(base, changed)[KEY] == [3, [1, 3]]
    assert f"{KEY}=[1, 3]" in run_arguments(base, "step13", changed)
    old, new = (p.to_dict()["model"]["layers"] for p in (base, changed))
    assert short_layer(new[0]) == "conv 1×3 →10"
    assert [str(c) for c in network_changes(old, new)] == ["conv1 kernel 3 → 1×3", "conv1 padding 1 → 0×1"]
    jsonschema.validate(changed.to_dict(), preset_schema())
    for wrong in ([1], [1, 2, 3], [0, 1], "1x7"):
        data = changed.to_dict()
        data["model"]["layers"][0]["kernel"] = wrong
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, preset_schema())


def test_the_labs_editor_takes_them() -> None:
    editor = NetworkEditor(load_preset("step13"))
    field = next(row for row in layer_data(editor, 0).rows if getattr(row, "key", "") == "kernel")
    assert [field.parse(text) for text in ("1x7", "1×7", "1, 7", "3", "3x3", "2*2")] == [[1, 7]] * 3 + [
        3,
        3,
        4,
    ]
    for text, says in (
        ("1x2x3", "as in 1x7"),
        ("1x", "number"),
        ("0x3", "at least 1"),
        ("1x65", "at most 64"),
    ):
        with pytest.raises(ValueError, match=says):
            field.parse(text)
    assert field.show([1, 7]) == "1×7" and field.show(3) == "3" and field.nudge([1, 7], 1) == [2, 8]
    assert apply_layer_field(editor, 0, "kernel", [1, 7]) and editor.check.rows[0].kernel == "1×7"
    assert like_neighbours(editor, 1, "conv")["padding"] == [0, 3]
    assert apply_layer_field(editor, 0, "kernel", [3, 3]) and not editor.is_changed
    assert sides_text(3, both=True) == "3×3"
