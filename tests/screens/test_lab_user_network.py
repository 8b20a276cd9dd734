"""`tuitrain lab --model net.py:Net`: a network in Python in the lab's list, shown and trained as it is."""

import shlex
from pathlib import Path

import pytest

from support.at_rest import text_of, until
from support.lab_stage import lab, settle
from support.user_network import NET, PARAMETERS
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.queue import SessionManager
from tuitrain.spec.preset import override
from tuitrain.spec.preset_files import load_preset
from tuitrain.training.events import RunStarted
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime


async def test_it_is_listed_tried_out_and_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    more = {"model": "net.py:Net", "preset": "twelvek", "overrides": {"train.dataset": "digits"}}
    async with lab(tmp_path, (120, 40), **more) as (app, pilot, screen):
        assert screen.state.items[0].name == "net.py:Net" and screen.state.items[0].family == "yours"
        assert "trying it out" in text_of(app)
        app.torch_ready = True
        screen.lookups.is_torch_ready()
        await until(pilot, lambda: f"{PARAMETERS:,}" in text_of(app))
        await until(pilot, lambda: screen.state.items[0].parameters == PARAMETERS)
        await settle(app, pilot)
        seen = text_of(app)
        assert f"{PARAMETERS:,}" in seen and "conv1" in seen and "yours" in seen
        assert screen.state.items[0].parameters == PARAMETERS
        assert screen.state.items[0].preset.title == "A network in Python, trained as twelvek says"
        assert not screen.state.items[0].preset.story.change
        layers = screen.editor.layers
        await pilot.press("plus", "i", "e", "s", "delete")
        assert screen.editor.layers == layers and app.screen is screen
        assert sum("net.py:Net is a network in Python" in n.message for n in app._notifications) == 5
        assert shlex.split(screen.state.command())[:6] == [
            "tuitrain", "run", "--preset", "twelvek", "--dataset", "digits",
        ]  # fmt: skip
        assert "--model net.py:Net" in screen.state.command()
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.started[0].model == "net.py:Net" and app.started[0].preset.train.dataset == "digits"
        screen.choose_preset("step13")
        await settle(app, pilot)
        assert (
            screen.state.command().startswith("tuitrain run --preset step13")
            and "--model" not in screen.state.command()
        )
        await pilot.press("enter")
        screen.choose_preset("net.py:Net")
        await settle(app, pilot)
        assert f"{PARAMETERS:,}" in text_of(app)


async def test_what_can_not_be_used_is_said_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("raise RuntimeError('too loud')")
    async with lab(tmp_path, (120, 40), model="net.py:Net") as (app, pilot, screen):
        app.torch_ready = True
        screen.lookups.is_torch_ready()
        await until(pilot, lambda: screen.state.items[0].problem)
        await settle(app, pilot)
        assert (
            "running the file fails in line 1" in text_of(app) and "too loud" in screen.state.items[0].problem
        )


def test_its_run_is_one_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    preset = override(load_preset("step13"), {"train.dataset": "digits", "train.epochs": 1})
    manager = SessionManager(runs_dir=Path("runs"))
    feed = manager.start(Job(preset, Runtime(device="cpu", threads=1, compile="off"), model="net.py:Net"))
    assert manager.join(120) and feed.entry.error == "" and feed.title.startswith("net.py:Net")
    started = RunDirectory.open(feed.directory.path).events()[0].event
    assert isinstance(started, RunStarted) and started.own_network["model"] == "net.py:Net"
    assert started.parameters == PARAMETERS and feed.directory.path.is_absolute()
