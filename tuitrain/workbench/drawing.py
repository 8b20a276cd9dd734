"""What is drawn: an image of 28 by 28, a soft pen, strokes that can be undone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

SIDE = 28
#: The pen is white up to 0.6 pixels from its middle and gone at 1.6: strokes as wide as MNIST's, with their soft edge.
REACH = 1.6
MOST_UNDOS = 500

Point = tuple[float, float]  # column and row, in pixels from the upper left corner
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE] + 0.5


class Drawing:
    """The image and its strokes.

    Attributes:
        image: uint8 (28, 28), white on black.
        index: of the test image that it is, as long as nothing was drawn on it.
        number: another one after every change.
    """

    def __init__(self) -> None:
        self.image: Image = np.zeros((SIDE, SIDE), np.uint8)
        self.index: int | None = None
        self.number = 0
        self._before: list[tuple[Image, int | None]] = []

    @property
    def empty(self) -> bool:
        """Whether nothing is drawn."""
        return not self.image.any()

    def begin(self) -> None:
        """A stroke begins: what `undo` comes back to."""
        self._before = [*self._before[1 - MOST_UNDOS :], (self.image, self.index)]

    def line(self, start: Point, end: Point, *, rub: bool = False) -> None:
        """Draws a straight line, or rubs it out."""
        along = np.subtract(end, start)
        length = float(along @ along)
        x, y = _COLUMNS - start[0], _ROWS - start[1]
        share = np.clip((x * along[0] + y * along[1]) / length, 0, 1) if length else 0.0
        distance = np.hypot(x - share * along[0], y - share * along[1])
        ink = (255 * np.clip(REACH - distance, 0, 1)).round().astype(np.uint8)
        self._become(np.minimum(self.image, 255 - ink) if rub else np.maximum(self.image, ink), None)

    def clear(self) -> None:
        """An empty image, which can be undone."""
        if not self.empty:
            self.begin()
            self._become(np.zeros_like(self.image), None)

    def take(self, image: Image, index: int) -> None:
        """A test image in place of what is drawn, which can be undone."""
        self.begin()
        self._become(image, index)

    def undo(self) -> bool:
        """As it was before the last stroke; False where there was none."""
        if self._before:
            self._become(*self._before.pop())
            return True
        return False

    def _become(self, image: Image, index: int | None) -> None:
        self.image, self.index = image, index
        self.number += 1
