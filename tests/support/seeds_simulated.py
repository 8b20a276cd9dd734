"""Seeds of one network that are not trained but drawn: which images each gets right."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

#: How far images lie on the right side, in units of the noise of one seed at one image.
CENTRE, WIDTH = 4.6, 2.0


def images(rng: np.random.Generator, count: int = 300) -> NDArray[np.float32]:
    """How easy each image is; about 98 % are got right."""
    return rng.normal(CENTRE, WIDTH, count).astype(np.float32)


def accuracy_of(ease: NDArray[np.float32]) -> float:
    """The expected accuracy on these images of seeds without excess."""
    return float(special.ndtr(ease).mean())


def seeds(
    rng: np.random.Generator, ease: NDArray[np.float32], shape: tuple[int, ...], excess: float = 1.0
) -> NDArray[np.bool_]:
    """Right and wrong (*shape, N); what a whole seed does better or worse makes the variance `excess` times V."""
    p = special.ndtr(ease)
    floor = float((p * (1 - p)).sum()) / len(ease) ** 2
    slope = float(np.exp(-(ease**2) / 2).mean()) / math.sqrt(2 * math.pi)
    luck = rng.normal(0, math.sqrt((excess - 1) * floor) / slope, (*shape, 1)).astype(np.float32)
    return rng.standard_normal((*shape, len(ease)), dtype=np.float32) < ease + luck
