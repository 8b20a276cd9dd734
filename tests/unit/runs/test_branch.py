"""Branches: a run that begins where another stood. Real short runs on the digits."""

from pathlib import Path

import pytest

from support.training_small import tiny
from tuitrain.errors import RunDirectoryError, UsageError
from tuitrain.runs.branch import branch_job, kept_epochs, prepare_branch
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.launch import load_data, prepare, prepare_resume
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime

pytestmark = pytest.mark.slow
EPOCHS = 4


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("runs")
    preset = tiny(
        epochs=EPOCHS, dataset="digits", rotation=0.0, schedule={"name": "step", "step_size": 2, "gamma": 0.5}
    )
    job = Job(
        preset,
        Runtime(device="cpu", threads=1, compile="off", keep=0),
        command="tuitrain run --preset tiny --seed 5",
    )
    session = prepare(job, runs_dir=folder, dataset=load_data(preset, None), name="parent")
    session.start()
    session.join()
    return RunDirectory.open(folder / "parent")


def branched(parent: RunDirectory, epoch: int, changes: dict, folder: Path) -> History:
    session = prepare_branch(
        parent, epoch, branch_job(parent, epoch, changes), runs_dir=folder, data_dir=None, name="child"
    )
    session.start()
    session.join()
    return session.recorder.history


def test_a_branch_without_changes_ends_as_its_parent_did(parent, tmp_path) -> None:
    before, after = History.of(parent.events()), branched(parent, 2, {}, tmp_path)
    assert [(e.epoch, e.test_loss, e.lr) for e in after.epochs] == [
        (e.epoch, e.test_loss, e.lr) for e in before.epochs[2:]
    ]
    assert after.finished is not None and before.finished is not None
    assert after.finished.model_sha256 == before.finished.model_sha256
    assert after.started is not None and after.started.parent == {"run": "parent", "epoch": 2}


def test_a_branch_has_its_own_settings_from_there_on(parent, tmp_path) -> None:
    changes = {"train.optimizer": {"name": "adam", "lr": 0.002}, "train.epochs": 6, "train.batch_size": 50}
    after = branched(parent, 3, changes, tmp_path)
    assert [e.epoch for e in after.epochs] == [4, 5, 6]
    assert after.epochs[0].lr == pytest.approx(0.001)  # step, once halved by then
    assert after.started is not None and after.started.changed["train.epochs"] == [EPOCHS, 6]
    assert after.started.command == (
        "tuitrain branch parent --epoch 3 --optimizer 'adam:lr=0.002,betas=[0.9,0.999],eps=1e-08,weight_decay=0.0'"
        " --epochs 6 --batch-size 50 --threads 1"
    )


def test_a_stopped_branch_goes_on_as_a_run_of_its_own(parent, tmp_path) -> None:
    whole = branched(parent, 1, {"train.optimizer.lr": 0.01}, tmp_path / "whole")
    job = branch_job(parent, 1, {"train.optimizer.lr": 0.01})
    cut = prepare_branch(parent, 1, job, runs_dir=tmp_path / "cut", data_dir=None, name="child")
    cut.control.stop("a test")
    cut.start()
    cut.join()
    again = prepare_resume(RunDirectory.open(tmp_path / "cut" / "child"), data_dir=None)
    again.start()
    again.join()
    done, other = again.recorder.history.finished, whole.finished
    assert done is not None and other is not None and done.model_sha256 == other.model_sha256
    assert again.recorder.history.started is not None and again.recorder.history.started.parent["epoch"] == 1


def test_what_a_branch_cannot_do_is_refused_before_a_directory_is_made(parent, tmp_path) -> None:
    assert sorted(kept_epochs(parent)) == [1, 2, 3, 4]
    for changes in (
        {"model.layers[0].conv": 5},
        {"train.dataset": "mnist"},
        {"train.val_split": 9},
        {"train.epochs": 2},
    ):
        with pytest.raises(UsageError, match=r"can't be changed|give more with --epochs"):
            branch_job(parent, 2, changes)
    with pytest.raises(RunDirectoryError, match="kept are 1, 2, 3, 4"):
        prepare_branch(parent, 9, branch_job(parent, 2, {}), runs_dir=tmp_path, data_dir=None)
    assert not list(tmp_path.iterdir())
