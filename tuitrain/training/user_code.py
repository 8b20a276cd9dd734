"""Running a user's code: its errors become one sentence, and the settings that it changes are restored.

The user who names a network's file trusts it; this guards against mistakes, not against hostile code.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.overrides import TorchFunctionMode

from tuitrain.errors import Signalled, UsageError, safe_str, visible
from tuitrain.spec.walk import MAX_PARAMETERS

#: A little less than what is read again of a checkpoint (`MAX_BYTES` and `_MAX_TENSORS` of `runs.checkpoint`).
MAX_STATE_BYTES = 500 << 20
MAX_STATE_TENSORS = 4000
_SIZED = frozenset({torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn})


class RefusedError(Exception):
    """A network that can't be trained or saved: what is wrong, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what, self.remedy = what, remedy


def check_count(parameters: int, words: str = "") -> None:
    """Refuses too many parameters; `words` follow their number in the message.

    Raises:
        RefusedError: they are more than `MAX_PARAMETERS`.
    """
    if parameters > MAX_PARAMETERS:
        raise RefusedError(
            f"it has {parameters:,} parameters{words}", f"the limit is {MAX_PARAMETERS:,}, make it narrower"
        )


def check_bytes(count: int) -> None:
    """Refuses more bytes than a checkpoint can hold.

    Raises:
        RefusedError: they are.
    """
    if count > MAX_STATE_BYTES:
        raise RefusedError(
            f"its checkpoints would take {count >> 20:,} MiB (buffers once, parameters three times, for the optimizer)",
            f"the limit is {MAX_STATE_BYTES >> 20} MiB, make its buffers smaller or register them with persistent=False",
        )


class _Sized(TorchFunctionMode):
    """Checks the size of a new tensor before it is allocated."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        size = args if func in _SIZED else args[:1] if func is torch.full else None
        if size:
            with contextlib.suppress(TypeError, RuntimeError):  # the call itself reports a mistake in it
                made = torch.empty(*size, dtype=kwargs.get("dtype"), device="meta")
                if made.nbytes > MAX_STATE_BYTES:
                    raise RefusedError(
                        f"it makes a tensor of {made.nbytes >> 20:,} MiB",
                        f"the limit is {MAX_STATE_BYTES >> 20} MiB and {MAX_PARAMETERS:,} parameters, make it smaller",
                    )
        return func(*args, **kwargs)


@contextlib.contextmanager
def limited_size() -> Iterator[None]:
    """Counts the parameters and large tensors that this thread makes meanwhile.

    torch's layers register a parameter before they fill it, and memory that is not filled costs nothing.

    Raises:
        RefusedError: in the code that makes them.
    """
    thread, total = threading.get_ident(), 0
    alive: dict[int, weakref.ref[nn.Parameter]] = {}

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal total
        if parameter is None or threading.get_ident() != thread or nn.parameter.is_lazy(parameter):
            return
        known = alive.get(id(parameter))
        if known is not None and known() is parameter:  # tied: registered twice
            return
        alive[id(parameter)] = weakref.ref(parameter)
        total += parameter.numel()
        if total > MAX_PARAMETERS:
            total = sum(p.numel() for ref in alive.values() if (p := ref()) is not None)
            check_count(total, " or more")

    handle = torch_module.register_module_parameter_registration_hook(count)
    try:
        with _Sized():
            yield
    finally:
        handle.remove()


@contextlib.contextmanager
def seeded_generator(seed: int) -> Iterator[None]:
    """Seeds torch's generator of the CPU, and restores its state afterwards."""
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


@contextlib.contextmanager
def running_user_code(flag: str, path: Path, activity: str) -> Iterator[None]:
    """Code of the user runs inside this; its errors become usage errors.

    Raises:
        UsageError: the code raises anything but a signal to this process.
    """
    try:
        with _settings_restored():
            yield
    except (KeyboardInterrupt, Signalled):
        raise
    except RefusedError as error:
        raise UsageError(f"--model {visible(flag)}: {error}.") from None
    except BaseException as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
        where = f" in line {line}" if line else ""
        raise UsageError(
            f"--model {visible(flag)}: {activity} fails{where}: {one_line(error)}; fix that."
        ) from None


def one_line(error: BaseException) -> str:
    """The message of an exception, in one line."""
    lines = safe_str(error.msg if isinstance(error, SyntaxError) else error).strip().splitlines()
    return visible(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)[:300].rstrip(".")


#: What a file may set for the whole process: how it is read and set.
_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (os.getcwd, os.chdir),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (torch.get_default_device, lambda _: torch.set_default_device(None)),
)


@contextlib.contextmanager
def _settings_restored() -> Iterator[None]:
    """Restores the settings of the process afterwards."""
    before = []
    for read, write in _SETTINGS:
        with contextlib.suppress(OSError):  # the current folder was removed
            before.append((read, write, read()))
    streams = sys.stdout, sys.stderr
    try:
        with warnings.catch_warnings():
            yield
    finally:
        sys.stdout, sys.stderr = streams
        for read, write, value in before:
            with contextlib.suppress(OSError):
                if read() != value:
                    write(value)


def check_state(network: nn.Module) -> None:
    """Refuses a network whose state can't be saved and read again.

    Raises:
        RefusedError: it is too large, or can't be saved; what, and what to do.
    """
    parameters = dict(network.named_parameters())
    check_count(sum(parameter.numel() for parameter in parameters.values()))
    state = network.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise RefusedError(f"its state '{visible(name)}' is no tensor", "keep it out of the state")
        if value.layout is not torch.strided or value.is_quantized:
            raise RefusedError(f"its '{visible(name)}' is no dense tensor", "keep it out of the state")
    saved = {value.data_ptr() for value in state.values()}
    for name, parameter in parameters.items():
        if parameter.numel() and name not in state and parameter.data_ptr() not in saved:
            raise RefusedError(
                f"its state_dict() leaves out '{visible(name)}'", "a checkpoint would lose it, add it"
            )
    check_bytes(sum(v.nbytes for v in state.values()) + 2 * sum(p.nbytes for p in parameters.values()))
    count = len(state) + 3 * len(parameters)
    if count > MAX_STATE_TENSORS:
        raise RefusedError(
            f"its checkpoints would hold {count:,} tensors (up to four for each parameter, for the optimizer)",
            f"the limit is {MAX_STATE_TENSORS:,}, put some together",
        )
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise RefusedError(
                f"its '{visible(name)}' is not finite from the start",
                "fix that, or register such a mask with persistent=False",
            )
