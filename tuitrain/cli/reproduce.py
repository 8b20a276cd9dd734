"""`tuitrain reproduce`: what published systems come to here, seed by seed, beside what their sources claim."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.cli.console import stderr
from tuitrain.cli.machine_options import Device, Jobs, On, Precision, Threads, runtime_of
from tuitrain.cli.session import Plain, Quiet
from tuitrain.cli.study_train import finish_study, load_once, train_study
from tuitrain.errors import UsageError, visible

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan, Setting
    from tuitrain.study.store import StudyDirectory
    from tuitrain.training.runtime import Runtime


def reproduce(
    presets: Annotated[
        list[str],
        typer.Argument(
            help="Families (era-s7), presets or TOML files; a family called as one of its presets is NAME/.",
            autocompletion=completion.offer_families,
            show_default=False,
        ),
    ],
    seeds: Annotated[
        str, typer.Option("--seeds", "-s", help="How many seeds, the first is 0; or which: 3,7,11 or 20-29.")
    ] = "5",
    epochs: options.Epochs = None,
    dataset: options.DatasetFlag = None,
    set_: options.Set = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the study; one that is there goes on, with the presets and seeds that are new.",
            rich_help_panel=options.PLACE,
        ),
    ] = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    jobs: Jobs = None,
    on: On = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="The table as Markdown on stdout.", rich_help_panel=options.OUTPUT),
    ] = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Train published systems with seeds; test their claims.

    At the end come a table and, for each system, the published curve over the band of our seeds as an SVG picture in
    the study's folder. A killed reproduction goes on with the same command (with --name) or `tuitrain study resume`.
    """
    from tuitrain.spec.repeat import command_line
    from tuitrain.study.executors import usable_site
    from tuitrain.study.reproduction import presets_named

    if json and markdown:
        raise UsageError("--json and --markdown both write to stdout; use one of them.")
    flags = {"set_": set_, "epochs": epochs, "dataset": dataset}
    settings = _settings(presets_named(presets), flags)
    runtime = runtime_of(device, precision=precision, threads=threads)
    folder, data_place = config.runs_dir(runs_dir), config.data_dir(data_dir)
    said = {"--seeds": seeds, "--epochs": epochs, "--dataset": dataset, "--set": set_, "--device": device,
            "--precision": precision, "--threads": threads}  # fmt: skip
    command = command_line(["tuitrain", "reproduce", *presets], said)
    wanted = replace(_plan(presets, settings, seeds, runtime, name, command), on=usable_site(on or ""))
    for data in dict.fromkeys(setting.preset.train.dataset for setting in settings):
        load_once(data, data_place, quiet)
    study, plan = _begin(folder, wanted, by_name=name is not None)
    groups, code = train_study(study, plan, jobs=jobs, data_dir=data_place, quiet=quiet, plain=plain)
    raise typer.Exit(finish_study(study, plan, groups, code, json=json, quiet=quiet, markdown=markdown))


def _settings(names: Sequence[str], flags: Mapping[str, Any]) -> tuple[Setting, ...]:
    """A setting for each preset, with the flags applied.

    Raises:
        PresetError, UsageError: one can't be trained so.
    """
    from tuitrain.spec.preset import differences
    from tuitrain.spec.repeat import run_command
    from tuitrain.study.plan import Setting, judged_alike
    from tuitrain.study.reproduction import with_slugs

    out: list[Setting] = []
    for name in names:
        base, preset = options.changed_preset(name, flags)
        preset.table()
        preset = judged_alike(preset, preset.train.seed)
        label = preset.name
        if any(label == other.label for other in out):  # files of the same name in two folders
            label = name
        out.append(Setting(label, preset, differences(base, preset), run_command(base, name, preset)))
    return with_slugs(out)


def _plan(
    presets: Sequence[str],
    settings: tuple[Setting, ...],
    seeds: str,
    runtime: Runtime,
    name: str | None,
    command: str,
) -> Plan:
    from tuitrain.study.plan import Plan, seeds_of, study_name
    from tuitrain.study.store import fresh_study_name

    called = study_name(name) if name else fresh_study_name(f"reproduce-{presets[0].rstrip('/')}")
    return Plan(
        called, "reproduction", settings, seeds_of(seeds), runtime, command=command, began=time.time()
    )


def _begin(runs_dir: Path, plan: Plan, *, by_name: bool) -> tuple[StudyDirectory, Plan]:
    """The study, held: that of this name, where it is there, else a new one.

    Raises:
        UsageError, RunDirectoryError: one of this name is something else, is being trained, or can't be written.
    """
    from tuitrain.study.reproduction import extended
    from tuitrain.study.store import create_study, list_studies

    there = (
        next((study for study in list_studies(runs_dir) if study.name == plan.name), None)
        if by_name
        else None
    )
    if there is None:
        study = create_study(runs_dir, plan)
        return study, replace(plan, name=study.name)
    there.acquire()
    try:
        plan = replace(extended(there.plan(), plan), on=plan.on)
        there.write_plan(plan)
    except BaseException:
        there.release()
        raise
    stderr().print(f"going on with study {visible(there.name)}", soft_wrap=True)
    return there, plan
