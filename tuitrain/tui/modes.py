"""The screens of the app's modes; each is imported when it is first shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from textual.screen import Screen

#: Module and class of each.
SCREENS = {
    "opening": ("tuitrain.tui.shell.opening", "OpeningScreen"),
    "lab": ("tuitrain.tui.lab.screen", "LabScreen"),
    "monitor": ("tuitrain.tui.monitor.screen", "MonitorScreen"),
    "group": ("tuitrain.tui.study.group", "GroupScreen"),
    "board": ("tuitrain.tui.study.board", "BoardScreen"),
    "duel": ("tuitrain.tui.study.duel", "DuelScreen"),
    "runs": ("tuitrain.tui.runs.screen", "RunsScreen"),
    "lesson": ("tuitrain.tui.lesson.screen", "LessonScreen"),
    "draw": ("tuitrain.tui.draw.screen", "DrawScreen"),
}


def _made(module: str, name: str) -> Screen[Any]:
    screen: Screen[Any] = getattr(importlib.import_module(module), name)()
    return screen


MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    mode: partial(_made, *where) for mode, where in SCREENS.items()
}
