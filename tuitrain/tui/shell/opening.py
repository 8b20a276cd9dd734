"""What is painted first, while the lab's presets are still being read: the frame of every screen."""

from __future__ import annotations

from tuitrain.tui.shell.framed_screen import FramedScreen


class OpeningScreen(FramedScreen[None]):
    """The first and the last line; the app goes on to the lab as soon as this was painted."""

    about = "opening ..."
