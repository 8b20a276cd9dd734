"""`python -m tests.harness honesty`: make the pools, measure every cell, print the tables; 1 where a limit is broken."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.honesty.cells import CELLS, PAIRS, Cell, Count, of_cell, of_pair
from harness.honesty.limits import limits
from harness.honesty.pools import SETTINGS, end_with_parent, make
from harness.honesty.tables import markdown

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "figures.json"
PAGE = HERE.parents[2] / "docs" / "HONEST_NUMBERS.md"
BEGIN, END = "<!-- figures of the harness -->", "<!-- end of the figures -->"


def main(words: list[str]) -> int:
    """Make, measure and print; 1 where a limit of the issue is broken."""
    args = _parsed(words)
    if args.print:
        return _told(json.loads(FIGURES.read_text()), args)
    chosen = [name for name in SETTINGS if args.only is None or name in args.only]
    if args.data_dir is None:
        chosen = [name for name in chosen if SETTINGS[name].dataset == "digits"]
        print("without --data-dir or TUITRAIN_DATA_DIR only the pools of digits", flush=True)
    for name in chosen:
        make(SETTINGS[name], args.pools, args.data_dir, args.processes, lambda line: print(line, flush=True))
    figures = measured(
        chosen, args.pools, args.processes, Count(args.duels, args.draws, max(1, args.draws // 2))
    )
    return _told(figures, args)


def measured(pools: list[str], root: Path, processes: int, count: Count) -> dict[str, Any]:
    """The figures of every cell and pair whose pools are there, as JSON has them."""
    begun = time.monotonic()
    cells = [cell for cell in CELLS if cell.pool in pools]
    pairs = [pair for pair in PAIRS if all(cell.pool in pools for cell in pair)]
    results: dict[tuple[Cell, ...], Any] = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=end_with_parent) as executor:
        waiting = {executor.submit(of_cell, cell, root, count): (cell,) for cell in cells}
        waiting |= {executor.submit(of_pair, *pair, root, count): pair for pair in pairs}
        for future in as_completed(waiting):
            results[waiting[future]] = future.result()
            print(f"measured: {_title(waiting[future])}", flush=True)
    from harness.report import machine

    figures = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "draws": asdict(count),
        "minutes": (time.monotonic() - begun) / 60,
        "cells": {_key(cell): _named((cell,), results[cell,]) for cell in cells},
        "pairs": {f"{_key(a)} {_key(b)}": _named((a, b), results[a, b]) for a, b in pairs},
    }
    # As after a reading: keys are words; and no more digits than mean anything.
    plain: dict[str, Any] = json.loads(
        json.dumps(figures), parse_float=lambda text: float(f"{float(text):.5g}")
    )
    return plain


def _told(figures: dict[str, Any], args: argparse.Namespace) -> int:
    """Prints and writes the tables; 1 where a limit is broken."""
    text = markdown(figures)
    print(text)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    if args.markdown:
        args.markdown.write_text(text)
    if args.write:
        FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
        PAGE.write_text(page(PAGE.read_text(), text))
    broken = [one for one in limits(figures) if not one.kept]
    for one in broken:
        print(f"NOT KEPT: {one.what}: wanted {one.wanted}, measured {one.measured}")
    return int(bool(broken))


def page(text: str, tables: str) -> str:
    """The page with these tables in the place of those it had."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _key(cell: Cell) -> str:
    return f"{cell.pool}@{cell.epoch}"


def _title(cells: tuple[Cell, ...]) -> str:
    return " → ".join(cell.title for cell in cells)


def _named(cells: tuple[Cell, ...], figures: dict[str, Any]) -> dict[str, Any]:
    return {"title": _title(cells), "settled": all(cell.settled for cell in cells), **figures}


def _parsed(words: list[str]) -> argparse.Namespace:
    import platformdirs

    folder = os.environ.get("TUITRAIN_DATA_DIR")
    cache = platformdirs.user_cache_path("tuitrain", appauthor=False) / "honesty"
    parser = argparse.ArgumentParser(prog="python -m tests.harness honesty", description=__doc__)
    parser.add_argument(
        "--pools",
        type=Path,
        default=cache,
        help="where the runs are kept, and found again; default %(default)s",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(folder) if folder else None,
        help="folder with the files of MNIST",
    )
    parser.add_argument("--only", nargs="+", choices=list(SETTINGS), help="these pools, in place of all")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: one a core")
    parser.add_argument("--duels", type=int, default=10_000, help="duels a row; default %(default)s")
    parser.add_argument(
        "--draws", type=int, default=5000, help="draws of fixed numbers of seeds; default %(default)s"
    )
    parser.add_argument(
        "--print", action="store_true", help=f"the tables of {FIGURES.name}, without measuring"
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--markdown", type=Path, help="write the tables there")
    parser.add_argument(
        "--write", action="store_true", help=f"write {FIGURES.name} and the tables of {PAGE.name}"
    )
    return parser.parse_args(words)
