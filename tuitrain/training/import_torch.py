"""Importing torch without blocking the thread that paints the screen.

The interpreter lock is what matters: while one thread is inside `dlopen`, nothing is painted. Calling dlopen through ctypes
gives the lock away, so torch's large libraries are mapped that way first and `import torch` finds them loaded; what
remains is Python, which hands the lock over every 5 ms.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import os
import sys
import threading
from pathlib import Path

_lock = threading.Lock()


def map_torch_libraries() -> None:
    """Load torch's shared libraries without holding the interpreter lock; harmless where it fails."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None or not sys.platform.startswith("linux"):
        return
    folder = Path(spec.origin).parent / "lib"
    libc = ctypes.CDLL(None)
    libc.dlopen.restype = ctypes.c_void_p
    libc.dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    for name, flags in (
        ("libtorch_global_deps.so", os.RTLD_NOW | os.RTLD_GLOBAL),
        ("libtorch_cpu.so", os.RTLD_NOW),
        ("libtorch_python.so", os.RTLD_NOW),
    ):
        path = folder / name
        if path.exists():
            libc.dlopen(str(path).encode(), flags)


def import_torch() -> None:
    """Import torch once, in the thread that asks first."""
    with _lock:
        if "torch" not in sys.modules:
            map_torch_libraries()
            importlib.import_module("torch")
            gc.freeze()  # else a full collection, which looks at all that torch brought, takes 80 ms from training
