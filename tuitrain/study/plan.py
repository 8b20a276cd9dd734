"""What a study is to train: settings, each with the same seeds. Its members are ordinary runs. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, get_args

from tuitrain import jsonio
from tuitrain.errors import RunDirectoryError, UsageError, visible
from tuitrain.figures import ordinal, plural
from tuitrain.runs.names import safe_name
from tuitrain.spec.preset import Preset, override, preset_from_dict
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime

Kind = Literal["seeds", "duel", "reproduction", "sweep", "search"]
#: The version of `plan.json`; raised when an older program would misread it.
SCHEMA = 1
MAX_MEMBERS = 100_000
#: A study's name and its settings' leave room for each other in the names of runs (`names.MAX_CHARS`).
MAX_NAME, MAX_SLUG = 48, 20
_SEED = re.compile(r"\d{1,18}")


@dataclass(frozen=True)
class Setting:
    """One thing that is trained with several seeds.

    Attributes:
        label: what people call it, such as `step13` or `step13 · dropout 0.05`.
        preset: what is trained; its own seed is not used.
        changed: what differs from the preset as published, `[old, new]` by dotted key.
        command: the command line that trains it with one seed; each member has its own in it.
        slug: its part of the names of runs; empty in a study of one setting.
        seeds: those of the plan that it is trained with; None for all. A search gives them out one by one.
        chosen: of a search, what makes its preset of the search's, by dotted key.
    """

    label: str
    preset: Preset
    changed: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    slug: str = ""
    seeds: tuple[int, ...] | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a study: which setting (by its index) with which seed, and the name of its run directory."""

    setting: int
    seed: int
    run: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Members of one setting that one call trains; after epoch `until`, if there is one, they wait for others."""

    members: tuple[Member, ...]
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """What successive halving decided.

    Attributes:
        epoch: after which the settings that were still in were compared.
        ranked: their indices, the best first.
        means: their accuracies then, in this order, as fractions; None of one whose seeds all failed.
        kept: how many of them go on; those after them were stopped.
    """

    epoch: int
    ranked: tuple[int, ...]
    means: tuple[float | None, ...]
    kept: int

    @property
    def stopped(self) -> tuple[tuple[int, float | None], ...]:
        """Those that ended here, with their accuracies."""
        return tuple(zip(self.ranked, self.means, strict=True))[self.kept :]

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form."""
        return {
            "epoch": self.epoch,
            "ranked": list(self.ranked),
            "means": list(self.means),
            "kept": self.kept,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """That of a JSON form.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        means = tuple(None if mean is None else float(mean) for mean in data["means"])
        return cls(int(data["epoch"]), tuple(map(int, data["ranked"])), means, int(data["kept"]))


@dataclass(frozen=True)
class Plan:
    """Settings, seeds, and how the machine is used. Members are in the order of seeds, each with all settings.

    Attributes:
        name: of the study; the names of its runs begin with it.
        kind: what it is for.
        settings: what is trained; of a duel, A and B.
        seeds: each once.
        runtime: how to use the machine.
        budget: the most parameters that the user allows; None for what the challenge says.
        command: the command line that trains the whole.
        gain: of a duel, the gain that is looked for (a fraction); None for none.
        doublings: of a duel that may go on after it was undecided, how often its pairs were doubled; else None.
        user_network: of a network in Python its `model` and `sha256`, as `RunStarted.own_network`; else empty.
        began: unix seconds.
        halving: of so many settings one goes on each time they are compared (`study/halving.py`); 0 where all do.
        cuts: what that has decided so far.
        on: the site that trains it (`study/site.py`); empty for processes of the machine where it is started.
        search: of a search, what is searched (`study/search_plan.py`); else empty. Its settings come as it goes on.

    Raises:
        UsageError: no setting, no seed, one twice, or too many members.
    """

    name: str
    kind: Kind
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    runtime: Runtime = field(default_factory=Runtime)
    budget: int | None = None
    command: str = ""
    gain: float | None = None
    doublings: int | None = None
    user_network: Mapping[str, str] = field(default_factory=dict)
    began: float = 0.0
    halving: int = 0
    cuts: tuple[Cut, ...] = ()
    on: str = ""
    search: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.settings or self.search) or not self.seeds:
            raise UsageError(
                f"study {visible(self.name)}: nothing to train; give a preset and a seed at least."
            )
        if (count := self.most_members) > MAX_MEMBERS:
            raise UsageError(f"study {visible(self.name)}: {count:,} runs; use {MAX_MEMBERS:,} at most.")
        refuse_twice(self.seeds)
        if len(self.settings) > 1 and len({s.slug for s in self.settings}) < len(self.settings):
            raise UsageError(f"study {visible(self.name)}: two settings have the same name.")

    @property
    def most_members(self) -> int:
        """How many runs it has at most; of a search, with what is still to come."""
        settings = max(len(self.settings), int(self.search.get("trials", 0)))
        return settings * len(self.seeds)

    @property
    def to_come(self) -> int:
        """How many settings a search has still to choose."""
        trials = self.search.get("trials", 0)
        return 0 if self.search.get("exhausted") else max(0, int(trials) - len(self.settings))

    def seeds_of(self, setting: int) -> tuple[int, ...]:
        """The seeds of a setting."""
        own = self.settings[setting].seeds
        return self.seeds if own is None else own

    def members(self) -> Iterator[Member]:
        """Every run, in the order of seeds, so that each setting always has nearly as many."""
        for seed in self.seeds:
            for index in range(len(self.settings)):
                if seed in self.seeds_of(index):
                    yield self.member(index, seed)

    def member(self, setting: int, seed: int) -> Member:
        """One run."""
        parts = (self.name, self.settings[setting].slug, f"seed{seed}")
        return Member(setting, seed, "_".join(filter(None, parts)))

    @property
    def still_in(self) -> tuple[int, ...]:
        """The settings that halving has not stopped."""
        if not self.cuts:
            return tuple(range(len(self.settings)))
        return tuple(sorted(self.cuts[-1].ranked[: self.cuts[-1].kept]))

    def stopped(self, setting: int) -> str:
        """`stopped at epoch 4: 5th of 9`, of a setting that halving has stopped; empty of another."""
        for cut in self.cuts:
            if setting in cut.ranked[cut.kept :]:
                rank = ordinal(cut.ranked.index(setting) + 1)
                return f"stopped at epoch {cut.epoch}: {rank} of {len(cut.ranked)}"
        return ""

    def job(self, member: Member, model: str = "") -> Job:
        """What a member's run is asked to do.

        Args:
            member: of this plan.
            model: the user's network, as named on the command line; `user_network` is loaded where it trains.
        """
        setting = self.settings[member.setting]
        command = with_seed(setting.command, f"--seed {member.seed}")
        changed = {key: pair for key, pair in setting.changed.items() if key != "train.seed"}
        preset = override(setting.preset, {"train.seed": member.seed})
        return Job(preset, self.runtime, self.budget, changed, command, model, study=self.name)

    def with_seeds(self, seeds: Sequence[int]) -> Plan:
        """The same with more seeds after those that it has.

        Raises:
            UsageError: it has one of them.
        """
        return replace(self, seeds=(*self.seeds, *seeds))

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "kind": self.kind,
            "settings": [
                {
                    "label": setting.label,
                    "preset": setting.preset.to_dict(),
                    "changed": jsonio.finite(dict(setting.changed)),
                    "command": setting.command,
                    "slug": setting.slug,
                    **({} if setting.seeds is None else {"seeds": list(setting.seeds)}),
                    **({"chosen": dict(setting.chosen)} if setting.chosen else {}),
                }
                for setting in self.settings
            ],
            "seeds": list(self.seeds),
            "runtime": self.runtime.to_dict(),
            "budget": self.budget,
            "command": self.command,
            "gain": self.gain,
            "doublings": self.doublings,
            "user_network": dict(self.user_network),
            "began": self.began,
            "halving": self.halving,
            "cuts": [cut.to_dict() for cut in self.cuts],
            "on": self.on,
            "search": dict(self.search),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Self:
        """The plan of a JSON form.

        Raises:
            RunDirectoryError: it is damaged, or of a later version.
        """
        if isinstance(schema := data.get("schema"), int) and schema > SCHEMA:
            raise RunDirectoryError(f"{where} was written by a later version of tuitrain; use that one.")
        try:
            settings = tuple(
                Setting(
                    str(one["label"]),
                    preset_from_dict(one["preset"], where),
                    dict(one["changed"]),
                    str(one["command"]),
                    safe_name(str(one["slug"])) if one["slug"] else "",
                    _whole(one["seeds"]) if "seeds" in one else None,
                    dict(one.get("chosen", {})),
                )
                for one in data["settings"]
            )
            kind: Kind = next((kind for kind in get_args(Kind) if kind == data["kind"]), "seeds")
            budget, gain, doublings = data["budget"], data["gain"], data["doublings"]
            return cls(
                str(data["name"]),
                kind,
                settings,
                _whole(data["seeds"]),
                Runtime.from_dict(data["runtime"]),
                None if budget is None else int(budget),
                str(data["command"]),
                None if gain is None else float(gain),
                None if doublings is None else int(doublings),
                {str(key): str(value) for key, value in data["user_network"].items()},
                float(data["began"]),
                max(0, int(data.get("halving", 0))),
                tuple(map(Cut.from_dict, data.get("cuts", ()))),
                str(data.get("on", "")),
                dict(data.get("search", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise RunDirectoryError(f"{where} is damaged; its runs are not, see `tuitrain runs`.") from None


def _whole(seeds: Sequence[Any]) -> tuple[int, ...]:
    if not all(isinstance(seed, int) and seed >= 0 for seed in seeds):
        raise ValueError("a seed is no whole number")
    return tuple(seeds)


def judged_alike(preset: Preset, seed: int) -> Preset:
    """A preset whose held-out images, if it has any, are chosen by this seed in every run, so all are judged by the same."""
    if not preset.train.val_split or preset.train.val_split_seed is not None:
        return preset
    return override(preset, {"train.val_split_seed": seed})


def with_seed(command: str, flag: str) -> str:
    """A command line of `spec.repeat` with another flag in the place of its `--seed`."""
    return re.sub(r"--seed \d+", flag, command, count=1)


def refuse_twice(seeds: Sequence[int]) -> None:
    """Each seed can be trained once.

    Raises:
        UsageError: one is there twice.
    """
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1}) if len(set(seeds)) < len(seeds) else []
    if twice:
        some = ", ".join(map(str, twice[:5])) + (", …" if len(twice) > 5 else "")
        raise UsageError(f"--seeds: {plural(len(twice), 'seed')} given twice ({some}); give each once.")


def seeds_of(text: str, first: int = 0) -> tuple[int, ...]:
    """The seeds of `--seeds`: `16` is that many from `first` on, `3,7,11` these, `20-29` those from 20 to 29.

    Raises:
        UsageError: it can't be read, or names a seed twice, or none.
    """
    out: list[int] = []
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and _SEED.fullmatch(parts[0]):
        count = int(parts[0])
        if not 1 <= count <= MAX_MEMBERS:
            raise UsageError(
                f"--seeds {count}: use a number of seeds from 1 to {MAX_MEMBERS:,}, or a list such as 3,7,11."
            )
        return tuple(range(first, first + count))
    for part in filter(None, parts):
        low, dash, high = part.partition("-")
        if not _SEED.fullmatch(low) or (dash and not _SEED.fullmatch(high)):
            raise UsageError(
                f"--seeds '{visible(text)}': write a number (16), a list (3,7,11) or a range (20-29)."
            )
        begin, end = int(low), int(high) if dash else int(low)
        if end < begin or end - begin >= MAX_MEMBERS:
            raise UsageError(
                f"--seeds '{visible(part)}': a range goes up, over {MAX_MEMBERS:,} seeds at most."
            )
        out += range(begin, end + 1)
    if not out:
        raise UsageError(
            "--seeds: no seed is named; write a number (16), a list (3,7,11) or a range (20-29)."
        )
    refuse_twice(out)
    return tuple(out)


def seeds_text(seeds: Sequence[int]) -> str:
    """The same seeds as `--seeds` takes them: `3` for the first three, `5-7`, or `3,7,11`."""
    first, count = seeds[0], len(seeds)
    if tuple(seeds) == tuple(range(first, first + count)):
        return str(count) if first == 0 else f"{first}-{first + count - 1}"
    return ",".join(map(str, seeds))


def slugs(labels: Sequence[str]) -> list[str]:
    """A short, different name for each of several settings, for the names of their runs."""
    out: list[str] = []
    for number, label in enumerate(labels):
        slug = safe_name(label)[:MAX_SLUG].strip(".-") or f"setting{number}"
        taken = slug in out
        out.append(f"{slug[: MAX_SLUG - 5]}-{number}" if taken else slug)
    return out


def study_name(name: str) -> str:
    """A study's name, made safe, short enough that its runs can be called after it."""
    return safe_name(name)[:MAX_NAME].strip(".-")
