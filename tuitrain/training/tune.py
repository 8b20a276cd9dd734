"""What is decided by looking at the machine before the first step, and kept in the state for a resumed run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tuitrain.spec.table import NetworkTable
from tuitrain.training.devices import usable_cpus
from tuitrain.training.runtime import Runtime
from tuitrain.training.step import Stepper

MEASURED_S = 0.15  # of steps for each thread count
#: Memory that the outputs of one judging batch may take; on the CPU small enough for the caches.
JUDGING_BYTES = {"cpu": 1 << 26, "cuda": 1 << 32, "mps": 1 << 30}


@dataclass(frozen=True, slots=True)
class Machine:
    """Decisions that can change the last bits of a result, so that a resumed run takes the same ones.

    Attributes:
        threads: of the CPU; 0 where not decided.
        compiled_from: the epoch (from 0) from which the network is compiled; None for never.
    """

    threads: int = 0
    compiled_from: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Machine:
        """The decisions of a JSON form."""
        compiled = data.get("compiled_from")
        return cls(int(data["threads"]), None if compiled is None else int(compiled))


def judging_batch(table: NetworkTable, device: torch.device) -> int:
    """How many images are judged at a time: the same for every run of a network on a kind of device."""
    an_image = max(1, table.forward_backward_bytes)
    return int(max(16, min(10_000, JUDGING_BYTES.get(device.type, 1 << 26) // an_image)))


def choose_threads(stepper: Stepper, runtime: Runtime, machine: Machine) -> Machine:
    """Sets the number of CPU threads: what the user says, else what a resumed run had, else the fastest.

    A deterministic run takes one thread, since sums are split by threads and would differ between machines.
    """
    if stepper.device.type != "cpu":
        return machine
    cores = usable_cpus()
    if runtime.threads is not None:
        threads = runtime.threads
    elif machine.threads:
        threads = machine.threads
    elif runtime.deterministic or cores == 1:
        threads = 1
    else:
        threads = _fastest(stepper, cores)
    torch.set_num_threads(threads)
    return dataclasses.replace(machine, threads=threads)


def _fastest(stepper: Stepper, cores: int) -> int:
    """The thread count with the shortest step: 1, 2, 4, ... and all cores, stopping when more threads lose."""
    counts = sorted({*(1 << n for n in range(cores.bit_length()) if 1 << n <= cores), cores})
    best, best_s = 1, float("inf")
    with stepper.rehearsal():
        stepper.step()
        for count in counts:
            torch.set_num_threads(count)
            stepper.step()
            times: list[float] = []
            end = time.monotonic() + MEASURED_S
            while not times or (time.monotonic() < end and stepper.position < stepper.images):
                begun = time.perf_counter()
                stepper.step()
                times.append(time.perf_counter() - begun)
            median = sorted(times)[len(times) // 2]
            # More threads must win clearly: the screen and other programs need a core too.
            if median > best_s * 0.95:
                break
            best, best_s = count, median
    return best
