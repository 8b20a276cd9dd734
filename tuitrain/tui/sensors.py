"""What the machine says of itself: GPU through NVML, CPU and memory through psutil. No textual.

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INTERVAL_S = 1.0
KEPT = 60


@dataclass(frozen=True, slots=True)
class OtherProcess:
    """Somebody else on the GPU; memory in bytes."""

    pid: int
    name: str
    memory: int | None


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


def visible_index(index: int, setting: str | None) -> int | str:
    """NVML's index, or its UUID, of torch's `cuda:index` under CUDA_VISIBLE_DEVICES."""
    if setting is None or not setting.strip():
        return index
    names = [name.strip() for name in setting.split(",")]
    if index >= len(names):
        return index
    return int(names[index]) if names[index].isdigit() else names[index]


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
        self._names: dict[int, str] = {}

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
            read_gpu = self._gpu_reader()
            try:
                while not self._stop.is_set():
                    begin = time.monotonic()
                    self._readings.append(Reading(**self._machine(), **read_gpu()))
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

    def _gpu_reader(self) -> Callable[[], dict[str, Any]]:
        kind, _, number = self._device.partition(":")
        if kind != "cuda":
            return dict
        try:
            import pynvml

            pynvml.nvmlInit()
            where = visible_index(int(number or 0), os.environ.get("CUDA_VISIBLE_DEVICES"))
            if isinstance(where, str):
                handle = pynvml.nvmlDeviceGetHandleByUUID(where)
            else:
                handle = pynvml.nvmlDeviceGetHandleByIndex(where)
        except Exception:
            return self._torch_memory
        return lambda: self._gpu(pynvml, handle)

    def _gpu(self, nvml: Any, handle: Any) -> dict[str, Any]:
        found = self._torch_memory()

        def put(key: str, call: Callable[[], Any]) -> None:
            with contextlib.suppress(Exception):
                found[key] = call()

        put("gpu", lambda: _text(nvml.nvmlDeviceGetName(handle)))
        put("gpu_util", lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
        put("gpu_memory_used", lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used)
        put("gpu_memory_total", lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total)
        put("power_w", lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000)
        put("temperature_c", lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)))
        put("others", lambda: self._others(nvml, handle))
        return found

    def _others(self, nvml: Any, handle: Any) -> tuple[OtherProcess, ...]:
        running = {p.pid: p for p in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
        theirs = [p for pid, p in running.items() if pid not in self._own]
        # In a container NVML gives the host's numbers, among which ours can't be told: the one that
        # is not known here is taken for ours, so that a run alone on its card is not called shared.
        if len(theirs) == len(running):
            unknown = [p for p in theirs if self._name(p.pid) is None]
            if unknown:
                theirs.remove(unknown[0])
        return tuple(
            OtherProcess(p.pid, self._name(p.pid) or "a process", getattr(p, "usedGpuMemory", None))
            for p in theirs
        )

    def _name(self, pid: int) -> str | None:
        if pid not in self._names:
            try:
                import psutil

                self._names[pid] = psutil.Process(pid).name()
            except Exception:
                return None
        return self._names[pid]

    def _torch_memory(self) -> dict[str, Any]:
        """What torch holds on the card, where the run is in this process and torch is in use already."""
        torch = sys.modules.get("torch")
        with contextlib.suppress(Exception):
            if torch is not None and torch.cuda.is_initialized():
                return {"torch_memory": int(torch.cuda.memory_reserved(self._device))}
        return {}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
