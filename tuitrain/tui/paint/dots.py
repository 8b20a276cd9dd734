"""Lines of braille dots, two by four in a cell. No textual."""

from __future__ import annotations

Cell = tuple[int, int]  # column and row
#: The first of the braille characters; the bits of its dots are added, by row and column.
BRAILLE = 0x2800
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class Dots:
    """The dots that are lit; columns and rows of dots are counted from the upper left corner."""

    def __init__(self) -> None:
        self._lit: dict[Cell, int] = {}

    def light(self, x: int, y: int) -> Cell:
        """Lights a dot; the cell that it is in."""
        cell = (x // 2, y // 4)
        self._lit[cell] = self._lit.get(cell, 0) | BITS[y % 4][x % 2]
        return cell

    def line(self, begin: tuple[float, float], end: tuple[float, float]) -> list[Cell]:
        """Lights a line from one dot to another; the cells on its way."""
        (x0, y0), (x1, y1) = begin, end
        count = max(abs(round(x1 - x0)), abs(round(y1 - y0)), 1)
        return [
            self.light(round(x0 + (x1 - x0) * step / count), round(y0 + (y1 - y0) * step / count))
            for step in range(count + 1)
        ]

    def char(self, cell: Cell) -> str:
        """What a cell shows."""
        return chr(BRAILLE + self._lit.get(cell, 0))
