"""What the screen costs: first paint, key to paint, bytes a second, staleness; in a real pseudo-terminal.

    python benchmarks/screen.py [--seconds 20] [--markdown]

Trains the built-in digits (no network, no GPU) with the app at 80x24 and prints a table. Key to paint
is the time from a byte typed into the terminal to the first byte that comes back.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.shell_terminal import Terminal, WarmTerminal

OVERRIDES = {"train.dataset": "digits", "train.epochs": 2000}


def bytes_per_s(terminal: Terminal, seconds: float) -> float:
    """Bytes that the terminal receives a second."""
    terminal.read(1.0)
    before, began = len(terminal.raw), time.monotonic()
    terminal.read(seconds)
    return (len(terminal.raw) - before) / (time.monotonic() - began)


def key_to_paint_ms(terminal: Terminal, keys: str, count: int) -> list[float]:
    """Milliseconds from each key to the first byte painted after it."""
    times = []
    for index in range(count):
        terminal.read(0.11 + 0.037 * (index % 5))  # not in step with the screen's own timer
        while select_now(terminal):
            terminal.read(0.01)
        began = time.perf_counter()
        terminal.key(keys[index % len(keys)])
        before = len(terminal.raw)
        while len(terminal.raw) == before and time.perf_counter() - began < 2.0:
            wait_readable(terminal, 0.5)
            terminal.read(0.0005)
        times.append((time.perf_counter() - began) * 1000)
    return times


def select_now(terminal: Terminal) -> bool:
    """Whether something can be read at once."""
    return wait_readable(terminal, 0.0)


def wait_readable(terminal: Terminal, seconds: float) -> bool:
    """Whether something can be read within so long."""
    import select

    return bool(select.select([terminal.fd], [], [], seconds)[0])


def staleness_s(terminal: Terminal, runs: Path, seconds: float) -> list[float]:
    """How old what the screen shows is: the age of the newest epoch when its number appears."""
    ages = []
    (directory,) = runs.glob("2*")
    end = time.monotonic() + seconds
    seen = finished(directory)
    while time.monotonic() < end:
        now = finished(directory)
        if now == seen:
            terminal.read(0.005)
            continue
        seen, began = now, time.monotonic()
        while f"epoch {seen}:" not in terminal.text and time.monotonic() - began < 2:
            terminal.read(0.005)
            if finished(directory) != seen:  # overtaken before it was shown
                break
        else:
            ages.append(time.monotonic() - began)
    return ages


def finished(directory: Path) -> int:
    """The last finished epoch on disk."""
    with (directory / "events.jsonl").open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
        lines = [line for line in file.read().split(b"\n")[:-1] if b'"EpochFinished"' in line]
    for line in reversed(lines):
        try:
            return int(json.loads(line)["epoch"])
        except ValueError:
            continue
    return 0


def measure(seconds: float) -> list[tuple[str, str, str]]:
    """(what, measured, promised)."""
    rows: list[tuple[str, str, str]] = []
    firsts, loading = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            terminal = Terminal([sys.executable, "-m", "tuitrain"], env={"TUITRAIN_RUNS_DIR": folder})
            firsts.append(terminal.wait_for("1 Lab"))
            terminal.wait_for("Network")
            loading += key_to_paint_ms(terminal, "\t", 12)
            terminal.kill()
    rows.append(("first paint, bare `tuitrain`", f"{statistics.median(firsts):.2f} s", "0.8 s"))
    rows.append(("key to paint while torch is imported, worst", f"{max(loading):.0f} ms", ""))
    for low in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            runs = Path(folder)
            options = {"runs_dir": runs, "preset": "step13", "overrides": OVERRIDES, "start": True}
            terminal = WarmTerminal.app(None, low_bandwidth=low, **options)
            terminal.wait_for("epoch 3 of")
            rate = bytes_per_s(terminal, seconds)
            name = "training, --low-bandwidth" if low else "training, 80x24"
            rows.append((f"screen bytes, {name}", f"{rate:,.0f} B/s", "1,000 B/s" if low else "4,000 B/s"))
            if not low:
                rows.append(
                    ("staleness, median", f"{median(staleness_s(terminal, runs, seconds)):.2f} s", "0.5 s")
                )
                terminal.key("3")
                terminal.wait_for("1 live")
                times = sorted(key_to_paint_ms(terminal, "><", 60))
                rows.append(("key to paint while training, median", f"{median(times):.0f} ms", ""))
                rows.append(
                    ("key to paint while training, 95 %", f"{times[int(0.95 * len(times))]:.0f} ms", "50 ms")
                )
            else:
                terminal.key("2")
            terminal.key("q")
            terminal.wait_for("Leave while")
            terminal.key("s")
            terminal.ended(60)
    with tempfile.TemporaryDirectory() as folder:
        terminal = WarmTerminal.app(None, runs_dir=Path(folder), preset="step13")
        terminal.wait_for("Network")
        terminal.read(8)
        rows.append(
            ("screen bytes, nothing changes", f"{bytes_per_s(terminal, seconds):,.0f} B/s", "100 B/s")
        )
        terminal.key("q")
        terminal.ended(20)
    return rows


def median(values: list[float]) -> float:
    """The median, not a number for none."""
    return statistics.median(values) if values else float("nan")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.seconds)
    if arguments.markdown:
        print("| what | measured | promised |\n|---|---|---|")
    for what, measured, promised in rows:
        print(
            f"| {what} | {measured} | {promised} |"
            if arguments.markdown
            else f"{what:40} {measured:>12}  {promised}"
        )


if __name__ == "__main__":
    main()
