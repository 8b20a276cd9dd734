"""The screens of the app's modes; each is imported when it is first shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.screen import Screen


def _opening() -> Screen[Any]:
    from tuitrain.tui.shell.opening import OpeningScreen

    return OpeningScreen()


def _lab() -> Screen[Any]:
    from tuitrain.tui.lab.screen import LabScreen

    return LabScreen()


def _monitor() -> Screen[Any]:
    from tuitrain.tui.monitor.screen import MonitorScreen

    return MonitorScreen()


def _group() -> Screen[Any]:
    from tuitrain.tui.study.group import GroupScreen

    return GroupScreen()


def _board() -> Screen[Any]:
    from tuitrain.tui.study.board import BoardScreen

    return BoardScreen()


def _duel() -> Screen[Any]:
    from tuitrain.tui.study.duel import DuelScreen

    return DuelScreen()


def _runs() -> Screen[Any]:
    from tuitrain.tui.runs.screen import RunsScreen

    return RunsScreen()


def _lesson() -> Screen[Any]:
    from tuitrain.tui.lesson.screen import LessonScreen

    return LessonScreen()


def _draw() -> Screen[Any]:
    from tuitrain.tui.draw.screen import DrawScreen

    return DrawScreen()


MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    "opening": _opening,
    "lab": _lab,
    "monitor": _monitor,
    "group": _group,
    "board": _board,
    "duel": _duel,
    "runs": _runs,
    "lesson": _lesson,
    "draw": _draw,
}
