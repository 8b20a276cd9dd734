"""torch.compile: whether it is available, whether it is worth it, and what happens if it fails."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import platformdirs
import psutil
import torch

from tuitrain.errors import visible
from tuitrain.paths import others_may_write, private_folder
from tuitrain.spec.table import NetworkTable
from tuitrain.training.cost import CAPTURED_PAYS_FROM_S, PAYS_FROM_S, captured_s, eager_s
from tuitrain.training.cpu import usable_cpus
from tuitrain.training.devices import is_out_of_memory
from tuitrain.training.runtime import Runtime
from tuitrain.training.step import Forward, Stepper

#: Compilers at once; each takes some hundred megabytes.
COMPILERS = 4
#: torch's compiler keeps state that all of a process shares.
_ONE_AT_A_TIME = threading.Lock()
_THREAD = "compile-network"


def missing(device: torch.device) -> str | None:
    """What `torch.compile` needs for a device and is not there, as a sentence; None where all is there."""
    if device.type == "cpu":
        names = [os.environ.get("CXX"), "g++", "clang++", "c++"]
        return None if _found(names) else "there is no C++ compiler (g++ or clang++)"
    if device.type != "cuda":
        return "torch has no compiler for this device"
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    # Triton builds a small C library against Python's own header files.
    if not _found([os.environ.get("CC"), "gcc", "clang"]):
        return "there is no C compiler (gcc or clang)"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        return "Python's header files (Python.h) are not there"
    return None


def _found(names: list[str | None]) -> bool:
    return any(name and shutil.which(name) for name in names)


def remedy(device: torch.device) -> str:
    """What to do where compiling fails."""
    needed = "a C++ compiler that works"
    if device.type == "cuda":
        needed = "triton, a C compiler that works (gcc) and Python's header files (python3-dev)"
    return f"install {needed}, or use --compile off"


def first_epoch(runtime: Runtime, stepper: Stepper, table: NetworkTable, epochs: int) -> int | None:
    """The epoch (from 0) from which to compile: at once where the user says so, by itself after the first epoch.

    The estimate is by the network's size, not by a clock: the same command must always decide the same, or its
    results would differ in the last bits. The first epoch goes without, so that it begins at once.
    """
    if runtime.compile == "off" or runtime.profile:
        return None
    if runtime.compile == "on":
        return 0
    if stepper.device.type == "cuda":
        long = captured_s(table, stepper.images, stepper.batch, epochs) >= CAPTURED_PAYS_FROM_S
    else:
        long = stepper.device.type == "cpu" and eager_s(table, stepper.images, epochs) >= PAYS_FROM_S
    return 1 if long and epochs > 1 and missing(stepper.device) is None else None


def use_own_folders() -> str | None:
    """Makes torch keep compiled code where no other user can write, since that code is executed.

    Folders that the user chose (`TORCHINDUCTOR_CACHE_DIR`, `TRITON_CACHE_DIR`) stay.

    Returns:
        Why our cache folder can't be used, then a new temporary one is; or None.
    """
    refused = None
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        folder = Path(platformdirs.user_cache_dir("tuitrain")) / "inductor"
        try:
            private_folder(folder.parent)
            if folder.is_dir() and others_may_write(folder.stat()):  # who knows what they wrote
                shutil.rmtree(folder)
            private_folder(folder)
        except OSError as error:
            refused = f"{visible(error.filename or folder)} can't be used: {visible(error.strerror)}"
            folder = Path(tempfile.mkdtemp(prefix="tuitrain-"))
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
    os.environ.setdefault("TRITON_CACHE_DIR", str(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]) / "triton"))
    return refused


class Compilation:
    """A network that is compiled in a thread of its own, so that its run can be paused and stopped meanwhile.

    Until `running` is false, nothing else may touch the stepper or its network: the last part is a step that leaves
    no trace once it is over. There is no way to break it off; who doesn't want it any more leaves it behind.

    Args:
        stepper: with an epoch before it.
    """

    def __init__(self, stepper: Stepper) -> None:
        self.device = stepper.device
        self._problem: str | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(stepper,), name=_THREAD, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    @property
    def failed(self) -> bool:
        """Whether it has ended with an error."""
        return not self.running and (self._problem is not None or self._error is not None)

    def problem(self) -> str | None:
        """The error, after which the stepper is as before; or None. Only when it no longer runs.

        Raises:
            RuntimeError: memory ran out.
        """
        if self._error is not None:
            raise self._error
        return self._problem

    def _work(self, stepper: Stepper) -> None:
        # The C++ compilers inherit this: Ctrl-C and a closed terminal reach every process in the foreground, and are
        # for the run to answer.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
        try:
            on_device = torch.cuda.device(stepper.device) if stepper.device.type == "cuda" else nullcontext()
            with _ONE_AT_A_TIME, on_device:
                self._problem = compile_network(stepper)
        except BaseException as error:
            self._error = error


def end_compilers() -> bool:
    """Ends the C++ compilers of a running compilation, before the process ends.

    Returns:
        Whether one goes on.
    """
    if not any(thread.name == _THREAD for thread in threading.enumerate()):
        return False
    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.terminate()  # then they remove what they have half written
    return True


def compile_network(stepper: Stepper) -> str | None:
    """Compiles a stepper's forward and backward pass, and takes a step that is undone.

    Returns:
        What went wrong, then the stepper is as it was; or None.
    """
    if (problem := missing(stepper.device)) is not None:
        return problem
    try:
        stepper.use_compiled(_compiled(stepper))
        with stepper.rehearsal():
            stepper.seek(0, 0.0, 0)
            stepper.step()
    except Exception as error:  # a compiler may raise anything
        stepper.use_compiled(None)
        if is_out_of_memory(error):
            raise
        lines = str(error).strip().splitlines()
        return visible(lines[0] if lines else type(error).__name__)[:200]
    finally:
        inductor = sys.modules.get("torch._inductor.async_compile")  # None where importing it is what failed
        if inductor is not None:
            inductor.AsyncCompile.pool.cache_clear()  # its threads would stay
            inductor.shutdown_compile_workers()  # and the processes that Triton's kernels are compiled in
    return None


def _compiled(stepper: Stepper) -> Forward:
    """The forward pass to be compiled, with its backward pass, when it is first called."""
    use_own_folders()
    from torch._inductor.runtime import cache_dir_utils, runtime_utils

    # Precompiled headers go there whatever TORCHINDUCTOR_CACHE_DIR says: a name in /tmp that anybody can guess.
    for module in (cache_dir_utils, runtime_utils):
        module.default_cache_dir = cache_dir_utils.cache_dir  # type: ignore[attr-defined]
    import torch._dynamo
    import torch._functorch.config
    import torch._inductor.config

    from tuitrain.training.recompute import RecomputeComparisons

    for name in ("torch._dynamo", "torch._inductor", "torch.utils.cpp_extension"):
        logging.getLogger(name).setLevel(logging.ERROR)  # what matters comes back as an exception
    on_cpu = stepper.device.type == "cpu"
    # On the CPU these are threads that each wait for a C++ compiler, on CUDA processes that compile kernels.
    torch._inductor.config.compile_threads = min(COMPILERS, usable_cpus())
    # Else it is asked for again and again while compiling goes on, and another run of this process may change it.
    torch._inductor.config.cpp.threads = torch.get_num_threads() if on_cpu else -1
    # Else a batch norm's centred maps would be put aside, and not the convolution's from which they are made at once.
    torch._functorch.config.ban_recompute_used_far_apart = not on_cpu
    torch._dynamo.reset()
    options: dict[str, Any] = {"joint_custom_pre_pass": RecomputeComparisons()} if on_cpu else {}
    compiled: Forward = torch.compile(stepper.logits, dynamic=False, fullgraph=True, options=options)
    return compiled
