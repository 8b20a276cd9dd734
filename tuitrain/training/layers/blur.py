"""Down-sampling after a blur, so that a shift of the image moves the output and does not change it.

Zhang, "Making convolutional networks shift-invariant again" (2019). Its binomial filters are chains of averages of two
neighbours: 1 2 1 is 1 1 after 1 1. So torch's average pooling does it all, in every layout and type, compiled, captured
and for stacked seeds, and there is no filter to be kept.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tuitrain.spec.sides import Pair


class BlurPool2d(nn.Module):
    """A binomial filter over height and width, of which every `stride`-th pixel is taken; padding counts as zeros.

    Args:
        window: sides of the filter; of a side of 1 only the stride is taken.
        stride: pixels from one output to the next.
        padding: pixels put around the maps, at most half of the window.
    """

    def __init__(self, window: Pair, stride: Pair, padding: Pair) -> None:
        super().__init__()
        self.window, self.stride, self.padding = window, stride, padding
        stages = max(1, *(side - 1 for side in window))
        #: Window, stride and padding of each average; a zero beside a zero averages to zero, so one pixel at a time.
        self.averages = [
            tuple(
                zip(
                    *(_average(stages - stage, *side) for side in zip(window, stride, padding, strict=True)),
                    strict=True,
                )
            )
            for stage in range(stages)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W), blurred and made smaller."""
        for window, stride, padding in self.averages:
            x = F.avg_pool2d(x, window, stride, padding)
        return x

    def extra_repr(self) -> str:
        """The settings, as torch's own modules show them."""
        return f"kernel_size={self.window}, stride={self.stride}, padding={self.padding}"


def _average(left: int, window: int, stride: int, padding: int) -> tuple[int, int, int]:
    """Window, stride and padding along one side, where this average and `left - 1` more are to come."""
    last = stride if left == 1 else 1
    if left >= window:  # this side has fewer of them
        return 1, last, 0
    return 2, last, int(window - left <= padding)
