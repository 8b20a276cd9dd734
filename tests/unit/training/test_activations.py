"""Activation maps: what is shown is what the layers compute, and how it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from support.training_small import tiny
from tuitrain.data.augment import normalize
from tuitrain.training.activations import LayerMaps, activations
from tuitrain.training.judging import Judge
from tuitrain.training.model import build
from tuitrain.tui.paint.maps import layer_lines, levels, network_lines

LAYERS = [
    {"then": ["instancenorm"]},
    {"conv": 6, "kernel": 5, "then": ["relu", "batchnorm", "dropout"]},
    {"maxpool": 2},
    {"conv": 4, "kernel": 3},
    {"flatten": True},
    {"linear": 40, "then": ["tanh"]},
    {"linear": 10},
]
IMAGE = np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)


def test_each_layer_is_seen_after_its_operations_and_nothing_is_changed() -> None:
    preset = tiny(LAYERS)
    network = build(preset, seed=3).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = activations(network, preset, IMAGE)
    assert [(one.name, one.maps.shape) for one in found.layers] == [
        ("input", (1, 28, 28)), ("conv1", (6, 24, 24)), ("max pool after conv1", (6, 12, 12)),
        ("conv2", (4, 10, 10)), ("linear3", (40, 1, 1)), ("linear4", (10, 1, 1)),
    ]  # fmt: skip
    # The same by hand, from the modules alone.
    settings = preset.train.normalize
    x = normalize(torch.as_tensor(IMAGE[None]), settings.mean, settings.std)
    outputs = {}
    with torch.no_grad():
        for name, module in network.named_children():
            x = module(x)
            outputs[name] = x[0].numpy()
    for name, last in (
        ("input", "input_instancenorm"), ("conv1", "conv1_dropout"), ("max pool after conv1", "max_pool_after_conv1"),
        ("conv2", "conv2"), ("linear3", "linear3_tanh"), ("linear4", "linear4"),
    ):  # fmt: skip
        (layer,) = (one for one in found.layers if one.name == name)
        np.testing.assert_allclose(layer.maps.squeeze(), outputs[last].squeeze(), rtol=1e-4, atol=1e-5)
        assert (layer.lowest, layer.highest) == (layer.maps.min(), layer.maps.max())
    assert np.array_equal(
        found.probabilities, np.exp(Judge(network, preset).log_probabilities(IMAGE[None])[0])
    )
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_layer_is_drawn_from_its_lowest_to_its_highest_value() -> None:
    ramp = np.linspace(-2, 3, 2 * 6 * 6, dtype=np.float32).reshape(2, 6, 6)
    assert levels(LayerMaps("conv1", ramp)).min() == 0 and levels(LayerMaps("conv1", ramp)).max() == 255
    assert not levels(LayerMaps("conv1", np.full((2, 3, 3), 7, np.float32))).any()
    broken = ramp.copy()
    broken[0, 0, 0] = np.nan
    assert levels(LayerMaps("conv1", broken)).shape == (2, 6, 6)  # a diverged network is drawn too
    lines = layer_lines(LayerMaps("conv1", ramp), 60, "plain", small=False)
    heading = "".join(text for text, _ in lines[0])
    assert heading == " conv1  2 maps of 6×6, from -2 to 3" and len(lines) == 1 + 1 + 3
    flat = np.stack([ramp[0], np.ones((6, 6), np.float32)])
    lines = layer_lines(LayerMaps("conv1", flat), 60, "plain", small=False)
    assert "".join(text for text, _ in lines[0]).endswith(" to 1, 1 of one value")


@pytest.mark.parametrize("width", [20, 40, 79])
@pytest.mark.parametrize("small", [True, False])
def test_maps_fit_the_width_and_one_row_is_one_row(width: int, small: bool) -> None:
    sizes = ((12, 28, 28), (30, 14, 14), (7, 7, 3), (5, 1, 8), (120, 1, 1))
    layers = [
        LayerMaps(f"conv{number}", np.random.default_rng(2).normal(size=size).astype(np.float32))
        for number, size in enumerate(sizes)
    ]
    whole, short = (network_lines(layers, width, "light", small=small, rows=rows) for rows in (0, 1))
    assert len(short) < len(whole)
    widest = max(len("".join(text for text, _ in line).rstrip()) for line in short + whole)
    assert widest <= max(width, 29)  # an image of 28 is never cut
    texts = ["".join(text for text, _ in line) for line in short]
    assert sum(text.startswith(" 1 ") or text == " 1" for text in texts) == 4
    assert " the first" in " ".join(texts)
