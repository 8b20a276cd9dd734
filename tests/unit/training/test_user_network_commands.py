"""A network in Python from the command line: killed, noisy, interrupted."""

import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support import warm
from support.user_network import NET
from tuitrain.errors import ExitCode
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.index import summarise
from tuitrain.training.events import RunStarted

LINEAR = """class Net(nn.Module):
 def __init__(self):
  super().__init__(); self.l = nn.Linear(784, 10)
 def forward(self, x):
  """


def tuitrain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run(*arguments, cwd=folder, env=dict(os.environ), timeout=240)


def started(folder: Path, *arguments: str, line: str) -> warm.Child:
    """The command, once a line on stderr begins so."""
    streams = folder / "streams"
    streams.mkdir()
    child = warm.start(*arguments, cwd=folder, env=dict(os.environ), folder=streams)
    while not f"\n{child.err}".count(f"\n{line}"):
        assert child.poll() is None or f"\n{child.err}".count(f"\n{line}"), child.err
        time.sleep(0.02)
    return child


@pytest.mark.slow
def test_killed_and_resumed_is_as_never_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUITRAIN_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "net.py").write_text(NET)
    command = ["run", "--model", "net.py:Net", "-d", "digits", "-e", "30"]
    command += ["--device", "cpu", "--threads", "1", "--plain", "--name"]
    whole = tuitrain(tmp_path, *command, "whole")
    assert whole.returncode == 0, whole.stderr
    assert started(tmp_path, *command, "cut", line="epoch").kill() == -signal.SIGKILL
    assert not (tmp_path / "runs" / "cut" / "model.safetensors").exists()
    resumed = tuitrain(tmp_path, "resume", "cut", "--model", "net.py:Net", "--plain")
    assert resumed.returncode == 0, resumed.stderr
    weights = [(tmp_path / "runs" / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]


NOISY = """
import os, subprocess, threading, time
import torch.nn.functional as F
from torch import nn

print("file")
os.environ["TUITRAIN_RUNS_DIR"] = os.getcwd() + "/elsewhere"
threading.Thread(target=time.sleep, args=(10_000,)).start()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)
        print("init")

    def forward(self, x):
        print("forward")
        os.write(1, b"raw\\n")
        os.chdir("/")
        return self.fc(x.flatten(1))
"""


@pytest.mark.slow
def test_what_it_prints_is_not_among_the_results_and_where_it_goes_the_run_does_not(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NOISY)
    flags = ["-d", "digits", "-e", "1", "--device", "cpu", "--threads", "1", "--model", "net.py:Net"]
    done = tuitrain(tmp_path, "run", *flags, "--runs-dir", "runs", "--name", "a", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == "a"
    assert all(word in done.stderr for word in ("file\n", "init\n", "forward\n", "raw\n"))
    assert (tmp_path / "runs" / "a" / "model.safetensors").exists() and not (tmp_path / "elsewhere").exists()
    more = ["resume", "a", "-e", "2", "--model", "net.py:Net", "--runs-dir", "runs", "--events"]
    done = tuitrain(tmp_path, *more)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()][-1] == "RunFinished"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "number", "code"), [("file", signal.SIGTERM, 143), ("forward", signal.SIGINT, 130)]
)
def test_a_signal_while_it_is_made_or_tried_out_is_not_its_fault(
    tmp_path: Path, where: str, number: int, code: int
) -> None:
    wait = "import sys, time; print('here', file=sys.stderr, flush=True); time.sleep(60)"
    text = f"{wait}\n" if where == "file" else f"{LINEAR}{wait}; return self.l(x.flatten(1))"
    (tmp_path / "net.py").write_text(f"from torch import nn\n{text}")
    child = started(
        tmp_path, "run", "--model", "net.py:Net", "-d", "digits", "--runs-dir", "runs", line="here"
    )
    child.signal(number)
    assert child.wait(60) == code and "fails" not in child.err and not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUITRAIN_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "net.py").write_text(f"print('hello')\n{NET}")
    flags = ["run", "--model", "net.py:Net", "-d", "digits", "-e", "1", "--device", "cpu", "--threads", "1"]
    over = tuitrain(tmp_path, *flags, "--budget", "2000")
    assert (
        over.returncode == ExitCode.USAGE and "net.py:Net has 2,682 parameters, 682 too many" in over.stderr
    )
    for more in (["--dropout", "0.1"], ["--set", "model.layers[0].conv=3"]):
        done = tuitrain(tmp_path, *flags, *more)
        assert done.returncode == ExitCode.USAGE and more[0] in done.stderr and "--model" in done.stderr
    dry = json.loads(tuitrain(tmp_path, *flags, "--dry-run", "--json").stdout)
    assert dry["parameters"] == 2682 and dry["own_network"]["model"] == "net.py:Net"
    done = tuitrain(tmp_path, *flags, "--json")
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)  # what the file prints went to stderr
    assert "--model net.py:Net" in first["command"] and first["parameters"] == 2682
    assert "net.py:Net as step13, 1 epoch" in done.stderr and "98.88 %" not in done.stderr  # step13's claim
    second = json.loads(tuitrain(tmp_path, *shlex.split(first["command"])[1:], "--json").stdout)
    assert first["model_sha256"] == second["model_sha256"]
    refused = tuitrain(tmp_path, "resume", first["run"], "-e", "2")
    assert refused.returncode == ExitCode.USAGE and "--model FILE.py:NAME" in refused.stderr
    resumed = tuitrain(tmp_path, "resume", first["run"], "-e", "2", "--model", "net.py:Net", "--json")
    assert resumed.returncode == 0 and json.loads(resumed.stdout)["epochs"] == 2
    assert summarise(tmp_path / "runs" / first["run"]).epochs_planned == 2
    started = RunDirectory.open(tmp_path / "runs" / first["run"]).events()[0].event
    assert isinstance(started, RunStarted) and started.own_network["model"] == "net.py:Net"
