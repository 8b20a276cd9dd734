"""Rows of the list of runs, their filter and order, comparison, and plans for the queue."""

from __future__ import annotations

from typing import Any

import pytest

from tuitrain.errors import TuitrainError
from tuitrain.runs.index import RunSummary
from tuitrain.spec.preset_files import load_preset
from tuitrain.watch import comparison, runlist
from tuitrain.workbench.queue_plan import plan_of, seeds_of, variations_of


def summary(number: int, **values: Any) -> RunSummary:
    base: dict[str, Any] = {
        "run": f"2026-11-20T10-00-{number:02}_step13_{number:04x}", "path": f"/runs/{number}", "state": "done",
        "preset": "step13", "dataset": "mnist", "parameters": 5854, "best": 0.99 + number / 10000,
        "best_epoch": 3, "last": 0.99, "epochs": 14, "epochs_planned": 14, "epochs_at_target": 0, "changed": {},
        "when": 1_790_000_000.0 + number, "seconds": 55.0, "device": "cpu", "seed": 0, "judged_by": "test",
        "command": "", "message": "",
    }  # fmt: skip
    return RunSummary(**(base | values))


def test_filter_by_words_and_figures() -> None:
    rows = [
        runlist.row_of(summary(n, state="failed" if n == 3 else "done", tags=("odd",) * (n % 2)))
        for n in range(6)
    ]

    def found(words: str) -> list[int]:
        return sorted(int(row.key[-4:], 16) for row in runlist.arrange(rows, words, "when", True))

    assert found("") == [0, 1, 2, 3, 4, 5]
    assert found("best>=99.03 DONE") == [4, 5]
    assert found("odd failed") == [3]
    assert found("params<10") == []
    assert found("best>") == [0, 1, 2, 3, 4, 5]  # still being typed


def test_sorting() -> None:
    rows = [runlist.row_of(summary(n, best=None if n == 1 else 0.9 + n / 100)) for n in range(3)]
    by_best = runlist.arrange(rows, "", "best", True)
    assert [row.best for row in by_best] == [0.92, 0.9, None]


def test_columns_fit_any_width() -> None:
    for width in (60, 80, 120, 160):
        columns = runlist.columns_for(width)
        assert sum(cells + 1 for _, cells in columns) + 2 <= width
    assert len(runlist.columns_for(160)) > len(runlist.columns_for(80))


def test_changed_text_is_visible_and_short() -> None:
    def text(layers: list[Any] | None = None, **changed: Any) -> str:
        pairs = {key.replace("__", "."): value for key, value in changed.items()}
        return runlist.changed_text(summary(1, changed=pairs, layers=layers or []))

    assert text(train__rotation=[5.0, 7.0], train__optimizer__lr=[0.019, 0.01]) == "rotation 7.0, lr 0.01"
    assert "\x1b" not in text(train__dataset=["a", "\x1b[2J"])
    assert text() == "–"
    wider = {"model.layers[1].conv": [10, 11]}
    assert text([{"conv": 10}, {"conv": 11}], **wider) == "conv2 11"
    assert text(**wider) == "model.layers[1].conv 11"  # of a log that does not say what layers there are


def test_settings_that_differ_are_named() -> None:
    from tuitrain.runs.history import History
    from tuitrain.spec.preset import override
    from tuitrain.training.events import Record, RunStarted

    def result(**changes: Any) -> History:
        preset = override(load_preset("step13"), changes).to_dict()
        started = RunStarted(
            "r", "step13", preset, 0, "cpu", "", {}, {}, 5854, 1, "mnist", 60000, 10000, "test", 14, 938
        )
        return History.of([Record(started, 0, 0)])

    lines = comparison.setting_lines(
        [r.preset.to_dict() for r in (result(), result(**{"train.rotation": 7.0})) if r.preset]
    )
    assert [(line.label, line.values) for line in lines] == [("rotation", ("5.0", "7.0"))]
    networks = (result(), result(**{"model.layers[1].conv": 11, "model.layers[3].then": ["gelu"]}))
    lines = comparison.setting_lines([r.preset.to_dict() for r in networks if r.preset])
    assert [(line.label, line.values) for line in lines] == [
        ("conv2", ("10", "11")),
        ("conv3 then", ("relu bn drop2", "gelu")),
    ]


def test_the_better_value_is_marked_and_a_tie_is_not() -> None:
    from tuitrain.runs.history import History

    lines = {
        line.label: line for line in comparison.result_lines([summary(1), summary(5)], [History(), History()])
    }
    assert lines["best test accuracy"].better == 1
    assert lines["parameters"].better is None


def test_queue_plans() -> None:
    assert seeds_of("0-2, 7,1") == [0, 1, 2, 7]
    assert variations_of("rotation=5,7 lr=0.01") == [
        {"train.rotation": 5, "train.optimizer.lr": 0.01},
        {"train.rotation": 7, "train.optimizer.lr": 0.01},
    ]
    plan = plan_of(["step13", "step11"], "0-1", "rotation=5,7", "cuda:0,cuda:1")
    assert len(plan) == 8
    assert {job.runtime.device for job in plan} == {"cuda:0", "cuda:1"}
    assert {job.preset.train.seed for job in plan} == {0, 1}
    for wrong in (
        ([], "0", "", ""),
        (["step13"], "x", "", ""),
        (["step13"], "0", "rotatoin=3", ""),
        (["nope"], "0", "", ""),
    ):
        with pytest.raises(TuitrainError):
            plan_of(*wrong)
