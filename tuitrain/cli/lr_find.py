"""`tuitrain lr-find`: how large a learning rate a network bears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.errors import visible
from tuitrain.figures import loss_text, rate_text

if TYPE_CHECKING:
    from tuitrain.spec.preset import Preset
    from tuitrain.training.lr_range import RangeTest
    from tuitrain.tui.paint.text import Parts

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
    device: Annotated[
        str | None,
        typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=options.PLACE),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="CPU threads.", rich_help_panel=options.PLACE)
    ] = None,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Find a learning rate: the loss as the rate grows step by step.

    Nothing is saved.
    """
    _, changed = options.changed_preset(preset, dict(locals()))
    from tuitrain.runs.launch import load_data
    from tuitrain.training.job import Job
    from tuitrain.training.lr_range import range_test
    from tuitrain.training.runtime import Runtime

    runtime = Runtime(
        device=config.setting("device", device),
        compile="off",
        threads=config.setting("threads", threads) or None,
    )
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

    for parts in curve(found):
        stdout().print(painted(parts), soft_wrap=True)
    for sentence in sentences(found, changed):
        stdout().print(sentence, soft_wrap=True)


def curve(found: RangeTest) -> list[Parts]:
    """The loss over the learning rate, on a logarithmic scale, with the suggestion marked."""
    from tuitrain.tui.paint.plot import XY, plot

    finite = [point for point in found.points if math.isfinite(point.loss)]
    if not finite:
        return []
    most = 1.5 * finite[0].loss  # what explodes would flatten the rest
    points = tuple((math.log10(p.lr), min(p.loss, most)) for p in finite)
    curves = [XY(points, "primary", "")]
    if (suggested := found.suggested) is not None:
        at = min(finite, key=lambda p: abs(p.lr - suggested))
        curves.append(XY(((math.log10(at.lr), at.loss),), "accent", "●"))
    ends = range(math.ceil(points[0][0]), math.floor(points[-1][0]) + 1)
    labels = [(float(power), f"{10.0**power:g}") for power in ends]
    return [
        (("loss", "bold"), (" over the learning rate", "")),
        *plot(curves, min(100, stdout().width - 1), CHART_LINES, labels),
    ]


def sentences(found: RangeTest, preset: Preset) -> list[str]:
    """What the curve says."""
    from tuitrain.training.lr_range import rounded_rate

    own = preset.train.optimizer.lr
    if found.suggested is None or found.lowest is None or found.peak is None:
        out = [
            "The loss does not fall at any of these rates; try others (--from, --to) or more steps (--steps)."
        ]
    else:
        lowest = min(point.loss for point in found.points if math.isfinite(point.loss))
        out = [
            f"Suggested: {rate_text(rounded_rate(found.suggested))}, where the loss falls fastest "
            f"(lowest, {loss_text(lowest)}, at {rate_text(rounded_rate(found.lowest))}).",
            f"For the peak of a one-cycle schedule: up to {rate_text(rounded_rate(found.peak))}, a third of the rate at the "
            "lowest loss.",
        ]
    if found.exploded is not None:
        out.append(f"From {rate_text(rounded_rate(found.exploded))} on the loss explodes.")
    out.append(f"{visible(preset.name)} has {rate_text(own)}.")
    if found.suggested is not None:
        out.append(
            f"Try it: tuitrain run --preset {visible(preset.name)} --lr {rounded_rate(found.suggested):g}"
        )
    return out
