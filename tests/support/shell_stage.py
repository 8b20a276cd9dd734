"""A stage for the shell: the app with empty rooms, and small runs of step13."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Button, Static

from support import runs_stage
from tuitrain.runs.directory import RunDirectory
from tuitrain.tui.app import TuitrainApp
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.workbench.opening import Opening


class PlainScreen(Screen[None]):
    """A screen with nothing on it but what every screen has."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("z", "zap", "Zap", id="plain.zap")]
    shown: Any = None

    def compose(self) -> ComposeResult:
        yield HeaderLine("MNIST ✓  cuda:0")
        yield Button("press", compact=True)
        yield Static("█▁▂▃ content [/b]", markup=False)
        yield KeyFooter()

    def show_feed(self, feed: Any, readonly: bool = False) -> None:
        self.shown = (feed, readonly)

    def live_history(self) -> None:
        """Nothing goes on here."""

    def action_zap(self) -> None:
        self.app.notify("zapped")


class ShellApp(TuitrainApp):
    """The app with the other rooms' screens left out."""

    MODES = TuitrainApp.MODES | {"lab": PlainScreen, "monitor": PlainScreen}


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)


def app_of(tmp_path: Path, *, manager: Any = None, **options: Any) -> ShellApp:
    asked = Opening(**{"runs_dir": tmp_path / "runs", "theme": "dark"} | options)
    return ShellApp(asked, manager=manager)


def make_run(runs: Path, number: int, *, outcome: str | None = "completed", **changes: Any) -> RunDirectory:
    """A run of four epochs; the best of a few runs is the one with the highest number."""
    return runs_stage.make_run(
        runs, number, name=f"run-{number:04}", epochs=4, outcome=outcome, best=0.985 + 0.001 * (number % 7), **changes
    )  # fmt: skip
