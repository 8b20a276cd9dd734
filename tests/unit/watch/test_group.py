"""What is said of several seeds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.groups_made import group, history
from support.seeds_simulated import images, seeds
from tuitrain.errors import RunDirectoryError
from tuitrain.runs.history import History
from tuitrain.stats.intervals import Interval
from tuitrain.stats.sequential import Outcome, Plan
from tuitrain.watch.duel import Duel, duel_line, duel_lines, expected_sd, start_line
from tuitrain.watch.evidence import Evidence, check_comparable, evidence_lines, figure_rows, headline
from tuitrain.watch.group import Group, SeedRun, group_lines, mean_text

RNG = np.random.default_rng(5)
EASE = images(RNG, 400)


def drawn(label: str, count: int, shift: float = 0.0, excess: float = 1.2, start: int = 0, rng=None) -> Group:
    rows = seeds(
        rng or np.random.default_rng([count, start, int(shift * 1000)]), EASE + shift, (count,), excess
    )
    return group(label, rows, range(start, start + count))


def test_figures_of_a_group_are_those_of_its_matrix() -> None:
    made = drawn("x", 6)
    assert made.right is not None and made.mean is not None
    assert made.mean.value == pytest.approx(made.right.mean())
    text = mean_text(made)
    assert f"{100 * made.right.mean():.2f} %" in text and "6 seeds" in text
    worst, best = made.extremes  # type: ignore[misc]
    assert worst.accuracy == min(made.accuracies) and best.accuracy == max(made.accuracies)
    pairs = [np.sum(a != b) for i, a in enumerate(made.right) for b in made.right[:i]]
    assert made.disagreement == pytest.approx(np.mean(pairs))
    assert np.mean([made.disagreement_of(run) for run in made.ended]) == pytest.approx(np.mean(pairs))


def test_the_band_has_the_seeds_that_finished_each_epoch() -> None:
    runs = tuple(
        SeedRun(n, f"r{n}", "live", history(accuracies, n, outcome=None))
        for n, accuracies in enumerate([(0.5, 0.7, 0.9), (0.4, 0.8), ()])
    )
    band = Group("x", runs).band
    assert [(p.epoch, p.low, p.high, p.seeds) for p in band] == [
        (1, 0.4, 0.5, 2),
        (2, 0.7, 0.8, 2),
        (3, 0.9, 0.9, 1),
    ]
    assert band[1].mean == pytest.approx(0.75)


def test_shares_at_target_are_of_ended_seeds_and_a_group_without_one_says_so() -> None:
    accuracies = [(0.991, 0.989), (0.99, 0.99), (0.5, 0.6)]
    runs = [SeedRun(n, f"r{n}", "done", history(a, n)) for n, a in enumerate(accuracies)]
    made = Group("x", (*runs, SeedRun(3, "r3", "waiting", History())))
    counts = {when: made.at_target(when).count for when in ("ever", "end", "five")}  # type: ignore[union-attr]
    assert counts == {"ever": 2, "end": 1, "five": 1}
    assert any("1 seed of 4 not finished" in line for line in group_lines(made))
    low = Group("x", tuple(runs[2:]))
    assert any("reached by none of 1 seed" in line for line in group_lines(low))


def test_nothing_finished_one_finished_and_identical_seeds_are_said_plainly() -> None:
    assert mean_text(group("x", np.zeros((0, 5)), waiting=3)) == "no seed of 3 has finished"
    one = group("x", np.ones((1, 5)))
    assert mean_text(one) == "100.00 %, 1 seed" and group_lines(one)
    same = group("x", np.tile([True, True, False], (4, 1)))
    assert any("right on the same images" in line for line in group_lines(same))


def test_a_diverged_seed_counts_and_is_named() -> None:
    runs = [
        SeedRun(0, "a", "done", history((0.9,))),
        SeedRun(7, "b", "diverged", history((0.3,), 7, "diverged")),
    ]
    made = Group("x", tuple(runs))
    assert len(made.ended) == 2 and any("1 seed diverged (7)" in line for line in group_lines(made))


def test_seeds_that_vary_more_than_their_images_are_called_unsettled() -> None:
    wild = drawn("x", 12, excess=30.0)
    assert wild.spread is not None and not wild.spread.settled
    assert any("not settled" in line for line in group_lines(wild))
    assert any("noise floor" in line for line in group_lines(drawn("x", 12, excess=1.0)))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000))
def test_evidence_is_antisymmetric_and_its_words_follow_the_interval(ka: int, kb: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = drawn("a", ka, rng=rng), drawn("b", kb, shift=float(rng.normal(0, 0.3)), rng=rng)
    there, back = Evidence(a, b), Evidence(b, a)
    assert there.difference is not None and back.difference is not None
    assert there.difference.value == pytest.approx(-back.difference.value)
    mirror = {"better": "worse", "worse": "better"}
    assert back.finding == mirror.get(there.finding, there.finding)
    span = there.interval
    if span is not None and there.finding in ("better", "worse", "no evidence"):
        assert (0 in Interval(span.low, span.high)) == (there.finding == "no evidence")
        assert {"better": "is better", "worse": "is worse"}.get(there.finding, "No evidence") in headline(
            there
        )
    assert all(line.endswith((".", ")")) for line in evidence_lines(there))


def test_a_real_difference_is_found_and_none_is_not() -> None:
    assert Evidence(drawn("a", 8), drawn("b", 8, shift=0.8)).finding == "better"
    no = Evidence(drawn("a", 8), drawn("b", 8, start=8))
    assert no.finding == "no evidence" and "you would need about" in headline(no)


def test_the_same_networks_are_identical_and_two_single_runs_are_no_evidence() -> None:
    a = drawn("a", 3)
    assert Evidence(a, group("b", a.right)).finding == "identical"  # type: ignore[arg-type]
    single = Evidence(drawn("a", 1), drawn("b", 1, shift=0.9, start=1))
    assert single.finding == "two networks" and "no evidence about the settings" in headline(single)
    assert any("McNemar" in line for line in evidence_lines(single))


def test_groups_that_were_judged_by_other_images_are_refused() -> None:
    with pytest.raises(RunDirectoryError, match="judged by different images"):
        check_comparable(drawn("a", 2), group("b", np.ones((2, 50))))
    with pytest.raises(RunDirectoryError, match="has no finished run"):
        check_comparable(drawn("a", 2), group("b", np.zeros((0, 5)), waiting=2))


def test_the_table_has_no_row_without_a_figure() -> None:
    rows = figure_rows(drawn("a", 1), drawn("b", 1))
    assert {row[0] for row in rows} >= {"seeds", "last epoch, mean"} and "noise floor" not in {
        row[0].strip() for row in rows
    }


def test_a_duel_counts_only_the_prefix_of_pairs() -> None:
    plan = Plan(64, 0.01)
    a = drawn("a", 6)
    b = drawn("b", 6, shift=0.2)
    holed = Group("b", tuple(SeedRun(r.seed, r.run, "live", history((0.5,), r.seed, None)) if r.seed == 3 else r for r in b.runs),
                  b.right[[n for n in range(6) if n != 3]])  # type: ignore[index]  # fmt: skip
    duel = Duel(a, holed, plan)
    assert [pair.seed for pair in duel.pairs] == [0, 1, 2]
    assert any("wait until the seeds before them" in line for line in duel_lines(duel))
    assert [look.pairs for look in duel.looks] == [3]


def test_a_duel_narrows_and_ends_with_its_decision() -> None:
    plan = Plan(16)
    duel = Duel(drawn("a", 10), drawn("b", 10, shift=1.2), plan)
    assert duel.outcome is Outcome.BETTER and duel.decided and duel.to_go == 0
    widths = [look.interval.half_width for look in duel.looks]
    assert widths == sorted(widths, reverse=True)
    assert duel.looks[-1].interval.low > 0 and "is better" in duel_line(duel)
    open_ = Duel(drawn("a", 2), drawn("b", 2, start=0, shift=0.1), plan)
    assert open_.outcome is Outcome.OPEN and "first look is after 3" in duel_line(open_)
    nothing = Duel(group("a", np.zeros((0, 5)), waiting=3), group("b", np.zeros((0, 5)), waiting=3), plan)
    assert not nothing.decided and nothing.pairs == () and duel_lines(nothing)


def test_the_start_of_a_duel_says_what_it_can_find() -> None:
    sd = expected_sd(0.994, 10_000)
    assert 0.0008 < sd < 0.0010
    line = start_line(Plan(64, 0.0005), sd, "as said")
    assert "0.05 points or more" in line and "8 of 10" in line


def test_runs_that_hold_out_other_images_are_not_compared() -> None:
    def held_out(label: str, split: int | None, seed: int) -> Group:
        made = group(label, np.ones((1, 50)), [seed])
        started = made.runs[0].history.started
        assert started is not None
        preset = started.preset | {"train": {"val_split": 50, "val_split_seed": split}}
        changed = replace(started, judged_by="validation", preset=preset)
        run = replace(made.runs[0], history=replace(made.runs[0].history, started=changed))
        return Group(label, (run,), made.right)

    check_comparable(held_out("a", 3, 0), held_out("b", 3, 1))
    with pytest.raises(RunDirectoryError, match="held out by seed 3.*held out by seed 4"):
        check_comparable(held_out("a", 3, 0), held_out("b", 4, 0))
    with pytest.raises(RunDirectoryError, match="held out by seed 0.*held out by seed 1"):
        check_comparable(held_out("a", None, 0), held_out("b", None, 1))


def test_equal_accuracies_without_predictions_are_not_certain() -> None:
    runs = tuple(
        SeedRun(seed, f"r{seed}", "done", history([0.98], seed, images=50), 1.0) for seed in range(3)
    )
    found = Group("made", runs).mean
    assert found is not None and found.value == 0.98 and found.interval().half_width > 0.001
