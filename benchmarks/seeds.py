"""Several seeds of one network on the CPU: one after the other, one a core, and all in one process.

    python benchmarks/seeds.py [--dataset digits] [--seeds 4] [--epochs 8] [--rounds 3]

Each way is a whole `tuitrain run --seeds`, start included; the ways take turns in each round. Ratios are of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

WAYS = {
    "one after the other, threads as measured": ["--jobs", "1"],
    "one a core (the default)": [],
    "together in one process, one thread": ["--together"],
}


def seconds(arguments: list[str], runs: str) -> float:
    """How long one command takes."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "tuitrain", "run", "--quiet", *arguments]
    subprocess.run(
        command, check=True, env={**os.environ, "TUITRAIN_RUNS_DIR": runs}, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--preset", default="step13")
    parser.add_argument("--seeds", default="4")
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    shared = [
        "--preset",
        args.preset,
        "--dataset",
        args.dataset,
        "--seeds",
        args.seeds,
        "--epochs",
        args.epochs,
    ]
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(args.rounds):
        for way, more in WAYS.items():
            with tempfile.TemporaryDirectory() as runs:
                times[way].append(seconds([*shared, *more], runs))
    first = statistics.median(times[next(iter(WAYS))])
    for way, taken in times.items():
        middle = statistics.median(taken)
        print(
            f"{way:45} {middle:7.1f} s   {middle / first:5.2f} of the first   ({', '.join(f'{t:.1f}' for t in taken)})"
        )
    print(json.dumps({**vars(args), "cores": os.cpu_count(), "seconds": times}))


if __name__ == "__main__":
    main()
