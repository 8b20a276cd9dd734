"""`tuitrain lr-find`: how large a learning rate a network bears."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.cli.machine_options import Device, Threads, runtime_of
from tuitrain.errors import visible

CHART_LINES = 14


def lr_find(
    preset: options.PresetName = "step13",
    batch_size: options.BatchSize = None,
    dropout: options.Dropout = None,
    rotation: options.Rotation = None,
    optimizer: options.Optimizer = None,
    seed: options.Seed = None,
    dataset: options.DatasetFlag = None,
    val_split: options.ValSplit = None,
    set_: options.Set = None,
    low: Annotated[float, typer.Option("--from", help="The first learning rate.")] = 1e-5,
    high: Annotated[float, typer.Option("--to", help="The last learning rate.")] = 10.0,
    steps: Annotated[int, typer.Option("--steps", help="Steps from one to the other.")] = 200,
    device: Device = None,
    threads: Threads = None,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Find a learning rate: a short test with a growing one.

    Nothing is saved.
    """
    _, changed = options.changed_preset(preset, dict(locals()))
    from tuitrain.runs.launch import load_data
    from tuitrain.training.job import Job
    from tuitrain.training.lr_range import range_test

    runtime = replace(runtime_of(device, threads=threads), compile="off")
    found = range_test(
        Job(changed, runtime), load_data(changed, config.data_dir(data_dir)), low=low, high=high, steps=steps
    )
    if json:
        emit_json(
            {
                "preset": changed.name,
                "suggested": found.suggested,
                "lowest": found.lowest,
                "one_cycle_peak": found.peak,
                "exploded": found.exploded,
                "lr": [point.lr for point in found.points],
                "loss": [point.loss if math.isfinite(point.loss) else None for point in found.points],
            }
        )
        return
    from tuitrain.cli.painted import painted
    from tuitrain.tui.paint.rates import rate_curve
    from tuitrain.watch.rates import rate_sentences, rate_to_take

    lines = rate_curve(found.points, found.suggested, min(100, stdout().width - 1), CHART_LINES)
    if lines:
        stdout().print(painted((("loss", "bold"), (" over the learning rate", ""))), soft_wrap=True)
    for parts in lines:
        stdout().print(painted(parts), soft_wrap=True)
    for sentence in rate_sentences(found, changed):
        stdout().print(sentence, soft_wrap=True)
    rate = rate_to_take(found, changed)
    if rate is None:
        stdout().print("Try others (--from, --to), or more steps (--steps).", soft_wrap=True)
    else:
        command = f"tuitrain run --preset {visible(changed.name)} --lr {rate:g}"
        stdout().print(f"Try it: {command}", soft_wrap=True)
