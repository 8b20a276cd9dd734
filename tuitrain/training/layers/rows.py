"""Maps in channels_last as rows of W x C numbers, enough for vector units where C alone is not.

On the CPU the networks here have 8 to 32 channels. A loop whose innermost part is over C fills few lanes of a vector
unit, sums into arrays that threads share, and where a value of each channel is to be applied, it costs an index
modulo C. A row of a map is long enough, and in it a channel's value is simply repeated W times.
"""

from __future__ import annotations

import torch
from torch import Tensor


def as_rows(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) as (N x H, W x C); of channels_last ones no copy."""
    n, c, h, w = maps.shape
    return maps.permute(0, 2, 3, 1).reshape(n * h, w * c)


def as_maps(rows: Tensor, shape: torch.Size) -> Tensor:
    """Rows (N x H, W x C) as channels_last maps of a shape (N, C, H, W)."""
    n, c, h, w = shape
    return rows.view(n, h, w, c).permute(0, 3, 1, 2)


def along_rows(values: Tensor, width: int) -> Tensor:
    """A value for each channel (K, C), repeated along a row: (K, W x C)."""
    if not torch.compiler.is_compiling():
        return values.repeat(1, width)
    # A compiler would write the repetition into the loops that use it, as an index modulo C, and those would not be
    # vectorised. A product's result it takes as it is; with ones and zeros the product of
    # finite values is exact.
    ones = torch.eye(values.shape[1], dtype=values.dtype, device=values.device)
    return values @ ones.repeat(1, width)


def channel_sums(rows: Tensor, width: int) -> Tensor:
    """For each channel the sum over rows (N x H, W x C): (C,)."""
    return rows.sum(0).view(width, -1).sum(0)
