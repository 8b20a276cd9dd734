"""Batch norm by rows is torch's batch norm."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tuitrain.training.layers.batchnorm import BatchNorm2d, _ByRows


def pair(channels: int, dtype: torch.dtype = torch.float64) -> tuple[BatchNorm2d, nn.BatchNorm2d]:
    """Ours by rows and torch's, with the same weights and statistics."""
    ours = BatchNorm2d(channels, dtype=dtype)
    with torch.no_grad():
        for tensor in (ours.weight, ours.bias, ours.running_mean, ours.running_var):
            tensor.uniform_(0.5, 2.0)
    theirs = nn.BatchNorm2d(channels, dtype=dtype)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    ours.by_rows = True
    return ours, theirs


def last(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype).to(memory_format=torch.channels_last)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(2, 17), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_values_gradients_and_statistics_are_torchs(n: int, c: int, h: int, w: int, seed: int) -> None:
    if n * h * w < 2:
        return  # torch refuses to learn from a single value
    torch.manual_seed(seed)
    ours, theirs = pair(c)
    x, grad = last(n, c, h, w) * 3 + 1, last(n, c, h, w)
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    for _ in range(2):
        answers = [norm(given) for norm, given in zip((ours, theirs), inputs, strict=True)]
        for answer in answers:
            answer.backward(grad)
    torch.testing.assert_close(answers[0], answers[1])
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, msg=name)
    assert answers[0].stride() == answers[1].stride()


def test_it_is_used_where_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple[int, ...]] = []
    apply = _ByRows.apply
    monkeypatch.setattr(_ByRows, "apply", lambda x, *more: used.append(tuple(x.shape)) or apply(x, *more))
    ours, _ = pair(4, torch.float32)
    ours(last(2, 4, 5, 5, dtype=torch.float32))
    assert used == [(2, 4, 5, 5)]
    ours(torch.randn(2, 4, 5, 5))  # laid out as torch does by default
    ours.eval()(last(2, 4, 5, 5, dtype=torch.float32))
    ours.train().by_rows = False
    ours(last(2, 4, 5, 5, dtype=torch.float32))
    assert len(used) == 1


def test_large_means_do_not_cancel() -> None:
    torch.manual_seed(0)
    ours, _ = pair(3, torch.float32)
    _, exact = pair(3)
    exact.load_state_dict(ours.state_dict())
    x = last(8, 3, 14, 14, dtype=torch.float32) + 1000
    torch.testing.assert_close(ours(x).double(), exact(x.double()), rtol=1e-3, atol=1e-3)


def test_halves_are_summed_in_fp32() -> None:
    torch.manual_seed(0)
    ours, exact = pair(6, torch.float32)
    x = (last(64, 6, 14, 14, dtype=torch.float32) * 3 + 20).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = ours(x)
    assert y.dtype is torch.bfloat16 and y.stride() == x.stride()
    torch.testing.assert_close(y.float(), exact(x.detach().float()), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(ours.running_var, exact.running_var, rtol=1e-4, atol=0)
    y.sum().backward()
    assert x.grad is not None and x.grad.dtype is torch.bfloat16
