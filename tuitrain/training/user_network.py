"""The user's network, in Python: `--model file.py:Net`.

This is the only place where tuitrain runs code that it reads, and only a flag typed by the user leads here: a
preset has no key for it, and what a run directory keeps of such a file is a text for readers (`model.py.txt`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint
from math import prod
from pathlib import Path
from types import CodeType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuitrain.errors import UsageError, visible
from tuitrain.paths import expand
from tuitrain.spec.installed import NETWORKS, entry_point_path, entry_points_of
from tuitrain.spec.layers import CLASSES
from tuitrain.spec.table import INPUT_SHAPE, NetworkTable, TableRow
from tuitrain.training.model import torchinfo_statistics
from tuitrain.training.seeding import key
from tuitrain.training.step import Stepper
from tuitrain.training.user_code import (
    RefusedError,
    check_state,
    limited_size,
    one_line,
    running_user_code,
    seeded_generator,
)

MAX_SOURCE_BYTES = 1 << 20
_MODULE = "tuitrain_own_network"


class _Loader(SourceFileLoader):
    """Runs exactly the bytes whose SHA-256 is recorded; reads and writes no bytecode cache."""

    def __init__(self, path: Path, source: bytes) -> None:
        super().__init__(_MODULE, str(path))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, self.path)


@dataclass(frozen=True)
class UserNetwork:
    """A class or function of a Python file that gives a new network when called without arguments.

    Attributes:
        flag: as it was typed, `file.py:Net`, or the name under which an installed package brings it.
        source: the file's bytes.
        make: gives the network.
    """

    flag: str
    source: bytes
    make: Callable[[], object]

    @property
    def name(self) -> str:
        """Of the class or function."""
        return _file_and_name(self.flag)[1]

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.source).hexdigest()

    def to_dict(self) -> dict[str, str]:
        """What a run records of it."""
        return {"model": self.flag, "sha256": self.sha256}

    def build(self, seed: int) -> nn.Module:
        """A new network on the CPU, its weights drawn from torch's generator with a seed of the run.

        Raises:
            UsageError: making it raises, or it can't be trained here.
        """
        with seeded_generator(key(seed, "init")), self._running("making it"), limited_size():
            made = self.make()
        if not isinstance(made, nn.Module):
            raise self._refusal(f"it gives a {type(made).__name__}", "it must be or return a torch.nn.Module")
        tensors = (*made.parameters(), *made.buffers())
        if any(nn.parameter.is_lazy(tensor) for tensor in tensors):
            raise self._refusal("it has lazy layers", "write their input sizes")
        if not any(parameter.requires_grad for parameter in made.parameters()):
            raise self._refusal("it has nothing to train", "give it parameters")
        try:
            check_state(made)
            return made.to("cpu").train()
        except RefusedError as error:
            raise self._refusal(error.what, error.remedy) from None
        except (RuntimeError, TypeError, ValueError) as error:  # sparse, quantized or meta tensors, say
            raise self._refusal(
                f"its weights can't be used: {one_line(error)}", "keep to dense tensors"
            ) from None

    @cached_property
    def table(self) -> NetworkTable:
        """The table of its layers, from a temporary network that is tried out on noise.

        Raises:
            UsageError: it can't be built, or does not give a row of logits for each image.
        """
        network = self.build(0)
        if network is self.build(0):
            raise self._refusal("it gives the same network each time", "make a new one in each call")
        rows: list[TableRow] = []
        with seeded_generator(0):
            network.eval()
            with torch.no_grad(), _recording_layers(network, rows):
                self._try(network, 1)
            with torch.no_grad():
                self._try(network, 3)
            network.train()
            logits = self._try(network, 2)
            with self._running("its backward pass"):
                F.cross_entropy(logits.float(), torch.zeros(2, dtype=torch.int64)).backward()  # type: ignore[no-untyped-call]
        # What no layer of its own reported: parameters of parts that are not called as modules.
        rest = sum(p.numel() for p in network.parameters()) - sum(row.parameters for row in rows)
        if rest or not rows:
            rows.append(TableRow(len(rows), None, "other", "other parameters", "", (CLASSES,), rest, rest, 0))
        return NetworkTable(INPUT_SHAPE, tuple(rows))

    def _try(self, network: nn.Module, count: int) -> Tensor:
        with self._running(f"calling it with {count} image{'s' * (count > 1)}"):
            logits = network(torch.randn(count, *INPUT_SHAPE))
        images = (
            f"for {count} image{'s' * (count > 1)}, ({count}, {', '.join(map(str, INPUT_SHAPE))}), it gives"
        )
        wanted = f"it must be logits ({count}, {CLASSES})"
        if not isinstance(logits, Tensor):
            raise self._refusal(f"{images} a {type(logits).__name__}", wanted)
        if tuple(logits.shape) != (count, CLASSES) or not logits.is_floating_point():
            kind = "" if logits.is_floating_point() else f" of {logits.dtype}"
            raise self._refusal(f"{images} {tuple(logits.shape)}{kind}", wanted)
        return logits

    def summary(self) -> str:
        """torchinfo's table of a throw-away network, or a line where torchinfo can't make one."""
        try:
            return str(torchinfo_statistics(self.build(0)))
        except Exception as error:  # a user's modules may raise anything
            return f"{visible(self.flag)}: {self.table.parameters:,} parameters; torchinfo can't show it: {one_line(error)}\n"

    def _running(self, activity: str) -> AbstractContextManager[None]:
        return running_user_code(self.flag, _file_and_name(self.flag)[0], activity)

    def _refusal(self, what: str, remedy: str) -> UsageError:
        return UsageError(f"--model {visible(self.flag)}: {what}; {remedy}.")


def load_user_network(flag: str, source: bytes | None = None) -> UserNetwork:
    """The network that a flag `file.py:Net` names, or the name of an installed one; runs that file.

    Args:
        flag: what names it.
        source: the file's bytes, where it was read before.

    Raises:
        UsageError: there is no such file or name, or running it raises.
    """
    source = read_source(flag) if source is None else source
    path, name = _file_and_name(flag)
    point = _entry_point(flag)
    if point is not None:
        with seeded_generator(0), running_user_code(flag, path, "importing it"), limited_size():
            return UserNetwork(flag, source, point.load())
    loader = _Loader(path, source)
    module = importlib.util.module_from_spec(ModuleSpec(_MODULE, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[_MODULE] = module  # as for an import: a dataclass looks its module up there
    with seeded_generator(0), running_user_code(flag, path, "running the file"), limited_size():
        loader.exec_module(module)
    make = getattr(module, name, None)
    if not callable(make):
        there = [n for n, v in vars(module).items() if isinstance(v, type) and v.__module__ == _MODULE]
        hint = f"it has {', '.join(map(visible, there[:5]))}" if there else "define it there"
        what = "is no class or function" if hasattr(module, name) else "is not there"
        raise UsageError(f"--model {visible(flag)}: '{visible(name)}' {what}; {hint}.")
    return UserNetwork(flag, source, make)


def read_source(flag: str) -> bytes:
    """The bytes of the file that a flag `file.py:Net` names; nothing of it is run.

    Raises:
        UsageError: it names none, or the file can't be read.
    """
    shown = visible(flag)
    path, name = _file_and_name(flag)
    if not name.isidentifier() or path.suffix != ".py":
        there = [point.name for point in entry_points_of(NETWORKS)]
        installed = f", or as an installed one: {', '.join(map(visible, there[:9]))}" if there else ""
        raise UsageError(f"--model {shown}: write it as FILE.py:NAME, such as net.py:Net{installed}.")
    try:
        if not path.is_file():
            raise UsageError(f"--model {shown}: there is no file {visible(path)}; check the path.")
        with path.open("rb") as file:
            source = file.read(MAX_SOURCE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = visible(getattr(error, "strerror", None) or error)
        raise UsageError(
            f"--model {shown}: {visible(path)} can't be read: {reason}; check the path."
        ) from None
    if len(source) > MAX_SOURCE_BYTES:
        raise UsageError(
            f"--model {shown}: {visible(path)} is larger than 1 MiB; keep only the network in it."
        )
    return source


def _entry_point(flag: str) -> EntryPoint | None:
    """The entry point of that name, where the flag names no file."""
    if ":" in flag:
        return None
    return next((point for point in entry_points_of(NETWORKS) if point.name == flag), None)


def _file_and_name(flag: str) -> tuple[Path, str]:
    """The file that a flag names, and what in it."""
    point = _entry_point(flag)
    if point is not None:
        try:
            path = entry_point_path(point)
        except LookupError as error:
            raise UsageError(f"--model {visible(flag)}: {error.args[0]}; ask its author.") from None
        return path / "__init__.py" if path.is_dir() else path, point.attr.rpartition(".")[2]
    file, _, name = flag.rpartition(":")
    return expand(file), name


@contextlib.contextmanager
def _recording_layers(network: nn.Module, rows: list[TableRow]) -> Iterator[None]:
    """Records a row for each call of a module that has no submodules, or has parameters itself."""
    counted: set[int] = set()

    def note(name: str, module: nn.Module) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
            weights = list(module.parameters(recurse=False))
            places = prod(shape[1:]) if isinstance(module, nn.modules.conv._ConvNd) else 1
            new = sum(p.numel() for p in weights if id(p) not in counted)
            counted.update(map(id, weights))
            norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
            kind = "batchnorm" if norm else type(module).__name__.lower()
            cost = places * sum(p.numel() for p in weights)
            rows.append(TableRow(len(rows), None, kind, name or kind, "", shape, new, cost, 0))

        return hook

    handles = [
        module.register_forward_hook(note(name, module))
        for name, module in network.named_modules()
        if not list(module.children()) or list(module.parameters(recurse=False))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class UserStepper(Stepper):
    """Steps of a user's network, whose dropouts draw from torch's own generators."""

    def _draw(self) -> None:
        """Seeds those generators for this step, so that a resumed run draws the same numbers as an uninterrupted one."""
        seed = key(self.seed, "dropout", self.epoch, self._step)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.default_generators[self.device.index or 0].manual_seed(seed)
        elif self.device.type == "mps":
            torch.mps.manual_seed(seed)

    def _apply(self, pixels: Tensor, bits: Tensor | None) -> Tensor:
        return self.network(pixels)  # type: ignore[no-any-return]
