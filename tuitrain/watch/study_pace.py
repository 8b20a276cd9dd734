"""The time that the runs of a study still take, if they go on as they have since they are watched."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tuitrain.watch.group import Group

#: Of a run; before so much has been done, nothing is said.
ENOUGH = 0.3


class StudyPace:
    """Watches how much is done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begun, self._before = clock, clock(), -1.0

    def left_s(self, groups: Sequence[Group], more_runs: float | None = None) -> float | None:
        """Seconds until all of the groups' runs are done; None while there is nothing to tell it from.

        Args:
            groups: as they stand.
            more_runs: how many runs it still takes, where that is not all of them.
        """
        done = _done(groups)
        if self._before < 0 or done < self._before:
            self._begun, self._before = self._clock(), done
        since = done - self._before
        if since < ENOUGH:
            return None
        left = sum(len(group.runs) for group in groups) - done if more_runs is None else more_runs
        return (self._clock() - self._begun) / since * max(0.0, left)


def fraction_done(groups: Sequence[Group]) -> float:
    """The share of all runs' epochs and steps that is done."""
    total = sum(len(group.runs) for group in groups)
    return _done(groups) / max(1, total)


def _done(groups: Sequence[Group]) -> float:
    """How many runs' worth is done; one that halving stopped has no more to do."""
    return sum(1.0 if group.stopped else run.fraction for group in groups for run in group.runs)
