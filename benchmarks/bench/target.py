"""Time to 99.0 % on the test set, from a cold start, imports and compilers included."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

from bench import peers
from bench.arms import Arm, ArmError, Worker
from bench.plan import Plan
from bench.startup import program, settings
from bench.talk import say
from bench.task import SETTINGS
from bench.training import fastest

NAME = "target"
TARGET = 0.99
BATCH = 128
LIMIT_S = 420.0
MAX_EPOCHS = 14

Reached = tuple[float, int, float]  # seconds, epochs, accuracy there


def ours(plan: Plan, seed: int, flags: tuple[str, ...]) -> Reached | None:
    """`tuitrain run` with its defaults, from exec to the epoch that reaches the target."""
    task = [
        "--preset", "step13", "--batch-size", str(BATCH), "--epochs", str(MAX_EPOCHS), "--schedule", "constant",
        "--rotation", str(SETTINGS["train.rotation"]), "--dropout", str(SETTINGS["train.dropout"]),
    ]  # fmt: skip
    return command(plan, [*task, "--seed", str(seed), *flags], TARGET)


def command(plan: Plan, flags: list[str], target: float) -> Reached | None:
    """`tuitrain run` from exec to the epoch that reaches an accuracy; None where it does not get there."""
    cwd = tempfile.mkdtemp(prefix="tuitrain-bench-")
    whole = [*program(), "run", *flags, "--dataset", plan.dataset, "--runs-dir", cwd, "--events"]
    begun = time.monotonic()
    process = subprocess.Popen(whole, env=settings(plan), cwd=cwd, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        for line in _lines(process, begun + LIMIT_S):
            event = json.loads(line)
            if event.get("event") == "EpochFinished" and event["test_acc"] >= target:
                return time.monotonic() - begun, event["epoch"], event["test_acc"]
        return None
    finally:
        _kill(process)
        shutil.rmtree(cwd, ignore_errors=True)


def _lines(process: subprocess.Popen[bytes], end: float) -> Any:
    assert process.stdout
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, end - time.monotonic())):
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from filter(None, lines)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def theirs(arm: Arm) -> Reached | None:
    """A peer: epoch after epoch, each judged, from the start of its process."""
    begun = time.monotonic()
    worker = Worker(arm, LIMIT_S)
    try:
        for epoch in range(1, MAX_EPOCHS + 1):
            if epoch > 1:  # the first is trained while it warms up
                worker.ask("measure", LIMIT_S)
            accuracy = worker.ask("judge", LIMIT_S)["accuracies"][0]
            spent = time.monotonic() - begun
            if accuracy >= TARGET:
                return spent, epoch, accuracy
            if spent > LIMIT_S:
                return None
        return None
    finally:
        worker.close()


def run(plan: Plan) -> None:
    """One seed each, in turns; with --full three, and the peers too."""
    if plan.quick and not plan.wanted:
        return
    section = plan.results.data["sections"].get(f"training-{BATCH}", {"arms": {}})
    workers = int((fastest(section, [f"loader-{n}" for n in (0, 2, 4, 8)]) or "loader-0").rpartition("-")[2])
    base = {"batch": BATCH, "dataset": plan.dataset, "images": None,
            "data_dir": str(plan.data_dir) if plan.data_dir else None}  # fmt: skip
    python = str(peers.python())
    rows: list[tuple[str, str, Callable[[int], Reached | None]]] = [
        ("tuitrain", "tuitrain run, as it comes (--compile auto)", lambda seed: ours(plan, seed, ())),
        ("published", f"published way, {workers} workers",
         lambda seed: theirs(Arm("published", "", "train_loader", {**base, "workers": workers, "seed": seed}))),
    ]  # fmt: skip
    if plan.full or any(name.startswith(f"{NAME}/") for name in plan.wanted):
        rows += [
            ("tuitrain bf16", "tuitrain run --precision bf16 --compile on",
             lambda seed: ours(plan, seed, ("--precision", "bf16", "--compile", "on"))),
            ("lightning", "PyTorch Lightning, 0 workers",
             lambda seed: theirs(Arm("lightning", "", "train_lightning", {**base, "workers": 0, "seed": seed}, python))),
            ("keras", "Keras 3 on torch, images in memory",
             lambda seed: theirs(Arm("keras", "", "train_keras", {**base, "input": "resident", "seed": seed}, python))),
        ]  # fmt: skip
    rows = [row for row in rows if plan.wants(NAME, row[0])]
    if not rows or not plan.has_time(NAME):
        return
    results = plan.results
    results.section(NAME, title=f"From a cold start to {100 * TARGET:.1f} %, batch {BATCH}", unit="s", better="less",
                    base="published")  # fmt: skip
    for name, what, _ in rows:
        results.arm(NAME, name, what=what, samples=[], epochs=[], accuracies=[], took_s=0.0)
    for seed in range(3 if plan.full else 1):
        for name, _, reach in rows:
            _one(plan, name, seed, reach)
    for name, *_ in rows:
        if not str(results.arm(NAME, name)["state"]).startswith("failed"):
            results.finish(NAME, name)


def _one(plan: Plan, name: str, seed: int, reach: Callable[[int], Reached | None]) -> None:
    say(f"{NAME}: {name}, seed {seed}")
    results, begun = plan.results, time.monotonic()
    problem = ""
    try:
        found = reach(seed)
        if found is None:
            problem = f"{100 * TARGET:g} % was not reached in {MAX_EPOCHS} epochs or {LIMIT_S:g} s"
        else:
            results.sample(NAME, name, found[0], epochs=found[1], accuracies=found[2])
    except (ArmError, OSError) as error:
        problem = str(error)
    arm = results.arm(NAME, name)
    arm["took_s"] = round(arm["took_s"] + time.monotonic() - begun, 1)
    if problem:
        results.finish(NAME, name, f"failed: {problem}")
