"""Successive halving: all settings train up to an epoch, the better ones go on, and so again; who stays is decided once.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization" (2016). Settings are
compared with all their seeds, each at the same epoch, and only once all are there. So a decision depends on neither the
order nor the speed of the runs; it is kept in the plan.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from tuitrain.errors import TuitrainError, UsageError
from tuitrain.runs import names
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.recorder import Recorder
from tuitrain.study.member import Ending, history_of, refuse_unwritten
from tuitrain.study.optional import need_optuna
from tuitrain.study.plan import Batch, Cut, Member, Plan
from tuitrain.study.store import StudyDirectory


def rungs(epochs: int, settings: int, factor: int) -> tuple[int, ...]:
    """The epochs after which settings are compared: `epochs` divided by the factor, as often as their number can be.

    9 settings of 16 epochs with factor 2 are compared after epochs 2, 4 and 8; of them go on 5, 3 and 2.

    Raises:
        UsageError: no setting could be stopped.
    """
    cuts, left = 0, settings
    while left >= factor:
        cuts, left = cuts + 1, left // factor
    found = sorted({epochs // factor**n for n in range(1, cuts + 1)} - {0})
    if not found:
        raise UsageError(
            f"--halving: with {settings} settings of {epochs} epochs, of which one in {factor} goes on, none can be stopped; "
            "use more settings or epochs, or leave it out."
        )
    return tuple(found)


def kept(means: Sequence[float], epoch: int, factor: int) -> list[bool]:
    """Which settings go on: the best one in `factor`, by Optuna's percentile pruner; equal ones stay together.

    Args:
        means: accuracies after `epoch`; NaN of a setting that has none, which never goes on.
        epoch: after which they were measured.
        factor: of so many settings one goes on.

    Raises:
        UsageError: Optuna is not installed.
    """
    optuna = need_optuna("--halving")
    study = optuna.create_study(direction="maximize")
    trials = [
        optuna.trial.create_trial(value=mean, intermediate_values={epoch: mean})
        for mean in means
        if not math.isnan(mean)
    ]
    study.add_trials(trials)
    pruner = optuna.pruners.PercentilePruner(100.0 / factor, n_startup_trials=0)
    stay = iter([not pruner.prune(study, trial) for trial in trials])
    return [not math.isnan(mean) and next(stay) for mean in means]


class Halving:
    """Gives out the settings that are still in, up to the next epoch at which they are compared."""

    def __init__(self, study: StudyDirectory, plan: Plan, together: int = 1) -> None:
        need_optuna("--halving")
        self.study, self.plan, self.together = study, plan, together
        self.endings: dict[str, Ending] = {}
        epochs = min(setting.preset.train.epochs for setting in plan.settings)
        self._rungs = rungs(epochs, len(plan.settings), plan.halving)
        self._waiting: list[Batch] = []
        self._until: int | None = None
        self._given = False  # the last part: those that are left, to their end
        self._keep_told()

    def next(self, *, idle: bool) -> Batch | None:
        """The next members of those that are still in."""
        while not self._waiting:
            if not idle or self._given:
                return None
            if self._until is not None:
                self._decide(self._until)
            done = len(self.plan.cuts)
            self._until = self._rungs[done] if done < len(self._rungs) else None
            self._given = self._until is None
            self._waiting = self._to_train(self._until)
        return self._waiting.pop(0)

    def _to_train(self, until: int | None) -> list[Batch]:
        batches = []
        for start in range(0, len(self.plan.seeds), self.together):
            for index in self.plan.still_in:
                members = []
                for seed in self.plan.seeds[start : start + self.together]:
                    member = self.plan.member(index, seed)
                    history = self._history(member)
                    if history.has_result:
                        self.endings[member.run] = Ending(member.run, history.outcome)
                    elif until is None or history.done < until:
                        members.append(member)
                if members:
                    batches.append(Batch(tuple(members), until))
        return batches

    def _decide(self, epoch: int) -> None:
        contenders = self.plan.still_in
        members = [self.plan.member(index, seed) for index in contenders for seed in self.plan.seeds]
        refuse_unwritten(self.endings.get(member.run) for member in members)
        means = [self._mean(index, epoch) for index in contenders]
        stay = kept(means, epoch, self.plan.halving)
        worst_last = sorted(
            range(len(contenders)), key=lambda n: math.inf if math.isnan(means[n]) else -means[n]
        )
        cut = Cut(
            epoch,
            tuple(contenders[n] for n in worst_last),
            tuple(None if math.isnan(means[n]) else means[n] for n in worst_last),
            sum(stay),
        )
        self.plan = dataclasses.replace(self.plan, cuts=(*self.plan.cuts, cut))
        self.study.change_plan(cuts=self.plan.cuts)
        self._keep_told()

    def _keep_told(self) -> None:
        """Writes into the log of each run that was stopped why."""
        for index in range(len(self.plan.settings)):
            if why := self.plan.stopped(index):
                for seed in self.plan.seeds:
                    path = self.study.runs_dir / self.plan.member(index, seed).run
                    with contextlib.suppress(TuitrainError, OSError):  # it may be resumed by hand just now
                        tell_why(path, why)

    def _mean(self, index: int, epoch: int) -> float:
        """Of the seeds that got there, or diverged before."""
        found = []
        for seed in self.plan.seeds:
            epochs = [
                e.test_acc for e in self._history(self.plan.member(index, seed)).epochs if e.epoch <= epoch
            ]
            if epochs and math.isfinite(epochs[-1]):
                found.append(epochs[-1])
        return sum(found) / len(found) if found else math.nan

    def _history(self, member: Member) -> History:
        return history_of(self.study.runs_dir / member.run)


def tell_why(path: Path, why: str) -> None:
    """Gives a run that waits the reason for which it does not go on.

    Raises:
        RunDirectoryError: it is held, or its log can't be read.
    """
    if not names.looks_like_run(path):
        return
    finished = History.of(RunDirectory(path).events()).finished
    if finished is None or finished.outcome != "stopped" or finished.message == why:
        return
    directory = RunDirectory.open(path)
    directory.acquire()
    try:
        recorder = Recorder(directory, directory.events())
        recorder.add(dataclasses.replace(finished, message=why))
        recorder.finish()
    finally:
        directory.close()
