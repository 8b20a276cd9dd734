"""Many runs in a process, and one that goes on for long."""

from __future__ import annotations

import os
import time
from pathlib import Path

from harness.bench import Bench
from harness.rows_training import rss_bytes
from harness.table import Figure, row

# -------------------------------------------------------------------------------- for long


def usage(pid: int) -> dict[str, int]:
    """Memory, descriptors and threads of a process."""
    return {
        "rss": rss_bytes(pid),
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
    }


def many_runs(times: int, runs: str) -> list[dict[str, int]]:
    """Short runs in one process, one after another; its usage after each."""
    import shutil

    from support.training_small import stripes, tiny
    from tuitrain.runs.launch import prepare
    from tuitrain.training.job import Job
    from tuitrain.training.runtime import Runtime

    runtime, preset, data = Runtime(device="cpu", threads=1, compile="off"), tiny(epochs=1), stripes(100, 50)
    seen: list[dict[str, int]] = []
    patience_s = 20.0  # for all of them: where every run keeps something, none is worth waiting for
    for _ in range(times):
        session = prepare(Job(preset, runtime), runs_dir=Path(runs), dataset=data, name="a")
        session.start()
        session.join()
        session._thread.join()
        session._keeper.join()
        shutil.rmtree(session.directory.path)
        now, begun = usage(os.getpid()), time.monotonic()
        while (
            seen
            and any(now[key] > min(one[key] for one in seen) for key in ("threads", "descriptors"))
            and time.monotonic() < begun + patience_s
        ):
            time.sleep(0.001)  # a thread that was joined is in /proc until the kernel has put it away
            now = usage(os.getpid())
        patience_s -= time.monotonic() - begun
        seen.append(now)
    return seen


@row(
    "many",
    "short runs in one process",
    "memory growth below 50 MB, descriptors and threads constant",
    quick=24,
    whole=500,
    teeth={"leak": "every trainer keeps 8 MB and a descriptor"},
)
def many(bench: Bench, times: int) -> Figure:
    """Measured from a sixth of them on, when every cache has its size."""
    seen = bench.call("harness.rows_long:many_runs", times, str(bench.runs), timeout=3600)
    first, last = seen[times // 6], seen[-1]
    grown = (last["rss"] - first["rss"]) / 1e6
    different = sum(one[key] > first[key] for one in seen[times // 6 :] for key in ("descriptors", "threads"))
    return Figure(
        grown < 50 and not different,
        f"{times} runs: memory {grown:+.1f} MB, descriptors {first['descriptors']} → {last['descriptors']}, "
        f"threads {first['threads']} → {last['threads']}, {different} times more between",
    )


@row(
    "long",
    "a run of many epochs",
    "memory growth below 50 MB, descriptors and threads constant",
    quick=40,
    whole=500,
    teeth={"leak_epochs": "every epoch keeps 8 MB and a descriptor"},
)
def long(bench: Bench, times: int) -> Figure:
    """A run of so many epochs as the command line trains it, looked at by its process id."""
    # Few epochs are over before they were looked at often enough.
    child = bench.start(*bench.train("long", times), setup=["slow_steps:0.02"] if times < 100 else [])
    log, seen, done = bench.runs / "long" / "events.jsonl", [], 0
    while child.poll() is None:
        time.sleep(0.02)
        now = log.read_bytes().count(b'"EpochFinished"') if log.exists() else 0
        if now > done and now > times // 10 and now < times - 1:
            done = now
            try:
                seen.append(usage(child.pid))
            except OSError:
                break
    code = child.wait()
    if code != 0 or len(seen) < 3:
        return Figure(False, f"exit {code}, looked at {len(seen)} times: {child.err[-300:]}")
    grown = (max(one["rss"] for one in seen[-3:]) - seen[0]["rss"]) / 1e6
    # A descriptor is open for a moment while a file is replaced, so the fewest of several looks count.
    part = max(1, len(seen) // 4)
    few = [{key: min(one[key] for one in looks) for key in seen[0]} for looks in (seen[:part], seen[-part:])]
    constant = all(few[0][key] == few[1][key] for key in ("descriptors", "threads"))
    return Figure(
        grown < 50 and constant,
        f"{times} epochs, looked at {len(seen)} times: memory {grown:+.1f} MB, descriptors {few[0]['descriptors']} → "
        f"{few[1]['descriptors']}, threads {few[0]['threads']} → {few[1]['threads']}",
    )
