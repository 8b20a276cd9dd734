"""`progress.json`: where a run is, for viewers in other processes; replaced about once a second."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from tuitrain import jsonio
from tuitrain.runs import durable, locking
from tuitrain.training.events import StepProgress, from_dict, to_dict

#: A process that trains writes `progress.json` at least once a second, in every phase.
STALLED_S = 10.0
_READ_BYTES = 1 << 20
#: On Linux this clock is shared by all processes of a machine, and no change of date moves it.
monotonic = time.monotonic


@dataclass(frozen=True, slots=True)
class Live:
    """What `progress.json` says: where the run is, how long ago that was written, how long its phase has lasted."""

    progress: StepProgress | None
    phase: str | None
    epoch: int
    pid: int
    host: str
    beat: int
    age_s: float
    phase_s: float = 0.0

    @property
    def stalled_s(self) -> float | None:
        """For how long the process has stood still (suspended, or its machine too busy); None where it has not."""
        return self.age_s if self.age_s > STALLED_S else None


def write(
    folder: Path, step: StepProgress | None, phase: str | None, epoch: int, beat: int, phase_s: float
) -> None:
    """Replace the file in a run directory (no fsync: it is worth nothing after a crash)."""
    holder = locking.this_process()
    data = {
        "pid": holder.pid,
        "host": holder.host,
        "beat": beat,
        "time": time.time(),
        "monotonic": monotonic(),
        "phase": phase,
        "phase_s": round(phase_s, 3),
        "epoch": epoch,
        "progress": to_dict(step) if step is not None else None,
    }
    text = json.dumps(jsonio.finite(data), separators=(",", ":"), allow_nan=False)
    durable.replace(folder / locking.PROGRESS, text.encode(), durable=False)


def read(folder: Path) -> Live | None:
    """What the file in a run directory says, or None when there is none that can be read."""
    try:
        with durable.open_plain(folder / locking.PROGRESS) as file:
            data = json.loads(file.read(_READ_BYTES))
        step = data["progress"]
        event = from_dict(step) if step else None
        same_host = data["host"] == locking.this_process().host
        age = max(0.0, monotonic() - data["monotonic"] if same_host else time.time() - data["time"])
        return Live(
            progress=event if isinstance(event, StepProgress) else None,
            phase=str(data["phase"]) if data["phase"] else None,
            epoch=int(data["epoch"]),
            pid=int(data["pid"]),
            host=str(data["host"]),
            beat=int(data["beat"]),
            age_s=age,
            phase_s=age + jsonio.json_number(data.get("phase_s") or 0.0, jsonio.LATEST_S),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
