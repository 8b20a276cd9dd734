"""A reproduction as a study: published systems, each with the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuitrain.errors import PresetError, UsageError, nearest, visible
from tuitrain.runs.digests import preset_digest
from tuitrain.spec.describe import layers_of, short_changes
from tuitrain.spec.preset import Preset
from tuitrain.spec.preset_files import find_preset, list_presets
from tuitrain.study.plan import Plan, Setting, slugs
from tuitrain.watch.group import Group
from tuitrain.watch.reproduction import Reproduction


def presets_named(names: Sequence[str]) -> list[str]:
    """The presets that a person means by names of families, of presets, and files; each once, in that order.

    A name that is both is the preset; `NAME/` is the family for certain.

    Raises:
        PresetError: one is neither.
    """
    entries = list_presets()
    families = {entry.family for entry in entries}
    out: list[str] = []
    for name in names:
        family = name.rstrip("/")
        if family in families and (name.endswith("/") or all(entry.name != name for entry in entries)):
            out += [entry.name for entry in entries if entry.family == family]
            continue
        try:
            find_preset(name)
        except PresetError:
            known = sorted(families | {entry.name for entry in entries})
            close = nearest(family, known)
            hint = f"did you mean '{close}'?" if close else f"the families are {', '.join(sorted(families))}."
            raise PresetError(f"'{visible(name)}' is no family and no preset; {hint}") from None
        out.append(name)
    return list(dict.fromkeys(out))


def extended(old: Plan, new: Plan) -> Plan:
    """A study's plan with the systems and seeds of another that it has not yet.

    Raises:
        UsageError: it is no reproduction, or trains a system of that name otherwise.
    """
    where = f"study {visible(old.name)}"
    if old.kind != "reproduction":
        raise UsageError(f"--name: {where} is there already and is no reproduction; choose another name.")
    there = {setting.label: setting for setting in old.settings}
    for setting in new.settings:
        before = there.get(setting.label)
        if before is not None and _digest(before.preset) != _digest(setting.preset):
            raise UsageError(
                f"--name: {where} trains {visible(before.label)} with other settings; choose another name."
            )
    more = tuple(setting for setting in new.settings if setting.label not in there)
    seeds = tuple(seed for seed in new.seeds if seed not in old.seeds)
    return replace(old, settings=with_slugs((*old.settings, *more)), seeds=(*old.seeds, *seeds))


def with_slugs(settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """The settings with the parts that they have in the names of runs; more settings after them leave those as they are."""
    short = slugs([setting.preset.name for setting in settings])
    return tuple(replace(setting, slug=slug) for setting, slug in zip(settings, short, strict=True))


def _digest(preset: Preset) -> str:
    return preset_digest(preset.to_dict())


def reproductions(plan: Plan, groups: Sequence[Group]) -> list[Reproduction]:
    """What the systems of a study came to, in the order of its plan."""
    return [
        Reproduction(setting.preset, group, _changes(setting))
        for setting, group in zip(plan.settings, groups, strict=True)
    ]


def _changes(setting: Setting) -> str:
    unsaid = ("train.seed", "train.val_split_seed")
    changed = {key: pair for key, pair in setting.changed.items() if key not in unsaid}
    return short_changes(changed, layers_of(setting.preset.to_dict()))
