"""Measures rows and writes the table of figures; a row that is measured alone replaces its own line."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.table import Figure, Row, load_rows
from support import slurm

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "figures.json"
RESULTS = HERE / "RESULTS.md"


def machine() -> str:
    """What was measured on, in a line."""
    import importlib.metadata as metadata

    import psutil

    from tuitrain.training.cpu import cpu_model

    parts = [f"{name} {metadata.version(name)}" for name in ("torch", "textual", "safetensors")]
    return (
        f"{cpu_model()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {', '.join(parts)}"
    )


def lacking(row: Row) -> str:
    """Why a row can't be measured here; empty where it can."""
    folder = os.environ.get("TUITRAIN_DATA_DIR", "")
    if "data" in row.needs and not (folder and any(Path(folder).rglob("train-images-idx3-ubyte*"))):
        return "needs genuine MNIST (TUITRAIN_DATA_DIR)"
    if "gpu" in row.needs:
        import torch

        if not torch.cuda.is_available():
            return "needs a CUDA device"
    return f"needs SLURM: {absent}" if "slurm" in row.needs and (absent := slurm.missing()) else ""


def measure(row: Row, times: int, without: str = "") -> Figure:
    """One measurement in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix=f"tuitrain-{row.key}-", ignore_cleanup_errors=True) as folder:
        try:
            return row.measure(Bench(Path(folder), without.split()), times)
        except Exception as error:
            last = (str(error).strip().splitlines() or [""])[-1]
            return Figure(False, f"{type(error).__name__}: {last}"[:300])


def bites(row: Row) -> dict[str, bool]:
    """For each protection, whether the row fails without it."""
    return {name: not measure(row, row.teeth_times, name).ok for name in row.teeth}


def line(row: Row, figures: dict[str, Any]) -> str:
    """The row as a line of Markdown."""
    told = figures.get(row.key)
    if told is None:
        why = lacking(row)
        return (
            f"| {row.what} | {row.wanted} | not measured{f': {why}' if why else ''} | 0 of {row.whole} | – |"
        )
    of = "all" if told["times"] >= row.whole else f"{told['times']} of {row.whole}"
    bites = [
        f"{row.teeth[name]}: {'fails' if bitten else '**does not fail**'}"
        for name, bitten in told["teeth"].items()
        if name in row.teeth
    ]
    text = told["text"].replace("|", "\\|")
    return (
        f"| {row.what.replace('|', chr(92) + '|')} | {row.wanted} | {'' if told['ok'] else '**missed:** '}{text} | {of}, "
        f"{told['seconds'] / 60:.1f} min, {told['date']}, load {told['load']:.1f} | {'; '.join(bites) or '–'} |"
    )


def write(rows: dict[str, Row], figures: dict[str, Any]) -> None:
    """Both files."""
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    places = sorted({told["machine"] for told in figures.values()})
    kept = sum(told["ok"] for told in figures.values())
    text = [
        "# What was lost",
        "",
        "Made by `python -m tests.harness`; one row again: `python -m tests.harness kill --teeth`.",
        f'{len(figures)} of {len(rows)} rows measured, {kept} as wanted. "Without" is the same measurement with a '
        "protection taken out, which must fail.",
        "",
        *(f"Measured on {place}." for place in places),
        "",
        "| what | wanted | measured | repetitions, time, date, load of the machine at the start | without |",
        "|---|---|---|---|---|",
        *(line(row, figures) for row in rows.values()),
    ]
    RESULTS.write_text("\n".join(text) + "\n")


def main() -> int:
    """Measure what was asked for; 1 where a row is not as wanted."""
    rows = load_rows()
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"all where none is named: {', '.join(rows)}")
    parser.add_argument("--quick", action="store_true", help="the quick share in place of the whole count")
    parser.add_argument("--times", type=int, help="so many repetitions")
    parser.add_argument("--teeth", action="store_true", help="also without each protection")
    parser.add_argument(
        "--only-teeth", action="store_true", help="only without each protection; the rest stays as it is"
    )
    parser.add_argument("--print", action="store_true", help="only write the table again")
    args = parser.parse_args()
    figures: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    unknown = [name for name in args.rows if name not in rows]
    if unknown:
        parser.error(f"no row {unknown[0]!r}")
    missed = 0
    for key in [] if args.print else (args.rows or rows):
        row = rows[key]
        why = lacking(row)
        if why:
            print(f"{key}: not measured, {why}", flush=True)
            continue
        if args.only_teeth and key in figures:
            figures[key]["teeth"] = teeth = bites(row)
            missed += not all(teeth.values())
            print(f"{key}: {teeth}", flush=True)
            write(rows, figures)
            continue
        times = args.times or (row.quick if args.quick else row.whole)
        load, begun = os.getloadavg()[0], time.monotonic()
        figure = measure(row, times)
        seconds = time.monotonic() - begun
        teeth = dict(figures.get(key, {}).get("teeth", {}))
        if args.teeth:
            teeth = bites(row)
        figures[key] = {
            "times": times, "ok": figure.ok, "text": figure.text, "seconds": round(seconds, 1), "load": round(load, 1),
            "date": time.strftime("%Y-%m-%d"), "machine": machine(), "teeth": teeth,
        }  # fmt: skip
        missed += not figure.ok or not all(teeth.values())
        print(
            f"{key}: {'as wanted' if figure.ok else 'MISSED'}: {figure.text} ({seconds:.0f} s) {teeth or ''}",
            flush=True,
        )
        write(rows, figures)
    write(rows, figures)
    return int(missed > 0)
