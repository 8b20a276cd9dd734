"""Bytes a second that the monitor sends to a terminal, and how long a key takes to show.

The real app runs in a real pseudo-terminal; the run it shows is made up, so that its pace is known:
progress ten times a second, an epoch every few seconds. What comes out of the terminal is counted.

    python benchmarks/screen_bytes.py              # the table
    python benchmarks/screen_bytes.py --seconds 60 --json
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import math
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 30.0  # until something is on the screen
SETTLE_S = 10.0  # torch is imported behind the first paint, the ghost curves are read
LIMITS = {"training": 4096, "training, --low-bandwidth": 1024, "paused": 100, "paused, --low-bandwidth": 100,
          "finished": 100, "fast epochs": 4096, "fast epochs, --low-bandwidth": 1024}  # fmt: skip


# ------------------------------------------------------------------------ the app, in its terminal


class Show:
    """A made-up run of step13: `pace` seconds an epoch, paused or over where asked."""

    directory = None
    title = "step13"

    def __init__(self, kind: str, pace: float) -> None:
        from tuitrain.spec.preset_files import load_preset

        self.preset = load_preset("step13")
        self.kind, self.pace = kind, pace
        self.begun = time.monotonic()
        self.told = 0
        self.started = False
        self.paused = False
        self.control = self

    def pause(self, source: str = "") -> None:
        """As the keyboard asks."""
        self.paused = True

    def resume(self, source: str = "") -> None:
        """As the keyboard asks."""
        self.paused = False

    def _start(self) -> Any:
        from tuitrain.training.events import RunStarted

        table = self.preset.table()
        return RunStarted(
            run="bench", name="step13", preset=self.preset.to_dict(), seed=0, device="cpu", device_name="cpu",
            versions={}, runtime={}, parameters=table.parameters, mult_adds=table.mult_adds, dataset="mnist",
            train_images=60000, test_images=10000, judged_by="test", epochs=400, steps_per_epoch=938,
        )  # fmt: skip

    def _epoch(self, epoch: int) -> Any:
        from tuitrain.training.events import EpochFinished

        gap = 0.011 * math.exp(-epoch / 5) + 0.0062 + 0.0002 * math.sin(epoch * 2.4)
        return EpochFinished(
            epoch=epoch, epochs=400, train_loss=0.2 * math.exp(-epoch / 4) + 0.03, train_acc=1 - 2.2 * gap,
            test_loss=3.1 * gap, test_acc=1 - gap, lr=0.019, train_s=self.pace * 0.95, test_s=self.pace * 0.05,
            elapsed_s=epoch * self.pace, images_per_s=60000 / self.pace, test_images=10000,
        )  # fmt: skip

    def poll(self) -> Any:
        """What a feed gives."""
        from tuitrain.runs.feed import FeedUpdate
        from tuitrain.training.events import Control, Record, RunFinished, StepProgress

        now = time.monotonic() - self.begun
        records = []
        if not self.started:
            self.started = True
            records.append(Record(self._start(), time.time(), 0.0))
            self.told = 6
            records += [Record(self._epoch(e), time.time(), e * self.pace) for e in range(1, 7)]
            if self.kind == "paused":
                records.append(Record(Control("paused", 6, source="keyboard"), time.time(), 0.0))
            if self.kind == "finished":
                done = RunFinished("completed", 6, 0.99, 6, 0.99, 0.98, 0.03, 60.0, 1000.0)
                records.append(Record(done, time.time(), 0.0))
        if self.kind != "training":
            return FeedUpdate(
                records, None, "paused" if self.kind == "paused" else None, self.kind == "paused"
            )
        epoch = 7 + int(now / self.pace)
        while self.told < epoch - 1:
            self.told += 1
            records.append(Record(self._epoch(self.told), time.time(), self.told * self.pace))
        part = now / self.pace % 1
        step = max(1, int(938 * part))
        noise = math.sin(int(now * 10))
        progress = StepProgress(
            epoch=epoch, step=step, steps=938, train_loss=0.04 + 0.001 * noise, train_acc=0.986 + 0.0004 * noise,
            lr=0.019, images_per_s=60000 / self.pace * (1 + 0.02 * noise), step_ms=self.pace / 0.938 * (1 - 0.02 * noise),
            elapsed_s=(6 + now / self.pace) * self.pace,
        )  # fmt: skip
        return FeedUpdate(records, progress, "training", True)


def show(kind: str, pace: float, low: bool, runs: str) -> None:
    """Runs the app until it is killed."""
    from tuitrain.tui.app import TuitrainApp
    from tuitrain.workbench.opening import Opening

    class Bench(TuitrainApp):
        def on_mount(self) -> None:
            super().on_mount()
            self.open_run(Show(kind, pace))  # type: ignore[arg-type]

    Bench(Opening(runs_dir=Path(runs), low_bandwidth=low)).run()


# ------------------------------------------------------------------------ the terminal, and the count


@dataclass
class Case:
    """One thing to measure."""

    name: str
    kind: str
    pace: float
    low: bool = False


CASES = (
    Case("training", "training", 10.0),
    Case("training, --low-bandwidth", "training", 10.0, True),
    Case("fast epochs", "training", 0.25),
    Case("fast epochs, --low-bandwidth", "training", 0.25, True),
    Case("paused", "paused", 10.0),
    Case("paused, --low-bandwidth", "paused", 10.0, True),
    Case("finished", "finished", 10.0),
)


def spawn(case: Case, columns: int, rows: int, runs: str) -> tuple[int, int]:
    """The app in a terminal of this size; its process and the terminal's other end."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8")
        arguments = ["--child", case.kind, str(case.pace), runs, "low" if case.low else "normal"]
        os.execv(sys.executable, [sys.executable, __file__, *arguments])  # noqa: S606
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return pid, fd


def drain(fd: int, seconds: float) -> int:
    """Bytes that come within so many seconds."""
    end, count = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            with contextlib.suppress(OSError):
                data = os.read(fd, 65536)
                if not data:
                    break
                count += len(data)
    return count


def key_to_paint(fd: int, times: int) -> list[float]:
    """Milliseconds from a key (another sheet) until its lines have come: more than figures alone would send."""
    found = []
    os.write(fd, b"5")
    drain(fd, 1.0)
    for number in range(times):
        drain(fd, 0.23 + 0.017 * (number % 7))
        begin = time.monotonic()
        os.write(fd, b"5" if number % 2 else b"6")
        seen = 0
        while time.monotonic() - begin < 1 and seen < 600:
            if select.select([fd], [], [], 0.05)[0]:
                seen += len(os.read(fd, 65536))
        found.append((time.monotonic() - begin) * 1000)
    return found


def measure(case: Case, seconds: float, columns: int, rows: int) -> dict[str, Any]:
    """Bytes a second of a case, after the screen has settled."""
    with tempfile.TemporaryDirectory() as runs:
        pid, fd = spawn(case, columns, rows, runs)
        try:
            first, end = 0, time.monotonic() + START_S
            while first < 1000 and time.monotonic() < end:
                first += drain(fd, 0.2)
            drain(fd, SETTLE_S)
            if first < 1000:
                raise RuntimeError(f"{case.name}: the screen did not come up ({first} bytes)")
            count = drain(fd, seconds)
            keys = key_to_paint(fd, 40) if case.name == "training" else []
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(fd)
    result: dict[str, Any] = {
        "case": case.name,
        "bytes_per_s": round(count / seconds, 1),
        "limit": LIMITS[case.name],
    }
    if keys:
        result["key_to_paint_ms_median"] = round(statistics.median(keys), 1)
        result["key_to_paint_ms_p95"] = round(sorted(keys)[int(len(keys) * 0.95) - 1], 1)
    return result


def main() -> int:
    """Measure every case; 1 when one is over its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of counting, each case")
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for case in CASES:
        if options.only in case.name:
            results.append(measure(case, options.seconds, options.columns, options.rows))
            if not options.json:
                print(
                    f"{case.name:32} {results[-1]['bytes_per_s']:8.0f} B/s   limit {LIMITS[case.name]:5}",
                    flush=True,
                )
    if options.json:
        print(json.dumps({"columns": options.columns, "rows": options.rows, "results": results}, indent=1))
    else:
        for result in results:
            if "key_to_paint_ms_p95" in result:
                print(
                    f"key to paint: median {result['key_to_paint_ms_median']} ms, p95 {result['key_to_paint_ms_p95']} ms"
                )
    return int(any(r["bytes_per_s"] > r["limit"] for r in results))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        kind, pace, runs, low = sys.argv[2:6]
        show(kind, float(pace), low == "low", runs)
    else:
        sys.exit(main())
