"""The lab's field for several seeds: what it takes, the command, and what is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.at_rest import in_one_line, until
from support.lab_stage import lab, own_folders, settle
from tuitrain.study.plan import Plan
from tuitrain.tui.shell.question import ConfirmDialog
from tuitrain.workbench.fields import FormField

__all__ = ["own_folders"]

FIELD = FormField("lab.seeds", "seeds", "seeds")


@pytest.mark.parametrize(
    ("typed", "value"),
    [("1", "1"), ("16", "16"), (" 3, 7,11 ", "3,7,11"), ("20-29", "20-29"), ("1,5-6", "1,5-6")],
)
def test_the_field_takes_what_the_flag_takes(typed: str, value: str) -> None:
    assert FIELD.parse(typed) == value == FIELD.show(value)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("0", "8, or"),
        ("x", "8, or"),
        ("3,3", "each once"),
        ("9-2", "8, or"),
        ("7,", "one seed"),
        ("", "type a number"),
    ],
)
def test_what_is_no_seeds_is_refused_beside_the_field(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        FIELD.parse(typed)


def test_plus_and_minus_count() -> None:
    assert FIELD.nudge("1", 1) == "2" and FIELD.nudge("2", -1) == "1" == FIELD.nudge("1", -1)
    assert FIELD.nudge("3,7", 1) == "3,7"


async def test_several_seeds_are_started_as_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        asked: list[Plan] = []
        monkeypatch.setattr(app, "start_study", asked.append)
        monkeypatch.setattr(screen.state, "data_status", lambda name: (True, "here"))
        form = screen.query_one("#form")
        screen.set_focus(form)
        form.go_to("lab.seeds")  # type: ignore[attr-defined]
        await pilot.press(*"3,7", "enter")
        await settle(app, pilot)
        assert screen.state.seeds == "3,7"
        assert " --seeds 3,7" in screen.state.command() and "--seed 0" not in screen.state.command()
        await pilot.press("enter")
        await until(pilot, lambda: asked)
        (plan,) = asked
        assert plan.seeds == (3, 7) and plan.settings[0].label == "step13" and "--seeds 3,7" in plan.command


async def test_a_duel_is_the_form_against_the_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(tmp_path) as (app, pilot, screen):
        asked: list[Plan] = []
        monkeypatch.setattr(app, "start_study", asked.append)
        screen.editor.set_value("train.dataset", "digits")
        await pilot.press("V")
        await settle(app, pilot)
        assert not isinstance(app.screen, ConfirmDialog), "the data alone is no difference"
        screen.editor.set_value("train.dropout", 0.2)
        await pilot.press("V")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "step13 · dropout 0.2 against step13" in in_one_line(app)
        await pilot.press("y")
        await settle(app, pilot)
        (plan,) = asked
        assert plan.kind == "duel" and len(plan.seeds) == 64 and plan.gain
        a, b = (setting.preset.train for setting in plan.settings)
        assert (a.dataset, b.dataset, a.dropout != b.dropout) == ("digits", "digits", True)
