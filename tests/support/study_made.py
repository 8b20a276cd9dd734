"""A study of many members on disk, none of which was trained: copies of one run that was."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from tuitrain.study.member import Order
from tuitrain.study.plan import Plan
from tuitrain.study.store import create_study
from tuitrain.study.together import train_members


def make_study(runs_dir: Path, plan: Plan) -> Plan:
    """Writes a plan and all its members, each a copy of its first, trained, with its own name, seed and preset."""
    study = create_study(runs_dir, plan)
    study.release()
    plan = replace(plan, name=study.name)
    first, *others = plan.members()
    (ending,) = train_members([Order(first.run, runs_dir, None, plan.job(first))])
    assert ending.outcome == "completed", ending
    log = (runs_dir / first.run / "events.jsonl").read_text().splitlines()
    for member in others:
        path = runs_dir / member.run
        shutil.copytree(
            runs_dir / first.run, path, ignore=shutil.ignore_patterns("checkpoints", "tensorboard")
        )
        started = json.loads(log[0])
        setting = plan.settings[member.setting]
        started |= {"run": member.run, "seed": member.seed, "preset": setting.preset.to_dict()}
        (path / "events.jsonl").write_text("\n".join([json.dumps(started), *log[1:]]) + "\n")
    return plan
