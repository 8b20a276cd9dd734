"""The runs of one study as one row of the list of runs: those that differ in the seed alone, and all of a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tuitrain.errors import visible
from tuitrain.figures import percent_text, plural, points_text
from tuitrain.runs.index import HELD
from tuitrain.stats.intervals import Estimate
from tuitrain.watch.runlist import RunRow, changed_text, state_look

#: A study and the digest of a setting (`RunSummary.setting`).
GroupKey = tuple[str, str]
_ENDED = frozenset({"done", "diverged"})


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What is known of a study beside its runs.

    Attributes:
        seeds: how many are planned of each setting; None of a duel, which takes as many as it needs.
        held: whether a process trains it.
        kind: of a study that is looked at as a leaderboard, what it is: a `sweep`, say; else empty.
        settings: how many it has.
    """

    seeds: int | None
    held: bool
    kind: str = ""
    settings: int = 1


def fold(
    rows: Sequence[RunRow], studies: Mapping[str, StudyFacts], means: Mapping[GroupKey, Estimate]
) -> list[RunRow]:
    """The rows, with one in the place of all runs of a study and a setting, and one for all settings of a leaderboard.

    Args:
        rows: of the queue and of runs.
        studies: those whose plan is there; a group is folded without it too.
        means: of the groups' last epochs, as far as they are known.
    """
    groups: dict[GroupKey, list[RunRow]] = {}
    rest: list[RunRow] = []
    for row in rows:
        run = row.summary
        (groups.setdefault((run.study, run.setting), []) if run is not None and run.study else rest).append(
            row
        )
    heads = {_head(members[0].key): key for key, members in groups.items()}
    for row in [
        row for row in rest if not row.preset and _head(row.key) in heads
    ]:  # it has written nothing yet
        rest.remove(row)
        groups[heads[_head(row.key)]].append(row)
    whole: dict[str, list[RunRow]] = {}
    for key, members in groups.items():
        facts = studies.get(key[0])
        row = _folded(key, members, facts, means.get(key))
        if facts is not None and facts.kind:
            whole.setdefault(key[0], []).append(row)
        else:
            rest.append(row)
    return rest + [_leaderboard(study, rows, studies[study]) for study, rows in whole.items()]


def _leaderboard(study: str, groups: list[RunRow], facts: StudyFacts) -> RunRow:
    """All settings of a study as one row: what it says of the best of them, and how many there are."""
    groups = sorted(groups, key=lambda row: -1.0 if row.last is None else row.last, reverse=True)
    runs = [row for group in groups for row in group.members]
    ended, planned = ended_runs(runs), facts.settings * (facts.seeds or 1)
    count = f"{len(ended)} of " if len(ended) < planned else ""
    labels = _what_differs([first_run(group.members) for group in groups])
    presets = list(dict.fromkeys(group.preset for group in groups if group.preset))
    reached = [row.at_target for row in groups if row.at_target is not None]
    devices = {row.device for row in groups if row.device}
    return replace(
        groups[0],
        key=study,
        state=_state(runs, ended, planned, held=facts.held),
        preset=presets[0] if len(presets) == 1 else plural(len(presets), "preset"),
        changed=f"{facts.kind} of {facts.settings} · {count}{plural(planned, 'run')}",
        best=max((row.best for row in groups if row.best is not None), default=None),
        at_target=sum(reached) if reached else None,
        epochs=str(sum(run.epochs for row in runs for run in row.runs)),
        when=max(row.when for row in groups),
        seconds=sum(row.seconds for row in groups),
        device=devices.pop() if len(devices) == 1 else "",
        tags=" ".join(dict.fromkeys(tag for row in groups for tag in row.tags.split())),
        members=tuple(
            replace(group, changed=" · ".join(filter(None, (label, group.changed.partition(" · ")[0]))))
            for group, label in zip(groups, labels, strict=True)
        ),
    )


def _what_differs(firsts: Sequence[RunRow]) -> list[str]:
    """What was changed in each of several runs and is not the same in all of them."""
    runs = [row.summary for row in firsts if row.summary is not None]
    if len(runs) < len(firsts):
        return [""] * len(firsts)
    shared = [
        key for key, pair in runs[0].changed.items() if all(run.changed.get(key) == pair for run in runs)
    ]
    own = [{key: pair for key, pair in run.changed.items() if key not in shared} for run in runs]
    return [
        changed_text(replace(run, changed=changed), seed=False).strip("–")
        for run, changed in zip(runs, own, strict=True)
    ]


def _head(run: str) -> str:
    """What the names of the runs of a group begin with."""
    return run.rpartition("_seed")[0]


def first_run(members: Sequence[RunRow]) -> RunRow:
    """The first that has written what it trains."""
    return next((row for row in members if row.preset), members[0])


def ended_runs(members: Sequence[RunRow]) -> list[RunRow]:
    """Those with a result."""
    return [row for row in members if row.state in _ENDED]


def _folded(key: GroupKey, rows: Sequence[RunRow], facts: StudyFacts | None, mean: Estimate | None) -> RunRow:
    members = tuple(sorted(rows, key=lambda row: (row.seed, row.key)))
    first = first_run(members)
    ended = ended_runs(members)
    known = [row.last for row in ended if row.last is not None]
    last = mean.value if mean is not None else sum(known) / len(known) if known else None
    planned = facts.seeds if facts is not None else None
    seeds = plural(max(len(members), planned or 0), "seed")
    changed = "" if first.changed == "–" else f" · {first.changed}"
    reached = [row.at_target for row in members if row.at_target is not None]
    devices = {row.device for row in members if row.device}
    best = [row.best for row in members if row.best is not None]
    return RunRow(
        key=" ".join(key),
        state=_state(members, ended, planned, held=facts is not None and facts.held),
        preset=first.preset,
        changed=f"{f'{len(ended)} of ' if len(ended) < max(len(members), planned or 0) else ''}{seeds}{changed}",
        parameters=first.parameters,
        best=max(best, default=None),
        last=last,
        at_target=sum(count > 0 for count in reached) if reached else None,
        epochs=f"{sum(run.epochs for row in members for run in row.runs)}",
        when=max(row.when for row in members),
        seconds=sum(row.seconds for row in members),
        device=devices.pop() if len(devices) == 1 else "",
        seed=-1,
        tags=" ".join(dict.fromkeys(tag for row in members for tag in row.tags.split())),
        note="",
        spread=_spread(mean) if len(ended) > 1 else "",
        members=members,
    )


def _spread(mean: Estimate | None) -> str:
    """`±.03`: half of the 95 % interval of a mean, in points."""
    if mean is None:
        return ""
    return f"±{points_text(mean.interval().half_width).removeprefix('0')}"


def _state(members: Sequence[RunRow], ended: Sequence[RunRow], planned: int | None, *, held: bool) -> str:
    """Of the whole: the liveliest of those that train, else what became of it."""
    busy = [row.state for row in members if row.summary is not None and row.summary.state in HELD]
    if busy:
        return "live" if "live" in busy else busy[0]
    to_come = planned is not None and len(ended) < planned
    if held and (to_come or planned is None):
        return "live"
    others = [row.state for row in members if row.state not in _ENDED]
    if others:
        return next((state for state in others if state in ("failed", "out_of_memory")), others[0])
    if to_come:
        return "stopped"
    return "diverged" if all(row.state == "diverged" for row in ended) else "done"


def group_details(row: RunRow) -> list[str]:
    """All that is known of a group's runs, a line each; of the study that they are of."""
    study = row.runs[0].study if row.runs else ""
    lines = [f"study {visible(study)}", ""]
    for member in [run for group in row.groups for run in group.members]:
        glyph, word, _ = state_look(member.state)
        lines.append(
            f"{glyph} {word:8} seed {member.seed:<4} {member.epochs:>7} epochs  last {percent_text(member.last)}  "
            f"best {percent_text(member.best)}  {member.key}"
        )
    return lines
