"""What a screen costs training: the training thread's processor time, bytes, and keys while it trains."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.plan import Plan
from bench.startup import answers, program, settings
from bench.talk import say
from bench.terminal import Terminal

START_LIMIT_S = 90.0
SETTLE_S = 4.0
VIEWS = (("5", "test %     loss"), ("6", "what happened"), ("7", "mult-adds  field"), ("4", "Accuracy %"))
KEYS = "keys"
FIELDS = {"title": "", "unit": "of wall time", "better": "more", "base": "headless"}


@dataclass(frozen=True)
class Show:
    """One way to look at a run: its own screen or none, and viewers in other processes."""

    name: str
    what: str
    own: tuple[str, ...] | None = None  # flags of `tuitrain lab --start`; None for `tuitrain run`
    viewers: int = 0


SHOWS = (
    Show("headless", "tuitrain run"),
    Show("screen", "its own screen, 4 Hz", ()),
    Show("low bandwidth", "its own screen, --low-bandwidth", ("--low-bandwidth",)),
    Show("1 viewer", "tuitrain run, one tuitrain attach", None, 1),
    Show("3 viewers", "tuitrain run, three tuitrain attach", None, 3),
)


class Scene:
    """A run with its viewers, started; read continuously so that nobody waits for us."""

    def __init__(self, plan: Plan, show: Show, threads: int, cwd: Path) -> None:
        self.file = cwd / f"witness-{show.name.replace(' ', '-')}-{time.monotonic_ns()}"
        self.runs = Path(tempfile.mkdtemp(dir=cwd))
        self.env = settings(plan) | {"TUITRAIN_THREADS": str(threads), "TUITRAIN_COMPILE": "off", "TUITRAIN_DEVICE": "cpu",
                                     "TUITRAIN_DATASET": plan.dataset}  # fmt: skip
        self.terminals: list[Terminal] = []
        self.process: subprocess.Popen[bytes] | None = None
        base = [sys.executable, "-m", "bench.watched", str(self.file)]
        try:
            if show.own is None:
                command = [
                    *base,
                    "run",
                    "--preset",
                    "step13",
                    "--epochs",
                    "10000",
                    "-q",
                    "--runs-dir",
                    str(self.runs),
                ]
                command += ["--dataset", plan.dataset]
                self.process = subprocess.Popen(command, env=self.env, cwd=cwd, start_new_session=True,
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
            else:
                command = [*base, "lab", "--start", *show.own, "--runs-dir", str(self.runs)]
                command += ["--set", "train.epochs=10000", "--set", f"train.dataset={plan.dataset!r}"]
                self.terminals.append(Terminal(command, self.env, str(cwd)))
            self._wait_for_steps()
            for _ in range(show.viewers):
                attach = [*program(), "attach", "latest", "--runs-dir", str(self.runs)]
                self.terminals.append(Terminal(attach, self.env, str(cwd)))
                self.drain(1.0)
            self.drain(SETTLE_S + show.viewers)
        except BaseException:
            self.close()
            raise

    def _wait_for_steps(self) -> None:
        end = time.monotonic() + START_LIMIT_S
        while not self.lines():
            if time.monotonic() > end or (self.process and self.process.poll() is not None):
                raise RuntimeError("training did not begin")
            self.drain(0.1)

    def lines(self) -> list[list[float]]:
        """What the witness wrote: wall, thread, step, images/s."""
        try:
            text = self.file.read_text()
        except OSError:
            return []
        return [json.loads(line) for line in text.splitlines() if line.endswith("]")]

    def drain(self, seconds: float) -> int:
        """Reads every terminal for so long; bytes."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            if self.terminals:
                count += sum(terminal.read(min(left, 0.02)) for terminal in self.terminals)
            else:
                time.sleep(min(left, 0.2))
        return count

    def windows(self, count: int, seconds: float) -> list[tuple[float, float, float]]:
        """For each window: the thread's share of wall time, images/s, bytes/s of one screen."""
        found = []
        for _ in range(count):
            before = self.lines()[-1]
            received = self.drain(seconds)
            after = self.lines()[-1]
            if after[0] <= before[0]:
                raise RuntimeError("training stood still")
            share = (after[1] - before[1]) / (after[0] - before[0])
            found.append((share, after[3], received / seconds / max(1, len(self.terminals))))
        return found

    def press(self, times: int) -> list[float]:
        """Seconds from a key to its view on the screen, while it trains; unanswered ones are infinite."""
        terminal = self.terminals[0]
        presses = []
        for number in range(times):
            key, text = VIEWS[number % len(VIEWS)]
            presses.append((terminal.press(key), text))
            self.drain(0.45 + 0.013 * (number % 9))
        return answers(terminal, presses)

    def close(self) -> None:
        """Ends everything."""
        for terminal in self.terminals:
            terminal.close()
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for pid in holders(self.runs):  # a screen that was killed goes on without it
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def holders(runs: Path) -> list[int]:
    """Processes that train in a runs folder of ours, by what its locks say."""
    from tuitrain.runs import locking

    holders = [locking.read_holder(path) for path in runs.glob("*/") if locking.is_held(path)]
    return [holder.pid for holder in holders if holder and holder.pid != os.getpid()]


def run(plan: Plan) -> None:
    """With a core free, and with none."""
    cores = machine.cores()
    for name, threads, title in (
        (
            "screen-free",
            max(1, cores - 1),
            f"A screen's cost with a core free ({max(1, cores - 1)} of {cores} train)",
        ),
        ("screen-full", cores, f"A screen's cost with none free ({cores} of {cores} train)"),
    ):
        if (cores == 1 and name == "screen-free") or (
            plan.quick and name == "screen-full" and not plan.wanted
        ):
            continue
        shows = [show for show in SHOWS if plan.wants(name, show.name)]
        if plan.quick and not plan.wanted:
            shows = [show for show in shows if show.name in ("headless", "screen")]
        if shows and plan.has_time(name):
            _section(plan, name, title, threads, shows)


def _section(plan: Plan, name: str, title: str, threads: int, shows: Sequence[Show]) -> None:
    say(f"{name}: {', '.join(show.name for show in shows)}")
    results = plan.results
    results.section(name, **FIELDS | {"title": title, "threads": threads})
    cwd = Path(tempfile.mkdtemp(prefix="tuitrain-bench-"))
    count, seconds = (2, 2.0) if plan.quick else (3, 4.0)
    try:
        for show in shows:
            begun = time.monotonic()
            results.arm(name, show.name, what=show.what, samples=[])
            try:
                _show(plan, name, show, threads, cwd, (count, seconds))
            except (RuntimeError, OSError) as error:
                results.finish(name, show.name, f"failed: {error}")
            results.arm(name, show.name, took_s=round(time.monotonic() - begun, 1))
            results.save()
    finally:
        shutil.rmtree(cwd, ignore_errors=True)
    arms = results.section(name)["arms"]
    for arm in arms.values():
        if "ratio" in arm:
            arm["cost_percent"] = round(100 * (1 - arm["ratio"]), 2)
    results.save()


def _show(plan: Plan, name: str, show: Show, threads: int, cwd: Path, windows: tuple[int, float]) -> None:
    results = plan.results
    scene = Scene(plan, show, threads, cwd)
    try:
        for share, speed, received in scene.windows(*windows):
            more = {"bytes_per_s": round(received)} if scene.terminals else {}
            results.sample(name, show.name, share, images_per_s=round(speed), **more)
        if show.name == "screen":
            times = 8 if plan.quick else 60
            answered = [value for value in scene.press(times) if value != float("inf")]
            if len(answered) > 1:
                ms = sorted(1000 * value for value in answered)
                p95 = statistics.quantiles(ms, n=20, method="inclusive")[-1]
                keys = {"pressed": times, "answered": len(ms), "median_ms": round(statistics.median(ms), 1),
                        "p95_ms": round(p95, 1), "max_ms": round(ms[-1], 1)}  # fmt: skip
                results.arm(name, show.name, key_to_paint=keys)
    finally:
        scene.close()
    results.finish(name, show.name)
