"""Dropout with masks from random bits that are drawn once per step.

Drawing 64 random bits and comparing 16-bit pieces with a threshold costs a seventeenth of `bernoulli_`, and
because the bits come in as an argument, compilers and CUDA graphs see no random numbers. The probability is
met to 1/65536, and the kept values are scaled by the probability that is really kept, so the expectation is
exact.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from tuitrain.training.layers.rows import along_rows, as_maps, as_rows

LEVELS = 1 << 16


class Dropout(nn.Module):
    """Element-wise dropout of maps (N, C, H, W) or vectors (N, C).

    Args:
        p: probability of dropping an element.
        shape: of one image's input, without the batch.
    """

    def __init__(self, p: float, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.p = p
        self.mask_shape = self._mask_shape(shape)
        self.count = prod(self.mask_shape)  # 16-bit numbers an image
        dropped = min(round(p * LEVELS), LEVELS - 1)
        self.threshold = dropped - LEVELS // 2  # as a signed 16-bit number: below it is dropped
        self.scale = LEVELS / (LEVELS - dropped)

    @staticmethod
    def _mask_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def forward(self, x: Tensor, bits: Tensor | None = None) -> Tensor:
        """Drops where `bits`, int16 of N x count numbers, are below the threshold; without bits the identity.

        In place of bits there may be what `factors` makes of them.
        """
        if bits is None or not self.training:
            return x
        return x * self._factors(x, bits).view(x.shape[0], *self.mask_shape)

    def factors(self, bits: Tensor) -> Tensor:
        """What values are multiplied with for these bits: 0 or the scale, float32."""
        return (bits >= self.threshold) * self.scale

    def _factors(self, x: Tensor, bits: Tensor) -> Tensor:
        if bits.is_floating_point():
            return bits.to(x.dtype)
        return (bits >= self.threshold).to(x.dtype) * self.scale

    def extra_repr(self) -> str:
        """The probability, as torch's own modules show it."""
        return f"p={self.p:g}"


class Dropout2d(Dropout):
    """Dropout of whole maps (N, C, H, W): N x C numbers."""

    @staticmethod
    def _mask_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], 1, 1)

    def forward(self, x: Tensor, bits: Tensor | None = None) -> Tensor:
        """As `Dropout.forward`; `bits` are of N x C numbers."""
        if bits is None or not self.training or x.is_contiguous():
            return super().forward(x, bits)
        n, c, h, w = x.shape
        keep = along_rows(self._factors(x, bits).view(n, c), w)
        return as_maps(as_rows(x).view(n, h, w * c) * keep.unsqueeze(1), x.shape)


def draw_bits(out: Tensor, generator: torch.Generator) -> None:
    """Fills an int64 tensor with all 64 random bits of each number.

    The bounds matter: without them torch draws 63 bits, and every fourth 16-bit piece would never be negative.
    """
    out.random_(-(2**63), None, generator=generator)
