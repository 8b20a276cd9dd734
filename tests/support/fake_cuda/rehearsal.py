"""Whole commands on fake CUDA tensors: do they go through, before there is a card? What they report means nothing.

`environment` is for a process of Python and those that it starts; `begin` is what these do first.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from support import TESTS
from support.fake_cuda import stubs
from support.fake_cuda.lint import Lint

HOOK = Path(__file__).resolve().parent / "everywhere"


def environment(folder: Path) -> dict[str, str]:
    """The environment of commands that find a fake card; libraries are made in `folder`."""
    paths = [str(HOOK), str(TESTS), os.environ.get("PYTHONPATH", "")]
    return stubs.environment(folder) | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def begin() -> None:
    """Takes fake tensors in this process, for good."""
    from support.fake_cuda import tensors
    from tuitrain.training import ensemble, graph

    def capture(body: Callable[[], None], warm_up: Callable[[], None], *rest: Any, **more: Any) -> Any:
        warm_up()
        body()
        return body, None

    warnings.simplefilter("ignore")
    tensors.install(lambda what: None)
    graph.capture = capture
    ensemble.capture = capture
    _save_zeros()
    mode = tensors.mode()
    mode.__enter__()
    _Values().__enter__()
    run = threading.Thread.run

    def run_with_fakes(self: threading.Thread) -> None:  # a thread has modes of its own
        with mode, _Values():
            run(self)

    threading.Thread.run = run_with_fakes  # type: ignore[method-assign]
    torch.autograd.set_multithreading_enabled(False)


class _Values(Lint):
    """Makes up the values that are waited for; one operator at a time, since all threads share the fake mode."""

    lock = threading.RLock()

    def __torch_dispatch__(self, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return super().__torch_dispatch__(*args, **kwargs)


def _save_zeros() -> None:
    """Checkpoints hold zeros, where fake tensors have no bytes."""
    import safetensors.torch
    from torch.utils._python_dispatch import _disable_current_modes

    save = safetensors.torch.save

    def zeros(tensors: dict[str, Any], metadata: dict[str, str] | None = None) -> bytes:
        with _disable_current_modes():
            real = {name: torch.zeros(t.shape, dtype=t.dtype) for name, t in tensors.items()}
            return save(real, metadata)

    safetensors.torch.save = zeros
