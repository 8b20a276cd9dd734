"""The real trainer in a session: a killed and a stopped run end as one that never was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.command import tuitrain
from support.training_small import StopsAtLook
from tuitrain.runs import checkpoint
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.launch import load_data, prepare, prepare_resume
from tuitrain.spec.preset import Preset, preset_from_toml
from tuitrain.training.events import EpochFinished, RunFinished
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime

CPU = Runtime(device="cpu", compile="off", threads=1)


#: Dropout, momentum and a schedule, in a network that trains in a second.
TOML = """
schema = 1
name = "tiny"
[train]
dataset = "digits"
epochs = 4
batch_size = 50
dropout = 0.1
optimizer = { name = "sgd", lr = 0.05, momentum = 0.9 }
schedule = { name = "step", step_size = 2, gamma = 0.5 }
[model]
layers = [
  { conv = 4, kernel = 5, stride = 3, then = ["relu", "batchnorm", "dropout"] },
  { flatten = true },
  { linear = 10 },
]
"""


def tiny() -> Preset:
    return preset_from_toml(TOML, "tiny")


def state_of(run: Path) -> str:
    from tuitrain.training.state import TrainerState

    stored = checkpoint.load_checkpoint(checkpoint.entries(run / "checkpoints")[-1])
    return TrainerState.from_tensors(stored.tensors, stored.metadata).sha256()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    preset = tiny()
    data = load_data(preset, None)
    session = prepare(Job(preset, CPU), runs_dir=tmp_path_factory.mktemp("runs"), dataset=data, name="whole")
    session.start()
    assert session.join(120) and session.exit_code == 0
    return session.directory.path


def test_stopped_in_the_middle_and_resumed(tmp_path: Path, whole: Path) -> None:
    preset = tiny()
    session = prepare(Job(preset, CPU), runs_dir=tmp_path, dataset=load_data(preset, None), name="a")
    session.control = StopsAtLook(41)
    session.start()
    assert session.join(60) and session.outcome == "stopped"
    [stopped] = [r.event for r in session.records if isinstance(r.event, RunFinished)]
    assert stopped.epochs == 1  # in the middle of the second epoch: 1,437 images are 29 steps of 50
    session = prepare_resume(RunDirectory.open(tmp_path / "a"), data_dir=None)
    session.start()
    assert session.join(120) and session.exit_code == 0
    assert state_of(tmp_path / "a") == state_of(whole)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    metrics = [(e.epoch, e.test_acc, e.test_loss, e.train_loss) for e in session.recorder.history.epochs]
    wanted = [r.event for r in RunDirectory.open(whole).events() if isinstance(r.event, EpochFinished)]
    assert metrics == [(e.epoch, e.test_acc, e.test_loss, e.train_loss) for e in wanted]


@pytest.mark.long
def test_killed_and_resumed_from_the_command_line(tmp_path: Path, whole: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    flags = ["--device", "cpu", "--compile", "off", "--threads", "1"]
    command = [sys.executable, "-m", "tuitrain", "run", "-p", str(tmp_path / "tiny.toml"), *flags]
    process = subprocess.Popen(
        [*command, "--name", "a", "--runs-dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch"):
            break
    process.kill()
    process.wait()
    assert not RunDirectory.open(tmp_path / "a").is_held()
    resumed = tuitrain(tmp_path, "resume", "a", "--plain")
    assert resumed.returncode == 0, resumed.stderr
    assert state_of(tmp_path / "a") == state_of(whole)
    again = tuitrain(tmp_path, "resume", "a")
    assert again.returncode == 4 and "complete" in again.stderr
