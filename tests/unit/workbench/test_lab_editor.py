"""The editing model: undo takes every edit back, tables follow, impossible networks are kept and explained."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuitrain.errors import PresetError
from tuitrain.spec.layers import LAYERS, layer_names
from tuitrain.spec.preset import preset_from_dict, preset_from_toml
from tuitrain.spec.preset_files import list_presets, load_preset
from tuitrain.spec.table import NetworkError
from tuitrain.spec.walk import network_table
from tuitrain.workbench.editor import EditError, NetworkEditor
from tuitrain.workbench.layerform import NONE, OPS, apply_layer_field, layer_data, layer_values
from tuitrain.workbench.network_check import check_network, layer_rows
from tuitrain.workbench.new_layer import like_neighbours

PRESETS = {name: load_preset(name) for name in ("step13", "twelvek", "mlp", "net8")}

EDITS = st.one_of(
    st.tuples(st.just("widen"), st.integers(0, 12), st.integers(-3, 40)),
    st.tuples(st.just("duplicate"), st.integers(0, 12)),
    st.tuples(st.just("delete"), st.integers(0, 12)),
    st.tuples(st.just("move"), st.integers(0, 12), st.sampled_from([-1, 1])),
    st.tuples(
        st.just("insert"),
        st.integers(0, 12),
        st.sampled_from(
            [
                "conv",
                "maxpool",
                "avgpool",
                "flatten",
                "linear",
                "global_avgpool",
                "residual",
                "share",
                "blurpool",
            ]
        ),
    ),
    st.tuples(
        st.just("set_layer"),
        st.integers(0, 12),
        st.sampled_from(["kernel", "stride", "padding", "dilation", "groups"]),
        st.integers(0, 12),
    ),
    st.tuples(st.just("op"), st.integers(0, 12), st.integers(0, 4), st.sampled_from(OPS)),
    st.tuples(st.just("move_op"), st.integers(0, 12), st.integers(0, 4), st.sampled_from([-1, 1])),
    st.tuples(st.just("value"), st.sampled_from(["train.dropout", "train.rotation"]), st.floats(0, 0.9)),
    st.tuples(st.just("choose"), st.sampled_from(["sgd", "adam", "adamw", "rmsprop"])),
    st.tuples(st.just("schedule"), st.sampled_from(["step", "multistep", "cosine", "onecycle", "plateau"])),
    st.tuples(st.just("budget"), st.integers(1, 20_000)),
)


def apply(editor: NetworkEditor, edit: tuple[Any, ...]) -> None:
    name, *arguments = edit
    if name == "insert":
        editor.insert(arguments[0], like_neighbours(editor, arguments[0], arguments[1]))
    elif name == "op":
        index, number, kind = arguments
        number = min(number, len(editor.ops(index))) if index < len(editor.layers) else number
        if index >= len(editor.layers):
            raise EditError("no such layer")
        apply_layer_field(editor, index, f"op{number}", kind)
    elif name == "move_op":
        if arguments[0] >= len(editor.layers):
            raise EditError("no such layer")
        editor.move_op(*arguments)
    elif name == "value":
        editor.set_value(*arguments)
    elif name == "choose":
        editor.choose("train.optimizer", arguments[0])
    elif name == "schedule":
        editor.choose("train.schedule", arguments[0])
    elif name == "budget":
        editor.set_value("lab.budget", arguments[0])
    else:
        getattr(editor, name)(*arguments)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(PRESETS)), st.lists(EDITS, max_size=12))
def test_undo_of_everything_is_where_one_began(name: str, edits: list[tuple[Any, ...]]) -> None:
    editor = NetworkEditor(PRESETS[name])
    states = [(editor.data, editor.settings)]
    for edit in edits:
        before = (editor.data, editor.settings)
        try:
            apply(editor, edit)
        except EditError:
            assert (editor.data, editor.settings) == before  # a refused edit changes nothing
        if (editor.data, editor.settings) != before:
            states.append((editor.data, editor.settings))
    for state in reversed(states[:-1]):
        assert editor.undo() is not None
        assert (editor.data, editor.settings) == state
    assert editor.undo() is None
    assert editor.data == editor.base.to_dict()
    for state in states[1:]:
        assert editor.redo() is not None
        assert (editor.data, editor.settings) == state
    assert editor.redo() is None


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(PRESETS)), st.lists(EDITS, max_size=10))
def test_the_table_is_that_of_the_preset_or_says_why_not(name: str, edits: list[tuple[Any, ...]]) -> None:
    editor = NetworkEditor(PRESETS[name])
    for edit in edits:
        try:
            apply(editor, edit)
        except EditError:
            continue
    evaluation = editor.check
    try:
        preset = preset_from_dict(editor.data, "the editor")
    except NetworkError as error:
        assert evaluation.table is None
        assert evaluation.problem is not None
        assert (evaluation.problem.layer, evaluation.problem.op) == (error.layer, error.op)
        assert evaluation.problem.sentence.startswith(layer_names(editor.layers)[error.layer] + ": ")
        # Every row that is shown is one of the network cut off before what breaks.
        assert all(row.layer <= error.layer for row in evaluation.rows)
        with pytest.raises(PresetError):
            editor.checked()
    else:
        assert evaluation.problem is None
        assert evaluation.table == network_table(preset.model, dropout=preset.train.dropout)
        assert preset.to_dict() == editor.data
        assert editor.checked() == preset
        assert preset_from_toml(preset.to_toml(), "toml") == preset


@pytest.mark.parametrize("entry", [entry.name for entry in list_presets() if entry.builtin])
def test_an_unchanged_preset_is_unchanged(entry: str) -> None:
    preset = load_preset(entry)
    editor = NetworkEditor(preset)
    assert not editor.is_changed
    assert editor.undo() is None
    assert editor.checked() == preset
    assert editor.check.table == preset.table()


def test_conv2_of_step13_one_wider_is_54_over_budget() -> None:
    editor = NetworkEditor(load_preset("step13"))
    assert editor.check.parameters == 5854
    assert editor.widen(1)
    assert editor.check.parameters == 6054
    assert editor.over_budget == 54
    editor.widen(1, -1)
    assert editor.data == editor.base.to_dict()
    assert editor.over_budget == 0


def test_a_grouped_convolution_widens_by_whole_groups() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.set_layer(1, "groups", 5)
    editor.widen(1)
    assert editor.layers[1]["conv"] == 15
    assert editor.check.problem is None


def test_what_has_no_width_is_refused_with_its_name() -> None:
    editor = NetworkEditor(load_preset("step13"))
    with pytest.raises(EditError, match="max pool has no width"):
        editor.widen(2)
    with pytest.raises(EditError, match="conv1 can't be narrower"):
        editor.widen(0, -10)


def test_a_schema_limit_is_refused_and_nothing_changes() -> None:
    editor = NetworkEditor(load_preset("step13"))
    with pytest.raises(EditError, match="^conv1 kernel is 65; use 64 or less$"):
        editor.set_layer(0, "kernel", 65)
    assert editor.undo() is None


def test_rows_before_the_break_keep_their_figures() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.set_layer(4, "kernel", 31)
    problem = editor.check.problem
    assert problem is not None and problem.layer == 4
    assert {row.layer for row in editor.check.rows} == {0, 1, 2, 3}
    assert "conv4: conv 31×31 reaches over 31×31" in problem.sentence


def test_a_wrong_end_keeps_all_rows() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.widen(7)
    evaluation = editor.check
    assert evaluation.table is None and evaluation.problem is not None
    assert {row.layer for row in evaluation.rows} == set(range(9))


def test_an_operation_that_breaks_is_named() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.set_ops(0, ["relu", {"groupnorm": 3}, "dropout2d"])
    problem = editor.check.problem
    assert problem is not None
    assert (problem.layer, problem.op) == (0, 1)
    assert any(row.layer == 0 and row.kind == "relu" for row in editor.check.rows)


def test_what_follows_a_layer_is_set_and_moved() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.set_ops(0, ["gelu", {"dropout": 0.2}, "layernorm"])
    assert editor.ops(0) == ["gelu", {"dropout": 0.2}, "layernorm"]
    editor.move_op(0, 2, -1)
    assert editor.ops(0) == ["gelu", "layernorm", {"dropout": 0.2}]


def test_typing_is_undone_as_one_edit() -> None:
    editor = NetworkEditor(load_preset("step13"))
    for value in (0.0, 0.03, 0.034, 0.0345):
        editor.set_value("train.dropout", value, merge=True)
    editor.settle()
    editor.set_value("train.dropout", 0.5, merge=True)
    editor.undo()
    assert editor.value("train.dropout") == 0.0345
    editor.undo()
    assert editor.value("train.dropout") == 0.069


def test_another_optimizer_takes_its_defaults_and_the_old_one_its_own_settings() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.choose("train.optimizer", "adam")
    assert editor.value("train.optimizer.lr") == 0.001
    assert editor.value("train.optimizer.momentum") is None
    editor.choose("train.optimizer", "sgd")
    assert editor.value("train.optimizer.lr") == 0.019
    assert not editor.is_changed


def test_reset_of_a_field_of_the_form_and_of_everything() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.set_value("train.dropout", 0.2)
    editor.widen(1)
    editor.set_value("lab.budget", 10_000)
    editor.reset("lab.budget")
    assert editor.budget == 6000
    editor.reset_train()
    assert editor.value("train.dropout") == 0.069
    assert editor.layers[1]["conv"] == 11
    editor.reset_all()
    assert not editor.is_changed
    editor.undo()
    assert editor.layers[1]["conv"] == 11


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind != "input"])
def test_every_kind_of_layer_has_a_form(kind: str) -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.insert(2, like_neighbours(editor, 2, kind))
    assert (
        kind in ("flatten", "linear") or layer_rows(editor.layers, editor.check, False)[2].shape is not None
    )
    data = layer_data(editor, 2)
    assert set(layer_values(editor.layers[2])) <= {row.key for row in data.rows if hasattr(row, "key")}


def test_what_names_a_layer_follows_it() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.insert(2, like_neighbours(editor, 2, "residual"))
    assert editor.layers[2] == {"residual": "conv1"} and editor.check.problem is None
    editor.insert(0, {"conv": 10, "padding": 1})
    assert (editor.name(3), editor.layers[3]["residual"]) == ("residual after conv3", "conv2")
    with pytest.raises(EditError, match="^residual after conv3 uses conv2; change or delete it first$"):
        editor.delete(1)
    editor.move(1, -1)
    assert editor.layers[3]["residual"] == "conv1"
    assert set(layer_data(editor, 3).rows[0].choices) == {"conv1", "conv2"}
    editor.duplicate(0)
    assert editor.layers[4]["residual"] == "conv1"
    editor.move(4, -1)
    editor.move(3, -1)
    editor.move(2, -1)
    editor.move(1, -1)
    assert editor.check.problem.sentence.startswith("residual: 'conv1' is not before it")
    editor = NetworkEditor(load_preset("step13"))
    with pytest.raises(EditError, match="no layer further up puts out the same shape"):
        like_neighbours(editor, 3, "residual")


def test_weights_that_are_used_again_follow_their_layer_and_so_does_what_names_the_second_use() -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.insert(2, like_neighbours(editor, 2, "share"))
    assert editor.layers[2] == {"share": "conv2", "then": ["relu", "batchnorm", "dropout2d"]}
    assert editor.check.problem is None
    editor.insert(3, {"residual": "conv2 again"})
    editor.insert(0, {"conv": 1, "padding": 1})
    assert [editor.layers[3]["share"], editor.layers[4]["residual"]] == ["conv3", "conv3 again"]
    editor.set_layer(3, "share", "conv1")
    assert [editor.name(3), editor.layers[4]["residual"]] == ["conv1 again", "conv1 again"]
    assert editor.check.problem.sentence.startswith(
        "conv1 again: the weights of conv1 are for 1 channel but get 10"
    )


def test_an_inserted_convolution_fits() -> None:
    for index in range(10):
        editor = NetworkEditor(load_preset("step13"))
        editor.insert(index, like_neighbours(editor, index, "conv"))
        problem = editor.check.problem
        assert problem is None or index == 9 or "classes" in problem.what


def test_the_last_layer_stays() -> None:
    editor = NetworkEditor(load_preset("mlp"))
    while len(editor.layers) > 1:
        editor.delete(0)
    with pytest.raises(EditError, match="at least one layer"):
        editor.delete(0)


def test_removing_an_operation_in_the_form() -> None:
    editor = NetworkEditor(load_preset("step13"))
    apply_layer_field(editor, 0, "op1", NONE)
    assert editor.ops(0) == ["relu", "dropout2d"]
    apply_layer_field(editor, 0, "op1.value", 0.25)
    assert editor.ops(0) == ["relu", {"dropout2d": 0.25}]
    apply_layer_field(editor, 0, "op1.value", None)
    assert editor.ops(0) == ["relu", "dropout2d"]


def test_evaluation_of_a_whole_network_is_the_table() -> None:
    preset = load_preset("twelvek")
    assert check_network(preset).table == preset.table()
