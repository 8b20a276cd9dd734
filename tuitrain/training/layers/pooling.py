"""Max pooling of channels_last maps by rows, for compiled steps on the CPU.

What `torch.compile` makes of torch's own keeps an index for each window and scatters the gradients by it, into maps
laid out the other way round, which every loop below then has to turn: a quarter of a compiled step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tuitrain.training.layers.rows import as_maps, as_rows


class MaxPool2d(nn.MaxPool2d):
    """torch's; with the same result by rows where `by_rows` is set and windows of 2 x 2 are compiled.

    Attributes:
        by_rows: for steps on the CPU, whose maps are channels_last.
    """

    by_rows = False

    def forward(self, x: Tensor) -> Tensor:
        """The maxima (N, C, H / 2, W / 2) of maps (N, C, H, W), for windows of 2 x 2."""
        ours = self.by_rows and (self.kernel_size, self.stride, self.padding) == (2, 2, 0)
        if not ours or not torch.compiler.is_compiling() or x.is_contiguous():
            maxima: Tensor = super().forward(x)
            return maxima
        height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2  # an odd row or column is left out
        y: Tensor = _Halves.apply(x[:, :, :height, :width])
        return y


class _Halves(torch.autograd.Function):
    """The maxima, and gradients for the first maximum of each window, row by row, as torch has it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        pairs = as_rows(x).view(n, h // 2, 2, w * c)
        highest = torch.maximum(pairs[:, :, 0], pairs[:, :, 1])  # rows first: they are long
        ctx.save_for_backward(pairs, highest)
        columns = highest.view(n, h // 2, w // 2, 2, c)
        return torch.maximum(columns[..., 0, :], columns[..., 1, :]).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        pairs, highest = ctx.saved_tensors
        n, c, h, w = *grad.shape[:2], 2 * grad.shape[2], 2 * grad.shape[3]
        grad = grad.permute(0, 2, 3, 1)
        upper = pairs[:, :, 0] >= pairs[:, :, 1]
        columns, uppers = highest.view(n, h // 2, w // 2, 2, c), upper.view(n, h // 2, w // 2, 2, c)
        left, right = columns[..., 0, :], columns[..., 1, :]
        # Of two equal columns the left one was first, unless it has its maximum in the lower row and the right in the upper.
        first = (left > right) | ((left == right) & (uppers[..., 0, :] | ~uppers[..., 1, :]))
        zero = grad.new_zeros(())
        row = torch.stack([torch.where(first, grad, zero), torch.where(first, zero, grad)], 3).view(
            n, h // 2, w * c
        )
        both = torch.stack([torch.where(upper, row, zero), torch.where(upper, zero, row)], 2)
        return as_maps(both.view(n * h, w * c), torch.Size((n, c, h, w)))
