"""Pictures of the lab, on fixed data; `pytest --snapshot-update` makes them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from support.lab_stage import App, looked_up, settle
from tuitrain.watch import devices
from tuitrain.watch.devices import Device

H200 = Device("cuda:0", "NVIDIA H200", 138 * 2**30, 140 * 2**30, ("python of ana 2.0 GB",))
CPU = Device("cpu", "16 cores")
SIZES = [(80, 24), (120, 40)]


@pytest.fixture(autouse=True)
def _fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("TUITRAIN_DATA_DIR", "NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(devices, "devices", lambda: [H200, CPU])
    monkeypatch.setattr("tuitrain.runs.estimate.estimate", lambda *what: None)  # depends on the machine
    # The project's own folder of presets is wherever the tests are started.
    monkeypatch.chdir(tmp_path)


def waited(keys: list[str]) -> Callable[[Pilot[Any]], Any]:
    async def run(pilot: Pilot[Any]) -> None:
        assert isinstance(pilot.app, App)
        await looked_up(pilot.app, pilot)
        await pilot.press(*keys)
        await settle(pilot.app, pilot)

    return run


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize(
    "keys",
    [[], ["tab", *"0.0345", "enter", "tab", "down", "plus"], ["tab", "2"], ["down", "e", "down", *"31"]],
    ids=["step13", "over_budget", "wrong_value", "impossible"],
)
def test_lab(snap_compare: Any, tmp_path: Path, size: tuple[int, int], keys: list[str]) -> None:
    # Where the presets have a column of their own, Tab goes through it on its way to the form.
    if size[0] > 100:
        keys = ["tab", *keys] if keys[:1] == ["tab"] else keys
    assert snap_compare(App(runs_dir=tmp_path / "runs"), terminal_size=size, run_before=waited(keys))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
def test_presets(snap_compare: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    assert snap_compare(App(runs_dir=tmp_path / "runs"), terminal_size=size, run_before=waited(["p", "up"]))


def test_twelvek_wide(snap_compare: Any, tmp_path: Path) -> None:
    app = App(runs_dir=tmp_path / "runs", preset="twelvek")
    assert snap_compare(app, terminal_size=(160, 45), run_before=waited([]))


def test_light(snap_compare: Any, tmp_path: Path) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        pilot.app.theme = "tuitrain-light"
        await waited(["down", "plus"])(pilot)

    assert snap_compare(App(runs_dir=tmp_path / "runs"), terminal_size=(80, 24), run_before=run)


def test_ascii(snap_compare: Any, tmp_path: Path) -> None:
    app = App(runs_dir=tmp_path / "runs", ascii_only=True)
    assert snap_compare(app, terminal_size=(80, 24), run_before=waited(["down", "plus"]))


def test_digits(snap_compare: Any, tmp_path: Path) -> None:
    app = App(runs_dir=tmp_path / "runs", overrides={"train.dataset": "digits", "train.rotation": 15.0})
    assert snap_compare(app, terminal_size=(80, 24), run_before=waited(["v"]))
