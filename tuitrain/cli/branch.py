"""`tuitrain branch`: a new run from where another one stood, with other settings."""

from __future__ import annotations

from typing import Annotated

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stderr
from tuitrain.cli.machine_options import Threads, device_option
from tuitrain.cli.session import Events, Plain, Quiet, RequireAccuracy, import_torch_beside, train_to_end
from tuitrain.errors import PresetError, RunDirectoryError, UsageError, visible


def branch(
    run: options.RunName = "latest",
    epoch: Annotated[
        int | None,
        typer.Option(
            "--epoch", min=1, help="The epoch after which it begins; default: the last that is kept."
        ),
    ] = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    lr: options.Lr = None,
    dropout: options.Dropout = None,
    rotation: options.Rotation = None,
    optimizer: options.Optimizer = None,
    schedule: options.Schedule = None,
    seed: options.Seed = None,
    set_: options.Set = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new run.", rich_help_panel=options.PLACE)
    ] = None,
    device: Annotated[str | None, device_option("the run's")] = None,
    threads: Threads = None,
    data_dir: options.DataDir = None,
    runs_dir: options.RunsDir = None,
    require_accuracy: RequireAccuracy = None,
    json: options.Json = False,
    events: Events = False,
    quiet: Quiet = False,
    plain: Plain = False,
    dry_run: options.DryRun = False,
) -> None:
    """Begin a new run where another one stood, with other settings.

    The other run is only read.

    Epochs that have a checkpoint can be chosen: the best and the last two, or all with `run --keep 0`.
    """
    if json and events:
        raise UsageError("--json and --events both want stdout; use one of them.")
    flags = dict(locals())
    from tuitrain.runs.branch import branch_job, kept_epochs, prepare_branch
    from tuitrain.runs.index import find_run
    from tuitrain.runs.launch import recall

    folder = config.runs_dir(runs_dir)
    directory = find_run(folder, run)
    kept = kept_epochs(directory)
    if epoch is None:
        if not kept:
            raise RunDirectoryError(
                f"run {visible(directory.name)} has no checkpoint of an epoch's end to begin from."
            )
        epoch = max(kept)
    changes = options.flag_changes(recall(directory)[0].preset, flags | {"dataset": None}, settings=False)
    try:
        job = branch_job(directory, epoch, changes, device, threads)
    except PresetError as error:
        error.args = (options.named_by_flag(str(error).removeprefix("the branch: ")),)
        raise
    if dry_run:
        if json:
            emit_json({"parent": dict(job.parent), "command": job.command, "changed": dict(job.changed)})
        else:
            stderr().print(f"repeat  {visible(job.command)}\nnothing was trained (--dry-run)", soft_wrap=True)
        return
    with import_torch_beside():
        pass
    session = prepare_branch(
        directory, epoch, job, runs_dir=folder, data_dir=config.data_dir(data_dir), name=name
    )
    train_to_end(session, require_accuracy, json=json, events=events, quiet=quiet, plain=plain)
