"""A terminal that is closed, that stalls, that is written to by strangers; and SIGTERM at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.rows_training import rss_bytes
from harness.table import Figure, row
from support.shell_terminal import WarmTerminal, processes_of

ENV = {
    "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TUITRAIN_THREADS": "1",
    "TUITRAIN_COMPILE": "off", "TUITRAIN_DEVICE": "cpu",
}  # fmt: skip


TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Screen(WarmTerminal):
    """`tuitrain ARGV` of a bench, in a pseudo-terminal that pyte draws."""

    def __init__(
        self,
        bench: Bench,
        *argv: str,
        columns: int = 80,
        rows: int = 24,
        setup: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        start = partial(bench.start, *argv, setup=setup, env=ENV | (env or {}))
        super().__init__(start, columns=columns, rows=rows)


@contextlib.contextmanager
def training(
    bench: Bench, number: int, epochs: int, setup: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> Iterator[tuple[Screen, Path]]:
    """The app in a terminal, training at once; where its run will be."""
    runs = bench.folder / f"runs{number}"
    settings = ("train.dataset=digits", "train.val_split=1200", f"train.epochs={epochs}")
    argv = ["lab", "-p", str(bench.preset), "--start", "--runs-dir", str(runs)]
    screen = Screen(
        bench, *argv, *(part for text in settings for part in ("--set", text)), setup=setup, env=env
    )
    try:
        yield screen, runs
    finally:
        try:
            screen.kill()
        finally:
            for pid in processes_of(runs):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def events(runs: Path) -> list[dict[str, Any]]:
    """The events of the one run there; none before there is one."""
    for directory in runs.glob("2*"):
        lines = (directory / "events.jsonl").read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]
    return []


def until(true: Any, seconds: float) -> bool:
    """Wait until something is true; whether it has become so."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def thread_times(pid: int) -> dict[int, float]:
    """CPU seconds of each thread of a process."""
    times = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            times[int(task.name)] = (int(fields[11]) + int(fields[12])) * TICK_S
    return times


def app_of(pid: int) -> int:
    """The process that trains: the child of the one that the shell waits for."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return int(text.split()[0])


# ------------------------------------------------------------------------------------- closed


@row(
    "closed",
    "closed terminal at random times (`tuitrain` in a pty)",
    "runs end complete, CPU outside training below 5 %, no process left after",
    quick=1,
    whole=50,
    teeth={"no_signals": "no signal handler"},
    teeth_times=1,
    needs=("terminal",),
)
def closed(bench: Bench, times: int) -> Figure:
    """Closed from the first epoch on, the last ones shortly before the end."""
    complete = left = detached = 0
    outside: list[float] = []
    for number in range(times):
        with training(bench, number, 150) as (screen, runs):
            while len(events(runs)) < 2 and screen.read(0.02):
                pass
            end = time.monotonic() + bench.random.uniform(0.0, 1.0) ** 2 * 4
            while time.monotonic() < end and screen.read(0.02):
                pass
            app = app_of(screen.pid)
            screen.close()
            time.sleep(0.3)
            with contextlib.suppress(OSError):
                first, begun = thread_times(app), time.monotonic()
                while last := thread_times(app):
                    now = last
                    seconds = time.monotonic() - begun
                    if events(runs)[-1]["event"] == "RunFinished" or seconds > 60:
                        break
                    time.sleep(0.05)
                used = sorted((now[thread] - first.get(thread, 0.0) for thread in now), reverse=True)
                if seconds > 1.0:
                    outside.append(sum(used[1:]) / seconds)
            child = screen.child
            left += not until(
                lambda runs=runs, child=child: not processes_of(runs) and child.poll() is not None, 90
            )
            said = events(runs)
            complete += (
                bool(said) and said[-1]["event"] == "RunFinished" and said[-1]["outcome"] == "completed"
            )
            detached += any(event.get("action") == "detached" for event in said)
    worst = max(outside, default=0.0)
    return Figure(
        complete == times and left == 0 and worst < 0.05,
        f"{complete} of {times} runs complete ({detached} say detached), {left} with a process left; CPU outside "
        f"training {100 * statistics.mean(outside or [0]):.1f} % on average, {100 * worst:.1f} % at most "
        f"({len(outside)} measured for a second or more)",
    )


# ------------------------------------------------------------------------------------ stalled


#: Whether nobody reads; in this order what grows with the run's log is the same for both.
STALLS = (True, False, False, True)


@row(
    "stalled",
    "stalled terminal (seconds)",
    "training speed within 5 %, memory growth below 5 MB, screen right within 1 s after",
    quick=3,
    whole=60,
    teeth={"blocking_screen": "progress painted by the training thread"},
    teeth_times=4,
    needs=("terminal",),
)
def stalled(bench: Bench, times: int) -> Figure:
    """Not read, read twice, and not read again, as long each time.

    The speed is the median second that an epoch took, and their number; memory is what more it grew by than while
    the terminal was read.
    """
    with training(bench, 0, 10_000) as (screen, runs):
        while len(events(runs)) < 4:
            if not screen.read(0.05):
                return Figure(False, f"the app ended: {screen.text}")
        app = app_of(screen.pid)
        screen.read(2.0)
        spans: list[tuple[float, float]] = []
        grown: list[list[int]] = [[], []]
        for away in STALLS:
            begun, wait = time.time(), time.sleep if away else screen.read
            wait(0.5)  # what the terminal itself holds is full then
            before = rss_bytes(app)
            wait(times - 0.5)
            grown[away].append(rss_bytes(app) - before)
            spans.append((begun + 0.5, time.time()))
        epochs = [event for event in events(runs) if event["event"] == "EpochFinished"]
        took: list[list[float]] = [[], []]
        for away, (begun, end) in zip(STALLS, spans, strict=True):
            took[away] += [e["train_s"] + e["test_s"] for e in epochs if begun < e["time"] < end]
        for _ in range(1 if times >= 30 else 20):  # seconds
            screen.read(1.0)
            current = sum(event["event"] == "EpochFinished" for event in events(runs))
            shown = [int(number) for number in re.findall(r"epoch (\d+) of", screen.text)]
            right = bool(shown) and abs(max(shown) - current) <= 20
            if right:
                break
        if not all(took):
            return Figure(False, f"{len(took[0])} epochs while it was read, {len(took[1])} while it was not")
        slower = statistics.median(took[1]) / statistics.median(took[0]) - 1
        fewer = 1 - len(took[1]) / len(took[0])
        memory = max(grown[1]) - max(0, max(grown[0]))
    # Some seconds on a shared machine can't be told apart better.
    slowest, fewest = (0.05, 0.05) if times >= 30 else (1.5, 0.75)
    return Figure(
        slower < slowest and fewer < fewest and memory < 5e6 and right,
        f"{times} s, twice: an epoch took {100 * slower:+.1f} %, {len(took[1])} epochs ({len(took[0])} while it was "
        f"read), memory {memory / 1e6:+.1f} MB, screen {'right' if right else 'wrong'} 1 s after (epoch "
        f"{max(shown, default=0)} of {current})",
    )


# ------------------------------------------------------------------------------------ SIGTERM

LEAVE = "Leave while this is training?"


@row(
    "sigterm",
    "SIGTERM at random times, also in dialogs and while saving",
    "gone within 2 s, exit 143, terminal attributes as before, alternate screen and mouse off, checkpoint and log say "
    "stopped",
    quick=4,
    whole=50,
    teeth={"no_signals": "no signal handler"},
    teeth_times=4,
    needs=("terminal",),
)
def sigterm(bench: Bench, times: int) -> Figure:
    """By turns: on a screen, in a dialog, while a checkpoint is written slowly, and without a screen."""
    bad: list[str] = []
    slowest: dict[str, float] = {}
    for number in range(times):
        place = ("screen", "dialog", "saving", "headless")[number % 4]
        if place == "headless":
            took, fault = _headless_term(bench, number)
        else:
            took, fault = _screen_term(bench, number, place)
        slowest[place] = max(slowest.get(place, 0.0), took)
        if fault:
            bad.append(f"{place}: {fault}")
    limit = 2.0 if times >= 20 else 10.0  # few on a busy machine
    return Figure(
        not bad and max(slowest.values()) < limit,
        f"{times - len(bad)} of {times} right, gone after at most "
        + ", ".join(f"{took:.2f} s ({place})" for place, took in slowest.items())
        + f"{': ' + '; '.join(bad[:3]) if bad else ''}",
    )


def _screen_term(bench: Bench, number: int, place: str) -> tuple[float, str]:
    setup = ("slow_saving:0.05",) if place == "saving" else ()
    with training(bench, number, 10_000, setup=setup) as (screen, runs):
        while len(events(runs)) < 4:
            if not screen.read(0.05):
                return 0.0, f"the app ended: {screen.text}"
        screen.read(bench.random.uniform(0.0, 1.0))
        if place == "dialog":
            screen.key("q")
            screen.wait_for(LEAVE)
        app = app_of(screen.pid)
        begun = time.monotonic()
        os.kill(screen.pid if bench.random.random() < 0.5 else app, signal.SIGTERM)
        code = screen.ended(30)
        took = time.monotonic() - begun - 0.1  # it reads on for so long
        faults = screen.restored() + stopped(events(runs))
        if code != 143:
            faults.append(f"exit {code}")
        if not until(lambda: _is_gone(app), 10):
            faults.append("the app is still there")
        return took, ", ".join(faults)


def _is_gone(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def _headless_term(bench: Bench, number: int) -> tuple[float, str]:
    runs = bench.folder / f"headless{number}"
    child = bench.start(*bench.train("2", 10_000, "--runs-dir", str(runs)))
    if not until(lambda: len(events(runs)) >= 4, 60):
        return 0.0, f"did not train: {child.err}"
    time.sleep(bench.random.uniform(0.0, 0.5))
    begun = time.monotonic()
    child.signal(signal.SIGTERM)
    code = child.wait(30)
    took = time.monotonic() - begun
    return took, ", ".join(stopped(events(runs)) + ([f"exit {code}"] if code != 143 else []))


def stopped(said: list[dict[str, Any]], *, checkpoint: bool = True) -> list[str]:
    """What the log of a run that was stopped lacks."""
    if said[-1]["event"] != "RunFinished" or said[-1]["outcome"] != "stopped":
        return [f"the log ends with {said[-1]['event']}"]
    saved = any(event["event"] == "CheckpointSaved" for event in said)
    return [] if saved or not checkpoint else ["no checkpoint"]


# --------------------------------------------------------------------------------- stray output


@row(
    "stray",
    "prints from C libraries to fd 2 and warnings while the app is up",
    "in the log, never on the screen",
    quick=1,
    whole=10,
    teeth={"no_redirect": "descriptor 2 left on the terminal"},
    needs=("terminal",),
)
def stray(bench: Bench, times: int) -> Figure:
    """Five kinds of writing, ten times a second for three seconds each time."""
    written = logged = shown = 0
    for number in range(times):
        with training(bench, number, 10_000, setup=("noise",)) as (screen, runs):
            while len(events(runs)) < 2 and screen.read(0.02):
                pass
            screen.read(3.0)
            screen.key("q")
            screen.wait_for(LEAVE)
            screen.key("s")
            screen.ended(30)
            logs = [*bench.folder.rglob("output.txt"), bench.folder / "state" / "tuitrain" / "log.txt"]
            text = "".join(path.read_text("utf-8", "replace") for path in logs if path.exists())
            for kind in ("write", "perror", "warning", "stderr", "stdout"):
                written += 1
                logged += f"stray {kind} " in text
                shown += screen.raw.count(f"stray {kind} ".encode())
    return Figure(
        shown == 0 and logged == written,
        f"{written} kinds of writing: {logged} in the log, {shown} times on the screen",
    )
