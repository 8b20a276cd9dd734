"""Studies as a user runs them: real processes, digits, signals."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import warm
from support.until import until

TINY = """
[train]
epochs = 3
rotation = 5.0
[model]
layers = [{ conv = 4, stride = 2, then = ["relu"] }, { conv = 10, stride = 2 }, { global_avgpool = true }]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> dict[str, str]:
    tmp = tmp_path_factory.mktemp("study")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TUITRAIN_", "XDG_"))}
    (tmp / "tiny.toml").write_text(TINY)
    return kept | {
        "XDG_CONFIG_HOME": str(tmp / "config"), "XDG_CACHE_HOME": str(tmp / "cache"), "XDG_STATE_HOME": str(tmp / "state"),
        "TUITRAIN_RUNS_DIR": str(tmp / "runs"), "TUITRAIN_DATASET": "digits", "COLUMNS": "100", "HOME": str(tmp),
    }  # fmt: skip


def made(home, argument: str) -> str:
    """An argument with the file of the preset."""
    return argument.replace("TINY", f"{home['HOME']}/tiny.toml")


def command(home, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tuitrain", *(made(home, a) for a in arguments)]


def tuitrain(home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run(*(made(home, a) for a in arguments), env=home, timeout=240)


def hashes(home, name: str) -> dict[str, str]:
    """The SHA-256 of each member's network at its end, by the end of its run's name."""
    out = {}
    for run in json.loads(tuitrain(home, "runs", "--json").stdout):
        if run["study"] == name:
            lines = (Path(run["path"]) / "events.jsonl").read_text().splitlines()
            out[run["run"].removeprefix(name)] = json.loads(lines[-1])["model_sha256"]
    return out


def test_seeds_are_trained_as_runs_whatever_is_killed_and_equal_those_trained_alone(home) -> None:
    """A worker is killed, then the whole study, then SIGTERM stops it; resumed, all is as if nothing had been."""
    arguments = ("run", "--preset", "TINY", "--seeds", "4", "--epochs", "80", "--name", "killed", "--plain")
    runs = Path(home["TUITRAIN_RUNS_DIR"])
    process = subprocess.Popen(
        command(home, *arguments), env=home, stderr=subprocess.PIPE, start_new_session=True
    )
    until(lambda: list(runs.glob("killed_seed*/checkpoints/*")))
    until(lambda: _pids(runs))
    os.kill(min(_pids(runs)), signal.SIGKILL)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    dead = _pids(runs)
    told = Path(home["HOME"]) / "told.jsonl"
    home = home | {"TUITRAIN_ON_FINISH": f"cat >> {told}"}
    again = subprocess.Popen(
        command(home, "study", "resume", "killed", "--plain"), env=home, stderr=subprocess.PIPE
    )
    until(lambda: _pids(runs) - dead)
    again.send_signal(signal.SIGTERM)
    assert again.wait(60) == 143
    until(
        lambda: not _pids(runs) - dead
    )  # a member whose turn did not come again has what it was killed with
    done = tuitrain(home, "study", "resume", "killed", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (line,) = told.read_text().splitlines()  # of the study alone, not of its members, and not at SIGTERM
    assert json.loads(line) == result
    home.pop("TUITRAIN_ON_FINISH")
    (group,) = result["groups"]
    assert (group["finished"], [run["seed"] for run in group["runs"]]) == (4, [0, 1, 2, 3])
    assert group["mean_interval"][0] <= group["mean_last_test_accuracy"] <= group["mean_interval"][1]
    alone = tuitrain(
        home, "run", "--preset", "TINY", "--seeds", "2", "--epochs", "80", "--name", "whole", "--jobs", "1",
        "--threads", "1", "--json",
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    killed, whole = hashes(home, "killed"), hashes(home, "whole")
    assert len(killed) == 4 and {key: killed[key] for key in whole} == whole
    assert len(list(runs.glob("whole_seed*/report.md"))) == 2


@pytest.mark.long
def test_halving_that_was_killed_decides_the_same_and_those_left_equal_runs_by_themselves(home) -> None:
    named = (
        "sweep",
        "--preset",
        "TINY",
        "--grid",
        "lr=0.01,0.1,0.2,0.4",
        "--seeds",
        "1",
        "--epochs",
        "8",
        "--halving",
    )
    runs = Path(home["TUITRAIN_RUNS_DIR"])
    plan = runs / ".studies" / "cut" / "plan.json"
    process = subprocess.Popen(
        command(home, *named, "--name", "cut", "-q"),
        env=home,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    until(lambda: plan.exists() and json.loads(plan.read_text())["cuts"])
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    done = tuitrain(home, "study", "resume", "cut", "--json")
    assert done.returncode == 0, done.stderr
    whole = tuitrain(home, *named, "--name", "uncut", "--json", "--jobs", "1", "--threads", "1")
    assert whole.returncode == 0, whole.stderr
    cuts = json.loads(plan.read_text())["cuts"]
    assert [cut["epoch"] for cut in cuts] == [2, 4] and [cut["kept"] for cut in cuts] == [2, 1]
    assert cuts == json.loads((runs / ".studies" / "uncut" / "plan.json").read_text())["cuts"]
    (winner,) = (place for place in json.loads(done.stdout)["leaderboard"] if not place["stopped"])
    lr = next(iter(winner["values"].values()))
    alone = tuitrain(
        home,
        "run",
        "--preset",
        "TINY",
        "--lr",
        str(lr),
        "--epochs",
        "8",
        "--seed",
        "0",
        "--threads",
        "1",
        "--json",
    )
    assert json.loads(alone.stdout)["model_sha256"] in hashes(home, "cut").values()
    (row,) = (row for row in json.loads(tuitrain(home, "study", "--json").stdout) if row["study"] == "cut")
    assert row["state"] == "done"
    stopped = next(runs.glob(f"cut_s00{cuts[0]['ranked'][-1]}_*"))
    assert (
        '"message":"stopped at epoch 2: 4th of 4"' in (stopped / "events.jsonl").read_text().splitlines()[-1]
    )
    onwards = tuitrain(home, "resume", stopped.name, "--json")
    assert onwards.returncode == 0 and json.loads(onwards.stdout)["outcome"] == "completed"


@pytest.mark.long
def test_a_search_that_was_killed_finds_the_same_front_and_its_presets_can_be_judged(home) -> None:
    space = Path(home["HOME"]) / "space.toml"
    space.write_text(
        'defaults = false\n[space]\n"model.layers[0].conv" = { low = 2, high = 9 }\nlr = { low = 0.05, high = 0.8, log = true }\n'
    )
    named = (
        "search", "--preset", "TINY", "--max-params", "700", "--space", str(space), "--trials", "4", "--seeds", "2", "--epochs",
        "2", "--threads", "1", "--target", "5",
    )  # fmt: skip
    runs = Path(home["TUITRAIN_RUNS_DIR"])
    process = subprocess.Popen(
        command(home, *named, "--name", "quest", "-q"),
        env=home,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    until(lambda: len(list(runs.glob("quest_t*/checkpoints/*"))) > 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    assert json.loads(tuitrain(home, "study", "--json").stdout)[0]["state"] == "stopped"
    done = tuitrain(home, "study", "resume", "quest", "--json")
    assert done.returncode == 0, done.stderr
    whole = tuitrain(home, *named, "--name", "unkilled", "--json", "--jobs", "1")
    assert whole.returncode == 0, whole.stderr
    found, other = json.loads(done.stdout), json.loads(whole.stdout)
    assert found["trials"] == other["trials"] and found["front"] == other["front"] != []
    ends = [
        {
            path.parent.name.partition("_")[2]: json.loads(path.read_text().splitlines()[-1])["model_sha256"]
            for path in found
        }
        for found in (runs.glob("quest_t*/events.jsonl"), runs.glob("unkilled_t*/events.jsonl"))
    ]
    assert ends[0] == ends[1] and len(ends[0]) > 4
    assert all(trial["parameters"] <= 700 for trial in found["trials"]) and len(found["trials"]) == 4
    assert "prefers-color-scheme: dark" in Path(found["picture"]).read_text()
    assert found["presets"][0]["judge"].endswith("--seeds 2-11")
    judged = tuitrain(
        home, "run", "-p", found["presets"][0]["preset"], "--epochs", "1", "--seed", "2", "--json"
    )
    assert judged.returncode == 0 and json.loads(judged.stdout)["judged_by"] == "test", judged.stderr
    page = tuitrain(home, "study", "show", "quest")
    assert "The smallest that reaches 5 %" in page.stdout and "judge   tuitrain run -p" in page.stdout
    assert (
        tuitrain(home, "study", "rm", "quest").returncode == 0
        and next(runs.glob("quest_t000_seed0")).exists()
    )


def test_a_duel_and_a_comparison_say_what_they_found(home) -> None:
    done = tuitrain(
        home, "duel", "TINY", "--set", "train.optimizer.lr=0.2", "--both", "train.epochs=2", "--max-seeds", "3", "--name", "duel",
        "--json",
    )  # fmt: skip
    assert done.returncode in (0, 7), done.stderr
    duel = json.loads(done.stdout)
    assert duel["outcome"] in ("better", "worse", "undecided", "no gain") and duel["pairs"] == 3
    (found,) = json.loads(tuitrain(home, "compare", "duel:a", "duel:b", "--json").stdout)
    assert found["settings"] and found["seeds"] == [3, 3]
    assert found["difference"] == pytest.approx(duel["difference"])
    same = tuitrain(home, "compare", "duel:a", "duel:a")
    assert same.returncode == 2 and "same runs" in same.stderr
    gain = tuitrain(
        home,
        "run",
        "--preset",
        "TINY",
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--require-gain",
        "50",
        "--against",
        "duel:a",
    )
    assert gain.returncode == 7 and "--require-gain 50" in gain.stderr


def test_a_reproduction_holds_claims_against_seeds_and_trains_no_finished_member_again(home) -> None:
    claims = '[claims]\ndataset = "digits"\nparameters = 410\ntest_accuracy = 99.9\n'
    (Path(home["HOME"]) / "claimed.toml").write_text(claims + TINY)
    named = ("reproduce", f"{home['HOME']}/claimed.toml", "--epochs", "1", "--name", "again")
    first = tuitrain(home, *named, "--seeds", "1", "--markdown")
    assert first.returncode == 0, first.stderr
    assert "| claimed \\* | 410 | 410 | 1 | 1 | best | 99.90 |" in first.stdout
    log = Path(home["TUITRAIN_RUNS_DIR"]) / "again_claimed_seed0" / "events.jsonl"
    before = log.read_bytes()
    done = tuitrain(home, *named, "--seeds", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert log.read_bytes() == before
    result = json.loads(done.stdout)
    (found,) = result["reproduction"]
    assert (found["finished"], found["claimed_best"], found["as_published"]) == (2, 0.999, False)
    assert found["best"]["claim_in_range"] == "above" and len(found["best"]["values"]) == 2
    assert Path(result["curves"][0]).read_text().startswith("<svg")
    missing = tuitrain(
        home | {"TUITRAIN_DATA_DIR": "/dev/null/no"}, "reproduce", "step13", "--dataset", "mnist"
    )
    assert missing.returncode == 3 and missing.stderr.count("\n") == 1, missing.stderr


def _pids(runs: Path) -> set[int]:
    """The processes that train the members of the killed study, or were killed while they did."""
    pids = set()
    for progress in runs.glob("killed_seed*/progress.json"):
        with contextlib.suppress(FileNotFoundError):  # the run has ended
            pids.add(int(json.loads(progress.read_text())["pid"]))
    return pids
