"""Which device is taken and what its errors mean, with cards that are not here."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from support.training_small import run, tiny
from tuitrain.errors import DeviceError
from tuitrain.training import devices
from tuitrain.training.optimizer import rate_on
from tuitrain.training.runtime import Runtime
from tuitrain.training.step import Stepper

BUILT = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


def card(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], built: list[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Tesla V100")


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 9), (9, 0), (10, 3), (12, 0), (12, 1), (13, 0)])
def test_a_card_that_torch_has_kernels_for_is_taken(
    capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    card(monkeypatch, capability, BUILT)
    assert devices.pick("auto").type == devices.pick("cuda").type == "cuda"
    assert devices.passed_over("auto") is None


@pytest.mark.parametrize("capability", [(3, 7), (6, 0), (7, 0), (7, 2)])
def test_a_card_that_torch_has_no_kernels_for_is_left_alone(
    capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    card(monkeypatch, capability, BUILT)
    assert devices.pick("auto").type == "cpu"
    reason = devices.passed_over("auto") or ""
    assert "Tesla V100" in reason and f"{capability[0]}.{capability[1]}" in reason and "sm_75" in reason
    with pytest.raises(DeviceError, match="--device cuda:0: Tesla V100 is of compute capability"):
        devices.pick("cuda:0")


def test_code_of_an_older_series_does_not_run_on_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, (9, 0), ["sm_80", "sm_86"])
    assert devices.pick("auto").type == "cpu"
    card(monkeypatch, (9, 0), ["sm_80", "compute_86"])
    assert devices.pick("auto").type == "cuda"


def test_a_run_on_the_cpu_in_place_of_a_card_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, (7, 0), BUILT)
    _, events = run(tiny(epochs=1), runtime=Runtime(device="auto", threads=1, compile="off"))
    notices = [event for event in events if getattr(event, "code", "") == "gpu_unsupported"]
    assert len(notices) == 1 and events[-1].outcome == "completed"


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 20.00 MiB.",
        "GET was unable to find an engine to execute this computation",
        "FIND was unable to find an engine to execute this computation",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_the_sentences_of_memory_that_ran_out(text: str) -> None:
    assert devices.is_out_of_memory(RuntimeError(text))


@pytest.mark.parametrize(
    "text", ["CUDA error: an illegal memory access was encountered", "shape mismatch", ""]
)
def test_other_errors_are_not_taken_for_it(text: str) -> None:
    assert not devices.is_out_of_memory(RuntimeError(text)) and not devices.is_out_of_memory(ValueError(text))


def test_the_eager_rate_on_cuda_is_the_captured_one() -> None:
    captured = torch.tensor(0.019).item()
    assert rate_on(torch.device("cuda"), 0.019) == captured != 0.019
    assert rate_on(torch.device("cpu"), 0.019) == 0.019


def test_a_broken_device_does_not_hide_what_broke_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: every later call fails as well")

    def step(self: Stepper, count: int) -> None:
        monkeypatch.setattr(torch.nn.Module, "to", broken)
        monkeypatch.setattr(Stepper, "seek", broken)
        breaks()

    monkeypatch.setattr(Stepper, "_body", step)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        run(tiny(epochs=1))
