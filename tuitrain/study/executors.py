"""Where the members of a study are trained: in processes of this machine, or in pilot jobs of a cluster."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace

from tuitrain.study.local import TOGETHER, TOGETHER_IN_A_DUEL, Local, local_for
from tuitrain.study.plan import Plan
from tuitrain.study.site import Site, the_site
from tuitrain.study.store import StudyDirectory


def executor_for(
    study: StudyDirectory, plan: Plan, jobs: int | None = None, together: bool | None = None
) -> tuple[Executor, Local]:
    """What trains a study, and how: as its plan says where.

    Args:
        study: of the plan.
        plan: of the study.
        jobs: how many seeds the user wants at a time; None leaves it to this.
        together: whether seeds are stacked into one network; None leaves it to this.

    Raises:
        UsageError: `jobs` is out of range, or the site that the plan names can't be used.
    """
    if plan.on:
        from tuitrain.study.cluster import ClusterWorkers

        site = the_site(plan.on)
        away = away_for(site, plan, jobs, together)
        return ClusterWorkers(site, study.path.absolute()), away
    from tuitrain.study.workers import Workers

    local = local_for(plan, jobs, together)
    return Workers(local.at_once, local.devices), local


def away_for(site: Site, plan: Plan, jobs: int | None = None, together: bool | None = None) -> Local:
    """How a plan is trained on a site: a call for each worker, with as many threads as it has cores.

    A number of threads that the plan has stays; it is part of what makes results equal to the bit.
    """
    runtime = plan.runtime
    if runtime.threads is None and not site.gpus:
        runtime = replace(runtime, threads=site.cpus)
    stacked = bool(site.gpus) and not plan.user_network if together is None else together
    most = TOGETHER_IN_A_DUEL if plan.kind == "duel" else TOGETHER
    return Local(runtime, min(site.slots, jobs or site.slots), min(len(plan.seeds), most) if stacked else 1)


def usable_site(name: str) -> str:
    """A site that the user named, once it is known to take pilot jobs; empty for this machine's own processes.

    Raises:
        UsageError, DeviceError: it can't be used, or reached.
    """
    from tuitrain.study.site import HERE

    if name in ("", HERE):
        return ""
    from tuitrain.study.cluster import refuse_unusable

    refuse_unusable(the_site(name))
    return name
