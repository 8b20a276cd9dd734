"""What a study begins with: the plan of several seeds of a run, or of a duel, and more seeds for one that there is."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

from tuitrain.errors import UsageError, visible
from tuitrain.runs.digests import preset_digest, workload
from tuitrain.spec.describe import layers_of, short_changes
from tuitrain.stats.sequential import smallest_gain
from tuitrain.study.plan import Plan, Setting, judged_alike, seeds_of, study_name, with_seed
from tuitrain.study.sides import runs_of_setting
from tuitrain.study.store import StudyDirectory, fresh_study_name
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.watch.duel import expected_sd


def plan_of_seeds(job: Job, seeds: str, name: str | None = None) -> Plan:
    """The plan of `run --seeds`, and of the lab's field.

    Raises:
        UsageError: the seeds can't be read, or stand in the way of something.
    """
    preset = job.preset
    changed = {key: pair for key, pair in job.changed.items() if key != "train.seed"}
    words = short_changes(changed, layers_of(preset.to_dict()))
    label = " · ".join(filter(None, (job.model or preset.name, words)))
    wanted = seeds_of(seeds, preset.train.seed)
    preset = judged_alike(preset, wanted[0])
    network = job.user_network.to_dict() if job.user_network else {}
    return Plan(
        study_name(name) if name else fresh_study_name(preset.name),
        "seeds",
        (Setting(label, preset, changed, job.command),),
        wanted,
        job.runtime,
        job.budget,
        with_seed(job.command, f"--seeds {seeds.replace(' ', '')}"),
        user_network=network,
        began=time.time(),
    )


def plan_of_duel(
    settings: tuple[Setting, Setting], seeds: tuple[int, ...], runtime: Runtime, sd: float, *, gain: float | None = None,
    name: str | None = None, extendable: bool = False,
) -> Plan:  # fmt: skip
    """The plan of a duel.

    Args:
        settings: A and B, judged by the same images.
        seeds: of at most so many pairs.
        runtime: how the machine is used.
        sd: the standard deviation between seeds to reckon with, a fraction.
        gain: that is looked for, a fraction; None for the one that so many pairs can find.
        name: of the study.
        extendable: whether half of the error is kept, so that it can be doubled.
    """
    wanted = gain if gain is not None else math.ceil(smallest_gain(sd, len(seeds)) * 1e4) / 1e4
    return Plan(
        study_name(name) if name else fresh_study_name(f"{settings[0].preset.name}-duel"),
        "duel",
        settings,
        seeds,
        runtime,
        None,
        gain=wanted,
        doublings=0 if extendable else None,
        began=time.time(),
    )


def sd_to_expect(runs_dir: Path, setting: Setting, images: int) -> tuple[float, str]:
    """The standard deviation between seeds to reckon with, a fraction, and where that is from.

    Args:
        runs_dir: where earlier seeds of the setting may be.
        setting: A of a duel.
        images: that judge its runs.
    """
    preset = setting.preset
    group = runs_of_setting(runs_dir, preset_digest(preset.to_dict()))
    if group is not None and group.spread is not None:
        return group.spread.sd, f"as {len(group.accuracies)} earlier seeds of A have shown"
    claims = preset.claims.on(preset.train.dataset)
    claimed = claims.test_accuracy if claims is not None else None
    accuracy = claimed or preset.target_accuracy or 99.0
    sd = expected_sd(accuracy / 100, preset.train.val_split or images)
    return sd, f"the most to reckon with for settled runs of {accuracy:g} %"


def expected_s(plan: Plan, runs_dir: Path) -> float | None:
    """The seconds that a plan's runs take one after the other, each by itself; None where that is not known.

    Args:
        plan: of a study.
        runs_dir: where earlier runs may be.
    """
    from tuitrain.runs.estimate import estimate

    known: dict[tuple[str, int], float | None] = {}
    total = 0.0
    for setting in plan.settings:
        preset = setting.preset
        work = workload(preset.to_dict()), preset.train.epochs
        if work not in known:
            found = estimate(preset, plan.runtime.device, runs_dir)
            known[work] = None if found is None else found.seconds
        if (seconds := known[work]) is None:
            return None
        total += seconds * len(plan.seeds)
    return total


def add_seeds(study: StudyDirectory, seeds: str) -> Plan:
    """Gives a study more seeds; it is held by this process.

    Raises:
        UsageError: they can't be read, it has one of them, or it is a duel.
        RunDirectoryError: its plan can't be read or written.
    """
    plan = study.plan()
    if plan.kind == "search":
        raise UsageError(
            "--seeds: a search gives seeds by itself; judge what it found with others: `tuitrain run -p FILE --seeds 10`."
        )
    if plan.kind == "duel":
        raise UsageError(
            "--seeds: a duel has its pairs from the beginning; double one that may be, with --double."
        )
    plan = plan.with_seeds(seeds_of(seeds, max(plan.seeds) + 1))
    study.write_plan(plan)
    return plan


def with_trials(plan: Plan, trials: int) -> Plan:
    """The same search with another number of networks in all.

    Raises:
        UsageError: it is no search, has as many already, or too many are wanted.
    """
    if plan.kind != "search":
        raise UsageError(f"--trials: {visible(plan.name)} is no search; --seeds gives a study more seeds.")
    if trials < len(plan.settings):
        raise UsageError(
            f"--trials {trials}: the search has {len(plan.settings)} networks already; name more."
        )
    return replace(plan, search={**plan.search, "trials": trials, "exhausted": False})


def refuse_user_network(plan: Plan) -> None:
    """Refuses a study of a network in Python, which is run only where it is named.

    Raises:
        UsageError: it is one.
    """
    if plan.user_network:
        raise UsageError(
            f"study {visible(plan.name)} trains a network in Python ({visible(plan.user_network.get('model', ''))}), "
            f"which is run only when you name it: `tuitrain study resume {visible(plan.name)} --model FILE.py:NAME`."
        )
