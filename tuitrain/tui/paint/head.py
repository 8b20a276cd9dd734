"""Figures on top of a screen, with one in large digits."""

from __future__ import annotations

from textual.containers import Vertical

from tuitrain.tui.paint.cells import Field
from tuitrain.tui.paint.text import Part


class LargeHead(Vertical):
    """`#head` has the large number and, beside it, the lines of `#facts`; lines of one cell's height are below."""

    DEFAULT_CSS = """
    LargeHead { height: 5; width: 1fr; }
    LargeHead Horizontal { height: 1; width: 1fr; }
    LargeHead #head { height: 3; }
    LargeHead #facts { height: 3; width: 1fr; }
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii = ascii_only

    def _set(self, name: str, *parts: Part) -> None:
        """Shows a figure in its field."""
        self.query_one(f"#{name}", Field).set(*parts)
