"""How large weights and gradients are, and how far a step moves the weights: measured at each epoch's last step.

Nothing is read from the device before the epoch's sums are, and the step itself is not touched.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuitrain.training.step import Stepper


class LastStep:
    """The norms of an epoch's last step; of weights alone, as biases and those of batch norms begin at 0 or 1."""

    def __init__(self) -> None:
        self._before: list[tuple[str, int, Tensor]] = []  # name, place among the parameters, weights
        self._told: Tensor | None = None

    @torch.no_grad()
    def before(self, stepper: Stepper) -> None:
        """Keeps the weights as they are before the step."""
        named = enumerate(stepper.network.named_parameters())
        self._before = [(name, at, weights.clone()) for at, (name, weights) in named if weights.dim() > 1]

    @torch.no_grad()
    def after(self, stepper: Stepper) -> None:
        """Works the norms out on the device, after the step; the gradient's is as the optimizer took it."""
        gradients, rows = stepper.gradients(), []
        for _, at, before in self._before:
            size = torch.linalg.vector_norm(before.float())
            moved = torch.linalg.vector_norm(stepper.parameters[at].float() - before.float())
            gradient = gradients[at]
            steep = (
                moved.new_full((), torch.nan)
                if gradient is None
                else torch.linalg.vector_norm(gradient.float())
            )
            rows.append(torch.stack([size, steep, moved / size]))
        self._told = torch.stack(rows) if rows else None

    def read(self) -> dict[str, list[float]]:
        """By the parameter's name: norm of the weights, norm of the gradient, and how far they moved over their norm."""
        names, told = [name for name, _, _ in self._before], self._told
        self._before, self._told = [], None
        if told is None:
            return {}
        return {
            name: [float(f"{value:.5g}") for value in row]
            for name, row in zip(names, told.tolist(), strict=True)
        }
