"""What a search chooses from, and the preset that a choice makes."""

import functools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuitrain.errors import UsageError
from tuitrain.spec.preset import Preset, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.study.space import (
    SEPARABLE,
    Choice,
    Range,
    Space,
    build,
    check_space,
    default_space,
    parameters_of,
    read_space,
    smallest,
    space_of,
)

STEP11 = load_preset("step11")


def test_a_choice_changes_what_it_names_and_the_padding_follows_the_kernel() -> None:
    made = build(
        STEP11,
        {"model.layers[1].conv": 16, "model.layers[1].kernel": 5, "train.schedule": {"name": "onecycle"}},
    )
    layers = made.to_dict()["model"]["layers"]
    assert (layers[1]["conv"], layers[1]["kernel"], layers[1]["padding"]) == (16, 5, 2)
    assert made.train.schedule.name == "onecycle" and layers[3] == STEP11.to_dict()["model"]["layers"][3]
    shapes = [
        [row.output_shape[1:] for row in one.table().rows if row.kind == "conv"] for one in (STEP11, made)
    ]
    assert shapes[0] == shapes[1]
    assert build(STEP11, {}) == STEP11


def test_separable_is_one_on_each_channel_and_one_that_mixes_them() -> None:
    made = build(STEP11, {"model.layers[3].groups": SEPARABLE, "model.layers[1].conv": 14})
    layers = made.to_dict()["model"]["layers"]
    assert layers[3] == {"conv": 14, "kernel": 3, "padding": 1, "groups": 14, "bias": False}
    assert layers[4]["conv"] == 12 and layers[4]["kernel"] == 1 and "relu" in layers[4]["then"]
    assert made.table().parameters < STEP11.table().parameters
    again = build(made, {"model.layers[1].conv": 8})  # the one on each channel follows the channels before it
    assert again.to_dict()["model"]["layers"][3] | {} == layers[3] | {"conv": 8, "groups": 8}


def test_what_refers_to_a_layer_still_means_it_and_keeps_its_width() -> None:
    layers = list(STEP11.to_dict()["model"]["layers"])
    layers[4:5] = [layers[4], {"residual": "conv3"}]
    base = override(STEP11, {"model.layers": layers})
    made = build(base, {"model.layers[1].groups": SEPARABLE, "model.layers[0].conv": 6})
    assert [layer.get("residual") for layer in made.to_dict()["model"]["layers"]].index("conv4") == 6
    space = default_space(base, 5000)
    assert (
        not {"model.layers[3].conv", "model.layers[4].conv"} & set(space) and "model.layers[1].conv" in space
    )
    assert smallest(base, space) is not None


@functools.cache
def spaces() -> dict[str, tuple[Preset, Space, int | None]]:
    """Presets, the space around each, and the parameters of its smallest network."""
    found = {}
    for name in ("step11", "step5", "net8", "twelvek", "mlp", "drill3"):
        base = load_preset(name)
        space = default_space(base, 3000)
        found[name] = (base, space, smallest(base, space))
    return found


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_network_of_the_default_space_can_be_built_and_the_smallest_is_smaller(data) -> None:
    base, space, least = spaces()[data.draw(st.sampled_from(list(spaces())))]
    chosen = {
        key: data.draw(
            st.sampled_from(entry.values) if isinstance(entry, Choice)
            else st.integers(entry.low, entry.high) if entry.whole else st.floats(entry.low, entry.high)
        )
        for key, entry in space.items()
    }  # fmt: skip
    found = parameters_of(base, chosen)
    assert found is not None and least is not None and least <= found


def test_what_has_no_effect_is_not_searched() -> None:
    space = default_space(STEP11, 6000)
    assert "model.layers[7].conv" not in space  # its channels are the classes
    assert "model.layers[0].groups" not in space  # of one channel
    assert "train.dropout" in space and "train.dropout" not in default_space(load_preset("mlp"), 9**9)
    low, high = (default_space(STEP11, most)["model.layers[3].conv"] for most in (1000, 6254))
    assert low.high < high.high


def test_a_file_narrows_and_extends_the_space(tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text(
        '[space]\nlr = { low = 0.1, high = 0.4, log = true }\ndropout = 0.05\n"model.layers[1].conv" = [8, 10]\n'
        'train.batch_size = [64, 128]\nschedule = ["onecycle", { name = "step", step_size = 3 }]\n'
    )
    default = default_space(STEP11, 6000)
    space = read_space(file, default)
    assert space["train.optimizer.lr"] == Range(0.1, 0.4, None, True)
    assert space["train.dropout"] == Choice((0.05,)) and space["train.batch_size"] == Choice((64, 128))
    assert space["model.layers[1].conv"] == Choice((8, 10)) and "train.rotation" in space
    check_space(STEP11, space, "file")
    assert (
        build(STEP11, {"train.schedule": space["train.schedule"].values[0]}).train.schedule.name == "onecycle"
    )
    file.write_text("defaults = false\n[space]\nlr = [0.1, 0.2]\n")
    assert list(read_space(file, default)) == ["train.optimizer.lr"]
    written = {key: entry.to_toml_value() for key, entry in space.items()}
    assert space_of(written, {}, "plan") == space


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[spaces]\nlr = [1, 2]", "did you mean 'space'?"),
        ("[space]\nlr = []", "has no value"),
        ("[space]\nlr = [0.1, 0.1]", "a value twice"),
        ("[space]\nlr = { low = 1, hi = 2 }", "no 'hi'; did you mean 'high'?"),
        ("[space]\nlr = { low = 2, high = 1 }", "low is at most high"),
        ("[space]\nlr = { low = 0, high = 1, log = true }", "log needs low above 0"),
        ("[space]\nlr = { low = 'a', high = 1 }", "with numbers"),
        ("defaults = false\n[space]\nlr = 0.1", "the space is empty"),
        ("defaults = false", "the space is empty"),
        ("[space", "not valid TOML"),
        ("[space]\nlearning_rat = [1, 2]", "learning_rat"),
        ("[space]\ndropuot = [0, 0.1]", "did you mean 'dropout'"),
        ('[space]\n"model.layers[99].conv" = [1, 2]', "has 9 layers"),
        ('[space]\n"model.layres[1].conv" = [1, 2]', "did you mean 'model.layers[1].conv'?"),
        ("[space]\ndropout = [0.1, 3]", "train.dropout is 3"),
        ('[space]\n"model.layers[1].conv" = [8, "x"]', "model.layers[1].conv"),
    ],
)  # fmt: skip
def test_what_is_no_space_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "space.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        space = read_space(file, default_space(STEP11, 6000))
        check_space(STEP11, space, f"--space {file}")
    assert sentence in str(error.value) and str(file) in str(error.value)
