"""Maps by rows: views where it can be, exact repetition, and max pooling with torch's own maxima and gradients."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tuitrain.training.layers.pooling import MaxPool2d, _Halves
from tuitrain.training.layers.rows import along_rows, as_maps, as_rows, channel_sums


def last(*shape: int) -> Tensor:
    return torch.randn(*shape).to(memory_format=torch.channels_last)


def compiling() -> patch:  # type: ignore[valid-type]
    return patch("torch.compiler.is_compiling", lambda: True)


def pool(*window: int | None) -> MaxPool2d:
    layer = MaxPool2d(*window)
    layer.by_rows = True
    return layer


def test_rows_are_the_same_memory() -> None:
    x = last(3, 10, 4, 6)
    rows = as_rows(x)
    assert rows.shape == (12, 60) and rows.data_ptr() == x.data_ptr()
    maps = as_maps(rows, x.shape)
    assert torch.equal(maps, x) and maps.stride() == x.stride() and maps.data_ptr() == x.data_ptr()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 20), st.integers(1, 30), st.integers(0, 2**31))
def test_a_channels_value_is_repeated_exactly(k: int, c: int, w: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(k, c, generator=generator) * 10.0 ** torch.randint(
        -30, 30, (k, c), generator=generator
    )
    eager = along_rows(values, w)
    with compiling():
        assert torch.equal(along_rows(values, w), eager)
    assert torch.equal(eager.view(k, w, c), values[:, None].expand(k, w, c))
    torch.testing.assert_close(channel_sums(eager, w), values.sum(0) * w, rtol=1e-4, atol=0)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 12), st.integers(2, 9), st.integers(2, 9),
    st.integers(1, 4), st.integers(0, 2**31),
)  # fmt: skip
def test_maxima_and_gradients_are_torchs(n: int, c: int, h: int, w: int, levels: int, seed: int) -> None:
    # Few levels, so that most windows have several maxima.
    generator = torch.Generator().manual_seed(seed)
    x = (
        torch.randint(0, levels, (n, c, h, w), generator=generator)
        .float()
        .to(memory_format=torch.channels_last)
    )
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    with compiling():
        ours = pool(2, None, 0)(inputs[0])
    theirs = nn.MaxPool2d(2)(inputs[1])
    assert torch.equal(ours, theirs)
    grad = torch.randn(ours.shape, generator=generator)
    ours.backward(grad)
    theirs.backward(grad)
    assert torch.equal(inputs[0].grad, inputs[1].grad)


@pytest.mark.parametrize(
    ("window", "x", "by_rows"),
    [
        ((2, None, 0), last(2, 4, 6, 6), True),
        ((2, 2, 0), last(2, 4, 6, 6), True),
        ((2, 1, 0), last(2, 4, 6, 6), False),
        ((2, 2, 1), last(2, 4, 6, 6), False),
        ((3, None, 0), last(2, 4, 6, 6), False),
        ((2, None, 0), torch.randn(2, 4, 6, 6), False),
    ],
)
def test_only_windows_of_two_on_channels_last_are_pooled_by_rows(
    window: tuple[int, int | None, int], x: Tensor, by_rows: bool
) -> None:
    with patch.object(_Halves, "apply", side_effect=_Halves.apply) as apply:
        pool(*window)(x)
        with compiling():
            MaxPool2d(*window)(x)
        assert not apply.called  # torch's own is faster where nothing is compiled
        with compiling():
            pooled = pool(*window)(x)
        assert apply.called == by_rows
    assert torch.equal(pooled, nn.MaxPool2d(*window)(x))
