"""A sweep that the lab is asked for: all combinations of some values of what the form says. No textual."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tuitrain.errors import TuitrainError, UsageError
from tuitrain.figures import estimate_text, plural
from tuitrain.spec.assignment import settings_in
from tuitrain.spec.preset import Preset, toml_value
from tuitrain.spec.repeat import command_line
from tuitrain.study.plan import Plan, seeds_of, seeds_text
from tuitrain.training.runtime import Runtime

_FLAG = re.compile(r"(?:^|(?<=\s))--grid(?:\s+|=|$)")


@dataclass(frozen=True)
class SweepOrder:
    """What the form says.

    Attributes:
        base: the preset as it was chosen.
        source: its name or file.
        preset: the preset as it stands.
        seeds: as the field has them.
        runtime: how the machine is used.
        budget: the most parameters that a network may have.
        runs_dir, data_dir: where runs and data lie.
    """

    base: Preset
    source: str
    preset: Preset
    seeds: str
    runtime: Runtime
    budget: int | None
    runs_dir: Path
    data_dir: Path | None

    def look(self, text: str) -> tuple[Plan | None, str]:
        """The plan of a grid as people type it, and how much that is; or no plan, and why not. Reads the disk."""
        try:
            plan = self.plan(text)
            return plan, how_much(plan, self.runs_dir)
        except (TuitrainError, OSError) as error:
            return None, str(error)

    def plan(self, text: str) -> Plan:
        """The plan of a grid such as `lr=0.01,0.02 dropout=0,0.05`; `--grid` may stand before each, as in a shell.

        Raises:
            TuitrainError: it can't be trained, or its data is not here.
        """
        from tuitrain.data.verify import dataset_status
        from tuitrain.study.grid import grid_of, plan_of_sweep

        texts = settings_in(_FLAG.sub(" ", text))
        seeds = seeds_of(self.seeds, self.preset.train.seed)
        usual, runtime = Runtime(), self.runtime
        flags = {
            "--grid": texts, "--seeds": seeds_text(seeds), "--dataset": self.preset.train.dataset,
            "--set": set_flags(self.base, self.preset),
            "--device": None if runtime.device == usual.device else runtime.device,
            "--precision": None if runtime.precision == usual.precision else runtime.precision,
            "--threads": runtime.threads, "--budget": self.budget,
        }  # fmt: skip
        plan = plan_of_sweep(
            self.base, self.source, self.preset, grid_of(texts), seeds, self.runtime, budget=self.budget,
            command=command_line(["tuitrain", "sweep", "--preset", self.source], flags),
        )  # fmt: skip
        for name in dict.fromkeys(setting.preset.train.dataset for setting in plan.settings):
            found = dataset_status(name, self.data_dir)
            if not found.ok:
                raise UsageError(f"{name} is not here ({found}); a run on it from the lab fetches it.")
        return plan


def set_flags(base: Preset, preset: Preset) -> list[str]:
    """What `--set` takes to make one preset of another, but for seed and data set, which have flags of their own.

    Settings that belong together are given as a whole.
    """
    old, new = base.to_dict(), preset.to_dict()
    return [
        f"{part}.{key}={toml_value(value)}"
        for part in ("challenge", "train", "model")
        for key, value in new.get(part, {}).items()
        if value != old.get(part, {}).get(key) and key not in ("seed", "dataset")
    ]


def how_much(plan: Plan, runs_dir: Path) -> str:
    """`4 settings, 3 seeds each: 12 runs, about 4 min one after the other; 2 train at a time.` Reads the disk."""
    from tuitrain.study.local import local_for
    from tuitrain.study.starting import expected_s

    runs = len(plan.settings) * len(plan.seeds)
    local, seconds = local_for(plan), expected_s(plan, runs_dir)
    at_once = min(runs, local.at_once * local.together)
    count = f"{plural(len(plan.settings), 'setting')}, {plural(len(plan.seeds), 'seed')} each: {plural(runs, 'run')}"
    time = "how long that takes is not known yet" if seconds is None else estimate_text(seconds)
    together = f"; {at_once} train at a time" if at_once > 1 else ""
    return (
        f"{count}, {time}{' one after the other' if seconds is not None and at_once > 1 else ''}{together}."
    )
