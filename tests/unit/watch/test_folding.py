"""The runs of a study and a setting as one row: how it stands, what it says, and which runs are folded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuitrain.runs.index import RunSummary
from tuitrain.stats.intervals import Estimate
from tuitrain.watch.folding import StudyFacts, fold
from tuitrain.watch.runlist import RunRow, arrange, row_of


def run(
    seed: int, state: str = "done", study: str = "s", setting: str = "x", last: float | None = 0.99
) -> RunRow:
    """A row of a run on disk."""
    return row_of(
        RunSummary(
            f"{study or 'alone'}_seed{seed}", "p", state, "step13", "mnist", 5854, 0.992, 3, last, 14, 14,  # type: ignore[arg-type]
            2 * (seed % 2), {"train.dropout": [0.1, 0.2]}, 100.0 + seed, 10.0, "cpu", seed, "test", "", "",
            setting=setting, study=study,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("states", "facts", "wanted", "text"),
    [
        (["done", "done"], None, "done", "2 seeds"),
        (["done", "done"], StudyFacts(2, held=False), "done", "2 seeds"),
        (["done", "done"], StudyFacts(4, held=False), "stopped", "2 of 4 seeds"),
        (["done", "done"], StudyFacts(4, held=True), "live", "2 of 4 seeds"),
        (["done", "live"], None, "live", "1 of 2 seeds"),
        (["done", "stalled"], None, "stalled", "1 of 2 seeds"),
        (["done", "failed", "stopped"], None, "failed", "1 of 3 seeds"),
        (["done", "interrupted"], None, "interrupted", "1 of 2 seeds"),
        (["diverged", "diverged"], None, "diverged", "2 seeds"),
        (["done", "diverged"], None, "done", "2 seeds"),
        (["done", "done"], StudyFacts(None, held=False), "done", "2 seeds"),  # a duel has as many as it took
    ],
)
def test_a_group_stands_as_its_runs_do(
    states: list[str], facts: StudyFacts | None, wanted: str, text: str
) -> None:
    rows = [run(seed, state) for seed, state in enumerate(states)]
    (row,) = fold(rows, {"s": facts} if facts is not None else {}, {})
    assert (row.state, row.changed) == (wanted, f"{text} · dropout 0.2")
    assert [member.seed for member in row.members] == list(range(len(states)))


def test_runs_of_other_settings_and_of_no_study_stay_apart() -> None:
    begun = replace(run(2, study=""), key="s_seed2", preset="")  # it has written nothing yet
    rows = [run(1), run(0), run(0, study="t", setting="y", last=None), run(5, study=""), begun]
    means = {("s", "x"): Estimate(0.9912, 0.0001, 10.0)}
    found = {row.key: row for row in fold(rows, {}, means)}
    assert {key: len(row.members) for key, row in found.items()} == {"alone_seed5": 0, "s x": 3, "t y": 1}
    x = found["s x"]
    assert (x.last, x.spread, x.at_target, x.best) == (0.9912, "±.02", 1, 0.992)
    shown = arrange(fold(rows, {}, means), "", "when", True, {"s x"})
    assert [row.seed for row in shown if row.inside] == [0, 1, 2]
    assert [row.seed for row in arrange(fold(rows, {}, means), "seed=1", "when", True, {"s x"})] == [-1, 1]
