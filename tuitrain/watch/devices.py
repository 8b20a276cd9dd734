"""The devices for training, with their free memory and the other processes on them. No textual, no torch."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass

from tuitrain import nvml
from tuitrain.figures import gigabytes_text, plural
from tuitrain.nvml import OtherProcess


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
        return f"{self.name} {short_name(self.what)} {gigabytes_text(self.free, 0)} GB"

    def memory(self) -> str:
        """`138 of 140 GB free`; nothing where it is not known."""
        if self.free is None or self.total is None:
            return ""
        return f"{gigabytes_text(self.free, 0)} of {gigabytes_text(self.total, 0)} GB free"

    def long(self) -> str:
        """In a sentence: what it is, what is free, who else is on it."""
        if not self.memory():
            return self.what
        text = f"{self.what}: {self.memory()}"
        return (
            f"{text}; also on it: {', '.join(self.others)}"
            if self.others
            else f"{text}, no other process on it"
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
    out: list[Device] = []
    for card in nvml.cards():
        memory = card.memory()
        if memory is None:
            break
        others = card.others(ours_is_there=nvml.in_use_by_torch())
        out.append(
            Device(f"cuda:{card.index}", card.name or "GPU", *memory, tuple(map(_process_text, others)))
        )
    return out


def _process_text(process: OtherProcess) -> str:
    name = f"{process.name} of {process.user}" if process.name else f"process {process.pid}"
    return name if process.memory is None else f"{name} {gigabytes_text(process.memory)} GB"
