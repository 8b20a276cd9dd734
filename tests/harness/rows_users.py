"""What another user of the machine can do to a run, and what `runs rm` leaves alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.table import Figure, row
from support.no_runs import CASES, everything, set_up

NOBODY = 65534


@row(
    "no runs",
    "`runs rm --yes` on folders that are no runs, or more than runs: projects, git, links, the runs folder, `.`, `..`, `~/`",
    "every one is left as it was; exit 2 or 4 with one sentence",
    quick=12,
    whole=2 * len(CASES),
    teeth={"no_proof": "what looks like a run is removed"},
)
def no_runs(bench: Bench, times: int) -> Figure:
    """Each case once, then with `--forever`; fewer are spread over all, as `test_trash.py` takes each in its process."""
    names = list(CASES)
    bad: list[str] = []
    for number in range(times):
        name = names[number * len(CASES) // times if times < len(CASES) else number % len(CASES)]
        folder = bench.folder / f"case-{number}"
        place, typed = set_up(folder / "home", name)
        before = everything(folder)
        forever = ["--forever"] if number >= len(CASES) else []
        environment = {"HOME": str(place.home), "TUITRAIN_RUNS_DIR": str(place.runs)}
        code, _, err = bench.run(
            "runs", "rm", typed, "--yes", *forever, env=environment, setup=[f"stand_in:{place.cwd}"]
        )
        if code not in (2, 4) or err.count("\n") != 1 or everything(folder) != before:
            bad.append(name)
    return Figure(
        not bad,
        f"{times - len(bad)} of {times} left as they were{': not ' + ', '.join(bad[:3]) if bad else ''}",
    )


@row(
    "modes",
    "a run, its resumption and its cache made under umask 000",
    "0 files and folders that others may write; lock, commands and cache for the owner alone",
    quick=1,
    whole=3,
    teeth={"trusting_modes": "modes are left to the umask"},
)
def modes(bench: Bench, times: int) -> Figure:
    """Looked at with `lstat`, after the run and after a resumption of files that were opened wide by hand."""
    wrong: list[str] = []
    looked = 0
    for number in range(times):
        name = f"a{number}"
        run = bench.runs / name
        code, _, err = bench.run(*bench.train(name, 1), setup=["wide_umask"])
        assert code == 0, err
        for wide in (run, run / "run.lock", run / "control.jsonl"):
            wide.chmod(0o777)
        code, _, err = bench.run("resume", name, "--epochs", "2", setup=["wide_umask"])
        assert code == 0, err
        bench.call("harness.rows_users:make_cache", setup=["wide_umask"])
        cache = bench.folder / "cache" / "tuitrain"
        for path in [bench.runs, run, *run.rglob("*"), cache, cache / "inductor"]:
            mode = stat.S_IMODE(path.lstat().st_mode)
            private = path.name in ("run.lock", "control.jsonl", "tuitrain", "inductor")
            looked += 1
            if mode & (0o077 if private else 0o022):
                wrong.append(f"{path.name} is {mode:o}")
    return Figure(
        not wrong, f"{looked} looked at, {len(wrong)} too open{': ' + ', '.join(wrong[:4]) if wrong else ''}"
    )


def make_cache() -> None:
    """The folders of compiled code, as a run that compiles makes them."""
    from tuitrain.training.compiling import use_own_folders

    use_own_folders()


def attacks(run: Path, cache: Path) -> dict[str, Callable[[], object]]:
    """What a stranger may try on a run, by name; each raises OSError where it can't be done."""
    stop = b'{"command": "stop"}\n'

    def hold() -> None:
        fcntl.flock(os.open(run / "run.lock", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def replace() -> None:
        (run / "control.jsonl").rename(run / "x")
        (run / "control.jsonl").write_bytes(stop)

    return {
        "hold": hold,
        "post": lambda: os.write(os.open(run / "control.jsonl", os.O_WRONLY | os.O_APPEND), stop),
        "replace": replace,
        "link": lambda: (run / "output.txt").symlink_to("/etc/hostname"),
        "log": lambda: os.write(os.open(run / "events.jsonl", os.O_WRONLY | os.O_APPEND), b"{}\n"),
        "checkpoint": lambda: (run / "checkpoints" / "x").write_text("x"),
        "remove": lambda: run.rename(f"{run}-gone"),
        "compiled code": lambda: (cache / "inductor" / "x.so").write_text("x"),
        "look into the cache": lambda: os.listdir(cache),
    }


@contextlib.contextmanager
def another(work: Callable[[], str]) -> Iterator[str]:
    """What a process of another user gives back, which lives until the end; forked, as it may start no program of ours."""
    theirs_r, theirs_w = os.pipe()
    ours_r, ours_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours_w)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(theirs_w, work().encode())
            os.close(theirs_w)
            os.read(ours_r, 1)
        finally:
            os._exit(0)
    os.close(theirs_w)
    os.close(ours_r)
    with os.fdopen(theirs_r) as answer:
        yield answer.read()
    os.close(ours_w)
    os.waitpid(pid, 0)


def attack(run: Path, cache: Path) -> list[str]:
    """What another user could do."""

    def work() -> str:
        done = []
        for name, trying in attacks(run, cache).items():
            with contextlib.suppress(OSError):
                trying()
                done.append(name)
        return json.dumps(done)

    with another(work) as answer:
        found: list[str] = json.loads(answer)
    return found


@contextlib.contextmanager
def reachable() -> Iterator[Path]:
    """A folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="tuitrain-users-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@row(
    "another user",
    "another user holds, steers, links, writes and removes, on runs and a cache made under umask 000",
    "0 attempts succeed; the run ends as it would have",
    quick=1,
    whole=5,
    needs=("root",),
    teeth={"trusting_modes": "modes are left to the umask"},
)
def another_user(bench: Bench, times: int) -> Figure:
    """Nine attempts by a process of another uid, while the run goes on."""
    could: list[str] = []
    completed = 0
    with reachable() as folder:
        theirs = Bench(folder / "home", bench.without)
        for number in range(times):
            name = f"a{number}"
            theirs.call("harness.rows_users:make_cache", setup=["wide_umask"])
            child = theirs.start(*theirs.train(name, 40), setup=["wide_umask", "slow_steps:0.02"])
            run = theirs.runs / name
            while not list((run / "checkpoints").glob("*.safetensors")) and child.poll() is None:
                pass
            could += attack(run, theirs.folder / "cache" / "tuitrain")
            completed += child.wait() == 0 and "40/40" in theirs.run("runs")[1]
    return Figure(
        not could and completed == times,
        f"{9 * times} attempts, {len(could)} succeeded{': ' + ', '.join(could[:5]) if could else ''}; "
        f"{completed} of {times} runs completed",
    )


def hold(lock: Path) -> str:
    """Take a lock that may be opened for reading."""
    fcntl.flock(os.open(lock, os.O_RDONLY), fcntl.LOCK_EX)
    return "held"


@row(
    "held lock",
    "a killed run whose lock (0644, as earlier versions made it) another user holds",
    "never live: `status` says locked, resume, stop and pause exit 4 with one sentence; the lock is 0600 after the next resume",
    quick=1,
    whole=5,
    needs=("root",),
    teeth={"believing_locks": "who holds a lock is taken for who it names"},
)
def held_lock(bench: Bench, times: int) -> Figure:
    """By a real process of another uid that opened the file for reading."""
    wrong: list[str] = []
    with reachable() as folder:
        theirs = Bench(folder / "home", bench.without)
        for number in range(times):
            name = f"a{number}"
            run = theirs.runs / name
            child = theirs.start(*theirs.train(name, 10_000))
            while not list((run / "checkpoints").glob("*.safetensors")) and child.poll() is None:
                pass
            child.kill()
            child.wait()
            (run / "run.lock").chmod(0o644)
            with another(lambda lock=run / "run.lock": hold(lock)) as answer:  # type: ignore[misc]
                assert answer == "held"
                for command in (
                    ["resume", name],
                    ["stop", name],
                    ["pause", name],
                    ["runs", "rm", name, "--yes"],
                ):
                    code, _, err = theirs.run(*command)
                    if code != 4 or "locked by another process" not in err or err.count("\n") != 1:
                        wrong.append(f"{command[0]} exits {code}")
                state = json.loads(theirs.run("status", name, "--json")[1])[0]["state"]
                wrong += [] if state == "locked" else [f"status says {state}"]
            child = theirs.start("resume", name)
            while stat.S_IMODE((run / "run.lock").stat().st_mode) != 0o600 and child.poll() is None:
                pass
            if child.poll() is not None:
                wrong.append(f"resume afterwards exits {child.poll()}: {child.err[:100]}")
            child.kill()
            child.wait()
    return Figure(
        not wrong, f"{times} runs, {len(wrong)} wrong answers{': ' + '; '.join(wrong[:3]) if wrong else ''}"
    )


WRITTEN = (
    "output.txt", "control.jsonl", "log.txt", "metrics.csv", "summary.txt", "user.json", "progress.json", "run.lock",
    "events.jsonl", "preset.toml", "model.safetensors", "inspection.safetensors", "checkpoints", "tensorboard",
)  # fmt: skip


@row(
    "links",
    "a stranger's run directory in which each file and folder in turn is a link out of it, resumed and written to",
    "exit 4 with one sentence, and nothing outside is written, made or removed",
    quick=len(WRITTEN),
    whole=2 * len(WRITTEN),
    teeth={"plain_open": "files opened as they come"},
    teeth_times=len(WRITTEN),
)
def links(bench: Bench, times: int) -> Figure:
    """The second round with links that are there only once the run is held."""
    code, _, err = bench.run(*bench.train("plain", 2))
    assert code == 0, err
    wrong: list[str] = []
    for number in range(times):
        name = WRITTEN[number % len(WRITTEN)]
        run, outside = bench.runs / f"x{number}", bench.folder / f"outside-{number}"
        shutil.copytree(bench.runs / "plain", run)
        outside.mkdir()
        (outside / "bashrc").write_text("mine")
        before = everything(outside)
        if number < len(WRITTEN):
            link(run, name, outside)
            code, _, err = bench.run("resume", run.name, "--epochs", "3")
            if code != 4 or err.count("\n") != 1:
                wrong.append(f"{name}: exit {code}")
        else:
            bench.run("resume", run.name, "--epochs", "3", setup=[f"late_link:{name},{outside}"])
        if everything(outside) != before:
            wrong.append(f"{name}: written outside")
    return Figure(
        not wrong, f"{times} directories, {len(wrong)} wrong{': ' + '; '.join(wrong[:3]) if wrong else ''}"
    )


def link(run: Path, name: str, outside: Path) -> None:
    """Put a link out of a run directory in the place of what is there."""
    path: Any = run / name
    if path.is_dir():
        path.rename(run.parent / f".aside-{run.name}-{name}-{os.getpid()}")
        path.symlink_to(outside)
    else:
        path.unlink(missing_ok=True)
        path.symlink_to(outside / "bashrc")
