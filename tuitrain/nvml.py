"""What NVIDIA's driver says of the cards, by torch's names for them. Imports no torch.

Every question is asked of the driver and may take long. Where there is no driver, no library or no permission, there
is no card; a figure that can't be had is None, and nothing is made up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from tuitrain.errors import visible

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class OtherProcess:
    """Somebody else on a card; memory in bytes. `name` and `user` are empty for a process of another container."""

    pid: int
    name: str
    user: str
    memory: int | None


class Card:
    """One card, by torch's number for it."""

    def __init__(self, nvml: Any, handle: Any, index: int) -> None:
        self._nvml, self._handle, self.index = nvml, handle, index

    def _ask(self, call: Callable[[], _T]) -> _T | None:
        try:
            return call()
        except Exception:  # NVML raises its own kinds, of what a card does not have among others
            return None

    @property
    def name(self) -> str | None:
        """What it is called."""
        name = self._ask(lambda: self._nvml.nvmlDeviceGetName(self._handle))
        return None if name is None else visible(_text(name))

    def memory(self) -> tuple[int, int] | None:
        """Bytes that are free, and all."""
        memory = self._ask(lambda: self._nvml.nvmlDeviceGetMemoryInfo(self._handle))
        return None if memory is None else (int(memory.free), int(memory.total))

    def memory_used(self) -> int | None:
        """Bytes that are taken, by whomever."""
        return self._ask(lambda: int(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used))

    def utilization(self) -> float | None:
        """The share of the last moment in which a kernel ran."""
        return self._ask(lambda: float(self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu / 100))

    def power_w(self) -> float | None:
        """Watts."""
        return self._ask(lambda: float(self._nvml.nvmlDeviceGetPowerUsage(self._handle) / 1000))

    def temperature_c(self) -> float | None:
        """Degrees Celsius."""
        sensor = getattr(self._nvml, "NVML_TEMPERATURE_GPU", 0)
        return self._ask(lambda: float(self._nvml.nvmlDeviceGetTemperature(self._handle, sensor)))

    def others(self, own: Iterable[int] = (), *, ours_is_there: bool = True) -> tuple[OtherProcess, ...]:
        """Who else is on it.

        Args:
            own: process ids that don't count, beside this one.
            ours_is_there: whether a process of this run uses the card. In a container the driver gives the host's
                numbers, among which ours can't be told: then the first that is not known here is taken for ours.
        """
        running = self._ask(lambda: list(self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle))) or []
        mine = {os.getpid(), *own}
        theirs = [p for p in running if p.pid not in mine]
        found = [_process(p.pid, getattr(p, "usedGpuMemory", None)) for p in theirs]
        if ours_is_there and len(theirs) == len(running):
            unknown = next((p for p in found if not p.name), None)
            found = [p for p in found if p is not unknown]
        return tuple(found)


def library() -> Any | None:
    """The library, ready to be asked; None where no driver answers."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:
        return None
    return pynvml


def driver_version(nvml: Any) -> str | None:
    """The driver's version."""
    try:
        return _text(nvml.nvmlSystemGetDriverVersion())
    except Exception:
        return None


def cards() -> list[Card]:
    """The cards that torch would see under CUDA_VISIBLE_DEVICES, in its order."""
    nvml = library()
    out: list[Card] = []
    for index in range(len(_places(nvml))):
        found = _card(nvml, index)
        if found is None:  # CUDA stops counting at the first one that is not there
            break
        out.append(found)
    return out


def device_names() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls each of the cards that torch would see."""
    return [str(place) for place in _places(library())[: len(cards())]]


def card(device: str) -> Card | None:
    """The card of a device by torch's name (`cuda:1`); None for any other, or where it is not there."""
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal():
        return None
    return _card(library(), int(number or 0))


def _places(nvml: Any) -> list[int | str]:
    if nvml is None:
        return []
    try:
        return visible_devices(nvml.nvmlDeviceGetCount())
    except Exception:
        return []


def _card(nvml: Any, index: int) -> Card | None:
    places = _places(nvml)
    if index >= len(places):
        return None
    place = places[index]
    try:
        if isinstance(place, str):
            return Card(nvml, nvml.nvmlDeviceGetHandleByUUID(place), index)
        return Card(nvml, nvml.nvmlDeviceGetHandleByIndex(place), index)
    except Exception:
        return None


def visible_devices(count: int) -> list[int | str]:
    """NVML's numbers, or UUIDs, of torch's devices, in torch's order; `count` there are in all."""
    setting = os.environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return list(range(count))
    names = [name.strip() for name in setting.split(",")]
    return [int(name) if name.isdecimal() else name for name in names if name]


def in_use_by_torch() -> bool:
    """Whether torch of this process uses a card."""
    torch = sys.modules.get("torch")
    try:
        return torch is not None and bool(torch.cuda.is_initialized())
    except AttributeError:  # it is just being imported
        return False


def _process(pid: int, memory: Any) -> OtherProcess:
    name = user = ""
    try:
        import psutil

        process = psutil.Process(pid)
        name, user = visible(process.name()), visible(process.username())
    except Exception:  # another container's process, or one that has just ended
        name = user = ""
    return OtherProcess(pid, name, user, memory if isinstance(memory, int) else None)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
