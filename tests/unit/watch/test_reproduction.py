"""What a source claims, held against seeds that were never trained."""

from dataclasses import replace

import numpy as np
import pytest

from support.groups_made import history
from tuitrain.figures import percent_text
from tuitrain.spec.preset import Preset, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.stats import intervals
from tuitrain.watch.group import Group, SeedRun
from tuitrain.watch.reproduction import (
    HEAD,
    Reproduction,
    Source,
    reproduction_json,
    reproduction_lines,
    table_rows,
)


def reproduction(preset: Preset, *curves: list[float], waiting: int = 0, label: str = "") -> Reproduction:
    """Seeds with these accuracies over the epochs, in percent."""
    runs = [
        SeedRun(n, f"seed{n}", "done", history([a / 100 for a in curve], n, target=99.4, images=10_000), 1.0)
        for n, curve in enumerate(curves)
    ]
    runs += [
        SeedRun(len(curves) + n, f"seed{n}", "waiting", history([], outcome=None)) for n in range(waiting)
    ]
    return Reproduction(preset, Group(label or preset.name, tuple(runs)))


STEP13 = load_preset("step13")
FOUR = [[98.0, 99.30, 99.26], [98.1, 99.20, 99.32], [98.2, 99.36, 99.30], [98.0, 99.33, 99.28]]


def test_what_a_source_claims_is_of_its_best_epoch_or_of_its_only_test() -> None:
    step13 = Source.of(STEP13)
    assert (step13.parameters, step13.best, step13.best_epoch, step13.last) == (5854, 0.994, 12, 0.9935)
    assert len(step13.curve) == 14
    mlp = Source.of(load_preset("mlp"))  # tested once, after its last epoch
    assert (mlp.best, mlp.last, mlp.curve) == (None, 0.9787, ())
    net2 = Source.of(load_preset("net2"))  # its log never has what it claims
    assert net2.best == pytest.approx(0.9947) and net2.best_epoch is None and len(net2.curve) == 20
    assert Source.of(load_preset("twelvek-bn-relu")) == Source()
    for change in ({"train.dataset": "digits"}, {"train.val_split": 5000}):
        assert Source.of(override(STEP13, change)) == Source()


def test_a_claim_is_held_against_our_best_epochs_and_a_last_epoch_against_our_last() -> None:
    found = reproduction(STEP13, *FOUR)
    assert found.best is not None and found.last is not None and found.best.one_more is not None
    assert found.best.values == pytest.approx([0.9930, 0.9932, 0.9936, 0.9933])
    assert (found.best.range.low, found.best.range.high) == (0.993, 0.9936)
    assert found.best.claim_in_range == "above" and found.best.claim_in_one_more == "inside"
    assert found.last.values == pytest.approx([0.9926, 0.9932, 0.9930, 0.9928])
    best, last = (dict(zip(HEAD, row, strict=True)) for row in table_rows(found))
    assert (best["seeds"], best["published"], best["mean here"]) == ("4", "99.40 (12)", "99.33")
    assert (best["lowest to highest"], best["published is"], best["at target"]) == (
        "99.30 to 99.36", "in 95 %", "0 of 4",
    )  # fmt: skip
    assert (last["published"], last["published is"]) == ("99.35", "in 95 %")
    (line, why, *_) = reproduction_lines([found])
    assert "Of 1 claim" in line and "0 lie inside the range" in line and "1 inside the interval" in line
    assert "best epoch of one run" in why
    data = reproduction_json(found)
    assert data["claimed_best_epoch"] == 12 and data["best"]["claim_in_range"] == "above"
    assert data["best"]["one_more_run"][0] < data["best"]["lowest"] <= data["best"]["mean"]


def test_a_claim_far_from_ours_is_above_or_below_and_named() -> None:
    low = reproduction(STEP13, [98.0, 99.0], [98.1, 99.01], [98.1, 99.02])
    high = reproduction(replace_claim(99.1), [98.0, 99.3], [98.1, 99.31], [98.1, 99.32], label="other")
    (line, *_) = reproduction_lines([low, high])
    assert "(above it: step13; below it: other)" in line
    assert table_rows(low)[0][HEAD.index("published is")] == "above"


def replace_claim(percent: float) -> Preset:
    return override(STEP13, {"claims.test_accuracy": percent})


def test_one_seed_has_no_range_and_what_was_not_run_says_so() -> None:
    one = reproduction(STEP13, FOUR[0], waiting=2)
    row = dict(zip(HEAD, table_rows(one)[0], strict=True))
    assert (row["seeds"], row["mean here"], row["lowest to highest"], row["published is"]) == (
        "1 of 3", "99.30", "–", "–",
    )  # fmt: skip
    (none,) = table_rows(reproduction(STEP13, waiting=5))
    row = dict(zip(HEAD, none, strict=True))
    assert (row["seeds"], row["published"], row["mean here"]) == ("0 of 5", "99.40 (12)", "not run")
    for few in (one, reproduction(STEP13, *FOUR[:2])):
        assert not [line for line in reproduction_lines([few]) if "claim" in line]
    assert reproduction_json(one)["best"]["one_more_run"] is None


def test_diverged_seeds_count_and_are_told() -> None:
    ended = reproduction(STEP13, *FOUR[:2]).group.runs
    early = SeedRun(7, "seed7", "diverged", history([], 7, "diverged"), 1.0)
    late = SeedRun(8, "seed8", "diverged", history([0.98, 0.1], 8, "diverged"), 1.0)
    some = Reproduction(STEP13, Group("step13", (*ended, early, late)))
    assert table_rows(some)[0][HEAD.index("seeds")] == "4, 2 diverged"
    assert some.last is not None and some.last.range.low == 0.1
    (row,) = table_rows(Reproduction(STEP13, Group("step13", (early,))))
    assert row[HEAD.index("mean here")] == "diverged"


def test_what_was_not_trained_as_published_is_not_counted() -> None:
    changed = replace(reproduction(STEP13, *FOUR), changes="epochs 3")
    unclaimed = reproduction(load_preset("net0"), *FOUR)
    lines = reproduction_lines([changed, unclaimed])
    assert [line for line in lines if "but with epochs 3, so that no claim is a standard: step13." in line]
    assert "Nothing is claimed on this data: net0." in lines
    assert "Nothing is claimed on this data: all." in reproduction_lines([unclaimed])
    assert not [line for line in lines if line.startswith("Of ")]
    assert table_rows(changed)[0][0] == "step13 *" and reproduction_json(changed)["as_published"] is False


def test_the_interval_for_one_more_holds_it_in_95_percent_of_cases() -> None:
    draws = np.random.default_rng(3).normal(0.993, 0.0008, (4000, 5))
    inside = 0
    for row in draws:
        span = intervals.one_more(row[:4], images=10_000)
        inside += row[4] in span
    assert 0.935 < inside / len(draws) < 0.965
    assert intervals.one_more([0.99], images=100).low == -np.inf
    same = intervals.one_more([0.99] * 4, images=100)
    assert same.low < 0.99 < same.high and percent_text(same.low) != "99.00"
