"""What of torch has to be replaced so that the trainer's own code runs on fake CUDA tensors."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

_NUMPY = {
    torch.float64: "f8", torch.float32: "f4", torch.int64: "i8", torch.int32: "i4", torch.uint8: "u1", torch.bool: "?",
}  # fmt: skip
_OF_KIND = {"f": torch.float32, "i": torch.int64, "b": torch.bool}
_real_generator, _real_tensor = torch.Generator, torch.tensor


class _Event:
    """An event that has come."""

    def record(self) -> None:
        """Nothing is queued anywhere."""

    def synchronize(self) -> None:
        """It has come."""

    def query(self) -> bool:
        return True


class _Stream:
    """A stream on which nothing is queued."""

    def __init__(self, device: Any = None) -> None:
        pass

    def wait_event(self, event: Any) -> None:
        """It has come."""

    def synchronize(self) -> None:
        """There is nothing to wait for."""

    def wait_stream(self, stream: Any) -> None:
        """There is nothing to wait for."""


class _Generator(_real_generator):
    """A CPU generator that says it is CUDA's."""

    def __new__(cls, device: Any = "cpu") -> Any:
        return _real_generator.__new__(cls, device="cpu")

    def __init__(self, device: Any = "cpu") -> None:
        self._said = torch.device(device)

    @property
    def device(self) -> torch.device:
        return self._said


def _tensor(data: Any, *, device: Any = None, **kwargs: Any) -> torch.Tensor:
    """`torch.tensor` would make a real CUDA tensor below the modes."""
    if device is None:
        return _real_tensor(data, **kwargs)
    like = np.asarray(data)
    dtype = kwargs.get("dtype") or _OF_KIND[like.dtype.kind]
    return torch.full(like.shape, 0, dtype=dtype, device=device)


def _to(self: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:
    """`nn.Module.to` without swapping tensors under the feet of the fake mode: parameters become new objects."""
    device = kwargs.get("device") or next((a for a in args if isinstance(a, str | torch.device)), None)
    if device is not None:
        for module in self.modules():
            for name, parameter in list(module._parameters.items()):
                if parameter is not None:
                    moved = parameter.detach().to(device)
                    module._parameters[name] = torch.nn.Parameter(moved, parameter.requires_grad)
            for name, buffer in list(module._buffers.items()):
                if buffer is not None:
                    module._buffers[name] = buffer.to(device)
    return self


def install(waited: Callable[[str], None]) -> None:
    """Replace it, for the rest of this process; `waited` is told of a wait that no operator shows."""
    nothing = {"_lazy_init": None, "init": None, "empty_cache": None, "synchronize": None}
    for name, value in nothing.items():
        setattr(torch.cuda, name, lambda *_, value=value: value)
    torch.cuda.get_device_name = lambda *_: "a fake card"
    torch.cuda.get_device_capability = lambda *_: (9, 0)
    torch.cuda.is_bf16_supported = lambda *_, **__: True
    torch.cuda.is_available = lambda: True
    importlib.import_module("torch.utils._foreach_utils")
    # A real parameter is of a type in that list, and decides how RMSprop runs.
    sys.modules["torch.optim.optimizer"]._foreach_supported_types.append(FakeTensor)
    torch.cuda.current_stream = lambda *_: _Stream()  # type: ignore[assignment, return-value]
    torch.cuda.Stream = _Stream  # type: ignore[misc, assignment]
    torch.cuda.stream = lambda stream: contextlib.nullcontext()  # type: ignore[assignment, misc]
    torch.cuda.current_device = lambda: 0
    torch.cuda.Event = _Event  # type: ignore[misc, assignment]
    torch.Generator = _Generator  # type: ignore[misc]
    torch.tensor = _tensor  # type: ignore[assignment]
    torch.nn.Module.to = _to  # type: ignore[method-assign, assignment]

    def numpy(self: Any, **_: Any) -> Any:
        return np.zeros(tuple(self.shape), _NUMPY[self.dtype])

    def tolist(self: Any) -> Any:
        if self.is_cuda:
            waited("tolist()")
        return np.zeros(tuple(self.shape)).tolist()

    FakeTensor.record_stream = lambda self, stream: None
    FakeTensor.numpy = numpy
    FakeTensor.tolist = tolist


def mode() -> FakeTensorMode:
    """Every tensor that is made within it is fake."""
    return FakeTensorMode(allow_non_fake_inputs=True, allow_fallback_kernels=False)


@contextlib.contextmanager
def fake(*above: TorchDispatchMode) -> Iterator[None]:
    """Every tensor is fake within; the modes of `above` see each operator first."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        stack.enter_context(mode())
        for one in above:
            stack.enter_context(one)
        yield
