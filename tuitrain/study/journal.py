"""What chooses the networks of a search: Optuna, whose journal stands in the study's folder.

Of its samplers the tree-structured Parzen estimator (Ozaki et al., "Multiobjective tree-structured Parzen estimator",
2022): with the few tens or hundreds of networks that one can train it finds more than NSGA-II, which takes that many for
its first generations, and it takes values, ranges and a constraint together. Each choice has a seed of its own, so it
depends on nothing but what was chosen and found before: a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.study.optional import need_optuna
from tuitrain.study.search_plan import Sampled, SearchPlan
from tuitrain.study.space import Choice, Range

JOURNAL = "journal.log"
_NAME = "search"
#: Constraints by which a network is refused.
OVER, BROKEN = "parameters", "network"


class Journal:
    """Chooses, and remembers what was found."""

    def __init__(self, folder: Path, search: SearchPlan) -> None:
        """Opens the journal, or begins one.

        Raises:
            UsageError: Optuna is not installed.
            RunDirectoryError: it is damaged, or can't be read or written.
        """
        self._optuna = need_optuna("tuitrain search")
        self.path, self._search = folder / JOURNAL, search
        self.is_new = not self.path.exists()
        self._distributions = {key: self._distribution(entry) for key, entry in search.space.items()}
        with self._told():
            if not self.is_new:
                _mend(self.path)
            journal = self._optuna.storages.journal
            self._log = _Log(journal.JournalFileBackend(str(self.path), lock_obj=_HeldByTheStudy()))
            self._study = self._optuna.create_study(
                storage=self._optuna.storages.JournalStorage(self._log),
                study_name=_NAME,
                directions=["minimize", "maximize"],
                load_if_exists=True,
            )

    def ask(self) -> tuple[int, dict[str, Any]]:
        """The number of another network, and what it is chosen to be."""
        with self._told():
            index = sum(trial.state.name != "FAIL" for trial in self._study.get_trials(deepcopy=False))
            seed = (self._search.seed * 1_000_003 + index) % 2**32
            self._study.sampler = self._optuna.samplers.TPESampler(seed=seed)
            trial = self._study.ask(self._distributions)
            return trial.number, self._chosen(trial.params)

    def refuse(self, number: int, why: str, by: float) -> None:
        """A network is not trained, for a constraint that it misses by so much."""
        with self._told():
            known = self._trials()[number]
            if why not in known.constraints:
                self._optuna.trial.Trial(self._study, known._trial_id).set_constraint(why, by)
            self._study.tell(number, state=self._optuna.trial.TrialState.PRUNED)

    def tell(self, number: int, parameters: int, accuracy: float) -> None:
        """What was found of a network; the accuracy is a fraction."""
        with self._told():
            self._study.tell(number, [float(parameters), accuracy])

    def open(self) -> list[tuple[int, dict[str, Any]]]:
        """The networks that were chosen and of which nothing was told; one whose choice was cut off is forgotten."""
        out = []
        with self._told():
            for trial in self._trials():
                if trial.state.name != "RUNNING":
                    continue
                if trial.params.keys() == self._distributions.keys():
                    out.append((trial.number, self._chosen(trial.params)))
                else:
                    self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        return out

    def told(self) -> list[dict[str, Any]]:
        """What the networks of which something was told had been chosen to be."""
        with self._told():
            return [
                self._chosen(trial.params)
                for trial in self._trials()
                if trial.state.name == "COMPLETE"
                or (trial.state.name == "PRUNED" and OVER not in trial.constraints)
            ]

    def fill(self, found: Sequence[tuple[Mapping[str, Any], int, float | None]]) -> None:
        """Puts in what was lost: what was chosen, its parameters and accuracy, None where that is not yet known."""
        states = self._optuna.trial.TrialState
        with self._told():
            for chosen, parameters, accuracy in found:
                names = {key: _name(self._search.space[key], chosen[key]) for key in self._distributions}
                self._study.add_trial(
                    self._optuna.trial.create_trial(
                        state=states.RUNNING if accuracy is None else states.COMPLETE,
                        values=None if accuracy is None else [float(parameters), accuracy],
                        params=names, distributions=self._distributions,
                    )
                )  # fmt: skip

    @property
    def sampled(self) -> Sampled:
        """How many were looked at."""
        with self._told():
            trials = [trial for trial in self._trials() if trial.state.name != "FAIL"]
        refused = [set(trial.constraints) for trial in trials if trial.state.name == "PRUNED"]
        over, broken = (sum(why in found for found in refused) for why in (OVER, BROKEN))
        return Sampled(len(trials), over, broken)

    def _trials(self) -> Any:
        return self._study.get_trials(deepcopy=False)

    def _distribution(self, entry: Choice | Range) -> Any:
        kinds = self._optuna.distributions
        if isinstance(entry, Choice):
            return kinds.CategoricalDistribution(list(entry.by_name))
        if entry.whole:
            return kinds.IntDistribution(entry.low, entry.high, step=entry.step or 1, log=entry.log)
        return kinds.FloatDistribution(entry.low, entry.high, step=entry.step, log=entry.log)

    def _chosen(self, params: Mapping[str, Any]) -> dict[str, Any]:
        space = self._search.space
        return {key: _value(space[key], value) for key, value in params.items() if key in space}

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Writes what has come, and tells errors of the file in our words."""
        try:
            yield
            self._log.write()
        except OSError as error:
            raise RunDirectoryError(
                f"{visible(self.path)} can't be used: {visible(error.strerror or error)}; nothing is lost: once that is "
                f"repaired, go on with `tuitrain study resume {visible(self.path.parent.name)}`."
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise damaged(self.path, f"{type(error).__name__}: {error}") from None


def damaged(path: Path, how: str) -> RunDirectoryError:
    """What is said of a journal that can't be read."""
    return RunDirectoryError(
        f"{visible(path)} is damaged ({visible(how)}); the runs and the plan are not: move it away, and `tuitrain study "
        f"resume {visible(path.parent.name)}` makes it again."
    )


def _mend(path: Path) -> None:
    """Takes away a last line that was cut off, as by a full disk.

    Raises:
        OSError: it can't be read or written.
        RunDirectoryError: another line is damaged.
    """
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            json.loads(line)
        except ValueError:
            raise damaged(path, f"line {number} is no JSON") from None
    if len(whole) < len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))


class _Log:
    """Optuna's journal file, written once for each choice rather than once for each of its values.

    What a journal is to Optuna (`optuna.storages.journal.BaseJournalBackend`).
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._logs: list[dict[str, Any]] = list(file.read_logs(0))
        self._written = len(self._logs)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        return iter(self._logs[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs += json.loads(json.dumps(logs))

    def write(self) -> None:
        if new := self._logs[self._written :]:
            self._file.append_logs(new)
            self._written = len(self._logs)


class _HeldByTheStudy:
    """Optuna's own lock stays behind where a process is killed; the study's does not, and is held by this process."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _value(entry: Choice | Range, name: Any) -> Any:
    if isinstance(entry, Choice):
        return entry.by_name[name]
    return round(name, 10) if isinstance(name, float) else name


def _name(entry: Choice | Range, value: Any) -> Any:
    if isinstance(entry, Choice):
        return next(name for name, one in entry.by_name.items() if one == value)
    return value
