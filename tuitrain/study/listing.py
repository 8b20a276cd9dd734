"""What a list of runs needs of studies: their plans, and the means of their groups. Read in a thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tuitrain.errors import RunDirectoryError
from tuitrain.runs.predictions import right_of_runs
from tuitrain.stats.intervals import Estimate
from tuitrain.study.kinds import has_board
from tuitrain.study.plan import Plan
from tuitrain.study.store import PLAN, list_studies
from tuitrain.watch.folding import GroupKey, StudyFacts, ended_runs, fold
from tuitrain.watch.group import mean_of
from tuitrain.watch.runlist import RunRow

#: For so long a look reads predictions; a folder of a thousand runs takes several looks.
LOOK_S = 0.2


class StudyListing:
    """Looks at the studies of a folder again and again; what has not changed is read once."""

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self._plans: dict[str, tuple[int, StudyFacts]] = {}
        self._means: dict[GroupKey, tuple[tuple[str, ...], Estimate | None]] = {}
        self.studies: dict[str, StudyFacts] = {}

    @property
    def means(self) -> dict[GroupKey, Estimate]:
        """Of the groups' last epochs, as far as they are known."""
        return {key: mean for key, (_, mean) in self._means.items() if mean is not None}

    def look(self, rows: Sequence[RunRow]) -> None:
        """Reads plans that have changed, and predictions of groups of which more runs have ended."""
        self.studies = {}
        for study in list_studies(self.runs_dir):
            try:
                changed = (study.path / PLAN).stat().st_mtime_ns
                if study.name not in self._plans or self._plans[study.name][0] != changed:
                    self._plans[study.name] = (changed, _facts(study.plan()))
            except (OSError, RunDirectoryError):
                continue
            self.studies[study.name] = replace(self._plans[study.name][1], held=study.is_held())
        self._read_means(rows)

    def _read_means(self, rows: Sequence[RunRow]) -> None:
        end = time.monotonic() + LOOK_S
        for row in fold(rows, {}, {}):
            if not row.members or time.monotonic() > end:
                continue
            ended = ended_runs(row.members)
            first = ended[0].runs[0] if ended else None
            if first is None:
                continue
            key, names = (first.study, first.setting), tuple(member.key for member in ended)
            if self._means.get(key, ((), None))[0] == names:
                continue
            try:
                right = right_of_runs([self.runs_dir / name for name in names])
                accuracies = [float(one.mean()) for one in right]
            except RunDirectoryError:  # of runs from before predictions were kept
                right, accuracies = None, [member.last for member in ended if member.last is not None]
            self._means[key] = (names, mean_of(accuracies, right))


def _facts(plan: Plan) -> StudyFacts:
    """What is known of a study by its plan alone."""
    seeds = None if plan.kind == "duel" else len(plan.seeds)
    return StudyFacts(
        seeds, held=False, kind=plan.kind if has_board(plan) else "", settings=len(plan.settings)
    )


def study_names(runs_dir: Path) -> list[tuple[str, str]]:
    """(name, what is trained) of every study whose plan can be read; for the palette."""
    out = []
    for study in list_studies(runs_dir):
        try:
            plan = study.plan()
        except RunDirectoryError:
            continue
        labels = ", ".join(setting.label for setting in plan.settings[:3])
        out.append((study.name, f"{plan.kind}: {labels}"))
    return out
