"""Batch norm of channels_last maps by rows, for the CPU.

torch's own kernels for channels_last sum into one small array of C numbers for each thread; with 10 channels the
arrays of two threads share a cache line, and two threads take twice as long as one (14 ms forward and backward on
maps of 128 x 10 x 28 x 28 where this takes 2.3). What `torch.compile` makes of torch's own is as slow as eager steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tuitrain.training.layers.rows import along_rows, as_maps, as_rows, channel_sums


class BatchNorm2d(nn.BatchNorm2d):
    """torch's, with the same arithmetic by rows where `by_rows` is set and the maps are channels_last.

    Attributes:
        by_rows: for steps on the CPU.
    """

    by_rows = False

    def forward(self, x: Tensor) -> Tensor:
        """Normalises maps (N, C, H, W)."""
        # A map of one channel, or of one pixel, is laid out either way; there is nothing to gain there.
        ours = self.by_rows and self.training
        if not ours or x.is_contiguous():
            return super().forward(x)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        statistics = self.running_mean, self.running_var, self.momentum
        with torch.autocast(x.device.type, enabled=False):
            y: Tensor = _ByRows.apply(x.to(self.weight.dtype), self.weight, self.bias, *statistics, self.eps)
        return y.to(x.dtype)


class _ByRows(torch.autograd.Function):
    """The normalised maps, and their gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
        momentum: float, eps: float,
    ) -> Tensor:  # fmt: skip
        n, _, h, w = ctx.shape = x.shape
        count = n * h * w
        rows = as_rows(x)
        mean = channel_sums(rows, w) / count
        centred = rows - along_rows(mean.unsqueeze(0), w)
        # Of the centred values: the mean of squares less the square of the mean would cancel.
        variance = channel_sums(centred.square(), w) / count
        inverse = (variance + eps).rsqrt()
        scale, offset = along_rows(torch.stack([weight * inverse, bias]), w)
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / max(count - 1, 1)), momentum)
        ctx.save_for_backward(centred, inverse, weight)
        return as_maps(torch.addcmul(offset, centred, scale), x.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        centred, inverse, weight = ctx.saved_tensors
        n, _, h, w = ctx.shape
        count = n * h * w
        rows = as_rows(grad)
        grad_bias = channel_sums(rows, w)
        grad_weight = channel_sums(rows * centred, w) * inverse
        factor = weight * inverse
        values = torch.stack([factor, -factor * inverse * grad_weight / count, -factor * grad_bias / count])
        scale, slope, offset = along_rows(values, w)
        grad_x = torch.addcmul(offset, centred, slope).addcmul_(rows, scale)
        return as_maps(grad_x, ctx.shape), grad_weight, grad_bias, None, None, None, None
