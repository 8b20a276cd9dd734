"""What a person means by one side of a comparison: a run, a study, or a preset with changes, as a group of runs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuitrain.errors import PresetError, RunDirectoryError, UsageError, visible
from tuitrain.figures import plural
from tuitrain.runs import names
from tuitrain.runs.digests import preset_digest, setting_digest
from tuitrain.runs.history import History
from tuitrain.runs.index import RunSummary, find_run, list_runs
from tuitrain.runs.predictions import right_of_runs
from tuitrain.spec.assignment import dotted, value_of
from tuitrain.spec.preset import Preset, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.study.reading import StudyReader, seed_run
from tuitrain.study.store import StudyDirectory, find_study, list_studies
from tuitrain.training.events import RunStarted
from tuitrain.watch.evidence import Evidence
from tuitrain.watch.group import Group, mean_text

_CHANGE = re.compile(r"\+(?=[A-Za-z_.\[\]0-9]+=)")


@dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        text: as it was named.
        group: its runs.
        preset: the plain form of what they train.
        digest: of the setting, the same for runs that differ in the seed alone; empty where they differ in more.
    """

    text: str
    group: Group
    preset: dict[str, Any]
    digest: str


def find_side(runs_dir: Path, text: str, changes: Mapping[str, Any] | None = None) -> Side:
    """The side of a name.

    Args:
        runs_dir: where runs and studies are.
        text: a study (`NAME`, or `NAME:SETTING` of one with several), a run, or a preset with changes
            (`step11+train.dropout=0.05`), which stands for all finished runs of that setting.
        changes: that a preset gets beside those, by dotted key.

    Raises:
        RunDirectoryError: nothing is called that, or it has no runs.
        PresetError, UsageError: a change can't be used.
    """
    name, _, setting = text.partition(":")
    exact = {study.name: study for study in list_studies(runs_dir)}
    if name in exact:
        return _of_study(exact[name], setting, text)
    if "/" in text or text == "latest" or text in names.run_names(runs_dir):
        return _of_run(runs_dir, text)
    try:
        preset: Preset | None = changed_preset(text, changes)
    except PresetError:
        if _CHANGE.search(text):
            raise
        preset = None
    if preset is not None:
        return _of_preset(runs_dir, text, preset)
    if (study := find_study(runs_dir, name)) is not None:
        return _of_study(study, setting, text)
    try:
        return _of_run(runs_dir, text)
    except RunDirectoryError as error:
        if "may be" in str(error):
            raise
        raise RunDirectoryError(
            f"'{visible(text)}' is no run, study or preset here; list them with `tuitrain runs`, `tuitrain study` "
            "and `tuitrain presets`."
        ) from None


def changed_preset(text: str, changes: Mapping[str, Any] | None = None) -> Preset:
    """The preset of `step11`, or of `step11+train.dropout=0.05` with that change, whose `train.` may be left out.

    Args:
        text: names it.
        changes: that it gets beside those, by dotted key.

    Raises:
        PresetError: there is none of that name, or a change can't be used.
    """
    name, *parts = _CHANGE.split(text)
    preset, given = load_preset(name), dict(changes or {})
    for part in parts:
        key, _, value = part.partition("=")
        given[dotted(key)] = value_of(value)
    return override(preset, given, visible(preset.name)) if given else preset


def _of_study(study: StudyDirectory, setting: str, text: str) -> Side:
    plan = study.plan()
    if not plan.settings:
        raise RunDirectoryError(f"study {visible(study.name)} has chosen no network yet.")
    index = 0
    if len(plan.settings) > 1:
        labels = [one.slug for one in plan.settings]
        found = names.match_name(labels, setting) if setting else None
        if found is None:
            some = ", ".join(f"{visible(study.name)}:{visible(label)}" for label in labels[:4])
            raise RunDirectoryError(
                f"study {visible(study.name)} has {len(labels)} settings; name one of them: {some}."
            )
        index = labels.index(found)
    group = StudyReader(study.runs_dir, plan).groups()[index]
    if not group.ended:
        raise RunDirectoryError(
            f"study {visible(text)} has no finished run; `tuitrain study resume {visible(study.name)}` goes on with it."
        )
    started = next(run.history.started for run in group.ended if run.history.started is not None)
    return Side(text, group, dict(started.preset), setting_digest(started))


def _of_run(runs_dir: Path, text: str) -> Side:
    directory = find_run(runs_dir, text)
    history = History.of(directory.events())
    started = history.started
    if started is None or not history.epochs:
        name = visible(directory.name)
        raise RunDirectoryError(
            f"run {name} has no finished epoch; `tuitrain resume {name}` goes on with it."
        )
    if history.finished is None or history.outcome not in ("completed", "stopped", "diverged"):
        name = visible(directory.name)
        raise RunDirectoryError(
            f"run {name} has not ended with a result; `tuitrain resume {name}` goes on with it."
        )
    run = seed_run(directory.path, started.seed)
    if not run.ended:  # stopped by hand: here it counts as it is
        run = replace(run, history=replace(history, finished=replace(history.finished, outcome="completed")))
    group = _with_right(Group(directory.name if text == "latest" else text, (run,)), [directory.path])
    return Side(text, group, dict(started.preset), setting_digest(started))


def side_of_runs(label: str, paths: Sequence[Path]) -> Side:
    """Runs of one setting as a side; a single one counts as it is if it was stopped.

    Raises:
        RunDirectoryError: none of them has ended with a result.
    """
    if len(paths) == 1:
        side = _of_run(paths[0].parent, str(paths[0]))
        return replace(side, text=label, group=replace(side.group, label=label))
    runs = [(path, seed_run(path)) for path in paths]
    by_seed = {run.seed: (path, run) for path, run in reversed(runs) if run.ended}  # the first named of each
    if not by_seed:
        raise RunDirectoryError(
            f"{visible(label)} has no finished run; `tuitrain study resume` goes on with it."
        )
    ended = [by_seed[seed] for seed in sorted(by_seed)]
    group = _with_right(Group(label, tuple(run for _, run in ended)), [path for path, _ in ended])
    started = next(run.history.started for _, run in ended if run.history.started is not None)
    return Side(label, group, dict(started.preset), setting_digest(started))


def evidence_of(a: Side, b: Side) -> Evidence:
    """B compared with A."""
    return Evidence(a.group, b.group, same_settings=a.digest == b.digest)


def runs_of_setting(runs_dir: Path, digest: str, preset_name: str = "", label: str = "") -> Group | None:
    """All finished runs of a setting, of each seed the newest; those of a preset of this name, if there are any.

    None where there is no such run.
    """
    found = [
        run for run in list_runs(runs_dir) if run.setting == digest and run.state in ("done", "diverged")
    ]
    named = [run for run in found if run.preset == preset_name]
    by_seed: dict[int, RunSummary] = {}
    for run in named or found:  # the newest first
        by_seed.setdefault(run.seed, run)
    if not by_seed:
        return None
    paths = {seed: Path(by_seed[seed].path) for seed in sorted(by_seed)}
    group = Group(label, tuple(seed_run(path, seed) for seed, path in paths.items()))
    return _with_right(group, list(paths.values()))


def seeds_so_far(run: Path, started: RunStarted) -> str | None:
    """What all finished runs of a run's setting in its folder come to, if there are more seeds than its own.

    As in `With 3 other seeds of this setting: mean 99.31 % (99.24 to 99.38), sd 0.05, 4 seeds`.
    """
    group = runs_of_setting(run.parent, setting_digest(started))
    others = len([one for one in group.ended if one.seed != started.seed]) if group is not None else 0
    if group is None or not others:
        return None
    return f"With {plural(others, 'other seed')} of this setting: {mean_text(group)}."


def _of_preset(runs_dir: Path, text: str, preset: Preset) -> Side:
    digest = preset_digest(preset.to_dict())
    group = runs_of_setting(runs_dir, digest, preset.name, text)
    if group is None:
        flags = "".join(f" --set {part}" for part in _CHANGE.split(text)[1:])
        raise RunDirectoryError(
            f"there is no finished run of {visible(text)} on {preset.train.dataset} in {visible(runs_dir)}; "
            f"train some: `tuitrain run --preset {visible(preset.name)}{visible(flags)} "
            f"--dataset {preset.train.dataset} --seeds 8`."
        )
    return Side(text, group, preset.to_dict(), digest)


def _with_right(group: Group, paths: Sequence[Path]) -> Group:
    right = None
    with contextlib.suppress(RunDirectoryError):  # of runs from before predictions were kept
        right = right_of_runs(paths)
    return Group(group.label, group.runs, right)


def told_apart(sides: Sequence[Side]) -> list[Side]:
    """The sides with labels that differ: where two have the same, as they were named."""
    labels = [side.group.label for side in sides]
    return [
        replace(side, group=replace(side.group, label=f"{side.group.label} ({side.text})"))
        if labels.count(side.group.label) > 1
        else side
        for side in sides
    ]


def refuse_shared_runs(a: Side, b: Side) -> None:
    """Two sides that have a run in common say nothing of each other.

    Raises:
        UsageError: they have.
    """
    shared = {run.run for run in a.group.runs} & {run.run for run in b.group.runs}
    if shared:
        what = (
            "are the same runs"
            if len(shared) == len(a.group.runs) == len(b.group.runs)
            else f"share {len(shared)} runs"
        )
        raise UsageError(
            f"{visible(a.text)} and {visible(b.text)} {what}; compare two that have none in common."
        )
