"""Successive halving: when settings are compared, which go on, and that nothing but accuracies decides it."""

import builtins
import math

import pytest
from typer.testing import CliRunner

from support.executor_told import Told
from support.groups_made import history, plan
from tuitrain.cli.root import app
from tuitrain.errors import UsageError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History, waits_text
from tuitrain.study.grid import leaderboard_of
from tuitrain.study.halving import Halving, kept, rungs
from tuitrain.study.member import Ending
from tuitrain.study.plan import Plan
from tuitrain.study.reading import StudyReader
from tuitrain.study.store import StudyDirectory, create_study
from tuitrain.study.training import StudyTraining
from tuitrain.training.events import Record
from tuitrain.watch.group import study_state
from tuitrain.watch.leaderboard import leaderboard_csv, leaderboard_json, leaderboard_lines, leaderboard_rows

pytest.importorskip("optuna")


@pytest.mark.parametrize(
    ("epochs", "settings", "factor", "after"),
    [(16, 9, 2, (2, 4, 8)), (15, 9, 3, (1, 5)), (15, 2, 2, (7,)), (3, 100, 2, (1,)), (2, 5, 2, (1,))],
)
def test_settings_are_compared_at_fractions_of_the_epochs(epochs, settings, factor, after) -> None:
    assert rungs(epochs, settings, factor) == after


def test_halving_that_could_stop_nothing_is_refused() -> None:
    for epochs, settings, factor in ((1, 9, 2), (15, 2, 3)):
        with pytest.raises(UsageError, match="none can be stopped"):
            rungs(epochs, settings, factor)


def test_the_better_ones_stay_equal_ones_together_and_failed_ones_never() -> None:
    assert kept([0.1, 0.4, 0.2, 0.3], 1, 2) == [False, True, False, True]
    assert kept([0.3, 0.3, 0.3, 0.1], 1, 2) == [True, True, True, False]
    assert kept([0.1, math.nan, 0.2], 1, 2) == [False, False, True]
    assert sum(kept([n / 100 for n in range(9)], 1, 3)) == 3
    assert kept([math.nan, math.nan], 1, 2) == [False, False]


def write(order, accuracy) -> Ending:
    """A run that learns at a steady pace; it is there up to `until`."""
    epochs = order.until or 8
    seed = order.job.preset.train.seed
    made = history(
        [accuracy * n / 8 for n in range(1, epochs + 1)], seed, "stopped" if order.until else "completed"
    )
    path = order.runs_dir / order.run
    directory = (
        RunDirectory(path) if path.exists() else RunDirectory.create(order.runs_dir, "made", name=order.run)
    )
    for event in (
        *(() if path.exists() and directory.events() else (made.started,)),
        *made.epochs,
        made.finished,
    ):
        directory.append(Record(event, 1.0, 1.0))
    directory.close()
    return Ending(order.run, made.outcome)


def eight_epochs() -> Plan:
    from dataclasses import replace

    from tuitrain.spec.preset import override

    made = plan(*"abcdefgh", seeds=(0, 1), name="halved", halving=2)
    settings = tuple(replace(s, preset=override(s.preset, {"train.epochs": 8})) for s in made.settings)
    return replace(made, kind="sweep", settings=settings)


def accuracy_of(order) -> float:
    return 0.5 + ord(order.run.split("_")[1][0]) / 1000 - order.job.preset.train.seed / 2000


def test_all_are_compared_early_and_the_better_half_trained_on(tmp_path) -> None:
    study = create_study(tmp_path, eight_epochs())
    told = Told(lambda order: write(order, accuracy_of(order)))
    work = StudyTraining(study, study.plan(), told, at_once=3)
    work.run()
    assert [len([o for o in told.orders if o.until == until]) for until in (1, 2, 4, None)] == [16, 8, 4, 2]
    found = StudyDirectory(study.path).plan()
    assert [(cut.epoch, cut.ranked, cut.kept) for cut in found.cuts] == [
        (1, (7, 6, 5, 4, 3, 2, 1, 0), 4), (2, (7, 6, 5, 4), 2), (4, (7, 6), 1),
    ]  # fmt: skip
    assert work.plan.still_in == (7,) and found.stopped(3) == "stopped at epoch 1: 5th of 8"
    log = History.of(RunDirectory(tmp_path / "halved_d_seed1").events())
    assert (log.outcome, log.finished.message) == ("stopped", "stopped at epoch 1: 5th of 8")
    groups = StudyReader(tmp_path, found).groups()
    assert study_state(groups, held=False) == "done" and not any(group.to_go for group in groups)
    board = leaderboard_of(found, groups)
    assert [place.group.label for place in board.ranked] == list("hgfedcba")
    assert leaderboard_rows(board)[1][-1] == "epoch 4: 2nd of 2, 30.14 %"
    assert "7 settings of 8 stopped early by halving (4 at epoch 1, 2 at epoch 2, 1 at epoch 4)" in " ".join(
        leaderboard_lines(board)
    )
    assert "choice by accuracy on the test set" in leaderboard_lines(board)[-1]
    assert leaderboard_json(board)[1]["stopped_at_epoch"] == 4
    assert leaderboard_csv(board).splitlines()[4].endswith(",stopped at epoch 2: 4th of 4")


def test_a_study_that_was_killed_keeps_what_was_decided_and_decides_the_rest_alike(tmp_path) -> None:
    study = create_study(tmp_path, eight_epochs())
    left = 19

    def answer(order) -> Ending:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return write(order, accuracy_of(order))

    with pytest.raises(KeyboardInterrupt):
        StudyTraining(study, study.plan(), Told(answer), at_once=1).run()
    first = study.plan().cuts
    assert len(first) == 1
    told = Told(
        lambda order: write(order, 1 - accuracy_of(order) if order.until == 1 else accuracy_of(order))
    )
    StudyTraining(study, study.plan(), told, at_once=2).run()
    assert len(told.orders) == 8 - 3 + 4 + 2  # none that was there already, none that was stopped
    assert study.plan().cuts[:1] == first and [cut.kept for cut in study.plan().cuts] == [4, 2, 1]


def test_a_run_that_waits_is_told_from_one_that_was_stopped() -> None:
    from dataclasses import replace

    made = history([0.1, 0.2], outcome="stopped")
    assert not made.waits
    assert replace(made, finished=replace(made.finished, message=waits_text(2))).waits


def test_without_optuna_it_is_said_how_to_install_it(monkeypatch, tmp_path) -> None:
    real = builtins.__import__

    def missing(name, *arguments, **keywords):
        if name == "optuna":
            raise ImportError("no", name="optuna")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", missing)
    done = CliRunner().invoke(
        app, ["sweep", "--grid", "lr=0.1,0.2", "--halving", "--runs-dir", str(tmp_path)]
    )
    assert isinstance(done.exception, UsageError) and "pip install 'tuitrain[search]'" in str(done.exception)
    with pytest.raises(UsageError, match="needs Optuna"):
        Halving(create_study(tmp_path, eight_epochs()), eight_epochs())
