"""Decisions about the machine before the first step, kept in the state for a resumed run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tuitrain.spec.preset import Preset
from tuitrain.spec.table import NetworkTable
from tuitrain.training import compiling, profiling
from tuitrain.training.cpu import usable_cpus
from tuitrain.training.events import Notice
from tuitrain.training.graph import GraphStepper, Pool
from tuitrain.training.model import Network
from tuitrain.training.runtime import Runtime
from tuitrain.training.step import Stepper
from tuitrain.training.user_network import UserStepper

MEASURED_S = 0.15  # of steps for each thread count
#: Memory that the outputs of one judging batch may take; on the CPU small enough for the caches.
JUDGING_BYTES = {"cpu": 1 << 26, "cuda": 1 << 32, "mps": 1 << 30}


@dataclass(frozen=True, slots=True)
class Machine:
    """Decisions that can change the last bits of a result; a resumed run takes the same ones.

    Attributes:
        decided: whether the rest has been.
        threads: of the CPU; 0 where they don't matter.
        compiled_from: the epoch (from 0) from which the network is compiled; None for never.
    """

    decided: bool = False
    threads: int = 0
    compiled_from: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Machine:
        """The decisions of a JSON form."""
        compiled = data.get("compiled_from")
        return cls(bool(data["decided"]), int(data["threads"]), None if compiled is None else int(compiled))


def judging_batch(table: NetworkTable, device: torch.device) -> int:
    """How many images are judged at a time: the same for every run of a network on a kind of device."""
    an_image = max(1, table.forward_backward_bytes)
    return int(max(16, min(10_000, JUDGING_BYTES.get(device.type, 1 << 26) // an_image)))


def make_stepper(
    network: nn.Module,
    preset: Preset,
    device: torch.device,
    runtime: Runtime,
    *,
    seed: int | None = None,
    pool: Pool | None = None,
) -> Stepper:
    """The stepper for a device: with CUDA graphs if there is CUDA, unless the user turns them off.

    Args:
        network: on the device.
        preset: what to train.
        device: where.
        runtime: what the user says.
        seed: of the dropouts; the preset's where left out.
        pool: memory of steppers that train together.
    """
    train, seed = preset.train, preset.train.seed if seed is None else seed
    if not isinstance(network, Network):
        return UserStepper(network, train, device, precision=runtime.precision, seed=seed)
    if device.type == "cuda" and runtime.graph:
        return GraphStepper(network, train, device, precision=runtime.precision, seed=seed, pool=pool)
    return Stepper(network, train, device, precision=runtime.precision, seed=seed)


def choose(
    stepper: Stepper, runtime: Runtime, machine: Machine, table: NetworkTable, epochs: int
) -> tuple[Machine, list[Notice]]:
    """Makes the decisions that are not in the state of a resumed run.

    Args:
        stepper: with an epoch before it.
        runtime: what the user says.
        machine: what a resumed run decided; a new one's is empty.
        table: of the network.
        epochs: of the run as planned.
    """
    notices: list[Notice] = []
    if stepper.device.type == "cpu":
        threads = _threads(stepper, runtime, machine)
        torch.set_num_threads(threads)
        machine = dataclasses.replace(machine, threads=threads)
    if not machine.decided:
        first = compiling.first_epoch(runtime, stepper, table, epochs)
        machine = dataclasses.replace(machine, decided=True, compiled_from=first)
    if runtime.profile:
        notices += profiling.notices(profiling.profile(stepper))
    return machine, notices


def compile_is_due(stepper: Stepper, machine: Machine, epoch: int) -> bool:
    """Whether the network is to be compiled before this epoch (from 0)."""
    return machine.compiled_from is not None and epoch >= machine.compiled_from and not stepper.compiled


def begin_compiling(stepper: Stepper) -> tuple[compiling.Compilation, list[Notice]]:
    """Begins to compile the network."""
    notices: list[Notice] = []
    if (refused := compiling.use_own_folders()) is not None:
        remedy = "change its owner or mode, or set XDG_CACHE_HOME; until then every run compiles again"
        notices.append(Notice(f"compiled code is kept elsewhere: {refused}", remedy, code="cache_refused"))
    return compiling.Compilation(stepper), notices


def after_compiling(machine: Machine, compilation: compiling.Compilation) -> tuple[Machine, list[Notice]]:
    """The notice of a finished compilation; if it failed, the run goes on without it."""
    problem = compilation.problem()
    if problem is None:
        return machine, []
    notice = Notice(
        f"torch.compile failed, training goes on without it: {problem}",
        compiling.remedy(compilation.device),
        code="compile_failed",
    )
    return dataclasses.replace(machine, compiled_from=None), [notice]


def _threads(stepper: Stepper, runtime: Runtime, machine: Machine) -> int:
    """The number of CPU threads: as the user set it, or as a resumed run had it, or the fastest.

    A deterministic run takes one, since sums are split by threads: another count, other last bits.
    """
    if runtime.threads is not None:
        return runtime.threads
    if machine.threads:
        return machine.threads
    cores = usable_cpus()
    return 1 if runtime.deterministic or cores == 1 else _fastest(stepper, cores)


def _fastest(stepper: Stepper, cores: int) -> int:
    """The thread count with the shortest step: 1, 2, 4, ... and all cores, stopping when more threads lose."""
    counts = sorted({*(1 << n for n in range(cores.bit_length()) if 1 << n <= cores), cores})
    best, best_s = 1, float("inf")

    def step() -> None:
        if stepper.position >= stepper.images:  # a small set: round again
            stepper.seek(0, 0.0, 0)
        stepper.step()

    with stepper.rehearsal():
        step()
        for count in counts:
            torch.set_num_threads(count)
            step()
            times: list[float] = []
            end = time.monotonic() + MEASURED_S
            while not times or time.monotonic() < end:
                begun = time.perf_counter()
                step()
                times.append(time.perf_counter() - begun)
            median = sorted(times)[len(times) // 2]
            # More threads must win clearly: the screen and other programs need a core too.
            if median > best_s * 0.95:
                break
            best, best_s = count, median
    return best
