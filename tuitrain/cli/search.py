"""`tuitrain search`: the smallest networks that are accurate enough, chosen by Optuna, as a study."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import stderr
from tuitrain.cli.machine_options import Device, Jobs, On, Precision, Threads, runtime_of
from tuitrain.cli.session import Plain, Quiet
from tuitrain.cli.study_train import finish_study, train_study
from tuitrain.errors import UsageError, visible
from tuitrain.figures import plural

#: A share of the training images that judges where --val-split says nothing: 10,000 of MNIST's 60,000.
HELD_OUT = 6
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")

Trials = Annotated[
    int | None,
    typer.Option("--trials", min=1, help="How many networks are trained.", rich_help_panel=options.TWEAK),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", help="Stop after so long, state saved: seconds, or 90m, or 8h.", show_default=False,
        rich_help_panel=options.PLACE,
    ),
]  # fmt: skip


def search(
    preset: options.PresetName = "step13",
    max_params: Annotated[
        int | None,
        typer.Option("--max-params", min=1, help="Train no network with more; default: the challenge's, else the preset's own.",
                     rich_help_panel=options.TWEAK),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option("--target", min=0, max=100, help="The accuracy that is looked for, in percent; default: the challenge's.",
                     rich_help_panel=options.TWEAK),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option("--space", help="A TOML file whose [space] narrows or extends what is searched.", show_default=False,
                     rich_help_panel=options.TWEAK),
    ] = None,
    trials: Trials = 60,
    seeds: options.Seeds = "3",
    epochs: options.Epochs = None,
    dataset: options.DatasetFlag = None,
    val_split: options.ValSplit = None,
    set_: options.Set = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the choice of networks.", rich_help_panel=options.TWEAK)
    ] = 0,
    name: options.StudyName = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    jobs: Jobs = None,
    on: On = None,
    timeout: Timeout = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
    dry_run: options.DryRun = False,
) -> None:  # fmt: skip
    """Search for small networks that are accurate enough.

    Networks are chosen around a preset's: widths, kernels, separable convolutions, learning rate, schedule, dropout,
    augmentation. They are judged by training images that are held out, never by the test set, and get more seeds only
    while they may be on the front of accuracy over parameters. A killed search goes on with `tuitrain study resume`.
    """
    from tuitrain.spec.preset import override
    from tuitrain.spec.repeat import command_line
    from tuitrain.study.executors import usable_site
    from tuitrain.study.optional import need_optuna
    from tuitrain.study.plan import MAX_MEMBERS, Plan, judged_alike, seeds_of, study_name
    from tuitrain.study.search_plan import ROUND, SearchPlan
    from tuitrain.study.space import check_space, default_space, read_space, smallest
    from tuitrain.study.store import create_study, fresh_study_name

    wait_s = None if timeout is None else seconds_of(timeout)
    chosen = seeds_of(seeds)
    wanted = trials or 1
    if (runs := wanted * len(chosen)) > MAX_MEMBERS:
        raise UsageError(
            f"search: {wanted:,} networks with {len(chosen):,} seeds are {runs:,} runs; use {MAX_MEMBERS:,} at most."
        )
    need_optuna("tuitrain search")
    flags = {"set_": set_, "epochs": epochs, "dataset": dataset, "val_split": val_split}
    published, base = options.changed_preset(preset, flags)
    most = max_params or base.challenge.max_parameters or base.table().parameters
    goal = target if target is not None else base.challenge.target_accuracy
    held_out = _held_out(base, val_split, config.data_dir(data_dir), quiet)
    rules: dict[str, Any] = {"train.val_split": held_out, "challenge.max_parameters": most}
    if goal is not None:
        rules["challenge.target_accuracy"] = goal
    base = judged_alike(override(base, rules, "the flags"), chosen[0])
    where = f"--space {visible(space)}" if space else "search"
    default = default_space(base, most)
    wide = default if space is None else read_space(space, default)
    check_space(base, wide, where)
    least = smallest(base, wide)
    if least is None or least > most:
        found = (
            "no network of the space can be built"
            if least is None
            else f"the smallest network of the space has {least:,}"
        )
        raise UsageError(f"--max-params {most:,}: {found}; allow more, or give other values (--space).")
    found_plan = SearchPlan(base, published, preset, wide, most, goal, wanted, seed, max(ROUND, jobs or 0))
    plan = Plan(
        study_name(name) if name else fresh_study_name(f"{published.name}-search"), "search", (), chosen,
        runtime_of(device, precision=precision, threads=threads), most,
        command_line(["tuitrain", "search", "--preset", preset], {
            "--max-params": max_params, "--target": target, "--trials": trials, "--seeds": seeds, "--epochs": epochs,
            "--dataset": dataset, "--val-split": val_split, "--seed": seed or None, "--device": device, "--space": space,
            "--set": set_,
        }), began=time.time(), search=found_plan.to_dict(),
    )  # fmt: skip
    if dry_run:
        _say_space(found_plan, least, len(chosen))
        return
    if not quiet:
        stderr().print(
            f"{plural(held_out, 'training image')} are held out and judge the networks; the test set is not looked at",
            style="dim",
            soft_wrap=True,
        )
    plan = replace(plan, on=usable_site(on or ""))
    study = create_study(config.runs_dir(runs_dir), plan)
    plan = replace(plan, name=study.name)
    groups, code = train_study(
        study, plan, jobs=jobs, data_dir=config.data_dir(data_dir), quiet=quiet, plain=plain, timeout_s=wait_s
    )
    raise typer.Exit(finish_study(study, plan, groups, code, json=json, quiet=quiet))


def seconds_of(text: str) -> float:
    """The seconds of `600`, `600s`, `90m` or `8h`.

    Raises:
        UsageError: it is none of them.
    """
    found = _TIME.fullmatch(text.strip())
    value = float(found[1]) * {"m": 60, "h": 3600}.get(found[2], 1) if found else 0.0
    if not 0 < value < math.inf:
        raise UsageError(
            f"--timeout '{visible(text)}': write seconds (600), minutes (90m) or hours (8h), above 0."
        )
    return value


def _held_out(base: Any, val_split: int | None, data_dir: Path | None, quiet: bool) -> int:
    """How many training images judge.

    Raises:
        UsageError: none.
    """
    from tuitrain.cli.fetch_progress import FetchProgress
    from tuitrain.data.load import load_dataset

    if val_split == 0:
        raise UsageError(
            "--val-split 0: a search is never judged by the test set; hold out some training images."
        )
    with FetchProgress() as progress:
        data = load_dataset(base.train.dataset, data_dir, progress=None if quiet else progress)
    count = int(base.train.val_split or len(data.train) // HELD_OUT)
    if count >= len(data.train):
        raise UsageError(
            f"--val-split {count:,}: {base.train.dataset} has {len(data.train):,} training images; use fewer."
        )
    return count


def _say_space(search: Any, least: int, seeds: int) -> None:
    from tuitrain.spec.preset import toml_value

    err = stderr()
    for key, entry in search.space.items():
        err.print(visible(f"{key} = {toml_value(entry.to_toml_value())}"), soft_wrap=True)
    err.print(
        f"{plural(search.trials, 'network')} of {least:,} to {search.max_parameters:,} parameters, up to "
        f"{plural(seeds, 'seed')} each, {search.base.train.val_split:,} training images judge; nothing was trained (--dry-run)",
        soft_wrap=True,
    )
