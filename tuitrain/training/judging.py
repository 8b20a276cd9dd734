"""What a trained network says of images, as the evaluation of its run would have said it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tuitrain.spec.preset import Preset
from tuitrain.training import machine
from tuitrain.training.step import Stepper


class Judge:
    """A trained network of a preset, on the CPU.

    Args:
        network: its weights are not changed.
        preset: says how images are normalised.
    """

    def __init__(self, network: nn.Module, preset: Preset) -> None:
        device = torch.device("cpu")
        self._stepper = Stepper(network, preset.train, device)
        self._batch = machine.judging_batch(preset.table(), device)
        network.eval()

    @torch.no_grad()
    def log_probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """Log-probabilities (N, 10) of the classes of images (N, 28, 28), uint8."""
        pixels = torch.as_tensor(images)
        parts = [
            self._stepper.logits(pixels[start : start + self._batch], None).float().log_softmax(1)
            for start in range(0, len(pixels), self._batch)
        ]
        return torch.cat(parts).numpy() if parts else np.zeros((0, 10), np.float32)


def losses(log_probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The cross-entropy (N,) of each image in nats."""
    return -log_probabilities[np.arange(len(labels)), labels]
