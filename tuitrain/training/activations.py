"""What each layer of a trained network makes of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from tuitrain.spec.preset import Preset
from tuitrain.training.judging import Judge
from tuitrain.training.model import Network


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """The output of a layer, after the operations in its `then`.

    Attributes:
        name: of the layer, as in the tables: `conv3`, `max pool after conv3`; `input` for operations before the first.
        maps: float32 (C, H, W); of a layer without maps, as a linear one, (C, 1, 1).
    """

    name: str
    maps: NDArray[np.float32]

    @property
    def lowest(self) -> float:
        """The smallest value of all maps."""
        return float(self.maps.min())

    @property
    def highest(self) -> float:
        """The largest one."""
        return float(self.maps.max())


@dataclass(frozen=True, eq=False)
class Activations:
    """What a network makes of an image.

    Attributes:
        layers: in the order of the network; a flatten, which changes nothing, is left out.
        probabilities: float32 (10,) of the classes.
    """

    layers: tuple[LayerMaps, ...]
    probabilities: NDArray[np.float32]


def activations(network: Network, preset: Preset, image: NDArray[np.uint8]) -> Activations:
    """The maps of every layer of a preset's trained network, which is left as it is, for an image (28, 28)."""
    made: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            values = np.array(output[0].detach().float().numpy())
            made[name] = values if values.ndim == 3 else values.reshape(-1, 1, 1)

        return hook

    hooks = [
        module.register_forward_hook(keep(name))
        for name, module in network.layer_outputs.items()
        if not isinstance(module, nn.Flatten)
    ]
    try:
        said = Judge(network, preset).log_probabilities(image[None])[0]
    finally:
        for hook in hooks:
            hook.remove()
    return Activations(tuple(LayerMaps(name, maps) for name, maps in made.items()), np.exp(said))
