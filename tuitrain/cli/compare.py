"""`tuitrain compare` and `tuitrain duel`: is it a gain, or luck?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stderr, stdout
from tuitrain.cli.machine_options import Device, Jobs, On, Precision, Threads, Together, runtime_of
from tuitrain.cli.session import Plain, Quiet
from tuitrain.cli.study_train import finish_study, load_once, train_study
from tuitrain.errors import RequirementError, UsageError
from tuitrain.figures import signed_points_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuitrain.study.plan import Setting
    from tuitrain.study.sides import Side
    from tuitrain.watch.evidence import Evidence

Sides = Annotated[
    list[str],
    typer.Argument(
        help="Two or more: a study, a run, or a preset with changes (step11+train.dropout=0.05).",
        autocompletion=completion.offer_runs,
        show_default=False,
    ),
]


def compare(
    sides: Sides,
    dataset: options.DatasetFlag = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Compare runs, studies or presets, and tell gain from luck.

    A preset stands for all its finished runs, of each seed the newest. The first is compared with each other.
    """
    from tuitrain.study.sides import evidence_of, find_side, refuse_shared_runs, told_apart
    from tuitrain.watch.evidence import check_comparable

    if len(sides) < 2:
        raise UsageError("compare: name two or more runs, studies or presets.")
    folder = config.runs_dir(runs_dir)
    wanted = config.setting("dataset", dataset)
    changes = {"train.dataset": wanted} if wanted else None
    found = told_apart([find_side(folder, text, changes) for text in sides])
    for first, second in itertools.combinations(found, 2):
        refuse_shared_runs(first, second)
    for side in found[1:]:
        check_comparable(found[0].group, side.group)
    pairs = [(found[0], side) for side in found[1:]]
    if json:
        emit_json([_evidence_json(a, b, evidence_of(a, b)) for a, b in pairs])
        return
    for a, b in pairs:
        stdout().print(comparison_text(a, b), soft_wrap=True)


def comparison_text(a: Side, b: Side) -> RenderableType:
    """The settings that differ, the figures of both, and what they say."""
    from rich.console import Group as Stack
    from rich.text import Text

    from tuitrain.cli.study_text import figure_table
    from tuitrain.study.sides import evidence_of
    from tuitrain.watch.comparison import setting_lines
    from tuitrain.watch.evidence import evidence_lines

    settings = [(line.label, *line.values) for line in setting_lines([a.preset, b.preset])]
    table = figure_table([a.group, b.group], settings)
    first, *rest = evidence_lines(evidence_of(a, b))
    sentences = [Text(first, style="bold"), *(Text(line, style="dim") for line in rest)]
    return Stack(table, Text(), *sentences)


def _evidence_json(a: Side, b: Side, evidence: Evidence) -> dict[str, Any]:
    from tuitrain.watch.comparison import setting_lines
    from tuitrain.watch.evidence import evidence_json

    settings = {line.label: list(line.values) for line in setting_lines([a.preset, b.preset])}
    return {"a": a.text, "b": b.text, "settings": settings} | evidence_json(evidence)


def duel(
    preset: Annotated[
        str,
        typer.Argument(
            help="A: a preset or TOML file.", autocompletion=completion.offer_presets, show_default=False
        ),
    ],
    other: Annotated[
        str | None,
        typer.Argument(
            help="B: another preset; default: the same, changed by --set.",
            autocompletion=completion.offer_presets,
            show_default=False,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="What is changed in B, by key: train.dropout=0.05", rich_help_panel=options.TWEAK
        ),
    ] = None,
    both: Annotated[
        list[str] | None,
        typer.Option(
            "--both", help="What is changed in A and B, by key: train.epochs=5", rich_help_panel=options.TWEAK
        ),
    ] = None,
    dataset: options.DatasetFlag = None,
    gain: Annotated[
        float | None,
        typer.Option("--gain", help="The gain to look for, in points; default: what so many pairs can find."),
    ] = None,
    max_seeds: Annotated[int, typer.Option("--max-seeds", help="Pairs at most.", min=3, max=4096)] = 64,
    seed: Annotated[int, typer.Option("--seed", "-s", help="The first seed of both.", min=0)] = 0,
    until: Annotated[
        Literal["decided", "all"],
        typer.Option("--until", help="Stop when it is decided, or train all pairs."),
    ] = "decided",
    extendable: Annotated[
        bool,
        typer.Option(
            "--extendable", help="Keep half of the error, so that an undecided duel can be doubled later."
        ),
    ] = False,
    name: options.StudyName = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    jobs: Jobs = None,
    together: Together = None,
    on: On = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Train A and B with the same seeds until one is the better.

    One seed after the other.

    Looking after each pair is paid for: the interval holds however often one looks. Exit code 0 if B is better,
    7 if it is not, or if that stays undecided.
    """
    from tuitrain.study.duel import duel_plan
    from tuitrain.study.executors import usable_site
    from tuitrain.study.starting import plan_of_duel, sd_to_expect
    from tuitrain.study.store import create_study
    from tuitrain.watch.duel import start_line

    if gain is not None and not (math.isfinite(gain) and gain > 0):
        raise UsageError(f"--gain {gain:g}: use a number of points above 0, such as 0.05.")
    if other is None and not set_:
        raise UsageError(
            "duel: name what differs, as another preset or with --set, such as --set train.dropout=0.05."
        )
    settings = _two_settings(preset, other, set_ or [], both or [], config.setting("dataset", dataset))
    folder, data_place = config.runs_dir(runs_dir), config.data_dir(data_dir)
    site = usable_site(on or "")
    images = load_once(settings[0].preset.train.dataset, data_place, quiet)
    sd, source = sd_to_expect(folder, settings[0], images)
    runtime = runtime_of(device, precision=precision, threads=threads)
    plan = plan_of_duel(
        settings, tuple(range(seed, seed + max_seeds)), runtime, sd, gain=gain / 100 if gain is not None else None,
        name=name, extendable=extendable,
    )  # fmt: skip
    plan = replace(plan, on=site)
    if not quiet:
        stderr().print(start_line(duel_plan(plan), sd, source), soft_wrap=True)
    study = create_study(folder, plan)
    plan = replace(plan, name=study.name)

    groups, code = train_study(
        study, plan, jobs=jobs, together=together, data_dir=data_place, quiet=quiet, plain=plain,
        until_decided=until == "decided",
    )  # fmt: skip
    raise typer.Exit(finish_study(study, plan, groups, code, json=json, quiet=quiet))


def _two_settings(
    preset: str, other: str | None, changes: Sequence[str], both: Sequence[str], dataset: str | None
) -> tuple[Setting, Setting]:
    """A and B.

    Raises:
        PresetError, UsageError: one of them can't be trained, they are the same, or their data differs.
    """
    from tuitrain.spec.describe import layers_of, short_changes
    from tuitrain.spec.preset import differences
    from tuitrain.spec.repeat import run_command
    from tuitrain.study.plan import Setting, judged_alike

    out = []
    for slug, name, more in (("a", preset, []), ("b", other or preset, list(changes))):
        base, changed = options.changed_preset(name, {"set_": [*both, *more], "dataset": dataset})
        changed.table()
        changed = judged_alike(changed, changed.train.seed)
        found = differences(base, changed)
        own = differences(options.changed_preset(name, {"set_": both, "dataset": dataset})[1], changed)
        own.pop("train.val_split_seed", None)
        label = " · ".join(filter(None, (changed.name, short_changes(own, layers_of(changed.to_dict())))))
        out.append(Setting(label, changed, found, run_command(base, name, changed), slug))
    a, b = out
    train_a, train_b = a.preset.train, b.preset.train
    for key in ("dataset", "val_split", "val_split_seed"):
        if getattr(train_a, key) != getattr(train_b, key):
            raise UsageError(
                f"duel: train.{key} is {getattr(train_a, key)} in A and {getattr(train_b, key)} in B, so they would be "
                "judged by different images; make it the same (--both)."
            )
    if a.label == b.label:
        a, b = replace(a, label=f"A {a.label}"), replace(b, label=f"B {b.label}")
    return a, b


def check_gain(runs_dir: Path, text: str, against: str, wanted: float) -> None:
    """Of `--require-gain`: the whole interval of the gain must lie at or above it.

    Raises:
        RequirementError: it does not.
    """
    from tuitrain.study.sides import evidence_of, find_side, refuse_shared_runs
    from tuitrain.watch.evidence import check_comparable, headline

    a, b = find_side(runs_dir, against), find_side(runs_dir, text)
    refuse_shared_runs(a, b)
    check_comparable(a.group, b.group)
    evidence = evidence_of(a, b)
    span = evidence.interval
    if span is None or not math.isfinite(span.low) or span.low * 100 < wanted - 1e-9:
        low = (
            f"the gain is at least {signed_points_text(span.low)} points"
            if span and math.isfinite(span.low)
            else "one seed shows no gain"
        )
        raise RequirementError(f"--require-gain {wanted:g}: {low}; {headline(evidence)}")
