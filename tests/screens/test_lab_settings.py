"""Every setting that `tuitrain config show` lists holds in the app, and in what is started from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from support.at_rest import text_of, until
from support.lab_stage import looked_up, own_folders, settle
from tuitrain import config
from tuitrain.cli import opening
from tuitrain.config import SETTINGS
from tuitrain.errors import UsageError
from tuitrain.training.job import Job
from tuitrain.tui.app import TuitrainApp
from tuitrain.tui.lab.screen import LabScreen
from tuitrain.tui.terminal import launch
from tuitrain.workbench import settings
from tuitrain.workbench.opening import Opening
from tuitrain.workbench.queue_plan import plan_of

__all__ = ["own_folders"]


class Started(UsageError):
    """Raised in place of a training: the screen stays where it is."""


class Manager:
    """Keeps what it is asked to start."""

    def __init__(self) -> None:
        self.asked: list[Job] = []
        self.entries: list[Any] = []

    def start(self, job: Job, parent: object = None) -> None:
        self.asked.append(job)
        raise Started("not here")

    def busy(self) -> bool:
        return False

    def training(self) -> list[Any]:
        return []


def opened(monkeypatch: pytest.MonkeyPatch) -> tuple[TuitrainApp, Manager]:
    """The app as the command `tuitrain` would open it, with its environment."""
    options: dict[str, Any] = {}
    monkeypatch.setattr(opening, "show_app", lambda asked, looks: options.update(asked | asdict(looks)))
    monkeypatch.setattr(launch, "check_terminal", lambda what, headless: None)
    opening.open_lab()
    manager: Any = Manager()
    return TuitrainApp(Opening(**options), manager=manager), manager


#: Of each setting: what it is set to, and what must follow from that in what is started or shown.
EXPECTED: dict[str, tuple[str, Any, Any]] = {
    "runs_dir": ("elsewhere", lambda app, asked: app.settings.runs_dir, Path("elsewhere")),
    "data_dir": ("data", lambda app, asked: app.settings.data_dir, Path("data")),
    "dataset": ("digits", lambda app, asked: asked.preset.train.dataset, "digits"),
    "device": ("cpu", lambda app, asked: asked.runtime.device, "cpu"),
    "budget": ("7000", lambda app, asked: asked.budget, 7000),
    "precision": ("bf16", lambda app, asked: asked.runtime.precision, "bf16"),
    "compile": ("off", lambda app, asked: asked.runtime.compile, "off"),
    "threads": ("3", lambda app, asked: asked.runtime.threads, 3),
    "theme": ("light", lambda app, asked: app.theme, "tuitrain-light"),
    "refresh_hz": ("2.5", lambda app, asked: app.settings.refresh_hz, 2.5),
    "low_bandwidth": ("on", lambda app, asked: app.settings.low_bandwidth, True),
    "mouse": ("off", lambda app, asked: app.settings.mouse, False),
    "notify": ("off", lambda app, asked: app.settings.notify, False),
    "on_finish": ("true", lambda app, asked: config.setting("on_finish"), "true"),  # asked when a run ends
    "ascii": ("on", lambda app, asked: (app.settings.ascii_only, text_of(app).isascii()), (True, True)),
}


@pytest.mark.parametrize("name", SETTINGS)
async def test_a_setting_holds_in_the_lab(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value, found, expected = EXPECTED[name]  # a new setting needs a line here
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv(f"TUITRAIN_{name.upper()}", value)
    app, manager = opened(monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_up(app, pilot)
        screen = app.screen
        assert isinstance(screen, LabScreen)
        monkeypatch.setattr(screen.state, "data_status", lambda name: (True, ""))
        await pilot.press("enter")
        await until(pilot, lambda: manager.asked)
        await settle(app, pilot)  # type: ignore[arg-type]
        assert len(manager.asked) == 1
        assert found(app, manager.asked[0]) == expected


async def test_the_data_set_of_the_settings_is_shown_and_outlives_a_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUITRAIN_DATASET", "digits")
    monkeypatch.setenv("TUITRAIN_DEVICE", "cpu")
    app, _ = opened(monkeypatch)
    async with app.run_test(size=(120, 40)) as pilot:
        await looked_up(app, pilot)
        screen = app.screen
        assert isinstance(screen, LabScreen)
        assert "digits" in text_of(app).splitlines()[0]  # type: ignore[arg-type]
        for preset in ("step13", "step1"):
            screen.choose_preset(preset)
            await pilot.pause()
            assert "claim on mnist 99." in text_of(app).splitlines()[1]  # type: ignore[arg-type]
            screen.editor.set_value("train.epochs", 3)
            screen.action_reset_everything()
            assert screen.preset.train.dataset == "digits"
            assert (
                " --dataset digits " in screen.state.command() and " --device cpu" in screen.state.command()
            )
        screen.editor.set_value("lab.device", "auto")
        assert " --device auto" in screen.state.command()  # without it, the environment would say cpu again


async def test_a_setting_that_can_not_be_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUITRAIN_DATASET", "digit")
    app, _ = opened(monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await looked_up(app, pilot)
        assert app.config_problem is not None
        assert app.config_problem.startswith("TUITRAIN_DATASET: dataset is 'digit'; use one of mnist, ")
        assert isinstance(app.screen, LabScreen) and app.screen.preset.train.dataset == "mnist"


def test_a_queue_of_runs_follows_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dataset", "precision", "compile", "threads"):
        monkeypatch.setenv(f"TUITRAIN_{name.upper()}", EXPECTED[name][0])
    (job,) = plan_of(["step13"], "0", "", "cpu", settings.RunDefaults.read())
    assert job.preset.train.dataset == "digits" and job.changed == {"train.dataset": ["mnist", "digits"]}
    runtime = job.runtime
    assert (runtime.device, runtime.precision, runtime.compile, runtime.threads) == ("cpu", "bf16", "off", 3)
    (job,) = plan_of(["step13"], "0", "dataset=kmnist", "cpu", settings.RunDefaults.read())
    assert job.preset.train.dataset == "kmnist"
