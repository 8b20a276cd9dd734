"""What the layers of a watched run's network make of a test image, as a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import accuracy_text
from tuitrain.tui.paint.maps import network_lines
from tuitrain.tui.paint.text import HeadedLines

if TYPE_CHECKING:
    from tuitrain.tui.paint.digits import Ink
    from tuitrain.watch.maps import ShownMaps


def maps_sheet(shown: ShownMaps | None, width: int, ink: Ink) -> HeadedLines:
    """The first maps of each layer, as many as stand beside each other."""
    if shown is None or shown.found is None:
        text = shown.problem if shown is not None else "reading the network …"
        return ((f" {text}", "dim underline"),), []
    chances = shown.found.probabilities
    said = int(chances.argmax())
    name = visible(shown.classes[said]) if shown.classes else str(said)
    heading = (
        f" test image {shown.image} {shown.after}: taken for {name}, {accuracy_text(float(chances[said]))}"
    )
    keys = "← → another image"
    if len(heading) + len(keys) + 3 <= width:
        heading += f"   {keys}"
    lines = network_lines(shown.found.layers, width - 2, ink, small=True, rows=1)
    return ((heading, "dim underline"),), lines
