"""What is imported behind the first paint: the other screens, then torch."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable

from tuitrain.training.import_torch import import_torch

SCREENS = ("tuitrain.tui.monitor.screen", "tuitrain.tui.runs.screen", "tuitrain.tui.runs.compare")


def warm_up(ready: Callable[[], object]) -> threading.Thread:
    """Import the other screens and torch in a thread; `ready` is called in it at the end."""

    def work() -> None:
        for name in SCREENS:
            importlib.import_module(name)
        import_torch()
        ready()

    thread = threading.Thread(target=work, name="tuitrain-warmup", daemon=True)
    thread.start()
    return thread
