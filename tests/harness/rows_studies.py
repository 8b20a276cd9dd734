"""Studies: workers killed here and on a real SLURM, the study's own process killed, what a member costs beside its training.

In the ordinary tests `process/test_study.py` and `process/test_cluster.py` have a few of these kills.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.table import Figure, row
from support.slurm import slurm

WAIT_S = 1800.0
EPOCHS = 2


def environment(bench: Bench) -> dict[str, str]:
    """That of the bench; what is taken out of a process is taken out of all Python processes of a study, pilot jobs too."""
    if not bench.without:
        return bench.env
    folder = bench.folder / "changes"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        f"from harness.changes import apply\n\napply({list(bench.without)!r})\n"
    )
    return bench.env | {"PYTHONPATH": f"{folder}{os.pathsep}{bench.env['PYTHONPATH']}"}


def command(bench: Bench, *arguments: str) -> list[str]:
    """A command in a process of its own, as a user starts it."""
    return [sys.executable, "-m", "tuitrain", *arguments]


def seeds(bench: Bench, name: str, count: int, *more: str, epochs: int = EPOCHS) -> list[str]:
    """The arguments of a study of so many seeds of a tiny network."""
    return [
        "run", "-p", str(bench.preset), "--dataset", "digits", "--threads", "1", "--compile", "off", "--device", "cpu",
        "--epochs", str(epochs), "--seeds", str(count), "--name", name, "--plain", *more,
    ]  # fmt: skip


def start(bench: Bench, *arguments: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts a command; what it says goes to a file."""
    with (bench.folder / "said.txt").open("ab") as said:
        return subprocess.Popen(
            command(bench, *arguments),
            env=environment(bench) | env,
            cwd=bench.folder,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def ended(bench: Bench, name: str) -> dict[str, list[str]]:
    """Of each member, by its seed, the SHA-256 of each time that it was trained to the end."""
    out = {}
    for path in bench.runs.glob(f"{name}_seed*"):
        lines = (path / "events.jsonl").read_text().splitlines()
        ends = [event for event in map(json.loads, lines) if event.get("outcome") == "completed"]
        out[path.name.removeprefix(name)] = [event["model_sha256"] for event in ends]
    return out


def training(bench: Bench, name: str) -> list[int]:
    """The processes that train members now."""
    from tuitrain.runs import locking

    found = []
    for path in bench.runs.glob(f"{name}_seed*"):
        holder = locking.read_holder(path)
        if holder is not None and locking.is_held(path):
            found.append(holder.pid)
    return found


def kill_workers(bench: Bench, name: str, process: subprocess.Popen[bytes], count: int, times: int) -> int:
    """Kills so many times a worker that trains: each time when so many members, drawn at random, have begun."""
    begun = sorted(bench.random.uniform(0.0, 0.95 * count) for _ in range(times))
    kills, end = 0, time.monotonic() + WAIT_S
    while kills < times and process.poll() is None and time.monotonic() < end:
        time.sleep(bench.random.uniform(0.0, 0.3))
        if len(list(bench.runs.glob(f"{name}_seed*"))) > begun[kills] and (pids := training(bench, name)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(bench.random.choice(pids), signal.SIGKILL)
                kills += 1
    process.wait(WAIT_S)
    return kills


def compared(bench: Bench, name: str, count: int, whole: str) -> tuple[bool, str]:
    """How a disturbed study compares with an undisturbed one."""
    here, there = ended(bench, name), ended(bench, whole)
    lost = count - sum(bool(ends) for ends in here.values())
    twice = sum(len(ends) > 1 for ends in here.values())
    same = sum(bool(ends) and ends[-1:] == there.get(seed) for seed, ends in here.items())
    text = f"{count} members: {lost} lost, {twice} run twice to the end, {same} with the SHA-256 of the undisturbed study"
    return not lost and not twice and same == count, text


def disturbed(bench: Bench, times: int, *more: str, env: dict[str, str]) -> Figure:
    """A study whose workers are killed, and the same one undisturbed, on this machine."""
    assert start(bench, *seeds(bench, "whole", times, "--jobs", "2"), env={}).wait(WAIT_S) == 0
    wanted = max(1, times // 5)
    process = start(bench, *seeds(bench, "killed", times, *more), env=env)
    kills = kill_workers(bench, "killed", process, times, wanted)
    ok, text = compared(bench, "killed", times, "whole")
    return Figure(ok and kills == wanted and process.returncode == 0, f"{text}; {kills} workers killed")


@row(
    "study_killed",
    "a study of 200 members on digits, a fifth of the workers killed (SIGKILL) at random times",
    "0 lost, 0 run twice to the end, the same SHA-256 as undisturbed",
    quick=0,
    whole=200,
    teeth={"no_second_try": "a member whose process died is not given out again"},
    teeth_times=10,
)
def workers_killed(bench: Bench, times: int) -> Figure:
    """In processes of this machine."""
    return disturbed(bench, times, "--jobs", "2", env={})


@contextlib.contextmanager
def real_slurm(bench: Bench) -> Iterator[dict[str, str]]:
    """A SLURM that runs, and the config of a user who has it; yields the environment."""
    config = bench.folder / "config" / "tuitrain"
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text("[cluster.slurm]\njobs = 2\nworkers = 2\nwalltime = '00:40:00'\n")
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder,
        slurm(Path(folder)) as cluster,
    ):
        yield cluster.environment


@row(
    "study_slurm",
    "the same on a real SLURM (slurmctld, slurmd, munged), two pilot jobs of two workers",
    "0 lost, 0 run twice to the end, the same SHA-256 as undisturbed on one machine",
    quick=0,
    whole=200,
    teeth={"no_second_try": "a member whose process died is not given out again"},
    teeth_times=10,
    needs=("slurm",),
)
def workers_killed_on_slurm(bench: Bench, times: int) -> Figure:
    """In pilot jobs."""
    with real_slurm(bench) as env:
        return disturbed(bench, times, "--on", "slurm", env=env)


def table_of(bench: Bench, name: str) -> list[Any]:
    """What a study came to, without its name and its seconds."""
    shown = subprocess.run(
        command(bench, "study", "show", name, "--json"),
        env=environment(bench),
        cwd=bench.folder,
        capture_output=True,
        check=True,
    )
    (group,) = json.loads(shown.stdout)["groups"]
    runs = [
        [run[key] for key in run if key not in ("run", "directory", "seconds", "state")]
        for run in group.pop("runs")
    ]
    return [runs, {key: value for key, value in group.items() if "seconds" not in key}]


def driver_killed(bench: Bench, times: int, *more: str, count: int, env: dict[str, str]) -> Figure:
    """The process of a study killed at random times and the study resumed, then left alone."""
    begun = time.monotonic()
    assert start(bench, *seeds(bench, "whole", count, "--jobs", "2", epochs=4), env={}).wait(WAIT_S) == 0
    part_s = (time.monotonic() - begun) / times
    process, kills = start(bench, *seeds(bench, "killed", count, *more, epochs=4), env=env), 0
    while kills < times:
        end = time.monotonic() + WAIT_S
        while not training(bench, "killed") and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(bench.random.uniform(0.0, part_s))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
        process = start(bench, "study", "resume", "killed", "--plain", env=env)
    code = process.wait(WAIT_S)
    ok, text = compared(bench, "killed", count, "whole")
    same = table_of(bench, "killed") == table_of(bench, "whole")
    return Figure(
        ok and same and code == 0 and kills == times,
        f"killed and resumed {kills} times: {'the same' if same else 'another'} table; {text}",
    )


@row(
    "study_driver",
    "the process of a study killed (SIGKILL) at random times and the study resumed",
    "the same table, every time",
    quick=0,
    whole=10,
    teeth={"unkeyed": "random numbers that no seed decides"},
    teeth_times=3,
)
def study_process_killed(bench: Bench, times: int) -> Figure:
    """On this machine."""
    return driver_killed(bench, times, count=5 if times < 3 else 40, env={})


@row(
    "study_driver_slurm",
    "the same on a real SLURM, whose pilot jobs go on for a while",
    "the same table, every time",
    quick=0,
    whole=10,
    teeth={"unkeyed": "random numbers that no seed decides"},
    teeth_times=3,
    needs=("slurm",),
)
def study_process_killed_on_slurm(bench: Bench, times: int) -> Figure:
    """Pilot jobs of the killed process may still train members."""
    with real_slurm(bench) as env:
        return driver_killed(bench, times, "--on", "slurm", count=40, env=env)


def overhead(preset: str, runs: str, on: str, count: int) -> dict[str, Any]:
    """Seconds that members take beside the seconds of their runs: on new workers, and on one that has trained before."""
    from concurrent.futures import BrokenExecutor

    from tuitrain.report import report_files
    from tuitrain.spec.preset import override
    from tuitrain.spec.preset_files import load_preset
    from tuitrain.study.cluster import ClusterWorkers
    from tuitrain.study.member import Order
    from tuitrain.study.plan import Plan, Setting
    from tuitrain.study.site import Site
    from tuitrain.study.store import create_study
    from tuitrain.study.together import work
    from tuitrain.study.workers import Workers
    from tuitrain.training.runtime import Runtime

    tiny = override(load_preset(preset), {"train.dataset": "digits", "train.epochs": EPOCHS})
    runtime = Runtime(device="cpu", threads=1, compile="off")
    plan = Plan(f"over{on}", "seeds", (Setting("tiny", tiny),), tuple(range(count + 2)), runtime)
    study = create_study(Path(runs), plan)
    begun = time.monotonic()
    site = Site(on or "x", on)
    workers = ClusterWorkers(site, study.path.absolute()) if on else Workers(1)
    workers.submit(os.getpid).result(WAIT_S)
    ready_s, cold, warm = time.monotonic() - begun, [], []
    for number, member in enumerate(plan.members()):
        if number == 1:
            with contextlib.suppress(BrokenExecutor):
                workers.submit(os._exit, 1).result(WAIT_S)
        order = Order(member.run, Path(runs).absolute(), None, plan.job(member), reporter=report_files)
        begun = time.monotonic()
        (ending,) = workers.submit(work, [order]).result(WAIT_S)
        took = time.monotonic() - begun
        assert ending.outcome == "completed", ending
        last = json.loads((Path(runs) / member.run / "events.jsonl").read_text().splitlines()[-1])
        (cold if number < 2 else warm).append(took - last["seconds"])
    workers.shutdown()
    return {"ready": ready_s, "cold": cold, "warm": statistics.median(warm), "most": max(warm)}


def cost(bench: Bench, times: int, on: str, env: dict[str, str]) -> Figure:
    """The overhead in a process of its own."""
    code = (
        "import json, sys; from harness.rows_studies import overhead; "
        "print(json.dumps(overhead(*sys.argv[1:4], int(sys.argv[4]))))"
    )
    script = bench.folder / "overhead.py"
    script.write_text(f"if __name__ == '__main__':\n    {code}\n")
    done = subprocess.run(
        [sys.executable, str(script), str(bench.preset), str(bench.runs), on, str(times)],
        env=environment(bench) | env, cwd=bench.folder, capture_output=True, text=True, timeout=WAIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    got = json.loads(done.stdout.splitlines()[-1])
    where = "on SLURM" if on else "here"
    return Figure(
        max(got["cold"]) < 2.0 and got["warm"] < 0.2,
        f"{where}: {got['cold'][0]:.2f} s on a worker's first member, {got['cold'][1]:.2f} s on that of one that replaced a "
        f"killed one, {got['warm']:.2f} s (median of {times}, {got['most']:.2f} at most) on a warm worker; the first worker "
        f"was ready after {got['ready']:.1f} s{priority()}",
    )


@row(
    "study_overhead",
    "seconds of a member beside the seconds of its run, in processes of this machine",
    "below 2 s on a new worker, below 0.2 s on a warm one",
    quick=0,
    whole=20,
    teeth={"process_each": "a process that is started for each member"},
    teeth_times=2,
)
def overhead_here(bench: Bench, times: int) -> Figure:
    """From the call to its result; what is called trains, saves, writes the report."""
    return cost(bench, times, "", {})


@row(
    "study_overhead_slurm",
    "the same in a pilot job on a real SLURM",
    "below 2 s on a new worker, below 0.2 s on a warm one",
    quick=0,
    whole=20,
    teeth={"process_each": "a process that is started for each member"},
    teeth_times=2,
    needs=("slurm",),
)
def overhead_on_slurm(bench: Bench, times: int) -> Figure:
    """With Parsl between."""
    with real_slurm(bench) as env:
        return cost(bench, times, "slurm", env)


def priority() -> str:
    """Says so where it is measured beside other work, out of whose way the scheduler is told to go (`chrt -r 2`)."""
    return "; at a real-time priority" if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO) else ""


def first_paint(bench: Bench, arguments: list[str], wanted: str) -> float:
    """Seconds from the start of a command on a terminal of 100 by 30 until it shows a text."""
    import pexpect
    import pyte

    screen = pyte.Screen(100, 30)
    stream = pyte.ByteStream(screen)
    begun = time.monotonic()
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tuitrain", *arguments],
        # An installation has bytecode too.
        env=environment(bench) | {"TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": ""},
        dimensions=(30, 100),
    )
    try:
        while time.monotonic() - begun < 60.0:
            with contextlib.suppress(pexpect.TIMEOUT):
                stream.feed(child.read_nonblocking(1 << 16, 0.01))
            if wanted in "\n".join(screen.display):
                return time.monotonic() - begun
        raise AssertionError("\n".join(screen.display))
    finally:
        child.close(force=True)


@row(
    "study_attach",
    "attach to a study of 1,000 members that have ended (15 epochs each), and show it",
    "below 1 s from the start of the command until its mean is on the terminal",
    quick=0,
    whole=5,
    teeth={"torch_first": "torch imported before anything is shown"},
    teeth_times=1,
)
def attached(bench: Bench, times: int) -> Figure:
    """Members are copies of one run; the last shows are timed, the first ones fill the disk's cache."""
    from support.study_made import make_study
    from tuitrain.figures import accuracy_text
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.history import History
    from tuitrain.spec.preset import override
    from tuitrain.spec.preset_files import load_preset
    from tuitrain.study.plan import Plan, Setting
    from tuitrain.training.runtime import Runtime

    tiny = override(load_preset(str(bench.preset)), {"train.dataset": "digits", "train.epochs": 15})
    runtime = Runtime(device="cpu", threads=1, compile="off")
    plan = make_study(
        bench.runs, Plan("many", "seeds", (Setting("tiny", tiny),), tuple(range(1000)), runtime)
    )
    last = History.of(RunDirectory(bench.runs / next(plan.members()).run).events()).last
    wanted = accuracy_text(last.test_acc if last else None).removesuffix(" %")
    shown = [first_paint(bench, ["study", "show", "many"], f"Mean {wanted}") for _ in range(times + 1)][1:]
    opened = [first_paint(bench, ["attach", "many"], f"worst {wanted}") for _ in range(times + 1)][1:]
    return Figure(
        statistics.median(opened) < 1.0 and statistics.median(shown) < 1.0,
        f"attach {statistics.median(opened):.2f} s ({min(opened):.2f} to {max(opened):.2f}), study show "
        f"{statistics.median(shown):.2f} s ({min(shown):.2f} to {max(shown):.2f}), medians of {times}{priority()}",
    )
