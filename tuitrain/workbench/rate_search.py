"""A learning-rate range test of what is in the lab, run in a thread."""

from __future__ import annotations

import dataclasses
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.errors import DataError, TuitrainError, visible

if TYPE_CHECKING:
    from tuitrain.runs.queue import SessionManager
    from tuitrain.training.job import Job
    from tuitrain.training.lr_range import RangeTest, RatePoint


class RateSearch:
    """A range test in a thread of its own, which a screen looks at.

    Attributes:
        doing: what it does, in words.
        points: the steps so far.
        ends: the lowest and the highest rate of the test.
        found: what it showed; None until it is done.
        problem: why there is no result; empty where there is none.
    """

    def __init__(self, job: Job, manager: SessionManager, data_dir: Path | None) -> None:
        self._job, self._manager, self._data_dir = job, manager, data_dir
        self._ended = threading.Event()
        self.doing = "loading torch"
        self.points: Sequence[RatePoint] = ()
        self.ends: tuple[float, float] | None = None
        self.found: RangeTest | None = None
        self.problem = ""

    def begin(self) -> None:
        """Starts it."""
        threading.Thread(target=self._work, name="rate-finder", daemon=True).start()

    def end(self) -> None:
        """Ends it after its present step."""
        self._ended.set()

    def _work(self) -> None:
        try:
            with self._manager.between_runs():
                self._search()
        except TuitrainError as error:
            self.problem = visible(error)
        except Exception as error:  # a thread must not die silently: what went wrong is shown
            traceback.print_exc()
            self.problem = visible(f"{type(error).__name__}: {error}")

    def _search(self) -> None:
        from tuitrain.training.import_torch import import_torch

        import_torch()
        from tuitrain.data.verify import dataset_status
        from tuitrain.runs.launch import load_data
        from tuitrain.training.lr_range import HIGH, LOW, range_test

        job = self._job
        if job.model:
            from tuitrain.training.user_network import load_user_network

            job = dataclasses.replace(job, user_network=load_user_network(job.model))
        # Compiling takes longer than the test.
        job = dataclasses.replace(job, runtime=dataclasses.replace(job.runtime, compile="off"))
        self.doing = "loading data"
        name = job.preset.train.dataset
        if not (status := dataset_status(name, self._data_dir)).ok:  # a test fetches nothing
            raise DataError(f"{name} is {status}; start a run, which fetches it, or run `{status.remedy}`.")
        dataset = load_data(job.preset, self._data_dir)
        self.doing, self.ends = "training", (LOW, HIGH)
        if not self._ended.is_set():
            found = range_test(job, dataset, look=self._look)
            self.points, self.found = found.points, found

    def _look(self, points: Sequence[RatePoint]) -> bool:
        self.points = tuple(points)
        return self._ended.is_set()
