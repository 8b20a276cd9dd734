"""Starting: the quick commands, the first paint, the first step; the parameter table a keystroke."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.arms import environment
from bench.plan import Plan
from bench.talk import say
from bench.terminal import Terminal

NAME = "startup"
LIMIT_S = 60.0
#: What the issue asks for, in seconds.
LIMITS = {
    "help": 0.4, "presets": 0.4, "show": 0.4, "first paint": 0.8, "first step": 5.0, "table": 0.05,
    "table, a key in the lab": 0.05,
}  # fmt: skip


def program() -> list[str]:
    """The command of this environment."""
    script = Path(sys.executable).with_name("tuitrain")
    return [str(script)] if script.exists() else [sys.executable, "-m", "tuitrain"]


def settings(plan: Plan) -> dict[str, str]:
    """The environment of a command: the benchmark's data, and nothing from outside."""
    return environment({"TUITRAIN_DATA_DIR": str(plan.data_dir)} if plan.data_dir else None)


def wall(command: Sequence[str], env: dict[str, str], cwd: str) -> float:
    """Seconds of a command."""
    begun = time.perf_counter()
    subprocess.run(command, env=env, cwd=cwd, check=True, timeout=LIMIT_S,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - begun


def first_paint(plan: Plan, cwd: str) -> float | None:
    """Seconds from exec until the whole lab is on the screen."""
    with Terminal([*program(), "--runs-dir", f"{cwd}/none"], settings(plan), cwd) as terminal:
        terminal.wait(b"mult-adds", 20.0)
        for _ in range(5):
            terminal.read(0.1)
        when = terminal.screens(whole_lab)
        return when - terminal.began if when else None


def whole_lab(lines: list[str]) -> bool:
    """Whether header, presets, network table with its sum, and footer are there."""
    text = "\n".join(lines)
    return all(part in text for part in ("1 Lab", "5,854 parameters", "step13")) and "Start" in lines[-1]


def first_step(plan: Plan, cwd: str) -> float | None:
    """Seconds from `tuitrain run` to the first progress that another process sees, by the run's own clock.

    The run's progress carries how long it has trained by then; that is taken off.
    """
    runs = Path(tempfile.mkdtemp(dir=cwd))
    command = [
        *program(),
        "run",
        "--preset",
        "step13",
        "--dataset",
        plan.dataset,
        "--runs-dir",
        str(runs),
        "-q",
    ]
    begun = time.time()
    process = subprocess.Popen(command, env=settings(plan), cwd=cwd, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        end = time.time() + LIMIT_S
        while time.time() < end and process.poll() is None:
            for path in runs.glob("*/progress.json"):
                found = _stepped(path)
                if found is not None:
                    return max(0.0, path.stat().st_mtime - begun - found)
            time.sleep(0.02)
        return None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _stepped(path: Path) -> float | None:
    """Seconds that the steps of a progress file have taken; None before the first."""
    try:
        progress = json.loads(path.read_text()).get("progress")
    except (OSError, ValueError):
        return None
    return progress["step"] * progress["step_ms"] / 1000 if progress and progress["step"] else None


def closed_form() -> float:
    """Seconds of what a keystroke in the lab needs: the changed preset checked, and its table."""
    from tuitrain.spec.preset import override
    from tuitrain.spec.preset_files import load_preset

    preset = load_preset("step13")
    begun = time.perf_counter()
    for width in range(20):
        override(preset, {"model.layers[1].conv": 10 + width}).table()
    return (time.perf_counter() - begun) / 20


def lab_keys(plan: Plan, cwd: str, times: int) -> list[float]:
    """Seconds from `+` on a layer of the lab until the new sum is on the screen, in a real terminal."""
    from tuitrain.spec.preset import override
    from tuitrain.spec.preset_files import load_preset

    preset = load_preset("step13")
    with Terminal([*program(), "--runs-dir", f"{cwd}/none"], settings(plan), cwd) as terminal:
        terminal.wait(b"mult-adds", 20.0)
        quiet(terminal, 1.5, 15.0)
        presses = []
        for number in range(times):
            wanted = override(preset, {"model.layers[0].conv": 11 + number}).table().parameters
            presses.append((terminal.press("+"), f"{wanted:,} parameters"))
            quiet(terminal, 0.12, 2.0)
        return answers(terminal, presses)


def quiet(terminal: Terminal, silence: float, limit: float) -> None:
    """Reads until nothing has come for so long."""
    end = time.monotonic() + limit
    while time.monotonic() < end and terminal.read(silence):
        pass


def answers(terminal: Terminal, presses: Sequence[tuple[float, str]]) -> list[float]:
    """For each key pressed, seconds until its text was on the screen; unanswered ones count as infinite."""
    import pyte

    from bench.terminal import COLUMNS, ROWS

    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    found, at = [], 0
    ends = [when for when, _ in presses[1:]] + [float("inf")]
    for (pressed, text), end in zip(presses, ends, strict=True):
        answered = float("inf")
        while at < len(terminal.chunks) and terminal.chunks[at][0] < end:
            when, data = terminal.chunks[at]
            stream.feed(data)
            at += 1
            if when >= pressed and answered == float("inf") and any(text in line for line in screen.display):
                answered = when - pressed
        found.append(answered)
    return found


def run(plan: Plan) -> None:
    """Every row, a few times, in turns."""
    times = 3 if plan.quick else 10
    cwd = tempfile.mkdtemp(prefix="tuitrain-bench-")
    env = settings(plan)

    def command(*arguments: str) -> Callable[[], float]:
        return lambda: wall([*program(), *arguments], env, cwd)

    rows: list[tuple[str, str, Callable[[], Any], int]] = [
        ("python", "python -c pass, for comparison", lambda: wall([sys.executable, "-c", "pass"], env, cwd), times),
        ("help", "tuitrain --help", command("--help"), times),
        ("presets", "tuitrain presets", command("presets"), times),
        ("show", "tuitrain show step13", command("show", "step13"), times),
        ("torch", "python -c 'import torch', for comparison",
         lambda: wall([sys.executable, "-c", "import torch"], env, cwd), 3),
        ("first paint", "exec to the whole lab on the screen, 120 x 36", lambda: first_paint(plan, cwd), times),
        ("first step", "tuitrain run to its first step", lambda: first_step(plan, cwd), 2 if plan.quick else 5),
        ("table", "override and closed-form parameter table", closed_form, times),
    ]  # fmt: skip
    rows = [row for row in rows if plan.wants(NAME, row[0])]
    keys = plan.wants(NAME, KEY)
    if not (rows or keys) or not plan.has_time(NAME):
        return
    say(NAME)
    results = plan.results
    results.section(NAME, title="Starting, and the table a keystroke", unit="s", better="less", limits=LIMITS)
    began = {name: 0.0 for name, *_ in rows}
    try:
        for name, what, _, _ in rows:
            results.arm(NAME, name, what=what, samples=[])
        for turn in range(-1, times):  # the turn before the first warms the disk's cache
            for name, _, measure, count in rows:
                if turn < count:
                    begun = time.monotonic()
                    _sample(plan, name, measure, keep=turn >= 0)
                    began[name] += time.monotonic() - begun
        for name, *_ in rows:
            if not str(results.arm(NAME, name)["state"]).startswith("failed"):
                results.finish(NAME, name, took_s=round(began[name], 1))
        if keys:
            _keys(plan, cwd)
    finally:
        shutil.rmtree(cwd, ignore_errors=True)


KEY = "table, a key in the lab"


def _keys(plan: Plan, cwd: str) -> None:
    found = lab_keys(plan, cwd, 10 if plan.quick else 30)
    answered = [value for value in found if value != float("inf")]
    what = "+ on a layer to the new sum on the screen, in a real terminal"
    plan.results.arm(NAME, KEY, what=what, samples=[round(value, 5) for value in answered])
    if answered:
        p95 = (
            statistics.quantiles(answered, n=20, method="inclusive")[-1] if len(answered) > 1 else answered[0]
        )
        plan.results.finish(NAME, KEY, p95=round(p95, 4), unanswered=len(found) - len(answered))
    else:
        plan.results.finish(NAME, KEY, "failed: no key was answered")


def _sample(plan: Plan, name: str, measure: Callable[[], Any], *, keep: bool) -> None:
    try:
        value = measure()
    except (OSError, subprocess.SubprocessError) as error:
        plan.results.finish(NAME, name, f"failed: {type(error).__name__}")
        return
    if value is None:
        plan.results.finish(NAME, name, "failed: it did not come")
    elif keep:
        plan.results.sample(NAME, name, value)
