"""Tags, notes and the trash of several runs at once: what can't be done for one is told, the others are changed."""

from __future__ import annotations

from pathlib import Path

from support.runs_stage import make_run
from tuitrain.errors import TuitrainError
from tuitrain.runs.edits import RunEdits
from tuitrain.runs.index import list_runs


def test_what_is_deleted_comes_back_and_only_the_last_of_it(tmp_path: Path) -> None:
    told: list[TuitrainError] = []
    for number in (1, 2, 3):
        make_run(tmp_path, number)
    edits = RunEdits(tmp_path, told.append)
    first, second, third = sorted(list_runs(tmp_path), key=lambda run: run.run)
    edits.write([first, second], tags=("paper",), note="good")
    edits.delete([first])
    edits.delete([second, third])
    assert list_runs(tmp_path) == [] and not told
    edits.undo()
    assert {run.run for run in list_runs(tmp_path)} == {second.run, third.run}
    edits.undo()  # once
    assert len(list_runs(tmp_path)) == 2 and not told
    assert {run.run: (run.tags, run.note) for run in list_runs(tmp_path)}[second.run] == (("paper",), "good")


def test_what_can_not_be_done_for_one_is_told_and_the_others_are_changed(tmp_path: Path) -> None:
    told: list[TuitrainError] = []
    for number in (1, 2):
        make_run(tmp_path, number)
    edits = RunEdits(tmp_path, told.append)
    gone, kept = sorted(list_runs(tmp_path), key=lambda run: run.run)
    edits.delete([gone])
    edits.delete([gone, kept])
    assert len(told) == 1 and list_runs(tmp_path) == []
    edits.undo()
    assert [run.run for run in list_runs(tmp_path)] == [kept.run]
