"""A study on a cluster as a user runs it: a pilot job of Parsl's on this machine, in which a worker is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TINY = """
[train]
epochs = 3
rotation = 5.0
[model]
layers = [{ conv = 4, stride = 2, then = ["relu"] }, { conv = 10, stride = 2 }, { global_avgpool = true }]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> dict[str, str]:
    tmp = tmp_path_factory.mktemp("cluster")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TUITRAIN_", "XDG_", "SLURM"))}
    (tmp / "tiny.toml").write_text(TINY)
    (tmp / "tuitrain").mkdir()
    (tmp / "tuitrain" / "config.toml").write_text('[cluster.two]\nscheduler = "local"\nworkers = 2\n')
    return kept | {
        "XDG_CONFIG_HOME": str(tmp), "XDG_CACHE_HOME": str(tmp / "cache"), "XDG_STATE_HOME": str(tmp / "state"),
        "TUITRAIN_RUNS_DIR": str(tmp / "runs"), "TUITRAIN_DATASET": "digits", "COLUMNS": "100", "HOME": str(tmp),
    }  # fmt: skip


def command(home, *arguments: str) -> list[str]:
    preset = f"{home['HOME']}/tiny.toml"
    return [sys.executable, "-m", "tuitrain", *(a.replace("TINY", preset) for a in arguments)]


def ends(home, name: str) -> list[tuple[str, int]]:
    """Of each member the SHA-256 of its network, and how often it was finished."""
    out = []
    for log in sorted(Path(home["TUITRAIN_RUNS_DIR"]).glob(f"{name}_seed*/events.jsonl")):
        events = [json.loads(line) for line in log.read_text().splitlines()]
        finished = [event for event in events if event.get("outcome") == "completed"]
        out.append((finished[-1]["model_sha256"], len(finished)))
    return out


@pytest.mark.long
def test_a_killed_worker_of_a_pilot_job_changes_nothing_and_nothing_is_left_over(home, tmp_path) -> None:
    more = ("--preset", "TINY", "--seeds", "3", "--epochs", "8", "--plain")
    process = subprocess.Popen(
        command(home, "run", *more, "--on", "two", "--name", "away"), env=home, cwd=tmp_path, text=True,
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    runs = Path(home["TUITRAIN_RUNS_DIR"])
    end = time.monotonic() + 100
    while not (begun := [path for path in runs.glob("away_seed*/progress.json") if path.stat().st_size]):
        assert time.monotonic() < end and process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.kill(json.loads(begun[0].read_text())["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "parsl" not in (out + err).lower() and not list(tmp_path.iterdir())
    alone = subprocess.run(
        command(home, "run", *more, "--jobs", "2", "--threads", "1", "--name", "here"),
        env=home,
        capture_output=True,
        text=True,
    )
    assert alone.returncode == 0, alone.stderr
    assert ends(home, "away") == ends(home, "here") and [count for _, count in ends(home, "away")] == [
        1,
        1,
        1,
    ]
    assert json.loads((runs / ".studies" / "away" / "plan.json").read_text())["on"] == "two"


def test_check_says_what_is_wrong(home) -> None:
    refused = subprocess.run(
        command(home, "cluster", "check", "--on", "two"),
        env=home | {"TUITRAIN_RUNS_DIR": "/proc/no"},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 4 and "✗ runs folder: /proc/no can't be written" in refused.stdout
    assert refused.stdout.startswith("✓ Parsl: version")
