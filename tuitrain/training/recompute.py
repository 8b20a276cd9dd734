"""What a compiled forward pass puts aside for the backward pass: no result of a comparison of maps.

`torch.compile` puts aside what takes the fewest bytes, and one byte for each number, whether a ReLU let it through or
which one a pooling window took, is few. But on the CPU it is written number by number, which takes longer than the
convolution before it; compared again, it takes nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch._inductor.custom_graph_pass import CustomGraphPass
from torch.utils.checkpoint import CheckpointPolicy


class RecomputeComparisons(CustomGraphPass):
    """Marks them in the graph of a step, before it is cut into a forward and a backward pass."""

    def __call__(self, graph: fx.Graph) -> None:
        """Marks all but dropout's masks: comparing 16-bit integers is what takes long there."""
        for node in graph.nodes:
            if _dtype(node) is torch.bool and torch.int16 not in map(_dtype, node.all_input_nodes):
                node.meta["recompute"] = CheckpointPolicy.MUST_RECOMPUTE

    def uuid(self) -> str:
        """What the compiler's cache knows it by; to be raised with every change above."""
        return "tuitrain.training.recompute 1"


def _dtype(node: fx.Node) -> Any:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, Tensor) else None
