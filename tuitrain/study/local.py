"""How many members of a study are trained at a time on this machine, and with how many threads each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tuitrain.errors import UsageError
from tuitrain.study.plan import Plan
from tuitrain.training.cpu import usable_cpus
from tuitrain.training.runtime import Runtime

#: An allowance, not measured, for each process beside the shared libraries: an epoch's images, twice, and the network.
PROCESS_BYTES = 600 << 20
#: Seeds of one setting that are trained at once on a GPU, not yet measured on one; in a duel few, as it may be decided soon.
TOGETHER, TOGETHER_IN_A_DUEL = 64, 8


def trains_on_cpu(runtime: Runtime) -> bool:
    """Whether members are trained on the CPU; told without torch, so `auto` counts the cards that the driver shows."""
    if runtime.device != "auto":
        return runtime.device == "cpu"
    from tuitrain import nvml

    return not nvml.cards()


@dataclass(frozen=True, slots=True)
class Local:
    """How a plan is trained here: so many calls at a time, each of so many members, with this runtime.

    `devices` are the GPUs of the processes, a name of CUDA_VISIBLE_DEVICES each; none where there is one GPU at most.
    """

    runtime: Runtime
    at_once: int
    together: int
    devices: tuple[str, ...] = ()


def local_for(plan: Plan, jobs: int | None = None, together: bool | None = None) -> Local:
    """How a plan is trained on this machine.

    On the CPU as many members at a time as it has cores, of one thread each: four seeds of step13 on two cores took 0.78
    of the time of one after the other, start included, and stacked 2.6 times as long (`benchmarks/seeds.py`). On CUDA
    the seeds of a setting train at once, as one network alone leaves most of the device idle; where there are several
    GPUs and none is named, each has a process of its own, and the seeds of a setting are shared out.

    Args:
        plan: of the study; threads that its runtime sets stay.
        jobs: how many seeds the user wants at a time; None leaves it to this.
        together: whether seeds are stacked into one network; None leaves it to this.

    Raises:
        UsageError: `jobs` is not from 1 to 1,024.
    """
    runtime, members = plan.runtime, plan.most_members
    if jobs is not None and not 1 <= jobs <= 1024:
        raise UsageError(f"--jobs {jobs}: use a number from 1 to 1024.")
    on_cpu = trains_on_cpu(runtime)
    devices = () if on_cpu or runtime.device not in ("auto", "cuda") else _several_gpus()
    alone = bool(plan.user_network) or plan.kind == "search"  # a search gives out one seed at a time
    if together or (together is None and not on_cpu and runtime.device != "mps" and not alone):
        most = jobs or len(devices or "1") * (TOGETHER_IN_A_DUEL if plan.kind == "duel" else TOGETHER)
        processes = min(max(1, len(devices)), most, members)
        share = math.ceil(min(members, most) / processes)
        return Local(runtime, processes, min(len(plan.seeds), share), devices)
    if not on_cpu:
        return Local(runtime, min(members, jobs or max(1, len(devices))), 1, devices)
    count = jobs or min(usable_cpus() // (runtime.threads or 1), _fit_in_memory())
    count = max(1, min(count, members))
    if count > 1 and runtime.threads is None:
        runtime = replace(runtime, threads=max(1, usable_cpus() // count))
    return Local(runtime, count, 1)


def _several_gpus() -> tuple[str, ...]:
    from tuitrain import nvml

    names = nvml.device_names()
    return tuple(names) if len(names) > 1 else ()


def _fit_in_memory() -> int:
    import psutil

    return max(1, int(psutil.virtual_memory().available // PROCESS_BYTES))
