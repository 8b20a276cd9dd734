"""Averaged weights: an exponential moving average over the steps, judged beside the weights that are trained.

After each step every weight's average moves towards it by 1 - decay. The averages begin at zero, and the same is done with
a number that is always 1, by which they are divided: so the random weights of the beginning don't count, as in Adam
(Kingma and Ba, 2015). The running means and variances of batch norm are averaged as the weights are: those of the last
steps belong to the weights of the last steps, not to their average. (step13 after its first epoch of 12,000 images of
MNIST, decay 0.98: loss 0.165, with those of the last steps 0.291; made anew over all training images, which takes a
pass over them, 0.154. After the third epoch 0.0748, 0.0770 and 0.0745.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from tuitrain.training.stored import copy_stored

_SUM, _WEIGHT = "sum.", "weight"


class Averaged:
    """The averages of a network's tensors; what is no fraction, as a count of batches, is not averaged.

    Args:
        decay: how much of an average a step leaves, from 0 to 1.
        network: its tensors by name, parameters and buffers, on their device.
    """

    def __init__(self, decay: float, network: Mapping[str, Tensor]) -> None:
        self.decay = decay
        self._network = {name: tensor for name, tensor in network.items() if tensor.is_floating_point()}
        self._sums = {name: torch.zeros_like(tensor.detach()) for name, tensor in self._network.items()}
        device = next((tensor.device for tensor in self._network.values()), torch.device("cpu"))
        self._weight, self._one = torch.zeros((), device=device), torch.ones((), device=device)

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the network as it is after a step; queues work on the device and waits for nothing."""
        torch._foreach_lerp_(
            [*self._sums.values(), self._weight], [*self._network.values(), self._one], 1 - self.decay
        )

    @contextmanager
    def in_the_network(self) -> Iterator[None]:
        """Inside, the network has the averages in the place of its tensors, at the same addresses."""
        own = {name: tensor.detach().clone() for name, tensor in self._network.items()}
        self._put({name: total / self._weight for name, total in self._sums.items()})
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, values: Mapping[str, Tensor]) -> None:
        for name, tensor in self._network.items():
            tensor.copy_(values[name])

    def tensors(self) -> dict[str, Tensor]:
        """The state by name: `sum.conv1.weight`, and the `weight` by which the sums are divided."""
        return {_SUM + name: total for name, total in self._sums.items()} | {_WEIGHT: self._weight}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Loads what `tensors` gave, in place.

        Raises:
            CheckpointError: a tensor is missing, unknown, or of another shape or type.
        """
        copy_stored(self.tensors(), tensors, "the averaged weights")


def averaged_model(model: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's `state_dict` with the averages in the place of what was trained; empty where there are none yet.

    Args:
        model: the `state_dict`.
        state: as `Averaged.tensors` gave it.
    """
    if not state or not state[_WEIGHT]:
        return {}
    sums = {name.removeprefix(_SUM): total for name, total in state.items() if name != _WEIGHT}
    return {name: sums[name] / state[_WEIGHT] if name in sums else own for name, own in model.items()}
