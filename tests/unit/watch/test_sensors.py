"""What is read of the machine, with a graphics card and without."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from support.until import until
from tuitrain.nvml import visible_devices
from tuitrain.watch.machine import Reading, Sensors

# ------------------------------------------------------------------------------ sensors


def test_sensors_without_a_gpu_make_nothing_up() -> None:
    sensors = Sensors("cuda:0" if not _has_nvml() else "cpu")
    sensors.start()
    until(lambda: sensors.readings)
    sensors.stop()
    first = sensors.readings[0]
    assert first.gpu_util is None and first.power_w is None and first.temperature_c is None
    assert first.cpu is None, "the first sample has nothing to measure from"
    assert first.ram_total and first.ram_used and 0 < first.ram_used < first.ram_total


def _has_nvml() -> bool:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:
        return False
    return True


class FakeNvml:
    """NVML of one card; what is in `broken` fails as an unsupported sensor does."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *pids: int, broken: tuple[str, ...] = ()) -> None:
        self.pids, self.broken = pids, broken
        self.asked: list[object] = []

    def __getattribute__(self, name: str) -> object:
        if name.startswith("nvml") and name in object.__getattribute__(self, "broken"):
            raise RuntimeError("Not Supported")
        return object.__getattribute__(self, name)

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return 4

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        self.asked.append(index)
        return "card"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self.asked.append(uuid)
        return "card"

    def nvmlDeviceGetName(self, _: str) -> bytes:
        return b"NVIDIA H200"

    def nvmlDeviceGetUtilizationRates(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(gpu=41)

    def nvmlDeviceGetMemoryInfo(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(free=400, used=600, total=1000)

    def nvmlDeviceGetPowerUsage(self, _: str) -> int:
        return 210_500

    def nvmlDeviceGetTemperature(self, _: str, __: int) -> int:
        return 38

    def nvmlDeviceGetComputeRunningProcesses(self, _: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=100) for pid in self.pids]


def first_reading(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, device: str = "cuda:0") -> Reading:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    sensors = Sensors(device)
    sensors.start()
    until(lambda: sensors.readings)
    sensors.stop()
    return sensors.readings[0]


def test_a_card_is_read_in_our_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml = FakeNvml(os.getpid())
    reading = first_reading(nvml, monkeypatch, "cuda:3")
    assert nvml.asked == [3]
    assert (reading.gpu, reading.gpu_util, reading.power_w, reading.temperature_c) == (
        "NVIDIA H200",
        0.41,
        210.5,
        38.0,
    )
    assert (reading.gpu_memory_used, reading.gpu_memory_total, reading.others) == (600, 1000, ())


def test_a_sensor_that_is_missing_takes_nothing_else_along(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetComputeRunningProcesses",
    )
    reading = first_reading(FakeNvml(broken=broken), monkeypatch)
    assert reading.gpu_util is None and reading.power_w is None and reading.others == ()
    assert reading.temperature_c == 38.0 and reading.gpu_memory_used == 600
    assert first_reading(FakeNvml(broken=("nvmlInit",)), monkeypatch).temperature_c is None


def test_others_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    (other,) = first_reading(FakeNvml(os.getpid(), os.getppid()), monkeypatch).others
    assert other.pid == os.getppid() and other.memory == 100
    unknown = 2**22 + 7  # no such process here: in a container, our own by the host's number
    assert first_reading(FakeNvml(unknown), monkeypatch).others == ()
    assert len(first_reading(FakeNvml(unknown, unknown + 1), monkeypatch).others) == 1


@pytest.mark.parametrize(
    ("setting", "places"),
    [
        (None, [0, 1, 2]),
        ("2,5", [2, 5]),
        ("GPU-ab12", ["GPU-ab12"]),
        ("1, GPU-ab12", [1, "GPU-ab12"]),
        ("", []),
    ],
)
def test_the_card_that_torch_means(
    setting: str | None, places: list[int | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if setting is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert visible_devices(3) == places
