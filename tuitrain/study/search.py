"""A search: networks are chosen in rounds, trained seed by seed, and given no more seeds once they can't reach the front.

All of a round are chosen before any is judged, and all get a seed before any gets the next. So what is trained follows
from the accuracies alone: not from which was done first, nor from how often the search was killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tuitrain.errors import PresetError, UsageError
from tuitrain.runs.digests import preset_digest
from tuitrain.runs.history import History
from tuitrain.spec.preset import Preset, differences
from tuitrain.spec.repeat import run_command
from tuitrain.study.journal import BROKEN, OVER, Journal
from tuitrain.study.member import Ending, history_of, refuse_unwritten
from tuitrain.study.plan import Batch, Member, Plan, Setting
from tuitrain.study.search_plan import SearchPlan
from tuitrain.study.space import build
from tuitrain.study.store import StudyDirectory
from tuitrain.watch.search import Standing, cant_reach

#: So many choices in a row that bring no other network of the allowed size: there is hardly another one.
MOST_CHOICES = 300
#: Of a run that diverged before it finished an epoch: one class of ten.
NOTHING_LEARNT = 0.1


class Search:
    """Gives out networks and their seeds."""

    def __init__(self, study: StudyDirectory, plan: Plan, together: int = 1) -> None:
        del together  # one seed at a time: whether there is another follows from it
        self.study, self.plan = study, plan
        self.search = SearchPlan.from_dict(plan.search, f"the plan of {study.name}")
        self.endings: dict[str, Ending] = {}
        self._journal = Journal(study.path, self.search)
        self._by_digest = {_digest(setting.preset): n for n, setting in enumerate(plan.settings)}
        self._waiting: list[Batch] = []
        self._standings: dict[int, Standing | None] = {}  # of networks that are not open they stay
        self._open: list[tuple[int, int]] = []
        if self._journal.is_new and plan.settings:
            self._fill_journal()
        self._open = self._reopened()

    def next(self, *, idle: bool) -> Batch | None:
        """The next seed of a network that is still in."""
        while not self._waiting:
            if not idle:
                return None
            if not self._open and not self._begin_round():
                return None
            self._waiting = self._to_train()
            refuse_unwritten(map(self.endings.get, self._open_runs))
            if not self._waiting and not self._give_seeds():
                self._end_round()
        return self._waiting.pop(0)

    # Rounds

    def _begin_round(self) -> bool:
        """Chooses networks; False where there are to be no more."""
        if self.search.exhausted:
            return False
        wanted = min(self.search.round_size, self.search.trials - len(self.plan.settings))
        if wanted <= 0:
            return False
        new: list[Setting] = []
        opened: list[tuple[int, int]] = []
        left = MOST_CHOICES
        chosen = iter(self._unkept())
        while len(new) < wanted and left:
            number, values = next(chosen, None) or self._journal.ask()
            setting = self._setting(number, values, len(self.plan.settings) + len(new))
            if setting is None:
                left -= 1
                continue
            digest = _digest(setting.preset)
            index = self._by_digest.setdefault(digest, len(self.plan.settings) + len(new))
            known = index < len(self.plan.settings) + len(new)
            if known:
                left -= 1
            else:
                new.append(setting)
                left = MOST_CHOICES
            if index < len(self.plan.settings):
                self._tell(number, index)
            else:
                opened.append((number, index))
        if not new and not self.plan.settings:
            raise UsageError(
                f"search: none of {MOST_CHOICES} networks of the space has at most {self.search.max_parameters:,} parameters; "
                "allow more (--max-params), or narrow the space (--space)."
            )
        self._open = opened
        self._keep(settings=(*self.plan.settings, *new), exhausted=not left)
        return bool(new)

    def _unkept(self) -> list[tuple[int, dict[str, Any]]]:
        """Choices of a round that was cut off before the plan had it."""
        kept = {number for number, _ in self._open}
        return [(number, values) for number, values in self._journal.open() if number not in kept]

    def _setting(self, number: int, values: dict[str, Any], index: int) -> Setting | None:
        """What is trained for a choice; None where it can't be, which the journal is told."""
        search = self.search
        try:
            preset = build(search.base, values)
            parameters = preset.table().parameters
        except PresetError:
            self._journal.refuse(number, BROKEN, 1.0)
            return None
        if parameters > search.max_parameters:
            self._journal.refuse(number, OVER, parameters / search.max_parameters - 1)
            return None
        changed = differences(search.published, preset)
        command = run_command(search.published, search.base_name, preset)
        seeds = self.plan.seeds[:1]
        return Setting(f"trial {index}", preset, changed, command, f"t{index:03d}", seeds, values)

    def _to_train(self) -> list[Batch]:
        """The seeds of the open networks that have not ended."""
        out = []
        for index in self._open_settings:
            for seed in self.plan.seeds_of(index):
                member = self.plan.member(index, seed)
                history = self._history(member)
                if history.has_result:
                    self.endings[member.run] = Ending(member.run, history.outcome)
                elif member.run not in self.endings:
                    out.append(Batch((member,)))
        return out

    def _give_seeds(self) -> bool:
        """Gives a seed to each of the open networks that may reach the front; whether any got one."""
        counts = {index: len(self.plan.seeds_of(index)) for index in self._open_settings}
        stage = max(counts.values(), default=0)
        if not 0 < stage < len(self.plan.seeds):
            return False
        standings = {index: self._standing(index) for index in range(len(self.plan.settings))}
        known = [one for one in standings.values() if one is not None]
        settings = list(self.plan.settings)
        for index, count in counts.items():
            own = standings[index]
            if count == stage and own is not None and not cant_reach(own, known):
                settings[index] = dataclasses.replace(settings[index], seeds=self.plan.seeds[: stage + 1])
        if settings == list(self.plan.settings):
            return False
        self._keep(settings=tuple(settings))
        return True

    def _end_round(self) -> None:
        for number, index in self._open:
            self._tell(number, index)
        self._open = []
        self._keep()

    def _tell(self, number: int, index: int) -> None:
        standing = self._standing(index)
        if standing is None:  # no seed of it could be trained
            self._journal.refuse(number, BROKEN, 1.0)
        else:
            self._journal.tell(number, standing.parameters, standing.mean)

    # What is known

    @property
    def _open_settings(self) -> list[int]:
        return list(dict.fromkeys(index for _, index in self._open))

    @property
    def _open_runs(self) -> list[str]:
        seeds = ((index, seed) for index in self._open_settings for seed in self.plan.seeds_of(index))
        return [self.plan.member(index, seed).run for index, seed in seeds]

    def _standing(self, index: int) -> Standing | None:
        """How a network stands; None before any of its seeds has a result."""
        if index not in self._open_settings and index in self._standings:
            return self._standings[index]
        found = self._standings[index] = self._look(index)
        return found

    def _look(self, index: int) -> Standing | None:
        histories = [self._history(self.plan.member(index, seed)) for seed in self.plan.seeds_of(index)]
        ended = [history for history in histories if history.has_result]
        if not ended:
            return None
        accuracies = [history.last.test_acc if history.last else NOTHING_LEARNT for history in ended]
        accuracies = [value if math.isfinite(value) else NOTHING_LEARNT for value in accuracies]
        images = next((history.started.test_images for history in ended if history.started), 0)
        parameters = self.plan.settings[index].preset.table().parameters
        return Standing(parameters, sum(accuracies) / len(accuracies), len(accuracies), images)

    def _history(self, member: Member) -> History:
        return history_of(self.study.runs_dir / member.run)

    def _keep(self, settings: tuple[Setting, ...] | None = None, exhausted: bool = False) -> None:
        """Writes the plan, before anything of it is trained."""
        settings = self.plan.settings if settings is None else settings
        self.search = dataclasses.replace(
            self.search, sampled=self._journal.sampled, exhausted=self.search.exhausted or exhausted
        )
        search = self.search.to_dict()
        self.plan = dataclasses.replace(self.plan, settings=settings, search=search)
        self.study.change_plan(settings=settings, search=search)

    def _reopened(self) -> list[tuple[int, int]]:
        """The networks of the last round of the plan of which the journal was told nothing."""
        first = (len(self.plan.settings) - 1) // self.search.round_size * self.search.round_size
        known = self._indices(self._journal.told())
        open_ = self._indices(values for _, values in self._journal.open())
        lost = [n for n in range(max(0, first), len(self.plan.settings)) if n not in known and n not in open_]
        self._journal.fill([self._of_plan(index, told=False) for index in lost])
        opened = [(number, self._indices([values])) for number, values in self._journal.open()]
        return [(number, index) for number, indices in opened for index in indices if index >= first]

    def _indices(self, chosen: Iterable[Mapping[str, Any]]) -> list[int]:
        """The networks of the plan among what was chosen."""
        out = []
        for values in chosen:
            with contextlib.suppress(PresetError):
                out.append(self._by_digest.get(_digest(build(self.search.base, values)), -1))
        return [index for index in out if index >= 0]

    def _fill_journal(self) -> None:
        """Makes a lost journal again from the plan: the last round is open, the others are known."""
        last = (len(self.plan.settings) - 1) // self.search.round_size * self.search.round_size
        self._journal.fill(
            [self._of_plan(n, told=True) for n in range(last) if self._standing(n) is not None]
        )

    def _of_plan(self, index: int, *, told: bool) -> tuple[Mapping[str, Any], int, float | None]:
        setting, standing = self.plan.settings[index], self._standing(index)
        mean = standing.mean if told and standing is not None else None
        return setting.chosen, setting.preset.table().parameters, mean


def _digest(preset: Preset) -> str:
    return preset_digest(preset.to_dict())
