"""The thirty presets, their validation, and how they are changed, saved and found."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuitrain.errors import ExitCode, PresetError, visible
from tuitrain.spec import preset_files
from tuitrain.spec.describe import (
    Change,
    describe_changes,
    layers_of,
    network_changes,
    preset_changes,
    short_changes,
)
from tuitrain.spec.layers import layer_names
from tuitrain.spec.preset import differences, override, preset_from_toml, read_preset
from tuitrain.spec.preset_files import list_presets, load_preset, published_log, save_preset
from tuitrain.spec.repeat import run_arguments

# name: (parameters, receptive field, epochs, batch, lr, dropout, rotation, claimed test accuracy)
FACTS = {
    "step1": (40202, 40, 19, 128, 0.01, 0, 0, 99.23), "step2": (8442, 40, 14, 128, 0.01, 0, 0, 98.90),
    "step3": (8582, 40, 14, 128, 0.01, 0.1, 0, 99.35), "step4": (8582, 40, 14, 128, 0.01, 0.1, 7, 99.37),
    "step5": (8582, 40, 14, 128, 0.01, 0.1, 7, 99.25), "step6": (8582, 40, 14, 128, 0.01, 0.069, 7, 99.40),
    "step7": (8582, 40, 14, 64, 0.01, 0.069, 5, 99.42), "step8": (8582, 40, 14, 64, 0.015, 0.069, 5, 99.44),
    "step9": (7836, 40, 14, 64, 0.019, 0.069, 5, 99.42), "step10": (5854, 40, 14, 64, 0.019, 0.069, 5, 99.38),
    "step11": (6254, 40, 14, 64, 0.019, 0.069, 5, 99.45), "step12": (6054, 40, 14, 64, 0.019, 0.069, 5, 99.40),
    "step13": (5854, 40, 14, 64, 0.019, 0.069, 5, 99.40),
    "twelvek": (12734, 40, 19, 128, 0.01, 0.069, 5, 99.44), "twelvek-bn-relu": (12734, 40, 19, 128, 0.01, 0.069, 5, None),
    "drill1": (15530, 28, 15, 128, 0.01, 0, 0, 98.98), "drill2": (8962, 28, 15, 64, 0.01, 0, 0, 98.94),
    "drill3": (9142, 28, 15, 64, 0.01, 0, 0, 99.35), "drill4": (9142, 28, 15, 64, 0.01, 0, 0, 99.45),
    "drill5": (9142, 28, 15, 64, 0.01, 0.01, 6, 99.46), "mlp": (389560, 28, 18, 30, 0.003, 0, 0, 97.87),
    "net0": (6379786, 40, 20, 128, 0.01, 0, 0, None), "net1": (9916, 26, 20, 128, 0.01, 0.1, 0, None),
    "net2": (14026, 26, 20, 128, 0.01, 0.1, 0, 99.47), "net3": (19174, 26, 20, 128, 0.01, 0.1, 0, 99.35),
    "net4": (19174, 32, 20, 128, 0.01, 0.1, 0, None), "net5": (18254, 32, 20, 128, 0.01, 0.1, 0, None),
    "net6": (19462, 32, 20, 128, 0.01, 0.1, 0, None), "net7": (19835, 32, 20, 128, 0.01, 0.1, 0, None),
    "net8": (19310, 32, 20, 128, 0.01, 0.1, 0, 99.47),
}  # fmt: skip


def test_there_are_exactly_the_thirty() -> None:
    assert {entry.name for entry in list_presets() if entry.published} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_facts(name: str) -> None:
    preset = load_preset(name)
    table, train = preset.table(), preset.train
    got = (
        table.parameters, table.receptive_field, train.epochs, train.batch_size, train.optimizer.lr,
        train.dropout, train.rotation, preset.claims.test_accuracy,
    )  # fmt: skip
    assert got == FACTS[name]
    assert train.optimizer.name == "sgd" and preset.source


@pytest.mark.parametrize("name", FACTS)
def test_a_preset_survives_its_own_toml(name: str) -> None:
    preset = load_preset(name)
    assert preset_from_toml(preset.to_toml("a comment\nof two lines"), "again") == preset


def test_dead_schedule_is_left_out_and_live_ones_are_there() -> None:
    assert load_preset("twelvek").train.schedule.name == "constant"
    step = load_preset("step10").train.schedule
    assert (step.name, step.step_size, step.gamma) == ("step", 7, 0.1)
    assert (load_preset("drill5").train.schedule.gamma, load_preset("drill5").train.schedule.step_size) == (
        0.15,
        5,
    )


def test_published_logs_are_fractions_as_long_as_the_run() -> None:
    with_log = [name for name in FACTS if published_log(name)]
    assert len(with_log) == 23
    for name in with_log:
        log = published_log(name)
        assert len(log.test_acc) == load_preset(name).train.epochs
        values = [v for v in (*log.test_acc, *log.train_acc) if v is not None]
        assert all(0 < v < 1 for v in values)
    assert max(published_log("step13").test_acc) == 0.9940


def test_challenges() -> None:
    twelvek = load_preset("twelvek").challenge
    assert (twelvek.min_parameters, twelvek.max_parameters, twelvek.exact_epochs) == (12000, 18000, 19)
    assert set(twelvek.required_layers) == {"batchnorm", "linear", "global_avgpool", "conv1x1"}
    assert twelvek.dropout == 0.069
    assert load_preset("step9").challenge.max_parameters == 8000
    assert load_preset("step13").challenge.max_parameters == 6000
    assert load_preset("net8").challenge.max_epochs == 20


GAP = "[model]\nlayers = [{ conv = 10 }, { global_avgpool = true }]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[train]\nbatchsize = 1\n" + GAP, "train.batchsize is not a known key; did you mean 'batch_size'?"),
        ('[train]\noptimizer = { name = "sgd", lr = nan }\n' + GAP, "train.optimizer.lr is nan; use a finite number."),
        ('[train]\noptimizer = { name = "sgd", lr = inf }\n' + GAP, "train.optimizer.lr is inf; use a finite number."),
        ("[train]\nbatch_size = -1\n" + GAP, "train.batch_size is -1; use 1 or more."),
        ("[train]\nbatch_size = 64.0\n" + GAP, "train.batch_size is 64.0; use a whole number."),
        ('[train]\noptimizer = { name = "sgdd" }\n' + GAP, "train.optimizer.name is 'sgdd'; did you mean 'sgd'?"),
        ('[train]\noptimizer = { name = "sgd", momentun = 0.9 }\n' + GAP, "momentun is not a setting of sgd; did you mean"),
        ("[train]\nrotation = 200.0\n" + GAP, "train.rotation is 200.0; use 180 or less."),
        ("[modle]\n", "modle is not a known key; did you mean 'model'?"),
        ("", "model is missing; add it."),
        ("[model]\nlayers = [{ conv = 10, kernal = 3 }]", "model.layers[0].kernal is not a known key; did you mean 'kernel'?"),
        ("[model]\nlayers = [{ convv = 10 }]", "did you mean 'conv'?"),
        ('[model]\nlayers = [{ conv = 10, then = ["rellu"] }]', "there is no operation 'rellu'; did you mean 'relu'?"),
        ('[model]\nlayers = [{ conv = 10, then = ["groupnorm"] }]', "write { groupnorm = 2 }"),
        ("[model]\nlayers = [{ conv = 2000 }]", "model.layers[0].conv is 2000; use 1,024 or less."),
        ("[model]\nlayers = [{ conv = 10 }, { maxpool = 40 }]", "max pool after conv1 (model.layers[1]): max pool 40×40 reaches"),
        ("[model]\nlayers = [" + "{ conv = 10 }, { maxpool = 2 }," * 6 + "]", "has shrunk to 1×1"),
        ("[model]\nlayers = [{ conv = 10 }, { linear = 10 }]", "put { flatten = true } or { global_avgpool = true } before it"),
        ("[model]\nlayers = [{ conv = 9 }, { global_avgpool = true }]", "ends 9 wide, but there are 10 classes"),
        ("[model]\nlayers = [{ conv = 10 }]", "ends in 10 maps of 26×26"),
        ("[model]\nlayers = [" + "{ conv = 10 }," * 65 + "]", "too many entries; the limit is 64"),
        ("[model]\nlayers = [{ flatten = true }, { linear = 16384 }, { linear = 16384 }]", "the limit is 20,000,000"),
        ('[model]\nlayers = [{ conv = 10, then = [{ prelu = 4 }] }]', "model.layers[0].then[0].prelu is 4; use 1."),
        ("[model]\nlayers = [{ conv = 10 }, { residual = 1 }]", '[1].residual: write the name of an earlier layer'),
        ('[model]\nlayers = [{ residual = "conv1" }]', "there is no layer 'conv1' before it; remove this layer."),
        ('[model]\nlayers = [{ conv = 10 }, { residual = "conv9" }]', "no layer 'conv9' before it; name one that is: conv1."),
        ('[model]\nlayers = [{ conv = 1 }, { residual = "conv2" }, { conv = 1 }]', "'conv2' is not before it; name"),
        ('[model]\nlayers = [{ conv = 1 }, { conv = 1 }, { residual = "conv1" }]', "adds the 1×26×26 of conv1 to 1×24×24; name"),
        ('[model]\nlayers = [{ conv = 1 }, { maxpool = 2 }, { share = "max pool after conv1" }]', "has no weights of its own"),
        ('[model]\nlayers = [{ conv = 1 }, { share = "conv1" }, { share = "conv1 again" }]', "a layer that has: conv1."),
        ('[model]\nlayers = [{ conv = 4 }, { share = "conv1" }]', "weights of conv1 are for 1 channel but get 4"),
        ('[model]\nlayers = [{ conv = 1 }, { share = "conv2" }]', "there is no layer 'conv2' before it"),
        ("[model]\nlayers = [{ conv = 10 }, { blurpool = 8 }]", "model.layers[1].blurpool is 8; use 7 or less."),
        ("[model]\nlayers = [{ conv = 10 }, { blurpool = 2, padding = 2 }]", "more than half of the 2×2 window; use 1 or less"),
        ("[model]\nlayers = [{ conv = 10, groups = 3 }]", "groups = 3 must divide"),
        ('[model]\nlayers = [{ flatten = true, then = ["dropout2d"] }, { linear = 10 }]', "dropout2d needs maps"),
        ("x = [", "not valid TOML"),
        ("schema = 2\n" + GAP, "schema is 2; use 1."),
        ('name = "../x"\n' + GAP, "use lower-case letters"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_its_place(text: str, says: str) -> None:
    with pytest.raises(PresetError) as caught:
        preset_from_toml(text, "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ") and says in message and "\n" not in message
    assert caught.value.exit_code == ExitCode.USAGE


def test_operations_may_stand_alone() -> None:
    alone = '[model]\nlayers = [{ batchnorm = true }, { conv = 10 }, "relu", { dropout = 0.1 }, { global_avgpool = true }]\n'
    grouped = (
        '[model]\nlayers = [{ then = ["batchnorm"] }, { conv = 10, then = ["relu", { dropout = 0.1 }] }, '
    )
    grouped += "{ global_avgpool = true }]\n"
    assert preset_from_toml(alone, "a") == preset_from_toml(grouped, "b")


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(PresetError, match=r"no preset 'step31'; did you mean 'step13'\?"):
        load_preset("step31")


def test_files_too_large_unreadable_or_not_text(tmp_path: Path) -> None:
    big = tmp_path / "big.toml"
    big.write_text("#" * 70_000)
    with pytest.raises(PresetError, match="larger than 64 KiB"):
        read_preset(big)
    raw = tmp_path / "raw.toml"
    raw.write_bytes(b"\xff\xff")
    with pytest.raises(PresetError, match="not UTF-8"):
        read_preset(raw)
    with pytest.raises(PresetError, match="is a folder"):
        read_preset(tmp_path)
    with pytest.raises(PresetError, match="no such preset file"):
        load_preset(str(tmp_path / "none.toml"))


def test_override_and_what_changed() -> None:
    base = load_preset("step13")
    new = override(base, {"train.rotation": 7.0, "model.layers[1].conv": 11, "train.optimizer": "adam"})
    assert new.table().parameters == 6054
    words = ["optimizer sgd → adam", "learning rate 0.019 → 0.001", "rotation 5.0 → 7.0", "conv2 10 → 11"]
    assert [str(change) for change in preset_changes(base, new)] == words
    short = short_changes(differences(base, new), layers_of(new.to_dict()))
    assert short == "optimizer adam, lr 0.001, rotation 7.0, conv2 11"
    with pytest.raises(PresetError, match="use 1 or more"):
        override(base, {"train.batch_size": 0})
    with pytest.raises(PresetError, match=r"there is no \[99\]"):
        override(base, {"model.layers[99].conv": 3})


BUILTIN = {entry.name: load_preset(entry.name) for entry in list_presets() if entry.builtin}


@settings(max_examples=200, deadline=None)
@given(one=st.sampled_from(list(BUILTIN)), other=st.sampled_from(list(BUILTIN)))
def test_a_log_tells_the_changes_as_the_presets_do(one: str, other: str) -> None:
    old, new = BUILTIN[one], BUILTIN[other]
    kept = json.loads(json.dumps(differences(old, new)))
    told = describe_changes(kept, layers_of(new.to_dict()))
    assert told == preset_changes(old, new)
    network = network_changes(layers_of(old.to_dict()), layers_of(new.to_dict()))
    assert told[len(told) - len(network) :] == network
    assert (network == []) == (old.model == new.model)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text(max_size=12) | st.sampled_from(
    ["model.layers", "model.layers[0].conv", "model.layers[0].then", "model.layers[0].then[1].dropout",
     "model.layers[7].x", "model.layers[0]", "train.optimizer.name", "train.optimizer.lr"]
)  # fmt: skip
LAYER_LIKE = st.dictionaries(st.sampled_from(["conv", "maxpool", "then", "kernel"]), VALUES, max_size=3)


@settings(max_examples=120, deadline=None)
@given(
    changed=st.dictionaries(KEYS, VALUES | st.lists(VALUES | st.lists(LAYER_LIKE), min_size=2, max_size=2)),
    layers=st.lists(LAYER_LIKE | VALUES, max_size=3),
)
def test_a_strangers_log_is_worded_whatever_is_in_it(changed: dict[str, Any], layers: list[Any]) -> None:
    for change in describe_changes(changed, layers):
        assert isinstance(change, Change)
        assert str(change) == visible(str(change)) and change.short == visible(change.short)


def test_layers_are_called_by_kind_and_number() -> None:
    layers = [
        {"then": ["batchnorm"]},
        {"conv": 8},
        {"maxpool": 2},
        {"maxpool": 2},
        {"flatten": True},
        {"linear": 10},
    ]
    assert layer_names(layers) == [
        "input", "conv1", "max pool after conv1", "max pool 2 after conv1", "flatten after conv1", "linear2",
    ]  # fmt: skip
    assert [row.title for row in load_preset("step13").table().rows if not row.is_op][:3] == [
        "conv1 3×3 →10", "conv2 3×3 →10", "max pool",
    ]  # fmt: skip


def test_user_presets_never_overwrite_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    mine = override(load_preset("step13"), {"name": "mine", "model.layers[1].conv": 11})
    path = save_preset(mine)
    assert load_preset("mine").table().parameters == 6054
    assert [entry.origin for entry in list_presets() if entry.name == "mine"] == ["user"]
    with pytest.raises(PresetError, match="exists already"):
        save_preset(mine)
    assert path.parent == preset_files.user_preset_dir()


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "train.epochs": st.integers(1, 100),
        "train.optimizer.lr": st.floats(1e-5, 10),
        "train.dropout": st.floats(0, 0.9),
        "train.rotation": st.floats(0, 180),
        "train.optimizer": st.sampled_from(["adam", "adamw", "rmsprop"]),
        "train.schedule": st.sampled_from(["constant", "cosine", "onecycle", "plateau", "exponential"]),
        "train.l1": st.floats(0, 1),
        "train.seed": st.integers(0, 2**63 - 1),
        "model.layers[0].conv": st.integers(1, 32),
        "model.layers[3].kernel": st.integers(1, 3),
        "model.layers[1].then": st.sampled_from([["relu"], ["batchnorm", "gelu"], []]),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=SETTINGS, name=st.sampled_from(["step13", "twelvek", "drill5"]))
def test_the_repeating_command_repeats_exactly(changes: dict[str, object], name: str) -> None:
    from typer.testing import CliRunner

    from tuitrain.cli.root import app

    base = BUILTIN[name]
    ordered = dict(sorted(changes.items(), key=lambda item: item[0] != "train.optimizer"))
    wanted = override(base, ordered)
    arguments = run_arguments(base, name, wanted)
    shown = CliRunner().invoke(app, ["show", *arguments[2:], "--json"])
    assert shown.exit_code == 0, shown.output
    got = json.loads(shown.stdout)
    assert got["train"] == wanted.to_dict()["train"]
    assert got["parameters"] == wanted.table().parameters


@settings(max_examples=100, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["conv", "kernel", "then", "linear", "relu", "dropout", "flatten", "layers", "x"]), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_any_value_as_a_network_gives_a_preset_or_a_preset_error(value: object) -> None:
    from tuitrain.spec.preset import preset_from_dict

    try:
        preset = preset_from_dict({"model": {"layers": value}}, "fuzz")
    except PresetError as error:
        assert "\n" not in str(error) and math.isfinite(len(str(error)))
    else:
        assert preset.table().parameters >= 0


def test_every_family_says_what_it_is() -> None:
    titles = {entry.family: entry.family_title for entry in list_presets() if entry.builtin}
    assert len(titles) == 6 and all(titles.values())
    assert titles["era-s7"].startswith("ERA S7: thirteen steps from 40,202 to 5,854 parameters")


def test_a_folder_without_a_title_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "presets" / "mine").mkdir(parents=True)
    (tmp_path / "presets" / "mine" / "a.toml").write_text(load_preset("step13").to_toml())
    monkeypatch.chdir(tmp_path)
    (entry,) = (entry for entry in list_presets() if entry.origin == "project")
    assert entry.family == "mine" and entry.family_title == ""
