"""The devices one can train on, with what is free on them and who else is there. No textual, no torch."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from typing import Any

from tuitrain.errors import visible
from tuitrain.words import gigabytes, plural


@dataclass(frozen=True)
class Device:
    """A device by torch's name; memory in bytes, None where it is not known."""

    name: str
    what: str
    free: int | None = None
    total: int | None = None
    others: tuple[str, ...] = ()
    why: str = ""  # of the CPU: why auto takes nothing else

    def short(self) -> str:
        """For the header: `cuda:0 H200 138 GB`, `cpu 16 cores`."""
        if self.free is None:
            return f"{self.name} {self.what}"
        return f"{self.name} {short_name(self.what)} {gigabytes(self.free, 0)} GB"

    def memory(self) -> str:
        """`138 of 140 GB free`; nothing where it is not known."""
        if self.free is None or self.total is None:
            return ""
        return f"{gigabytes(self.free, 0)} of {gigabytes(self.total, 0)} GB free"

    def long(self) -> str:
        """In a sentence: what it is, what is free, who else is on it."""
        if not self.memory():
            return self.what
        text = f"{self.what}: {self.memory()}"
        return (
            f"{text}; also on it: {', '.join(self.others)}" if self.others else f"{text}, nobody else on it"
        )


def short_name(name: str) -> str:
    """`H200` of `NVIDIA H200`, `RTX 4090` of `NVIDIA GeForce RTX 4090`."""
    for word in ("NVIDIA ", "GeForce ", "Tesla ", "AMD "):
        name = name.replace(word, "")
    return name.split("-")[0] if len(name) > 14 else name


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def cpu(why: str = "") -> Device:
    """The processor; `why` auto takes nothing else."""
    count = cores()
    return Device("cpu", plural(count, "core"), why=why)


def devices() -> list[Device]:
    """The GPUs that torch would see, then the CPU; asks the driver, so call it off the UI thread."""
    out, why = _gpus(), "no CUDA device"
    torch = sys.modules.get("torch")
    if out and torch is not None and hasattr(torch, "cuda") and not torch.cuda.is_available():
        built = torch.version.cuda is not None
        out, why = [], "torch can't use the GPU" if built else "torch has no CUDA"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        out.append(Device("mps", "Apple GPU"))
    return [*out, cpu(why="" if out else why)]


def _gpus() -> list[Device]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no driver, no library, no permission: then there is no such GPU
        return []
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [n.strip() for n in seen.split(",") if n.strip()] if seen is not None else None
    try:
        wanted: list[int | str] = (
            list(range(pynvml.nvmlDeviceGetCount()))
            if names is None
            else [int(n) if n.isdigit() else n for n in names]
        )
    except Exception:
        return []
    out: list[Device] = []
    for number, where in enumerate(wanted):
        try:
            by_name = pynvml.nvmlDeviceGetHandleByUUID
            handle = by_name(where) if isinstance(where, str) else pynvml.nvmlDeviceGetHandleByIndex(where)
            name = pynvml.nvmlDeviceGetName(handle)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        except Exception:  # CUDA stops counting at the first device that is not there
            break
        others = _others(pynvml, handle)
        text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        out.append(Device(f"cuda:{number}", visible(text), int(memory.free), int(memory.total), others))
    return out


def _others(nvml: Any, handle: Any) -> tuple[str, ...]:
    try:
        running = [p for p in nvml.nvmlDeviceGetComputeRunningProcesses(handle) if p.pid != os.getpid()]
    except Exception:
        return ()
    names = {process.pid: _process_name(process.pid) for process in running}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        # In a container the driver gives the host's numbers, among which ours can't be told: the first
        # that is not known here is taken for ours.
        ours = next((p for p in running if names[p.pid] is None), None)
        running = [p for p in running if p is not ours]
    out: list[str] = []
    for process in running:
        used = getattr(process, "usedGpuMemory", None)
        size = f" {gigabytes(used)} GB" if isinstance(used, int) else ""
        out.append(f"{names[process.pid] or f'process {process.pid}'}{size}")
    return tuple(out)


def _process_name(pid: int) -> str | None:
    try:
        import psutil

        process = psutil.Process(pid)
        return visible(f"{process.name()} of {process.username()}")
    except Exception:  # another container's process, or one that has just ended
        return None
