"""What a study begins with: the plan of several seeds of a run, and more seeds for one that there is."""

from __future__ import annotations

import time

from tuitrain.errors import UsageError, visible
from tuitrain.spec.describe import layers_of, short_changes
from tuitrain.spec.preset import override
from tuitrain.study.plan import Plan, Setting, seeds_of, study_name, with_seed
from tuitrain.study.store import StudyDirectory, fresh_study_name
from tuitrain.training.job import Job


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
    if preset.train.val_split and preset.train.val_split_seed is None:  # all are judged by the same images
        preset = override(preset, {"train.val_split_seed": wanted[0]})
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


def add_seeds(study: StudyDirectory, seeds: str) -> Plan:
    """Gives a study more seeds; it is held by this process.

    Raises:
        UsageError: they can't be read, it has one of them, or it is a duel.
        RunDirectoryError: its plan can't be read or written.
    """
    plan = study.plan()
    if plan.kind == "duel":
        raise UsageError(
            "--seeds: a duel has its pairs from the beginning; double one that may be, with --double."
        )
    plan = plan.with_seeds(seeds_of(seeds, max(plan.seeds) + 1))
    study.write_plan(plan)
    return plan


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
