"""Measures tuitrain side by side with the other ways, on this machine's CPU.

    python benchmarks/run.py                        # everything, about twenty minutes
    python benchmarks/run.py --quick                # does it all work? three minutes, figures mean little
    python benchmarks/run.py --arms training-128/eager training-128/loader-0
    python benchmarks/run.py --resume               # go on where the newest result file stops
    python benchmarks/run.py --write-docs           # docs/SPEED.md from the newest whole results, nothing measured

The GPU rows are in benchmarks/gpu.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from bench import docs, folder, large, machine, peers, rotation, screen, startup, target, training  # noqa: E402
from bench.plan import Plan  # noqa: E402
from bench.results import FOLDER, Results, newest  # noqa: E402
from bench.tables import machine_line, tables  # noqa: E402
from bench.talk import say, spent_s  # noqa: E402

SECTIONS = (training, rotation, startup, folder, screen, large, target)
NAMES = ("training-128", "training-64", "rotation", "startup", "runs", "screen-free", "screen-full", "large-wide",
         "large-batch", "large-epochs", "target")  # fmt: skip


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        default=[],
        metavar="SECTION[/ARM]",
        help=f"only these: {', '.join(NAMES)}",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one round, fewer arms")
    parser.add_argument(
        "--full", action="store_true", help="also the peers' time to 99.0 %%, three seeds each (an hour)"
    )
    parser.add_argument("--rounds", type=int, help="turns of each arm (3; quick: 1)")
    parser.add_argument("--images", type=int, help="images of a short epoch (9,600; quick: 1,920)")
    parser.add_argument(
        "--limit", type=float, metavar="S", help="begin no section after so many seconds (1,200; full: 7,200)"
    )
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST [TUITRAIN_DATA_DIR]")
    parser.add_argument("--dataset", default="mnist", help="mnist, or digits where there is no network")
    parser.add_argument("--no-fetch", action="store_true", help="do not make the peers' environment")
    parser.add_argument(
        "--out", type=Path, help="result file; else by date and machine in benchmarks/results"
    )
    parser.add_argument(
        "--resume", nargs="?", const="newest", metavar="FILE", help="go on with a result file"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="bring docs/SPEED.md up to date and do nothing else"
    )
    return parser.parse_args()


def place(chosen: argparse.Namespace) -> Results:
    """The result file to write."""
    if chosen.resume:
        path = newest("cpu", quick=chosen.quick) if chosen.resume == "newest" else Path(chosen.resume)
        if path is None or not path.exists():
            raise SystemExit("there is no result file to go on with.")
        return Results.load(path)
    name = (
        f"{'quick_' if chosen.quick else ''}{time.strftime('%Y-%m-%dT%H-%M', time.gmtime())}_{machine.kind()}"
    )
    if chosen.arms:
        name += "_part"
    path = chosen.out or FOLDER / f"{name}.json"
    return Results.new(path, quick=chosen.quick, peers=peers.site())


def main() -> int:
    """Measures, says so in tables, and keeps the JSON; 1 when something failed or an accuracy gate was missed."""
    chosen = options()
    if chosen.write_docs:
        docs.write()
        return 0
    results = place(chosen)
    plan = Plan(
        results=results, wanted=chosen.arms, quick=chosen.quick, full=chosen.full,
        rounds=chosen.rounds or (1 if chosen.quick else 3), images=chosen.images or (1920 if chosen.quick else 9600),
        limit_s=chosen.limit or (7200 if chosen.full else 1200), data_dir=chosen.data_dir.resolve() if chosen.data_dir else None,
        dataset=chosen.dataset, fetch=not chosen.no_fetch,
    )  # fmt: skip
    load = results.data["machine"]["load_at_start"]
    if load > machine.QUIET_LOAD:
        say(f"this machine is not quiet (load {load}); ratios may hold, times do not")
    for section in SECTIONS:
        section.run(plan)
        results.data["versions"] = machine.versions(peers.site())
        results.save()
    results.data["took_s"] = round(results.data.get("took_s", 0) + spent_s(), 1)
    results.save()
    show(results)
    return verdict(results)


def show(results: Results) -> None:
    """The tables, on stdout."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(machine_line(results.data), markup=False, highlight=False)
    for table in tables(results.data):
        table.show(console)
    say(f"kept in {results.path.name}")


def verdict(results: Results) -> int:
    """1 when an arm failed or is broken."""
    bad = []
    for name, section in results.data["sections"].items():
        for key, arm in section["arms"].items():
            if arm["state"] != "done":
                bad.append(f"{name}/{key}: {arm['state']}")
            elif not arm.get("gate", {"met": True})["met"]:
                bad.append(f"{name}/{key}: accuracy gate missed: {json.dumps(arm['gate'])}")
    for line in bad:
        say(line)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
