"""What each layer of a trained network makes of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuitrain.spec.layers import Flatten
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
    said, made = Judge(network, preset).layer_outputs(image)
    kinds = dict(zip(made, preset.model.layers, strict=True))
    layers = [
        LayerMaps(name, np.array(output[0].reshape(-1, *(output.shape[2:] or (1, 1))).float().numpy()))
        for name, output in made.items()
        if not isinstance(kinds[name], Flatten) or kinds[name].then
    ]
    return Activations(tuple(layers), np.exp(said))
