"""A sweep from the lab: what is typed, how much it says that is, the command, and the study that is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from support.at_rest import text_of, until
from support.lab_stage import lab, own_folders, settle
from tuitrain.cli.options import changed_preset
from tuitrain.runs import estimate
from tuitrain.spec.assignment import settings_in
from tuitrain.spec.preset import override
from tuitrain.spec.preset_files import load_preset
from tuitrain.study.plan import Plan, seeds_of, seeds_text
from tuitrain.training.runtime import Runtime
from tuitrain.tui.lab.sweep_dialog import SweepDialog
from tuitrain.workbench.sweep_order import SweepOrder, set_flags

__all__ = ["own_folders"]

STEP13 = load_preset("step13")


def order(folder: Path, seeds: str = "3", budget: int | None = None, **changes: object) -> SweepOrder:
    preset = override(STEP13, {"train.dataset": "digits"} | {f"train.{k}": v for k, v in changes.items()})
    return SweepOrder(STEP13, "step13", preset, seeds, Runtime(device="cpu"), budget, folder, None)


def test_settings_in_a_line_are_told_apart_outside_of_brackets_and_quotes() -> None:
    assert settings_in('lr=0.01, 0.02,dropout=0  schedule={ name = "step", step_size = 3 },"cosine a=1"') == [
        "lr=0.01, 0.02",
        "dropout=0",
        'schedule={ name = "step", step_size = 3 },"cosine a=1"',
    ]
    assert settings_in("  ") == [] and settings_in("model.layers[1].conv=8,10") == [
        "model.layers[1].conv=8,10"
    ]


def test_the_plan_is_that_of_the_command_that_it_names(tmp_path: Path) -> None:
    wanted = order(tmp_path, "2", epochs=2, optimizer={"name": "adam", "lr": 0.003}, seed=4)
    plan = wanted.plan("--grid lr=0.001,0.003 --grid dropout=0,0.1")
    assert plan.seeds == (4, 5) and len(plan.settings) == 4 and plan.kind == "sweep"
    assert all(setting.changed for setting in plan.settings)  # dropout is 0.069 as it is
    assert "--seeds 4-5" in plan.command and "--grid lr=0.001,0.003 --grid dropout=0,0.1" in plan.command
    flags = set_flags(STEP13, wanted.preset)
    assert (
        changed_preset("step13", {"set_": flags, "dataset": "digits"})[1].train
        == override(wanted.preset, {"train.seed": 0}).train
    )
    assert wanted.plan("lr=0.001,0.003").settings[1].changed == {}  # the form as it is
    assert [seeds_of(seeds_text(s)) for s in ((0, 1, 2), (5,), (7, 3))] == [(0, 1, 2), (5,), (7, 3)]


def test_how_much_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuitrain.study.local.usable_cpus", lambda: 2)
    plan, says = order(tmp_path).look("lr=0.01,0.02 dropout=0,0.05")
    assert (
        plan is not None
        and says
        == "4 settings, 3 seeds each: 12 runs, how long that takes is not known yet; 2 train at a time."
    )
    found = estimate.TimeEstimate(60.0, "by size")
    monkeypatch.setattr("tuitrain.runs.estimate.estimate", lambda *what: found)
    says = order(tmp_path).look("lr=0.01,0.02 dropout=0,0.05")[1]
    assert "12 runs, about 12 min one after the other; 2 train at a time." in says


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("--grid", "the grid is empty"),
        ("lr", "write it as key=value,value"),
        ("lr=", "the grid is empty"),
        ("lr=0.1,0.1", "twice"),
        ("lr=0.1 lr=0.2", "is there twice"),
        ("seed=1,2", "name them as seeds"),
        ("dropuot=0,0.1", "did you mean"),
        ("dropout=0,3", "train.dropout is 3"),
        ("model.layers[0].conv=100", "--budget 6,000"),
        ("dataset=digits,mnist", "mnist is not here"),
        ("lr=" + ",".join(map(str, range(1, 6002))), "6,001 settings with 3 seeds are 18,003 runs"),
    ],
)
def test_what_can_not_be_swept_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    plan, says = order(tmp_path, budget=6000).look(text)
    assert plan is None and sentence in says


async def test_it_is_started_as_a_study_from_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        asked: list[Plan] = []
        monkeypatch.setattr(app, "start_study", asked.append)
        screen.editor.set_value("train.dataset", "digits")
        screen.editor.set_value("lab.seeds", "3,7")
        await pilot.press("W")
        await settle(app, pilot)
        assert isinstance(app.screen, SweepDialog) and "seeds 3,7" in text_of(app)
        await pilot.press(*"dropout=2", "enter")
        await until(pilot, lambda: "train.dropout is 2" in text_of(app))
        assert isinstance(app.screen, SweepDialog) and not asked, "it is refused and can be mended"
        app.screen.query_one(Input).value = "dropout=0,0.1 lr=0.01,0.02"
        await pilot.press("enter")  # before it is worked out
        await until(pilot, lambda: asked)
        (plan,) = asked
        assert plan.kind == "sweep" and plan.seeds == (3, 7) and len(plan.settings) == 4
        await pilot.press("W")
        await settle(app, pilot)
        assert "dropout=0,0.1 lr=0.01,0.02" in text_of(app)  # the last one again
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.screen is screen and len(asked) == 1
