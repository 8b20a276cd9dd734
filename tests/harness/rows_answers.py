"""Stop, pause and SIGTERM when the machine is busy: while a network is compiled, and beside twelve busy processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.bench import Bench, Child
from harness.rows_terminal import events, stopped, training, until
from harness.table import Figure, row

BUSY = 12
COMPILED = "--compile=on"  # the last of several counts


def within(times: int, limit_s: float) -> float:
    """The limit; with few repetitions, on a machine that does other things, six times as long."""
    return limit_s if times >= 20 else 6 * limit_s


def compiling(runs: Path) -> bool:
    """Whether the one run there compiles its network now."""
    from tuitrain.runs.directory import RunDirectory

    for path in runs.glob("2*"):
        live = RunDirectory.open(path).live()
        return live is not None and live.phase == "compiling"
    return False


def action(said: list[dict[str, Any]], name: str) -> bool:
    """Whether a command of this name was obeyed."""
    return any(event.get("action") == name for event in said)


def compilers(cache: Path) -> list[int]:
    """Processes that still compile into a cache."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str(cache).encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
    return found


@row(
    "compiling",
    "stop, pause, SIGTERM and Ctrl-C while the network is compiled, headless and in the app",
    "answered within 1 s, every time; no compiler left behind",
    quick=2,
    whole=20,
    teeth={"deaf_compiling": "compiled by the training thread"},
    teeth_times=2,
    needs=("terminal",),
)
def while_compiling(bench: Bench, times: int) -> Figure:
    """By turns, each into an empty cache; from the moment that compiling shows to some seconds later."""
    slowest: dict[str, float] = {}
    bad: list[str] = []
    for number in range(times):
        way = ("stop", "app pause", "SIGTERM", "pause", "app SIGTERM", "Ctrl-C", "app stop")[number % 7]
        took, fault = (_in_the_app if way.startswith("app") else _headless)(bench, number, way)
        slowest[way] = max(slowest.get(way, 0.0), took)
        if fault:
            bad.append(f"{way}: {fault}")
        elif took > within(times, 1.0):
            bad.append(f"{way}: {took:.2f} s")
    return Figure(
        not bad,
        f"{times - len(bad)} of {times} in time, at most "
        + ", ".join(f"{took:.2f} s ({way})" for way, took in slowest.items())
        + f"{': ' + '; '.join(bad[:3]) if bad else ''}",
    )


def _headless(bench: Bench, number: int, way: str) -> tuple[float, str]:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.steering import RemoteControl

    runs, cache = bench.folder / f"runs{number}", bench.folder / f"cache{number}"
    argv = [*bench.train("2", 10_000, "--runs-dir", str(runs)), COMPILED]
    child = bench.start(*argv, env={"XDG_CACHE_HOME": str(cache)})
    if not until(lambda: compiling(runs), 120):
        return 0.0, f"it did not compile: {child.err}"
    time.sleep(bench.random.uniform(0.0, 6.0))
    run = RunDirectory.open(next(runs.glob("2*")))
    begun = time.monotonic()
    match way:
        case "stop":
            RemoteControl(run).stop("asked")
            until(lambda: not run.is_held(), 60)
        case "pause":
            RemoteControl(run).pause()
            until(lambda: action(events(runs), "paused"), 60)
        case _:
            child.signal(signal.SIGTERM if way == "SIGTERM" else signal.SIGINT)
            child.wait(60)
    took = time.monotonic() - begun
    faults = _after(child, runs, cache, paused=way == "pause")
    wanted = {"SIGTERM": 143, "Ctrl-C": 130}.get(way, 0)
    if way != "pause" and (code := child.wait(30)) != wanted:
        faults.append(f"exit {code}")
    child.kill() if way == "pause" else None
    return took, ", ".join(faults)


def _after(child: Child, runs: Path, cache: Path, *, paused: bool) -> list[str]:
    if paused:
        return [] if child.poll() is None else ["it ended"]
    if not until(lambda: child.poll() is not None and not compilers(cache), 20):
        return ["a compiler or the process is left"]
    return stopped(events(runs), checkpoint=False)


def _in_the_app(bench: Bench, number: int, way: str) -> tuple[float, str]:
    cache = bench.folder / f"cache{number}"
    env = {"XDG_CACHE_HOME": str(cache), "TUITRAIN_COMPILE": "on"}
    with training(bench, number, 10_000, env=env) as (screen, runs):
        screen.wait_for("compiling", 120)
        screen.read(bench.random.uniform(0.0, 6.0))
        begun = time.monotonic()
        if way == "app pause":
            screen.key(" ")
            screen.wait_for("paused", 60)
            return time.monotonic() - begun, ""
        if way == "app SIGTERM":
            os.kill(screen.pid, signal.SIGTERM)
            code = screen.ended(60)
            took = time.monotonic() - begun - 0.1
            left = [] if until(lambda: not compilers(cache), 20) else ["a compiler is left"]
            faults = screen.restored() + stopped(events(runs), checkpoint=False) + left
            return took, ", ".join(faults + ([f"exit {code}"] if code != 143 else []))
        screen.key("x")
        screen.wait_for("Now (n)", 60)
        begun = time.monotonic()
        screen.key("n")
        screen.wait_for("stopped", 60)
        return time.monotonic() - begun, ", ".join(stopped(events(runs), checkpoint=False))


@contextlib.contextmanager
def busy(count: int = BUSY) -> Iterator[None]:
    """So many processes that do nothing else than compute."""
    loops = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.5)  # until they all run
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


@row(
    "sigterm_busy",
    f"SIGTERM at random times beside {BUSY} busy processes, headless and in the app, also while a checkpoint is "
    "written slowly",
    "gone within 2 s, exit 143, the log says stopped, and the resumed run has the same bits as one never stopped",
    quick=2,
    whole=50,
    teeth={"late_deadline": "a deadline that comes later"},
    teeth_times=20,
    needs=("terminal",),
)
def sigterm_busy(bench: Bench, times: int) -> Figure:
    """By turns headless and in the app, every second pair with slow saving; every fifth is resumed to its end."""
    whole = _whole(bench)
    took: list[float] = []
    bad: list[str] = []
    resumed = 0
    for number in range(times):
        setup = ("slow_steps:0.04", "slow_saving:0.2") if number % 4 > 1 else ("slow_steps:0.04",)
        seconds, fault, runs = (_app_term if number % 2 else _plain_term)(bench, number, setup)
        took.append(seconds)
        if fault or seconds > within(times, 2.0):
            bad.append(fault or f"{seconds:.2f} s")
        elif number % 5 == 0:
            resumed += 1
            code, _, err = bench.run("resume", "latest", "--runs-dir", str(runs), "-q")
            if code or _sha256(runs) != whole:
                bad.append(f"resumed: exit {code}, other bits {err[-200:]}")
    took.sort()
    return Figure(
        not bad,
        f"{times - len(bad)} of {times} right; gone after {took[len(took) // 2]:.2f} s (median), at most {took[-1]:.2f} s; "
        f"{resumed} resumed{': ' + '; '.join(bad[:3]) if bad else ''}",
    )


EPOCHS = 60  # some seconds: it must not end before the signal


def _whole(bench: Bench) -> str:
    runs = bench.folder / "whole"
    code, _, err = bench.run(*bench.train("2", EPOCHS, "--runs-dir", str(runs)))
    assert code == 0, err
    return _sha256(runs)


def _sha256(runs: Path) -> str:
    return str(events(runs)[-1].get("model_sha256"))


def _plain_term(bench: Bench, number: int, setup: tuple[str, ...]) -> tuple[float, str, Path]:
    runs = bench.folder / f"runs{number}"
    child = bench.start(*bench.train("2", EPOCHS, "--runs-dir", str(runs)), setup=setup)
    if not until(lambda: len(events(runs)) >= 4, 60):
        return 0.0, f"did not train: {child.err}", runs
    with busy():
        time.sleep(bench.random.uniform(0.0, 0.3))
        begun = time.monotonic()
        child.signal(signal.SIGTERM)
        code = child.wait(30)
        seconds = time.monotonic() - begun
    faults = stopped(events(runs)) + ([f"exit {code}"] if code != 143 else [])
    return seconds, ", ".join(faults), runs


def _app_term(bench: Bench, number: int, setup: tuple[str, ...]) -> tuple[float, str, Path]:
    with training(bench, number, EPOCHS, setup=setup) as (screen, runs):
        while len(events(runs)) < 4:
            if not screen.read(0.05):
                return 0.0, f"the app ended: {screen.text}", runs
        with busy():
            screen.read(bench.random.uniform(0.0, 0.3))
            begun = time.monotonic()
            os.kill(screen.pid, signal.SIGTERM)
            code = screen.ended(30)
            seconds = time.monotonic() - begun - 0.1
        faults = screen.restored() + stopped(events(runs)) + ([f"exit {code}"] if code != 143 else [])
        return seconds, ", ".join(faults), runs
