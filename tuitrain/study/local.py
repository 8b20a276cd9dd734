"""How many members of a study are trained at a time on this machine, and with how many threads each."""

from __future__ import annotations

from dataclasses import replace

from tuitrain.errors import UsageError
from tuitrain.study.plan import Plan
from tuitrain.training.cpu import usable_cpus
from tuitrain.training.runtime import Runtime

#: Memory for each process beside the libraries that all share: the images of an epoch, twice, and the network.
PROCESS_BYTES = 600 << 20


def trains_on_cpu(runtime: Runtime) -> bool:
    """Whether members are trained on the CPU; told without torch, so `auto` counts the cards that the driver shows."""
    if runtime.device != "auto":
        return runtime.device == "cpu"
    from tuitrain import nvml

    return not nvml.cards()


def members_at_once(runtime: Runtime, members: int, wanted: int | None = None) -> tuple[Runtime, int]:
    """The runtime of each member, and how many are trained at a time.

    On the CPU as many as it has cores, of one thread each: measured, two small networks beside each other on two
    cores take 0.6 of the time of one after the other with two threads (`benchmarks/seeds.py`). A device that is
    shared gets one at a time.

    Args:
        runtime: as the user set it; threads that are set stay.
        members: how many there are.
        wanted: how many the user wants at a time; None leaves it to this.

    Raises:
        UsageError: not from 1 to 1,024.
    """
    if wanted is not None and not 1 <= wanted <= 1024:
        raise UsageError(f"--jobs {wanted}: use a number from 1 to 1024.")
    if not trains_on_cpu(runtime):
        return runtime, min(members, wanted or 1)
    cores = usable_cpus()
    count = wanted or min(cores // (runtime.threads or 1), _fit_in_memory())
    count = max(1, min(count, members))
    if count > 1 and runtime.threads is None:
        runtime = replace(runtime, threads=max(1, cores // count))
    return runtime, count


def plan_for_here(plan: Plan, wanted: int | None = None) -> tuple[Plan, int]:
    """The plan as it is trained on this machine, and how many members at a time."""
    runtime, count = members_at_once(plan.runtime, len(plan.settings) * len(plan.seeds), wanted)
    return replace(plan, runtime=runtime), count


def _fit_in_memory() -> int:
    import psutil

    return max(1, int(psutil.virtual_memory().available // PROCESS_BYTES))
