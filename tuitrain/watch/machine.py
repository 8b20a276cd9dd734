"""Readings of the machine: GPU through NVML, CPU and memory through psutil. No textual.

A figure that can't be had is None and shown as `n/a`; nothing is made up. Sampling runs in a thread
of its own, at most once a second, because a driver call may take long.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuitrain import nvml
from tuitrain.nvml import Card, OtherProcess

INTERVAL_S = 1.0
KEPT = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample; fractions 0 to 1, bytes, watts, degrees Celsius; None where there is no such figure."""

    gpu: str | None = None
    gpu_util: float | None = None
    gpu_memory_used: int | None = None
    gpu_memory_total: int | None = None
    torch_memory: int | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    others: tuple[OtherProcess, ...] = ()
    cpu: float | None = None
    cpus: int | None = None
    ram_used: int | None = None
    ram_total: int | None = None
    own_ram: int | None = None
    disk_free: int | None = None


class Sensors:
    """Samples in a daemon thread between `start` and `stop`; `readings` may be read from anywhere.

    Args:
        device: torch's name of the run's device: `cpu`, `cuda:1`.
        folder: whose disk is watched.
        own: the run's process ids, so that it is not counted among the others.
    """

    def __init__(self, device: str = "cpu", folder: Path | None = None, own: tuple[int, ...] = ()) -> None:
        self._device = device
        self._folder = folder
        self._own = {os.getpid(), *own}
        self._readings: deque[Reading] = deque(maxlen=KEPT)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The samples of the last minute, the newest last."""
        return tuple(self._readings)

    def start(self) -> None:
        """Begins to sample."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._sample_on, name="sensors", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends sampling; returns at once."""
        self._stop.set()

    def _sample_on(self) -> None:
        with contextlib.suppress(Exception):  # a broken sensor is no reason for noise: it reads n/a
            card = nvml.card(self._device)
            try:
                while not self._stop.is_set():
                    begin = time.monotonic()
                    gpu = self._gpu(card) if card is not None else self._torch_memory()
                    self._readings.append(Reading(**self._machine(), **gpu))
                    self._stop.wait(max(INTERVAL_S, 10 * (time.monotonic() - begin)))
            finally:
                if "pynvml" in sys.modules:
                    with contextlib.suppress(Exception):
                        sys.modules["pynvml"].nvmlShutdown()

    def _machine(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with contextlib.suppress(Exception):
            import psutil

            found["cpus"] = (
                len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            )
            if self._readings:  # the first call has nothing to measure from
                found["cpu"] = psutil.cpu_percent(None) / 100
            else:
                psutil.cpu_percent(None)
            memory = psutil.virtual_memory()
            found["ram_total"], found["ram_used"] = memory.total, memory.total - memory.available
            found["own_ram"] = psutil.Process().memory_info().rss
        with contextlib.suppress(Exception):
            if self._folder is not None:
                import psutil

                found["disk_free"] = psutil.disk_usage(str(self._folder)).free
        return found

    def _gpu(self, card: Card) -> dict[str, Any]:
        memory = card.memory()
        return self._torch_memory() | {
            "gpu": card.name,
            "gpu_util": card.utilization(),
            "gpu_memory_used": card.memory_used(),
            "gpu_memory_total": memory[1] if memory else None,
            "power_w": card.power_w(),
            "temperature_c": card.temperature_c(),
            "others": card.others(self._own),
        }

    def _torch_memory(self) -> dict[str, Any]:
        """What torch holds on the card, where the run is in this process and torch is in use already."""
        torch = sys.modules.get("torch")
        with contextlib.suppress(Exception):
            if torch is not None and torch.cuda.is_initialized():
                return {"torch_memory": int(torch.cuda.memory_reserved(self._device))}
        return {}
