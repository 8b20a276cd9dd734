"""`tuitrain sweep`: every combination of some settings, each with the same seeds, as a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.machine_options import Device, Jobs, On, Precision, Threads, Together, runtime_of
from tuitrain.cli.session import Plain, Quiet
from tuitrain.cli.study_train import finish_study, load_once, train_study
from tuitrain.errors import UsageError, visible


def sweep(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="A TOML file with preset, seeds, [grid] and [set], in the place of flags.", show_default=False),
    ] = None,
    preset: options.PresetName = "step13",
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="Values of one setting: lr=0.01,0.02; several --grid give all combinations.",
                     rich_help_panel=options.TWEAK),
    ] = None,
    seeds: options.Seeds = "3",
    halving: Annotated[
        bool,
        typer.Option(
            "--halving", help="Stop settings that can't win: compare all early, train only the better ones on, and so again.",
            rich_help_panel=options.TWEAK,
        ),
    ] = False,
    halving_factor: Annotated[
        int | None,
        typer.Option(
            "--halving-factor", min=2, max=100, help="One setting in so many goes on each time; default: 2. Implies --halving.",
            rich_help_panel=options.TWEAK,
        ),
    ] = None,
    epochs: options.Epochs = None,
    dataset: options.DatasetFlag = None,
    val_split: options.ValSplit = None,
    set_: options.Set = None,
    name: options.StudyName = None,
    budget: options.Budget = None,
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
    dry_run: options.DryRun = False,
) -> None:  # fmt: skip
    """Train all combinations of some settings, seed by seed.

    With --halving all train up to an epoch with all their seeds, the better half goes on, and so again, the last time at
    half of the epochs; who stays depends on the accuracies alone, and is kept in the study.

    At the end come a leaderboard, a table (CSV) in the study's folder, and a heat map where two settings were swept.
    A killed sweep goes on with `tuitrain study resume`.
    """
    from tuitrain.spec.repeat import command_line
    from tuitrain.study.executors import usable_site
    from tuitrain.study.grid import grid_of, plan_of_sweep, read_sweep_file
    from tuitrain.study.plan import seeds_of
    from tuitrain.study.store import create_study

    wanted: dict[str, Any] = {
        "preset": preset, "seeds": seeds, "dataset": dataset, "name": name, "halving": halving_factor or halving,
    }  # fmt: skip
    said: dict[str, Any] = {"--preset": preset, "--seeds": seeds}
    values, changes = grid_of(grid or []), list(set_ or [])
    if file is not None:
        given, of_file, more = read_sweep_file(file)
        wanted |= {key: value for key, value in given.items() if not _is_said(context, key)}
        values, changes = of_file | values, [*more, *changes]
        said = {flag: value for flag, value in said.items() if _is_said(context, flag.removeprefix("--"))}
    replaced = {"set_": changes, "epochs": epochs, "dataset": wanted["dataset"], "val_split": val_split}
    base, changed = options.changed_preset(str(wanted["preset"]), replaced)
    said |= {
        "--grid": grid, "--halving-factor": halving_factor or (2 if halving else None), "--epochs": epochs,
        "--dataset": dataset, "--val-split": val_split, "--set": set_, "--budget": budget, "--device": device,
        "--precision": precision, "--threads": threads,
    }  # fmt: skip
    given_name = wanted["name"]
    plan = plan_of_sweep(
        base, str(wanted["preset"]), changed, values, seeds_of(str(wanted["seeds"])),
        runtime_of(device, precision=precision, threads=threads), name=str(given_name) if given_name else None,
        budget=config.setting("budget", budget) or None,
        command=command_line(["tuitrain", "sweep", *([str(file)] if file else [])], said),
    )  # fmt: skip
    plan = replace(plan, halving=_halving(wanted["halving"], plan.settings))
    if dry_run:
        _say_plan(plan)
        return
    plan = replace(plan, on=usable_site(on or ""))
    for data in dict.fromkeys(setting.preset.train.dataset for setting in plan.settings):
        load_once(data, config.data_dir(data_dir), quiet)
    study = create_study(config.runs_dir(runs_dir), plan)
    plan = replace(plan, name=study.name)
    groups, code = train_study(
        study,
        plan,
        jobs=jobs,
        together=together,
        data_dir=config.data_dir(data_dir),
        quiet=quiet,
        plain=plain,
    )
    raise typer.Exit(finish_study(study, plan, groups, code, json=json, quiet=quiet))


def _is_said(context: typer.Context, key: str) -> bool:
    """Whether a flag is on the command line; there it counts more than in a file."""
    flags = ("halving", "halving_factor") if key == "halving" else (key,)
    sources = (context.get_parameter_source(flag) for flag in flags)
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def _halving(wanted: Any, settings: Sequence[Any]) -> int:
    """The factor of halving, 0 for none.

    Raises:
        UsageError: it is none, nothing could be stopped, or Optuna is not installed.
    """
    factor = 2 if wanted is True else wanted or 0
    if not isinstance(factor, int) or (factor and not 2 <= factor <= 100):
        raise UsageError(f"halving = {visible(wanted)}: write true, or a factor from 2 to 100.")
    if factor:
        from tuitrain.study.halving import rungs
        from tuitrain.study.optional import need_optuna

        need_optuna("--halving")
        rungs(min(setting.preset.train.epochs for setting in settings), len(settings), factor)
    return factor


def _say_plan(plan: Any) -> None:
    from tuitrain.cli.console import stderr
    from tuitrain.figures import plural

    err = stderr()
    for setting in plan.settings[:40]:
        err.print(visible(setting.label), soft_wrap=True)
    if len(plan.settings) > 40:
        err.print(f"and {len(plan.settings) - 40} more")
    runs = len(plan.settings) * len(plan.seeds)
    what = f"{plural(len(plan.settings), 'setting')}, {plural(len(plan.seeds), 'seed')} each"
    if plan.halving:
        from tuitrain.study.halving import rungs

        epochs = rungs(min(s.preset.train.epochs for s in plan.settings), len(plan.settings), plan.halving)
        after = ", ".join(map(str, epochs))
        err.print(f"halving: compared after epoch {after}; one setting in {plan.halving} goes on each time")
    err.print(f"{what}: {plural(runs, 'run')}; nothing was trained (--dry-run)")
