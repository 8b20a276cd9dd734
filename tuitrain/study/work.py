"""What a study trains next: members in the order of its plan, or as a look at those that have been trained decides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol

from tuitrain.errors import RunDirectoryError
from tuitrain.runs import names
from tuitrain.study.halving import Halving
from tuitrain.study.member import Ending, result_of
from tuitrain.study.plan import Batch, Plan
from tuitrain.study.search import Search
from tuitrain.study.store import StudyDirectory


class Work(Protocol):
    """Gives out what is to be trained.

    Attributes:
        plan: of the study; some kinds of work add to it.
        endings: of members that had a result before, by the name of their run.
    """

    plan: Plan
    endings: dict[str, Ending]

    def next(self, *, idle: bool) -> Batch | None:
        """What is trained next; None where there is nothing now, and if `idle`, no more at all.

        Args:
            idle: whether all that was given out has ended.
        """


class InOrder:
    """The members that have no result yet, in order; of each setting so many together as are trained at once."""

    def __init__(self, study: StudyDirectory, plan: Plan, together: int = 1) -> None:
        self.study, self.plan, self.together = study, plan, together
        self.endings: dict[str, Ending] = {}
        self._batches = self._all()

    def next(self, *, idle: bool) -> Batch | None:
        """The next one."""
        del idle
        return next(self._batches, None)

    def _all(self) -> Iterator[Batch]:
        there = set(names.run_names(self.study.runs_dir))
        seeds = self.plan.seeds
        for start in range(0, len(seeds), self.together):
            for index in range(len(self.plan.settings)):
                batch = []
                for seed in seeds[start : start + self.together]:
                    member = self.plan.member(index, seed)
                    result = None
                    if member.run in there:
                        with contextlib.suppress(RunDirectoryError):
                            result = result_of(self.study.runs_dir / member.run)
                    if result is None:
                        batch.append(member)
                    else:
                        self.endings[member.run] = Ending(member.run, result)
                if batch:
                    yield Batch(tuple(batch))


def work_of(study: StudyDirectory, plan: Plan, together: int = 1) -> Work:
    """What a plan has to be trained.

    Raises:
        UsageError: what decides it is not installed.
    """
    if plan.halving:
        return Halving(study, plan, together)
    if plan.kind == "search":
        return Search(study, plan, together)
    return InOrder(study, plan, together)
