"""`tuitrain run` and `tuitrain resume`: train headless, log everything, judge at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stderr
from tuitrain.cli.machine_options import (
    Compile,
    Deterministic,
    Device,
    Graph,
    Jobs,
    On,
    Precision,
    Threads,
    Together,
    device_option,
    runtime_of,
)
from tuitrain.cli.session import (
    Events,
    Plain,
    Quiet,
    RequireAccuracy,
    fetching,
    import_torch_beside,
    train_to_end,
)
from tuitrain.errors import UsageError, visible
from tuitrain.runs.signals import set_stdout_apart

if TYPE_CHECKING:
    from tuitrain.spec.preset import Preset
    from tuitrain.training.job import Job

RequireGain = Annotated[
    float | None,
    typer.Option(
        "--require-gain",
        help="Exit with 7 unless the gain over --against is surely as many points (its whole interval).",
        rich_help_panel=options.OUTPUT,
    ),
]
Against = Annotated[
    str | None,
    typer.Option("--against", help="For --require-gain: a run, a study, or a preset with changes.",
                 rich_help_panel=options.OUTPUT),
]  # fmt: skip
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Your own network, FILE.py:NAME: a class or function without arguments. The file is executed.",
        show_default=False,
    ),
]


def run(
    preset: options.PresetName = "step13",
    model: Model = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    lr: options.Lr = None,
    dropout: options.Dropout = None,
    rotation: options.Rotation = None,
    optimizer: options.Optimizer = None,
    schedule: options.Schedule = None,
    seed: options.Seed = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            help="Train several seeds as a study: a number of them (16), or which (3,7,11 or 20-29).",
            rich_help_panel=options.TWEAK,
        ),
    ] = None,
    dataset: options.DatasetFlag = None,
    val_split: options.ValSplit = None,
    target_epochs: options.TargetEpochs = None,
    target_accuracy: options.TargetAccuracy = None,
    patience: options.Patience = None,
    max_seconds: options.MaxSeconds = None,
    set_: options.Set = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the run directory; default: time, preset and four letters.",
            rich_help_panel=options.PLACE,
        ),
    ] = None,
    budget: options.Budget = None,
    device: Device = None,
    deterministic: Deterministic = False,
    precision: Precision = None,
    compile_: Compile = None,
    graph: Graph = True,
    threads: Threads = None,
    jobs: Jobs = None,
    together: Together = None,
    on: On = None,
    keep: Annotated[
        int,
        typer.Option(
            "--keep",
            help="How many of the last checkpoints to keep, beside the best; 0 keeps all.",
            rich_help_panel=options.PLACE,
        ),
    ] = 2,
    pause_after: Annotated[
        int | None,
        typer.Option(
            "--pause-after",
            min=1,
            help="Pause after this epoch until `tuitrain resume`.",
            rich_help_panel=options.PLACE,
        ),
    ] = None,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Report how the time of a step is spent.", rich_help_panel=options.OUTPUT
        ),
    ] = False,
    require_accuracy: RequireAccuracy = None,
    require_gain: RequireGain = None,
    against: Against = None,
    json: options.Json = False,
    events: Events = False,
    quiet: Quiet = False,
    plain: Plain = False,
    dry_run: options.DryRun = False,
) -> None:
    """Train a preset, changed by flags; judge it by its challenge."""
    if json and events:
        raise UsageError("--json and --events both want stdout; use one of them.")
    if (require_gain is None) != (against is None):
        raise UsageError(
            "--require-gain and --against belong together: the points, and what to compare with."
        )
    if seeds is None and any(flag is not None for flag in (jobs, together, on)):
        flag = (
            "--on" if on else "--jobs" if jobs is not None else "--together" if together else "--one-by-one"
        )
        raise UsageError(f"{flag} is for several seeds; name them with --seeds.")
    if seeds is not None and seed is not None and not seeds.strip().isdecimal():
        raise UsageError(f"--seed and --seeds {visible(seeds)} both name seeds; leave --seed out.")
    if seeds is not None and pause_after is not None:
        raise UsageError("--pause-after is for one run; leave --seeds out.")
    if seeds is not None and events:
        raise UsageError("--events follows one run; with --seeds use --json.")
    base, changed = options.changed_preset(preset, dict(locals()))
    limit = config.setting("budget", budget) or None
    user_network, place, data_place = None, config.runs_dir(runs_dir), config.data_dir(data_dir)
    if model is None:
        from tuitrain.spec.table import refuse_over_budget

        refuse_over_budget(changed.table(), changed.name, limit)
    else:
        from tuitrain.cli.user_network import load_for_run

        place = place.absolute()  # before its code runs, which may go to another folder
        set_stdout_apart()
        user_network = load_for_run(model, limit, dropout, set_)
    from tuitrain.spec.preset import differences
    from tuitrain.training.job import Job

    runtime = runtime_of(device, deterministic, precision, compile_, graph, threads, profile, keep)
    job = Job(
        changed, runtime, limit, differences(base, changed), model=model or "", user_network=user_network
    )
    extra = {"--data-dir": data_dir, "--budget": limit, "--require-accuracy": require_accuracy}
    job = replace(job, command=job.command_line(base, preset, runtime_of(), extra))
    if dry_run:
        if seeds is not None:
            from tuitrain.study.starting import plan_of_seeds

            job = replace(job, command=plan_of_seeds(job, seeds, name).command)
        _dry_run(base, job, data_dir, json=json)
        return
    gain = None if require_gain is None or against is None else _gain_over(require_gain, against, place)
    if seeds is not None:
        from tuitrain.cli.study_train import load_once, train_seeds
        from tuitrain.study.executors import usable_site
        from tuitrain.study.starting import plan_of_seeds

        plan = replace(plan_of_seeds(job, seeds, name), on=usable_site(on or ""))
        load_once(changed.train.dataset, data_place, quiet)
        train_seeds(job, plan, runs_dir=place, data_dir=data_place, jobs=jobs, together=together,
                    require=require_accuracy, gain=gain, json=json, quiet=quiet, plain=plain)  # fmt: skip
    from tuitrain.runs.directory import check_place

    check_place(place, name)
    with import_torch_beside(), fetching(quiet) as progress:
        from tuitrain.runs.launch import load_data, prepare

        data = load_data(changed, data_place, progress)
    session = prepare(job, runs_dir=place, dataset=data, name=name)
    if pause_after is not None:
        session.control.pause("--pause-after", after_epoch=pause_after)
    if not (quiet or events):
        _say_estimate(job, config.runs_dir(runs_dir))
    train_to_end(session, require_accuracy, json=json, events=events, quiet=quiet, plain=plain, gain=gain)


def _gain_over(points: float, against: str, runs_dir: Path) -> Callable[[str], None]:
    """What checks the gain of a run or study over another, which must be there from the beginning."""
    from tuitrain.study.sides import find_side

    find_side(runs_dir, against)

    def check(name: str) -> None:
        from tuitrain.cli.compare import check_gain

        check_gain(runs_dir, name, against, points)

    return check


def resume(
    run: options.RunName = "latest",
    model: Annotated[
        str | None,
        typer.Option("--model", help="The run's network, FILE.py:NAME, named again.", show_default=False),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            "-e",
            min=1,
            max=10_000,
            help="Total number of epochs; default: as planned.",
        ),
    ] = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    device: Annotated[str | None, device_option("the run's")] = None,
    require_accuracy: RequireAccuracy = None,
    json: options.Json = False,
    events: Events = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Continue a run that was paused, stopped or killed.

    A paused one is let go on; one that was stopped or killed continues from its checkpoint.
    """
    if json and events:
        raise UsageError("--json and --events both want stdout; use one of them.")
    from tuitrain.runs.index import find_run

    directory = find_run(config.runs_dir(runs_dir), run)
    directory.refuse_other_holder()
    if directory.is_held():
        from tuitrain.cli.steer import continue_run

        continue_run(directory, epochs)
        return
    with import_torch_beside():
        pass
    from tuitrain.runs.launch import prepare_resume

    if model is not None:  # before its code runs, which may print, or go to another folder
        set_stdout_apart()
        directory = type(directory).open(directory.path.absolute())
    with fetching(quiet) as progress:
        session = prepare_resume(
            directory,
            data_dir=config.data_dir(data_dir),
            epochs=epochs,
            device=device,
            progress=progress,
            model=model,
        )
    train_to_end(session, require_accuracy, json=json, events=events, quiet=quiet, plain=plain)


def _say_estimate(job: Job, runs_dir: Path) -> None:
    from tuitrain.runs.estimate import estimate
    from tuitrain.training.devices import pick

    user_network = job.user_network.to_dict() if job.user_network else None
    found = estimate(job.preset, str(pick(job.runtime.device)), runs_dir, user_network)
    if found is not None:
        with contextlib.suppress(OSError, ValueError):
            stderr().print(f"this takes {found.text}", soft_wrap=True)


def _dry_run(base: Preset, job: Job, data_dir: Path | None, *, json: bool) -> None:
    from tuitrain.cli import show
    from tuitrain.cli.user_network import user_network_json, user_network_picture
    from tuitrain.data.verify import dataset_status
    from tuitrain.training.devices import pick

    changed, user_network, device = job.preset, job.user_network, pick(job.runtime.device)
    data = dataset_status(changed.train.dataset, config.data_dir(data_dir))
    limit = job.budget or changed.challenge.max_parameters
    if json:
        shown = (
            user_network_json(changed, user_network, limit)
            if user_network
            else show.preset_json(changed, changed.table(), limit)
        )
        emit_json(shown | {"device": str(device), "data": str(data), "command": job.command})
        return
    err = stderr()
    err.print(
        user_network_picture(changed, user_network)
        if user_network
        else show.preset_picture(base, changed, changed.table(), limit)
    )
    err.print(
        f"\ndevice  {device}\ndata    {data}\nrepeat  {job.command}\nnothing was trained (--dry-run)",
        soft_wrap=True,
    )
