"""The optimizers against torch.optim's classes, step by step, to the bit."""

from typing import Any

import pytest
import torch

from support.training_small import tiny
from tuitrain.errors import CheckpointError
from tuitrain.training.model import build
from tuitrain.training.optimizer import Optimizer

CASES: list[tuple[dict[str, Any], type, dict[str, Any]]] = [
    ({"name": "sgd", "lr": 0.1}, torch.optim.SGD, {}),
    ({"name": "sgd", "lr": 0.1, "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    (
        {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ),
    ({"name": "adam", "lr": 0.01}, torch.optim.Adam, {}),
    (
        {"name": "adam", "lr": 0.01, "weight_decay": 0.1, "betas": [0.8, 0.9]},
        torch.optim.Adam,
        {"weight_decay": 0.1, "betas": (0.8, 0.9)},
    ),
    ({"name": "adamw", "lr": 0.01, "weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
    ({"name": "rmsprop", "lr": 0.01}, torch.optim.RMSprop, {}),
    ({"name": "rmsprop", "lr": 0.01, "momentum": 0.9, "alpha": 0.9}, torch.optim.RMSprop, {"momentum": 0.9, "alpha": 0.9}),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "cls", "kwargs"), CASES)
def test_each_is_torchs(settings: dict[str, Any], cls: type, kwargs: dict[str, Any]) -> None:
    preset = tiny(optimizer=settings)
    ours, theirs = build(preset), build(preset)
    mine = Optimizer(preset.train, dict(ours.named_parameters()))
    fused = {} if cls is torch.optim.RMSprop else {"fused": True}
    other = cls(theirs.parameters(), lr=settings["lr"], **kwargs, **fused)
    generator = torch.Generator().manual_seed(1)
    for step in range(5):
        if step == 3:
            mine.set_lr(0.003)
            other.param_groups[0]["lr"] = 0.003
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        mine.step()
        other.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


def test_its_state_comes_back() -> None:
    preset = tiny(optimizer={"name": "adam", "lr": 0.01})
    network = build(preset)
    optimizer = Optimizer(preset.train, dict(network.named_parameters()))
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    held = {name: tensor.clone() for name, tensor in optimizer.tensors().items()}
    assert "conv1.weight.exp_avg" in held and held["conv1.weight.step"] == 1
    other = Optimizer(preset.train, dict(build(preset).named_parameters()))
    other.load(held)
    assert all(torch.equal(held[name], tensor) for name, tensor in other.tensors().items())


@pytest.mark.parametrize("change", ["missing", "unknown", "shape", "kind"])
def test_a_state_that_does_not_fit_is_refused(change: str) -> None:
    preset = tiny()
    optimizer = Optimizer(preset.train, dict(build(preset).named_parameters()))
    state = {name: tensor.clone() for name, tensor in optimizer.tensors().items()}
    name = "conv1.weight.momentum_buffer"
    if change == "missing":
        del state[name]
    elif change == "unknown":
        state["conv1.weight.exp_avg"] = state[name]
    elif change == "shape":
        state[name] = state[name][:1]
    else:
        state[name] = state[name].double()
    with pytest.raises(CheckpointError, match=r"conv1\.weight"):
        optimizer.load(state)


@pytest.mark.parametrize(
    "clip",
    [{"clip_norm": 0.5}, {"clip_norm": 1e6}, {"clip_value": 0.01}, {"clip_norm": 0.1, "clip_value": 0.02}],
)
def test_clipping_is_torchs(clip: dict[str, float]) -> None:
    preset = tiny(**clip)
    ours, theirs = build(preset), build(preset)
    mine = Optimizer(preset.train, dict(ours.named_parameters()))
    other = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, fused=True)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        mine.step()
        if "clip_value" in clip:
            torch.nn.utils.clip_grad_value_(theirs.parameters(), clip["clip_value"])
        if "clip_norm" in clip:
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip["clip_norm"])
        other.step()
    plain, start = build(tiny()), build(tiny())
    unclipped = Optimizer(tiny().train, dict(plain.named_parameters()))
    generator.manual_seed(1)
    for _ in range(3):
        for parameter in plain.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        unclipped.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)
    moved = [not torch.equal(a, b) for a, b in zip(ours.parameters(), start.parameters(), strict=True)]
    same = [torch.equal(a, b) for a, b in zip(ours.parameters(), plain.parameters(), strict=True)]
    assert all(moved) and all(same) == (clip == {"clip_norm": 1e6})
