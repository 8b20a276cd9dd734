"""The training of a study, with an executor that only writes down what it was given."""

from concurrent.futures import BrokenExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from support.executor_told import Told
from support.groups_made import history, plan
from tuitrain.errors import BusyError, DataError, DeviceError, ExitCode, TuitrainError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.locking import RunLock
from tuitrain.study.member import Ending, Order, refusal_of
from tuitrain.study.store import create_study
from tuitrain.study.training import MOST_DEATHS, StudyTraining
from tuitrain.training.events import Record


def write_run(folder: Path, name: str, outcome: str | None = "completed", seed: int = 0) -> None:
    """A run directory whose log has two epochs and this end."""
    made = history([0.5, 0.6], seed, outcome)
    directory = RunDirectory.create(folder, "made", name=name)
    for event in (made.started, *made.epochs, made.finished):
        if event is not None:
            directory.append(Record(event, 1.0, 1.0))
    directory.close()


def trained(order: Order) -> Ending:
    write_run(order.runs_dir, order.run, seed=order.job.preset.train.seed)
    return Ending(order.run, "completed")


def training(tmp_path, made, answer, **more) -> tuple[StudyTraining, Told]:
    study = create_study(tmp_path, made)
    told = Told(answer)
    return StudyTraining(study, made, told, at_once=2, **more), told


def test_every_member_is_trained_once_in_the_order_of_seeds(tmp_path) -> None:
    made = plan("one", "two", seeds=(3, 1))
    work, told = training(tmp_path, made, trained)
    work.run()
    assert [order.run for order in told.orders] == [member.run for member in made.members()]
    assert {ending.outcome for ending in work.endings.values()} == {"completed"}


def test_finished_members_are_not_trained_again_but_unfinished_ones_are(tmp_path) -> None:
    made = plan("one", seeds=(0, 1, 2, 3))
    for seed, outcome in ((0, "completed"), (1, "diverged"), (2, "stopped")):
        write_run(tmp_path, made.member(0, seed).run, outcome, seed)
    study = create_study(tmp_path / "other", made)
    study.path.parent.parent.rename(tmp_path / "x")  # the plan beside the runs
    (tmp_path / "x" / ".studies").rename(tmp_path / ".studies")
    study.path = tmp_path / ".studies" / study.name
    told = Told(lambda order: Ending(order.run, "completed"))
    StudyTraining(study, made, told, at_once=2).run()
    assert [order.job.preset.train.seed for order in told.orders] == [2, 3]


def test_a_member_whose_process_dies_is_given_out_again_and_left_out_at_last(tmp_path) -> None:
    deaths = {0: 1, 1: 99}

    def answer(order: Order) -> Ending:
        seed = order.job.preset.train.seed
        if deaths.get(seed, 0):
            deaths[seed] -= 1
            raise BrokenExecutor("killed")
        return trained(order)

    work, told = training(tmp_path, plan("one"), answer)
    work.run()
    outcomes = {run[-1]: ending.outcome for run, ending in work.endings.items()}
    assert outcomes == {"0": "completed", "1": "failed", "2": "completed"}
    assert sum(order.job.preset.train.seed == 1 for order in told.orders) == MOST_DEATHS


def test_a_member_that_another_process_trains_is_waited_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tuitrain.study.training.ELSEWHERE_S", 0.05)
    made = plan("one")
    other = tmp_path / made.member(0, 1).run
    other.mkdir()
    lock = RunLock(other)
    lock.acquire(other.name)
    looks: list[int] = []

    def answer(order: Order) -> Ending:
        if order.run == other.name and lock.held:
            return refusal_of(order.run, BusyError("another process holds it"))
        return Ending(order.run, "completed")

    def look() -> None:
        looks.append(len(work.endings))
        if len(looks) == 10:
            lock.release()

    work, told = training(tmp_path, replace(made, name="other"), answer)
    work.work.plan = made
    work.run(look)
    assert {ending.outcome for ending in work.endings.values()} == {"completed"} and len(work.endings) == 3
    assert [order.run for order in told.orders].count(other.name) == 2 and len(looks) >= 10


def test_a_study_ends_with_the_sentence_of_an_executor_that_can_train_nothing(tmp_path) -> None:
    def answer(order: Order) -> Ending:
        raise DeviceError("the cluster is gone.")

    work, told = training(tmp_path, plan("one", seeds=tuple(range(9))), answer)
    with pytest.raises(DeviceError, match="the cluster is gone"):
        work.run()
    assert len(told.orders) <= 2 and not work.endings


def test_a_stop_ends_the_study_and_leaves_the_rest(tmp_path) -> None:
    def answer(order: Order) -> Ending:
        work.control.stop("enough of it")
        return trained(order)

    work, told = training(tmp_path, plan("one", seeds=tuple(range(9))), answer)
    work.run()
    assert len(told.orders) <= 2 and work.stop_reason == "enough of it"


def test_a_stop_posted_from_another_shell_is_obeyed(tmp_path) -> None:
    def answer(order: Order) -> Ending:
        work.study.post_command({"command": "stop", "reason": "from a shell", "source": "shell"})
        return trained(order)

    work, told = training(tmp_path, plan("one", seeds=tuple(range(9))), answer)
    work.run()
    assert len(told.orders) <= 2 and work.stop_reason == "from a shell"


def test_no_more_than_enough_is_trained(tmp_path) -> None:
    work, told = training(
        tmp_path, plan("one", seeds=tuple(range(50))), trained, enough=lambda: len(work.endings) >= 5
    )
    work.run()
    assert 5 <= len(told.orders) <= 6


def test_missing_data_ends_the_study_with_its_sentence(tmp_path) -> None:
    def answer(order: Order) -> Ending:
        return Ending(order.run, "refused", "the data is not there.", int(DataError.exit_code))

    work, told = training(tmp_path, plan("one", seeds=tuple(range(9))), answer)
    with pytest.raises(TuitrainError, match="the data is not there") as error:
        work.run()
    assert error.value.exit_code == ExitCode.DATA and len(told.orders) <= 2


def test_an_error_of_one_member_leaves_the_others(tmp_path) -> None:
    def answer(order: Order) -> Ending:
        if order.job.preset.train.seed == 1:
            raise RuntimeError("odd")
        return trained(order)

    work, _ = training(tmp_path, plan("one"), answer)
    work.run()
    assert sorted(ending.outcome for ending in work.endings.values()) == ["completed", "completed", "failed"]


def test_members_of_a_setting_are_given_out_together_where_that_pays(tmp_path) -> None:
    made = plan("one", "two", seeds=tuple(range(5)))
    study = create_study(tmp_path, made)
    told = Told(trained)
    StudyTraining(study, made, told, at_once=1, together=3).run()
    batches = [[(order.job.study, order.run[-1]) for order in orders] for orders in told.calls]
    assert [len(batch) for batch in batches] == [3, 3, 2, 2]
    assert len({order.run for order in told.orders}) == 10
