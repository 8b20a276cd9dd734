"""Networks: closed forms against torch and torchinfo, names, initial weights, and the global generator."""

import random
import re

import pytest
import torch
from torch import nn

from support.training_small import tiny
from tuitrain.errors import PresetError
from tuitrain.spec.layers import NetworkSpec, layer_names
from tuitrain.spec.preset import Preset, preset_from_dict
from tuitrain.spec.preset_files import list_presets, load_preset
from tuitrain.spec.sides import pair
from tuitrain.spec.table import TableRow
from tuitrain.spec.walk import network_table
from tuitrain.training.model import build, torchinfo_summary, torchinfo_table

OPS = ["relu", "leaky_relu", "prelu", "gelu", "silu", "sigmoid", "tanh", "batchnorm", "layernorm", "dropout"]
MAP_OPS = ["instancenorm", "dropout2d"]


def sides(rng: random.Random, low: int, high: int) -> int | list[int]:
    """A number for both sides, or, one time in three, one for each."""
    both = [rng.randint(low, high), rng.randint(low, high)]
    return both if rng.random() < 1 / 3 else both[0]


def of_the_last_ones_shape(layers: list[dict]) -> list[str]:
    """The layers whose output can be added to the last one's."""
    rows = fits(layers)
    return sorted({row.name for row in rows if row.output_shape == rows[-1].output_shape})


def fits(layers: list[dict]) -> tuple[TableRow, ...]:
    """The rows of layers that fit together, none where they don't."""
    try:
        return network_table(NetworkSpec(layers=tuple(layers)), classes=None).rows
    except PresetError:
        return ()


def random_layers(rng: random.Random) -> list[dict]:
    """A few layers in any order; many don't fit together."""
    layers: list[dict] = []
    channels, flat = 1, False
    for _ in range(rng.randint(1, 6)):
        kind = rng.choice(
            ["conv", "conv", "conv", "maxpool", "avgpool", "blurpool", "global_avgpool", "flatten", "linear"]
        )
        if kind == "conv":
            groups = rng.choice([g for g in (1, 1, 1, 2, 4) if channels % g == 0])
            channels = groups * rng.randint(1, 5)
            layer = {"conv": channels, "kernel": sides(rng, 1, 5), "stride": rng.choice([1, 1, 2, [1, 2]])}
            layer |= {
                "padding": sides(rng, 0, 2),
                "dilation": rng.choice([1, 1, 2, [2, 1]]),
                "groups": groups,
            }
            layer["bias"] = rng.random() < 0.5
        elif kind in ("maxpool", "avgpool"):
            layer = {kind: sides(rng, 1, 3), "padding": rng.choice([0, 0, 1, [0, 1]])}
            if rng.random() < 0.5:
                layer["stride"] = sides(rng, 1, 3)
        elif kind == "blurpool":
            layer = {"blurpool": sides(rng, 1, 7), "padding": rng.choice([0, 1, [0, 1]])}
            if rng.random() < 0.5:
                layer["stride"] = sides(rng, 1, 3)
        elif kind == "linear":
            channels, flat = rng.randint(1, 24), True
            layer = {"linear": channels, "bias": rng.random() < 0.5}
        else:
            layer, flat = {kind: True}, flat or kind == "flatten"
        ops = rng.sample(OPS if flat else OPS + MAP_OPS, rng.choice([0, 1, 2, 3]))
        layer["then"] = [
            *ops,
            *([rng.choice([{"groupnorm": 1}, {"prelu": 1}])] if rng.random() < 0.2 else []),
        ]
        layers.append(layer)
        if rng.random() < 0.4 and (alike := of_the_last_ones_shape(layers)):
            layers.append({"residual": rng.choice(alike), "then": rng.sample(OPS, rng.choice([0, 1]))})
        weighty = [name for name in layer_names(layers) if re.fullmatch(r"(conv|linear)\d+", name)]
        if weighty and rng.random() < 0.3:
            layers.append({"share": rng.choice(weighty), "then": rng.sample(OPS, rng.choice([0, 1, 2]))})
            if of_the_last_ones_shape(layers):
                channels = fits(layers)[-1].output_shape[0]
            else:
                layers.pop()
    end = rng.choice(
        [
            [{"flatten": True}, {"linear": 10}],
            [{"conv": 10, "kernel": 1}, {"global_avgpool": True}],
            [{"linear": 10}],
        ]
    )
    return layers + end


def random_networks(count: int, seed: int) -> list[Preset]:
    """That many networks that can be built."""
    rng, found = random.Random(seed), []
    while len(found) < count:
        try:
            data = {"train": {"dropout": 0.1}, "model": {"layers": random_layers(rng)}}
            found.append(preset_from_dict(data, "random"))
        except PresetError:
            continue
    return found


def assert_closed_form_is_right(preset: Preset) -> None:
    table, network = preset.table(), build(preset)
    info = torchinfo_table(preset)
    assert table.parameters == sum(p.numel() for p in network.parameters()) == info["parameters"]
    assert table.mult_adds == info["mult_adds"]
    assert table.input_bytes == info["input_bytes"]
    assert table.parameter_bytes == info["parameter_bytes"]
    assert table.forward_backward_bytes == info["forward_backward_bytes"]
    rows = [(row.output_shape, row.parameters, row.mult_adds) for row in table.rows]
    # A linear layer after a 1x1 map flattens by a module of its own, which the table has no row for.
    layers = [layer for layer in info["layers"] if not layer["name"].endswith("_flatten")]
    assert rows == [(layer["output_shape"], layer["parameters"], layer["mult_adds"]) for layer in layers]
    assert network.eval()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("name", [entry.name for entry in list_presets() if entry.builtin])
def test_a_presets_figures_are_torchinfos(name: str) -> None:
    assert_closed_form_is_right(load_preset(name))


@pytest.mark.parametrize("part", range(10))
@pytest.mark.slow
def test_a_thousand_random_networks_have_torchinfos_figures(part: int) -> None:
    for preset in random_networks(100, seed=part):
        assert_closed_form_is_right(preset)


def test_the_tables_receptive_field_is_what_a_gradient_reaches() -> None:
    preset = load_preset("step13")
    network = build(preset).eval()
    convs = nn.Sequential(*[m for m in list(network.children())[:-1] if isinstance(m, nn.Conv2d)])
    for module in convs:
        nn.init.constant_(module.weight, 1.0)
    image = torch.zeros(1, 1, 28, 28, requires_grad=True)
    out = convs[:2](image)
    out[0, 0, 14, 14].backward()
    assert int((image.grad[0, 0] != 0).any(0).sum()) == preset.table().rows[4].receptive_field == 5


def test_the_fields_two_sides_are_what_a_gradient_reaches() -> None:
    layers = [
        {"conv": 2, "kernel": [1, 5], "padding": [0, 2], "stride": [1, 2]},
        {"conv": 2, "kernel": [3, 1], "dilation": [2, 1], "padding": [2, 0]},
        {"avgpool": [2, 1]},
        {"conv": 10, "kernel": [1, 3], "padding": 1},
        {"global_avgpool": True},
    ]
    preset = tiny(layers)
    network = build(preset).eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 1.0)
    image = torch.zeros(1, 1, 28, 28, requires_grad=True)
    maps = nn.Sequential(*list(network.children())[:4])(image)
    maps[0, 0, maps.shape[2] // 2, maps.shape[3] // 2].backward()
    seen = image.grad[0, 0] != 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    row = preset.table().rows[3]
    assert row.field == (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1) == (6, 9)
    assert (row.field_text, row.receptive_field, row.kernel, row.title) == ("6×9", 9, "1×3", "conv3 1×3 →10")


def test_a_residual_adds_what_an_earlier_layer_puts_out_and_sees_what_it_sees() -> None:
    layers = [
        {"conv": 4, "kernel": 3, "padding": 1, "then": ["relu", "batchnorm"]},
        {"conv": 4, "kernel": 5, "padding": 2, "then": ["prelu"]},
        {"residual": "conv1", "then": ["tanh"]},
        {"maxpool": 2},
        {"conv": 10, "kernel": 1},
        {"residual": "conv3"},
        {"global_avgpool": True},
    ]
    network = build(tiny(layers)).eval()
    images = torch.randn(3, 1, 28, 28)
    logits, made = network.layer_outputs(images)
    one = network.conv1_batchnorm(network.conv1_relu(network.conv1(images)))
    two = torch.tanh(network.conv2_prelu(network.conv2(one)) + one)
    assert torch.equal(made["conv1"], one) and torch.equal(made["residual after conv2"], two)
    three = network.conv3(nn.functional.max_pool2d(two, 2))
    assert torch.equal(logits, (three + three).mean((2, 3))) and torch.equal(network(images), logits)
    assert [row.field for row in tiny(layers).table().rows if not row.is_op][1:4] == [(7, 7), (7, 7), (8, 8)]
    # The convolution of the longer way at zero: what is left is what the shorter one sees.
    nn.init.zeros_(network.conv2.weight)
    image = torch.zeros(1, 1, 28, 28, requires_grad=True)
    network.layer_outputs(image)[1]["residual after conv2"][0, :, 14, 14].sum().backward()
    assert int((image.grad[0, 0] != 0).any(0).sum()) == 3


def test_shared_weights_are_there_once_and_learn_from_each_use() -> None:
    layers = [
        {"conv": 4, "padding": 1, "then": ["relu"]},
        {"conv": 4, "padding": 1, "then": ["batchnorm"]},
        {"share": "conv2", "then": ["batchnorm", "prelu"]},
        {"maxpool": 2},
        {"share": "conv2"},
        {"maxpool": 2},
        {"global_avgpool": True},
        {"linear": 4},
        {"share": "linear3"},
        {"linear": 10},
    ]
    preset = tiny(layers)
    assert_closed_form_is_right(preset)
    table, network = preset.table(), build(preset)
    assert table.parameters == 40 + (148 + 8) + (8 + 4) + 20 + 50
    assert [row.name for row in table.rows if not row.is_op] == [
        "conv1", "conv2", "conv2 again", "max pool after conv2 again", "conv2 again 2", "max pool after conv2 again 2",
        "global avg pool after conv2 again 2", "linear3", "linear3 again", "linear4",
    ]  # fmt: skip
    names = set(network.state_dict())
    assert {name for name in names if "again" in name and "norm" not in name} == {"conv2_again_prelu.weight"}
    images = torch.randn(2, 1, 28, 28)
    network.eval()(images).sum().backward()
    ours = network.conv2.weight.grad.clone()
    _, made = network.layer_outputs(images)
    again = network.conv2_again_prelu(network.conv2_again_batchnorm(network.conv2(made["conv2"])))
    assert torch.equal(made["conv2 again"], again)
    assert torch.equal(made["linear3 again"], network.linear3(made["linear3"]))
    # By hand, with weights of its own for each use: the gradients add up.
    weights = [network.conv2.weight.detach().clone().requires_grad_() for _ in range(3)]

    def conv(x: torch.Tensor, use: int) -> torch.Tensor:
        return nn.functional.conv2d(x, weights[use], network.conv2.bias, padding=1)

    x = network.conv2_batchnorm(conv(network.conv1_relu(network.conv1(images)), 0))
    x = network.conv2_again_prelu(network.conv2_again_batchnorm(conv(x, 1)))
    x = nn.functional.max_pool2d(conv(nn.functional.max_pool2d(x, 2), 2), 2).mean((2, 3))
    network.linear4(network.linear3(network.linear3(x))).sum().backward()
    torch.testing.assert_close(ours, sum(weight.grad for weight in weights))


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 7, [1, 3], [5, 2]])
@pytest.mark.parametrize("stride", [1, 2, [1, 3]])
def test_a_blur_is_a_convolution_with_a_binomial_filter(
    window: int | list[int], stride: int | list[int]
) -> None:
    rows = {1: [1], 2: [1, 1], 3: [1, 2, 1], 4: [1, 3, 3, 1], 5: [1, 4, 6, 4, 1], 7: [1, 6, 15, 20, 15, 6, 1]}
    height, width = pair(window)
    padding = [min(height // 2, 3), min(width // 2, 3)]
    layers = [
        {"conv": 3, "padding": 1},
        {"blurpool": window, "stride": stride, "padding": padding},
        *[{"flatten": True}, {"linear": 10}],
    ]
    preset = tiny(layers)
    assert_closed_form_is_right(preset)
    network = build(preset)
    images = torch.randn(2, 1, 28, 28)
    made = network.layer_outputs(images)[1]["blur pool after conv1"]
    taps = torch.outer(torch.tensor(rows[height]).float(), torch.tensor(rows[width]).float())
    taps = (taps / taps.sum()).expand(3, 1, height, width)
    by_hand = nn.functional.conv2d(
        network.conv1(images), taps, stride=pair(stride), padding=padding, groups=3
    )
    torch.testing.assert_close(made, by_hand)
    assert not any("blur" in name for name in network.state_dict())


def test_initial_weights_are_torchs_own_from_a_keyed_generator() -> None:
    layers = [
        {"conv": 6, "kernel": 3, "groups": 1, "then": ["batchnorm", {"groupnorm": 2}, "layernorm"]},
        {"conv": 4, "kernel": 2, "groups": 2, "bias": False, "then": ["prelu", {"prelu": 1}]},
        {"flatten": True},
        {"linear": 12, "then": ["batchnorm", "layernorm", "prelu"]},
        {"linear": 10},
    ]
    from tuitrain.training.seeding import key

    ours = build(tiny(layers), seed=3).state_dict()
    torch.manual_seed(key(3, "init"))
    theirs = [
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.GroupNorm(2, 6), nn.GroupNorm(1, 6),
        nn.Conv2d(6, 4, 2, groups=2, bias=False), nn.PReLU(4), nn.PReLU(),
        nn.Linear(4 * 25 * 25, 12), nn.BatchNorm1d(12), nn.LayerNorm(12), nn.PReLU(12), nn.Linear(12, 10),
    ]  # fmt: skip
    wanted = [tensor for module in theirs for tensor in module.state_dict().values()]
    assert len(ours) == len(wanted)
    for (name, mine), other in zip(ours.items(), wanted, strict=True):
        assert torch.equal(mine, other), name


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    preset = load_preset("step13")
    build(preset)
    torchinfo_summary(preset)
    torchinfo_table(preset)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_decides_the_weights() -> None:
    first, same, other = (build(tiny(), seed=seed).state_dict()["conv1.weight"] for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_names_follow_the_presets_layers() -> None:
    layers = [
        {"then": ["batchnorm"]},
        {"conv": 4, "then": ["relu", "batchnorm", "relu"]},
        {"maxpool": 2},
        *[{"flatten": True}, {"linear": 10}],
    ]
    names = [name for name, _ in build(tiny(layers)).named_children()]
    assert names == [
        "input_batchnorm", "conv1", "conv1_relu", "conv1_batchnorm", "conv1_relu_2",
        "max_pool_after_conv1", "flatten_after_conv1", "linear2",
    ]  # fmt: skip


def test_torchinfos_summary_names_the_modules() -> None:
    text = torchinfo_summary(load_preset("step13"))
    for word in ("Conv2d (conv1)", "BatchNorm2d (conv1_batchnorm)", "Dropout2d", "GlobalAvgPool2d", "5,854"):
        assert word in text
