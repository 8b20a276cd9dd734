"""The maps that the layers of a network make of an image, in half blocks. No textual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuitrain import figures
from tuitrain.tui.paint.digits import Ink, digit, smaller
from tuitrain.tui.paint.pictures import GAP, shelf
from tuitrain.tui.paint.text import Line, Parts, wrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuitrain.training.activations import LayerMaps

SMALL_FROM = 20  # pixels: larger maps are drawn at half their size where images are small
LEAST = 5  # cells of a map with its number


def levels(layer: LayerMaps) -> NDArray[np.uint8]:
    """The maps (C, H, W) as greys, from the layer's lowest value in black to its highest in white."""
    low, high = layer.lowest, layer.highest
    span = high - low if np.isfinite(high - low) and high > low else 1.0
    greys: NDArray[np.uint8] = np.clip(np.nan_to_num((layer.maps - low) / span) * 255, 0, 255).astype(
        np.uint8
    )
    return greys


def layer_heading(layer: LayerMaps, shown: int) -> Parts:
    """Name, shape, what black and white mean, and how many are shown where it is not all of them."""
    count, height, width = layer.maps.shape
    one = height * width == 1
    shape = figures.plural(count, "value") if one else f"{figures.plural(count, 'map')} of {height}×{width}"
    part = f", the first {shown}" if shown < count else ""
    flat = 0 if one else int((np.ptp(layer.maps, axis=(1, 2)) == 0).sum())
    line = Line().add(f" {layer.name}", "bold")
    line.add(f"  {shape}{part}, from {layer.lowest:.3g} to {layer.highest:.3g}", "dim")
    return line.add(f", {flat} of one value", "warn") if flat else line


def layer_lines(layer: LayerMaps, width: int, ink: Ink, *, small: bool, rows: int = 0) -> list[Parts]:
    """The maps of a layer below its heading.

    Args:
        small: draws large maps at half their size.
        rows: of maps at most; 0 for all of them.
    """
    images = levels(layer)
    count, height, across = images.shape
    if height * across == 1:
        fits = max(1, (width - 2) // 2)
        patches = images[: rows * fits or count, 0, 0].repeat(2)
        lines = [
            patches[None, start : start + 2 * fits].repeat(2, 0) for start in range(0, len(patches), 2 * fits)
        ]
        drawn: list[Parts] = [[(" ", ""), *digit(line, ink)[0]] for line in lines]
        return [*wrap(layer_heading(layer, len(patches) // 2), width, 2), *drawn]
    times = 2 if small and max(height, across) >= SMALL_FROM else 1
    room = max(LEAST, across // times)
    fits = max(1, (width - 2 + GAP) // (room + GAP))
    shown = images[: rows * fits or count]
    cards: list[list[Parts]] = []
    for number, image in enumerate(shown, 1):
        picture = [Line(line).to(room) for line in digit(smaller(image, times), ink)]
        cards.append([((f"{number}", "dim"),), *picture])
    return [*wrap(layer_heading(layer, len(shown)), width, 2), *shelf(cards, width)]


def network_lines(
    layers: Sequence[LayerMaps], width: int, ink: Ink, *, small: bool, rows: int = 0
) -> list[Parts]:
    """All layers, one below the other; see `layer_lines`."""
    out: list[Parts] = []
    for layer in layers:
        out += [*layer_lines(layer, width, ink, small=small, rows=rows), ()]
    return out[:-1]
