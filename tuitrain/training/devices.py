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

from tuitrain.errors import DeviceError, visible
from tuitrain.training.cpu import describe_cpu
from tuitrain.training.runtime import Runtime
from tuitrain.version import __version__


def pick(name: str = "auto") -> torch.device:
    """The device of a name: auto takes CUDA where there is one, else Apple's MPS, else the CPU.

    Raises:
        DeviceError: a device that was asked for by name is not there.
    """
    if name == "auto":
        if torch.cuda.is_available() and unsupported(torch.cuda.current_device()) is None:
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
    reason = unsupported(index)
    if reason is not None:
        raise DeviceError(f"--device {name}: {reason}; use another device, or a torch built for it.")
    return torch.device("cuda", index)


def unsupported(index: int) -> str | None:
    """Why this torch has no kernels for a CUDA device, or None where it has."""
    major, minor = torch.cuda.get_device_capability(index)
    built_for = torch.cuda.get_arch_list()
    for architecture in built_for:
        kind, _, version = architecture.partition("_")
        digits = re.match(r"\d+", version)
        if digits is None:
            continue
        there = divmod(int(digits[0]), 10)
        # Machine code (sm) runs on cards of the same major version, PTX (compute) is compiled for any later card.
        if there <= (major, minor) and (kind == "compute" or there[0] == major):
            return None
    if not built_for:  # a build that does not say
        return None
    name = visible(torch.cuda.get_device_name(index))
    return f"{name} is of compute capability {major}.{minor}, and this torch has kernels for {', '.join(built_for)}"


def passed_over(name: str) -> str | None:
    """Why `auto` does not take a CUDA device that is there; None where it does, or where there is none."""
    if name != "auto" or not torch.cuda.is_available():
        return None
    return unsupported(torch.cuda.current_device())


def describe(device: torch.device) -> str:
    """The name of the hardware."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    return describe_cpu()


def versions(device: torch.device) -> dict[str, str]:
    """The versions that a result depends on."""
    out = {
        "tuitrain": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "platform": platform.platform(terse=True),
    }
    if device.type == "cuda":
        out["cuda"] = str(torch.version.cuda)
        out["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return out


#: The CPU's allocator raises a plain RuntimeError. cuBLAS and cuDNN have sentences of their own: the first says on a
#: full card that it is not initialized, and cuDNN's search passes over every plan that finds no memory.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "unable to find an engine to execute this computation",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on the device or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


@contextmanager
def settings(runtime: Runtime, device: torch.device) -> Iterator[None]:
    """torch's process-wide settings for a run, put back afterwards."""
    threads = torch.get_num_threads()
    # Our operations have one result on the CPU anyway, and asking torch for it there imports its compiler (3 s).
    strict = runtime.deterministic and device.type == "cuda"
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    tf32 = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
    cudnn = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    try:
        if strict:
            # cuBLAS reads this when its first handle is made. Warnings, not errors: torch warns of max pooling,
            # whose backward is deterministic for maps that are not channels_last, as ours are here.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
            # Else every new tensor is filled with NaN, by a kernel of its own.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cuda.matmul.allow_tf32 = runtime.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = runtime.precision == "tf32"
        torch.backends.cudnn.deterministic = runtime.deterministic
        torch.backends.cudnn.benchmark = False  # but see `tuning`
        with torch.cuda.device(device) if device.type == "cuda" else _freed_memory_kept(device):
            yield
    finally:
        torch.set_num_threads(threads)
        if strict:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn


@contextmanager
def tuning(device: torch.device) -> Iterator[None]:
    """Within it cuDNN times all its ways to compute a convolution of a new shape, and takes the fastest from then on.

    That takes some 50 ms a shape, which full batches give back and a batch that comes once an epoch does not.
    """
    if device.type != "cuda" or torch.backends.cudnn.deterministic:
        yield
        return
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = False


# glibc's mallopt; the settings' numbers are from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


@contextmanager
def _freed_memory_kept(device: torch.device) -> Iterator[None]:
    """Lets the C library keep the memory that a step frees, and restores its setting at the end.

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
