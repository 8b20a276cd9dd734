"""What a source published is held against runs that were judged as it was, and against no others; what chance does."""

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tuitrain.cli.verdict import verdict_text
from tuitrain.figures import chance_text, standard_error
from tuitrain.runs.history import History
from tuitrain.runs.index import RunSummary
from tuitrain.spec.preset import override, preset_from_toml
from tuitrain.spec.preset_files import load_preset
from tuitrain.training.events import EpochFinished, Record, RunFinished, RunStarted
from tuitrain.tui.monitor import sheets
from tuitrain.watch import comparison, ghosts
from tuitrain.watch.state import MonitorState, reduce

STARTED = RunStarted(
    "a", "step13", load_preset("step13").to_dict(), 0, "cpu", "a CPU", {}, {}, 5854, 1, "mnist", 60_000, 10_000,
    "test", 2, 938,
)  # fmt: skip
OWN = {"model": "net.py:Net", "sha256": "0"}


def records(started: RunStarted) -> list[Record]:
    epochs = [
        EpochFinished(n, 2, 0.1, 0.98, 0.02, 0.99, 0.01, 1, 1, n, 100, started.test_images) for n in (1, 2)
    ]
    done = RunFinished("completed", 2, 0.99, 1, 0.99, 0.98, 0.02, 3.0, 100.0)
    return [Record(event, float(n), float(n)) for n, event in enumerate([started, *epochs, done])]


def digits(started: RunStarted) -> RunStarted:
    preset = override(load_preset("step13"), {"train.dataset": "digits"})
    return replace(started, dataset="digits", preset=preset.to_dict(), train_images=1500, test_images=297)


def said_of(started: RunStarted) -> str:
    out = Console(file=io.StringIO(), width=160)
    out.print(verdict_text(History.of(records(started)), Path("runs/a")))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def monitor_says(started: RunStarted) -> str:
    state = MonitorState()
    for record in records(started):
        state = reduce(state, record)
    title, rows = sheets.verdict(state, (), 120)
    return " ".join("\n".join("".join(text for text, _ in row) for row in (title, *rows)).split())


def test_claims_stand_beside_a_run_on_their_own_data_set() -> None:
    assert "99.40 %" in said_of(STARTED).partition("challenge")[0]
    assert "claimed" in monitor_says(STARTED) and [g.name for g in ghosts.ghosts(STARTED, None)] == [
        "published"
    ]


@pytest.mark.parametrize("say", [said_of, monitor_says])
def test_claims_about_another_data_set_are_not_held_against_a_run(say: Any) -> None:
    said = say(digits(STARTED)).partition("challenge\n")[0]
    assert "claims are about mnist; this run used digits" in said
    assert "98.88" not in said and "5,854 p" not in said.replace("5,854 params", "")
    assert ghosts.ghosts(digits(STARTED), None) == ()


def test_what_was_published_of_the_test_set_is_not_held_against_a_validation_split() -> None:
    started = replace(STARTED, judged_by="validation", test_images=5000)
    best = next(line for line in said_of(started).splitlines() if line.startswith("best validation"))
    assert best.split()[-1] == "–"
    assert "judged by 5,000 validation images" in said_of(started)
    assert ghosts.ghosts(started, None) == ()
    assert ghosts.ghosts(replace(STARTED, own_network=OWN), None) == ()


def test_claims_of_a_preset_name_their_data_set() -> None:
    text = (
        '[claims]\ndataset = "kmnist"\ntest_accuracy = 95.0\n'
        "[model]\nlayers = [{ conv = 10 }, { global_avgpool = true }]\n"
    )
    claims = preset_from_toml(text, "a preset").claims
    assert claims.on("kmnist") == claims and claims.on("mnist") is None
    assert load_preset("step13").claims.on("mnist") is not None
    assert "dataset" not in load_preset("step13").to_dict()["claims"]  # as it was written before


def test_what_chance_does_is_worked_out_from_the_size_of_the_judging_set() -> None:
    assert standard_error(0.994, 10_000) == pytest.approx(0.000772, abs=1e-6)
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert 0.003 < standard_error(1.0, 297) < 0.004  # 297 of 297 is one draw too
    assert math.isfinite(standard_error(0.0, 1)) and math.isfinite(standard_error(1.0, 0))
    assert chance_text(0.97, 297) == (
        "judged by 297 test images (one is 0.34 points), a difference below about 2.0 points may be luck"
    )
    assert "judged by 297 test images (one is 0.34 points), a difference below about 1.2" in said_of(
        digits(STARTED)
    )
    assert "judged by 10,000 test images (one is 0.01 points), a difference below about 0.20" in monitor_says(
        STARTED
    )


def summary(started: RunStarted, best: float) -> RunSummary:
    return RunSummary(
        started.run, "x", "done", started.name, started.dataset, 5854, best, 1, best, 2, 2, 0, {}, 0.0, 3.0, "cpu",
        0, started.judged_by, "", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (digits(STARTED), "judged on different data sets (digits, mnist): the accuracies can't be compared"),
        (replace(STARTED, judged_by="validation"), "judged by different images (test, validation): the acc"),
        (
            replace(STARTED, test_images=5000),
            "judged by different numbers of images (10,000, 5,000): the acc",
        ),
    ],
)
def test_runs_that_were_judged_apart_are_not_ranked(other: RunStarted, why: str) -> None:
    runs = [summary(STARTED, 0.99), summary(other, 0.97)]
    results = [History.of(records(started)) for started in (STARTED, other)]
    assert any(
        line.better is not None
        for line in comparison.result_lines([runs[0], summary(STARTED, 0.97)], [results[0]] * 2)
    )
    assert all(line.better is None for line in comparison.result_lines(runs, results))
    assert (comparison.why_not_comparable(runs, results) or "").startswith(why)
