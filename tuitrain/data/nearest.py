"""The training image that is most like another image, by plain distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuitrain.data.dataset import Images

#: Rows that are multiplied at once: their products, up to 255² each, add up without rounding in float32.
ROWS = 128


class Nearest:
    """Training images, laid out to be searched: a pixel of all images is a row.

    Attributes:
        labels: uint8 (N,).
    """

    def __init__(self, images: Images) -> None:
        self.labels = images.labels
        self._side = images.images.shape[1:]
        self._pixels = np.ascontiguousarray(images.images.reshape(len(images), -1).T)
        self._squares = np.zeros(len(images))
        for start in range(0, len(self._pixels), ROWS):
            rows = self._pixels[start : start + ROWS].astype(np.float32)
            self._squares += np.einsum("ij,ij->j", rows, rows)

    def find(self, image: NDArray[np.uint8]) -> int:
        """The index of the image with the smallest sum of squared differences to this one; the first of equal ones."""
        pixels = image.reshape(-1)
        inked = np.flatnonzero(pixels)  # where it is black, nothing is added to the products
        products = np.zeros(len(self.labels))
        for start in range(0, len(inked), ROWS):
            chosen = inked[start : start + ROWS]
            products += pixels[chosen].astype(np.float32) @ self._pixels[chosen].astype(np.float32)
        return int((self._squares - 2 * products).argmin())

    def image(self, index: int) -> NDArray[np.uint8]:
        """One of them, (28, 28)."""
        return self._pixels[:, index].reshape(self._side)
