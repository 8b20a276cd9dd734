"""`tuitrain sweep`: every combination of some settings, each with the same seeds, as a study."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tuitrain import config, tomltext
from tuitrain.cli import options
from tuitrain.cli.machine_options import Device, Jobs, On, Precision, Threads, Together, runtime_of
from tuitrain.cli.session import Plain, Quiet
from tuitrain.cli.study_train import finish_study, load_once, train_study
from tuitrain.errors import UsageError, nearest, visible
from tuitrain.spec.assignment import dotted

#: What a file of a sweep may have.
_KEYS = ("preset", "seeds", "grid", "set", "dataset", "name", "halving")


def sweep(
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
    seeds: Annotated[
        str, typer.Option("--seeds", help="Seeds of each combination: a number of them, or which.", rich_help_panel=options.TWEAK)
    ] = "3",
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
    name: Annotated[str | None, typer.Option("--name", help="Name of the study.", rich_help_panel=options.PLACE)] = None,
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, train nothing.", rich_help_panel=options.OUTPUT)
    ] = False,
) -> None:  # fmt: skip
    """Train all combinations of some settings, seed by seed.

    With --halving all train up to an epoch with all their seeds, the better half goes on, and so again, the last time at
    half of the epochs; who stays depends on the accuracies alone, and is kept in the study.

    At the end come a leaderboard, a table (CSV) in the study's folder, and a heat map where two settings were swept.
    A killed sweep goes on with `tuitrain study resume`.
    """
    from tuitrain.study.executors import usable_site
    from tuitrain.study.grid import combinations, refuse_large
    from tuitrain.study.plan import Plan, judged_alike, seeds_of, study_name
    from tuitrain.study.store import create_study, fresh_study_name

    factor = halving_factor or (2 if halving else 0)
    wanted: dict[str, Any] = {
        "preset": preset,
        "seeds": seeds,
        "dataset": dataset,
        "name": name,
        "halving": factor,
    }
    values: dict[str, list[Any]] = dict(map(_grid_flag, grid or []))
    changes = list(set_ or [])
    if file is not None:
        given, of_file, more = _read_file(file)
        wanted |= {key: value for key, value in given.items() if key in wanted}
        values, changes = of_file | values, [*more, *changes]
    chosen = seeds_of(str(wanted["seeds"]))
    refuse_large(values, len(chosen))
    flags = {"set_": changes, "epochs": epochs, "dataset": wanted["dataset"], "val_split": val_split}
    base, changed = options.changed_preset(str(wanted["preset"]), flags)
    changed = judged_alike(changed, chosen[0])
    settings = _settings(base, str(wanted["preset"]), changed, combinations(changed, values))
    limit = config.setting("budget", budget) or None
    for setting in settings:
        options.refuse_over_budget(setting.preset, limit)
    factor = _halving(wanted["halving"], settings)
    runtime = runtime_of(device, precision=precision, threads=threads)
    given_name = wanted["name"]
    plan = Plan(
        study_name(str(given_name)) if given_name else fresh_study_name(f"{base.name}-sweep"),
        "sweep", tuple(settings), chosen, runtime, limit,
        _command(file, preset, grid or (), seeds, set_ or (), {
            "--halving-factor": factor or None, "--epochs": epochs, "--dataset": dataset, "--val-split": val_split,
            "--budget": budget, "--device": device,
        }), began=time.time(), halving=factor,
    )  # fmt: skip
    if dry_run:
        _say_plan(plan)
        return
    plan = replace(plan, on=usable_site(on or ""))
    load_once(changed.train.dataset, config.data_dir(data_dir), quiet)
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


def _command(
    file: Path | None,
    preset: str,
    grid: Sequence[str],
    seeds: str,
    changes: Sequence[str],
    flags: Mapping[str, Any],
) -> str:
    """The command line that sweeps so again."""
    from tuitrain.spec.repeat import quoted

    arguments = ["tuitrain", "sweep", *([str(file)] if file else ["--preset", preset])]
    arguments += [part for text in grid for part in ("--grid", text)]
    arguments += ["--seeds", seeds] if not file else []
    arguments += [part for text in changes for part in ("--set", text)]
    arguments += [part for flag, value in flags.items() if value is not None for part in (flag, str(value))]
    return " ".join(map(quoted, arguments))


def _grid_flag(text: str) -> tuple[str, list[Any]]:
    """`lr=0.01,0.02` as a dotted key and its values.

    Raises:
        UsageError: it can't be read.
    """
    key, equals, rest = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--grid '{visible(text)}': write it as key=value,value, such as lr=0.01,0.02.")
    try:
        values = tomltext.tables(f"value = [{rest}]")["value"]
    except ValueError:  # words without quotes
        values = [part.strip() for part in rest.split(",") if part.strip()]
    return dotted(key.strip()), _each_once(values, text)


def _each_once(values: Sequence[Any], where: str) -> list[Any]:
    if len({repr(value) for value in values}) < len(values):
        raise UsageError(f"--grid '{visible(where)}': a value is there twice; give each once.")
    return list(values)


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, list[Any]], list[str]]:
    """The values, the grid, and the settings of a sweep's file.

    Raises:
        UsageError: it can't be read, or has a key that is none.
    """
    where = visible(path)
    try:
        data: Mapping[str, Any] = tomltext.tables(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{where} can't be read: {visible(error.strerror)}.") from None
    except ValueError as error:
        raise UsageError(f"{where} is no TOML: {visible(error)}.") from None
    for key in data:
        if key not in _KEYS:
            close = nearest(key, _KEYS)
            hint = f"did you mean '{close}'?" if close else f"use one of: {', '.join(_KEYS)}."
            raise UsageError(f"{where}: there is no '{visible(key)}'; {hint}")
    tables = {key: data.get(key, {}) for key in ("grid", "set")}
    if not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(
            f"{where}: grid and set are tables; write [grid] and lines such as lr = [0.01, 0.02]."
        )
    grid = {}
    for key, values in _flat(tables["grid"]).items():
        if not isinstance(values, list):
            raise UsageError(f"{where}: grid.{visible(key)} is no list; write [0.01, 0.02].")
        grid[dotted(key)] = _each_once(values, f"{key} in {path}")
    from tuitrain.spec.preset import toml_value

    changes = [f"{dotted(key)}={toml_value(value)}" for key, value in _flat(tables["set"]).items()]
    return {key: data[key] for key in data if key not in ("grid", "set")}, grid, changes


def _flat(table: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """A table's values by dotted key."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        out |= _flat(value, f"{place}{key}.") if isinstance(value, dict) else {f"{place}{key}": value}
    return out


def _settings(
    base: Any, name: str, changed: Any, combined: Sequence[tuple[Any, dict[str, Any]]]
) -> list[Any]:
    """A setting for each combination; one that is the preset as it is on the command line is the base."""
    from tuitrain.spec.preset import differences
    from tuitrain.spec.repeat import run_command
    from tuitrain.study.grid import grid_label
    from tuitrain.study.plan import Setting

    out = []
    for number, (preset, chosen) in enumerate(combined):
        own = {} if preset == changed else differences(base, preset)
        out.append(
            Setting(grid_label(chosen), preset, own, run_command(base, name, preset), f"s{number:03d}")
        )
    return out


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
