"""A branch, from the Runs screen to its curve beside its parent's: real short runs on the digits."""

from pathlib import Path

import pytest
from textual.widgets import Input

from support.at_rest import text_of, until
from support.monitor_stage import StageApp, live
from support.runs_stage import NoLab, fix, make_run, runs_shown
from support.training_small import tiny
from tuitrain.errors import UsageError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.index import list_runs
from tuitrain.runs.launch import load_data, prepare
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.tui.monitor.branching import BranchDialog
from tuitrain.tui.monitor.screen import MonitorScreen
from tuitrain.tui.runs import curves
from tuitrain.watch import ghosts


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fix(monkeypatch, tmp_path)


async def test_a_branch_is_asked_for_trained_and_drawn_from_where_it_parts(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    preset = tiny(epochs=4, dataset="digits", rotation=0.0)
    job = Job(preset, Runtime(device="cpu", threads=1, compile="off", keep=0))
    session = prepare(job, runs_dir=runs, dataset=load_data(preset, None), name="parent")
    session.start()
    session.join()
    app = NoLab(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 1)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, BranchDialog))
        dialog = app.screen
        kept = "Kept are the ends of epochs 1, 2, 3, 4."
        await until(pilot, lambda: kept in " ".join(text_of(app).replace("│", " ").split()))
        assert [field.value for field in dialog.query(Input)] == ["3", "4", "0.05", "0.1", ""]
        for wrong, said in (("9", "epoch 9 is not kept"), ("x", "type a whole number"), ("4", "more than 4")):
            dialog.query_one("#epoch", Input).value = wrong
            await pilot.press("enter")
            await pilot.pause()
            assert said in text_of(app) and app.screen is dialog
        dialog.query_one("#epoch", Input).value = "2"
        dialog.query_one("#dropout", Input).value = "2"
        await pilot.press("enter")
        await pilot.pause()
        assert "train.dropout" in text_of(app)
        dialog.query_one("#dropout", Input).value = "0.1"
        dialog.query_one("#lr", Input).value = "0.01"
        for wrong, said in (("rotation", "write it as key=value"), ("lr=1", "has a field of its own"), ("rotaton=3", "rotation"),
                            ("val_split=9", "can't be changed")):  # fmt: skip
            dialog.query_one("#other", Input).value = wrong
            await pilot.press("enter")
            await pilot.pause()
            assert said in " ".join(text_of(app).replace("│", " ").split()) and app.screen is dialog, wrong
        dialog.query_one("#other", Input).value = "rotation=3, optimizer.momentum=0.5"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen.state.finished, 60)
        state = app.screen.state
        assert state.started is not None and state.started.parent == {"run": "parent", "epoch": 2}
        assert [epoch.epoch for epoch in state.epochs] == [3, 4] and state.epochs[0].lr == 0.01
        assert state.finished is not None and state.finished.outcome == "completed"
        train = state.started.preset["train"]
        assert train["rotation"] == 3 and train["optimizer"]["momentum"] == 0.5
        assert ghosts.ghosts(state.started, runs)[0].name == ghosts.PARENT

    summaries = sorted(list_runs(runs), key=lambda run: run.run == "parent")
    histories = [History.of(RunDirectory.open(Path(run.path)).events()) for run in summaries]
    branch, parent = (curve.values for curve in curves.runs_picture(summaries, histories).curves)
    assert branch[0] is None and branch[1] == parent[1] and len(branch) == len(parent) == 4
    alone = curves.runs_picture(summaries[:1], histories[:1]).curves[0].values
    assert alone[:2] == (None, None) and alone[2:] == branch[2:]
    # A branch is no other seed of runs that were trained so from their beginning.
    assert summaries[0].setting != summaries[1].setting
    begun = History(started=histories[0].started)
    assert begun.done == 2  # when it begins, half of its epochs are its parent's


async def test_a_run_without_checkpoints_cannot_be_branched_from(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 1)
    app = NoLab(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_shown(pilot, 1)
        await pilot.press("B")
        await until(pilot, lambda: len(app._notifications))
        assert "has no checkpoint of an epoch's end" in [n.message for n in app._notifications][-1]


async def test_a_pause_after_an_epoch_is_asked_for() -> None:
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("P")
        for typed, said in (
            ("0", "no pause is set"),
            ("3", "in epoch 9 already"),
            ("14", "the run ends"),
            ("x", "number of an epoch"),
        ):
            app.screen.query_one(Input).value = typed
            await pilot.pause()
            assert said in "\n".join(s.text for s in app.screen._compositor.render_strips())
        app.screen.query_one(Input).value = "11"
        await pilot.press("enter")
        assert app.feed is not None and app.feed.control.told == [("pause", 11, "keyboard")]
        await until(pilot, lambda: app.monitor.state.pause_after == 11)
        await until(pilot, lambda: "pause after 11  ETA" in text_of(app))
        await pilot.press("P")
        await until(pilot, lambda: "0 takes that back" in text_of(app))
        app.screen.query_one(Input).value = "0"
        await pilot.press("enter")
        await until(
            pilot, lambda: app.monitor.state.pause_after == 0 and "pause after 11" not in text_of(app)
        )
        assert "pause after an epoch taken back (keyboard)" in app.monitor.state.log[-1].text


def test_the_queue_refuses_what_is_not_there(tmp_path: Path) -> None:
    from tuitrain.runs.queue import SessionManager

    manager = SessionManager(runs_dir=tmp_path)
    with manager.between_runs(), pytest.raises(UsageError, match="busy"), manager.between_runs():
        pass
