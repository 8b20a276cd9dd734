"""Dropout from raw bits: probability, expectation, whole maps, and nothing when judging."""

import pytest
import torch

from tuitrain.training.layers.dropout import Dropout, Dropout2d, draw_bits
from tuitrain.training.seeding import key


def bits(count: int, seed: int = 0) -> torch.Tensor:
    words = torch.empty(-(-count // 4), dtype=torch.int64)
    draw_bits(words, torch.Generator().manual_seed(seed))
    return words.view(torch.int16)[:count]


@pytest.mark.parametrize("p", [0.0, 0.029, 0.069, 0.1, 0.5, 0.9])
def test_the_probability_and_the_expectation_are_met(p: float) -> None:
    layer, n = Dropout(p, (10, 28, 28)), 100
    x = torch.ones(n, 10, 28, 28)
    out = layer(x, bits(n * layer.count))
    count = out.numel()
    spread = 5 * (p * (1 - p) / count) ** 0.5
    assert abs((out == 0).float().mean().item() - p) <= spread + 1 / 65536
    assert abs(out.mean().item() - 1) <= spread / (1 - p) + 1e-6
    kept = out[out != 0]
    assert torch.allclose(kept, torch.full_like(kept, layer.scale))
    assert abs(layer.scale * (1 - p) - 1) < 1e-3


def test_every_sixteen_bits_are_fair() -> None:
    # 63-bit numbers would never be negative in every fourth piece.
    negative = (bits(400_000).view(-1, 4) < 0).float().mean(0)
    assert negative.sub(0.5).abs().max() < 0.01


def test_dropout2d_drops_whole_maps() -> None:
    layer, n = Dropout2d(0.3, (16, 5, 5)), 200
    assert layer.count == 16
    out = layer(torch.ones(n, 16, 5, 5), bits(n * layer.count)).flatten(2)
    assert torch.equal(out.min(2).values, out.max(2).values)
    assert abs((out[:, :, 0] == 0).float().mean().item() - 0.3) < 0.04


@pytest.mark.parametrize("shape", [(16, 5, 5), (10, 28, 28), (3, 1, 1), (1, 7, 7)])
def test_the_layout_of_the_maps_changes_nothing(shape: tuple[int, int, int]) -> None:
    layer, n = Dropout2d(0.3, shape), 8
    x, drawn = torch.randn(n, *shape), bits(n * shape[0])
    last = x.clone(memory_format=torch.channels_last).requires_grad_(True)
    out = layer(last, drawn)
    assert torch.equal(out, layer(x, drawn))
    out.sum().backward()
    plain = x.clone().requires_grad_(True)
    layer(plain, drawn).sum().backward()
    assert torch.equal(last.grad, plain.grad)


def test_gradients_flow_through_what_is_kept() -> None:
    layer = Dropout(0.5, (64,))
    x = torch.ones(8, 64, requires_grad=True)
    out = layer(x, bits(8 * 64))
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_judging_drops_nothing() -> None:
    layer, x = Dropout(0.5, (64,)).eval(), torch.randn(8, 64)
    assert layer(x, bits(8 * 64)) is x
    assert layer.train()(x) is x


def test_seeds_are_keyed_by_all_they_are_for() -> None:
    seen = {
        key(s, p, e, t)
        for s in (0, 1)
        for p in ("init", "order", "augment", "dropout")
        for e in (0, 1)
        for t in (0, 1)
    }
    assert len(seen) == 32
    assert all(0 <= value < 2**63 for value in seen)
    assert key(5, "order", 2) == key(5, "order", 2, 0)
