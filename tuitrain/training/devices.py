"""Which device a run uses, and what it is called."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

import tuitrain
from tuitrain.errors import DeviceError, visible
from tuitrain.training.cpu import describe_cpu
from tuitrain.training.runtime import Runtime


def pick(name: str = "auto") -> torch.device:
    """The device of a name: auto takes CUDA where there is one, else Apple's MPS, else the CPU.

    Raises:
        DeviceError: a device that was asked for by name is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError(
                "--device mps: this machine has no Apple GPU that torch can use; use --device cpu."
            )
        return torch.device("mps")
    match = re.fullmatch(r"cuda(?::(\d{1,3}))?", name)
    if match is None:
        raise DeviceError(f"--device {visible(name)}: no such device; use auto, cpu, cuda, cuda:N or mps.")
    if not torch.cuda.is_available():
        built = "this torch was built without CUDA" if torch.version.cuda is None else "torch finds no GPU"
        raise DeviceError(f"--device {name}: {built}; use --device cpu, or see `tuitrain doctor`.")
    count = torch.cuda.device_count()
    index = torch.cuda.current_device() if match[1] is None else int(match[1])
    if index >= count:
        raise DeviceError(
            f"--device {name}: there {'is' if count == 1 else 'are'} only {count}; use cuda:0 to cuda:{count - 1}."
        )
    return torch.device("cuda", index)


def describe(device: torch.device) -> str:
    """The name of the hardware, for people."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    return describe_cpu()


def versions(device: torch.device) -> dict[str, str]:
    """The versions that a result depends on."""
    out = {
        "tuitrain": tuitrain.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "platform": platform.platform(terse=True),
    }
    if device.type == "cuda":
        out["cuda"] = str(torch.version.cuda)
        out["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return out


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the device or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # The CPU allocator raises a plain RuntimeError; cuBLAS and cuDNN have sentences of their own.
    words = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


@contextmanager
def settings(runtime: Runtime, device: torch.device) -> Iterator[None]:
    """torch's process-wide settings for a run, put back afterwards."""
    threads = torch.get_num_threads()
    # Our operations have one result on the CPU anyway, and asking torch for it there imports its compiler (3 s).
    strict = runtime.deterministic and device.type == "cuda"
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    tf32 = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
    cudnn = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    try:
        if strict:
            # cuBLAS reads this when its first handle is made. Warnings, not errors: torch warns of max pooling,
            # whose backward is deterministic for maps that are not channels_last, as ours are here.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cuda.matmul.allow_tf32 = runtime.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = runtime.precision == "tf32"
        torch.backends.cudnn.deterministic = runtime.deterministic
        torch.backends.cudnn.benchmark = device.type == "cuda" and not runtime.deterministic
        with torch.cuda.device(device) if device.type == "cuda" else _freed_memory_kept(device):
            yield
    finally:
        torch.set_num_threads(threads)
        if strict:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn


# glibc's mallopt; the settings' numbers are from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


@contextmanager
def _freed_memory_kept(device: torch.device) -> Iterator[None]:
    """Lets the C library keep what a step frees for the next, and gives it back at the end.

    A step allocates the same few megabytes again and again; returned to the system each time they cost some
    2,500 page faults a step, a tenth of its time.
    """
    library = None
    if device.type == "cpu" and sys.platform == "linux":
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_MMAP_THRESHOLD, 1 << 30)
            library.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):
            if library is not None:
                library.mallopt(_MMAP_THRESHOLD, 1 << 17)
                library.mallopt(_TRIM_THRESHOLD, 1 << 17)
                library.malloc_trim(0)
