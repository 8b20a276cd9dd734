"""What a trained network says of images, as the evaluation of its run would have said it."""

from __future__ import annotations

import threading

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

    @torch.no_grad()
    def layer_outputs(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], dict[str, Tensor]]:
        """Log-probabilities (10,) of an image (28, 28), and by its name what each layer of a preset's network made of it."""
        logits, made = self._stepper.network.layer_outputs(  # type: ignore[operator]
            self._stepper.pixels(torch.as_tensor(image[None]))
        )
        return logits[0].float().log_softmax(0).numpy(), made


def use_one_core() -> None:
    """Let the calling thread compute on one core from now on; other threads are as they were.

    One image is too little for two, and where all are busy, waiting for the second takes up to a second.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # of this thread, but also what new threads begin with, so that is put back
    other = threading.Thread(target=torch.set_num_threads, args=(before,))
    other.start()
    other.join()


def losses(log_probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The cross-entropy (N,) of each image in nats."""
    return -log_probabilities[np.arange(len(labels)), labels]
