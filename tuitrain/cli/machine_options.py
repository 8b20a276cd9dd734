"""The flags that say how the machine is used, for all commands that train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import completion, options

if TYPE_CHECKING:
    from tuitrain.training.runtime import Runtime


def device_option(default: str) -> Any:
    """`--device`, whose default is described so."""
    return typer.Option(
        "--device",
        help=f"auto, cpu, cuda, cuda:N or mps; default: {default}.",
        rich_help_panel=options.PLACE,
        autocompletion=completion.offer_choices(("auto", "cpu", "cuda", "mps")),
    )


Device = Annotated[str | None, device_option("auto")]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        help="The same result to the last bit every time, on a GPU too; slower.",
        rich_help_panel=options.PLACE,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="fp32, tf32 or bf16; default: fp32.",
        rich_help_panel=options.PLACE,
        autocompletion=completion.offer_choices(("fp32", "tf32", "bf16")),
    ),
]
Compile = Annotated[
    str | None,
    typer.Option(
        "--compile",
        help="auto, on or off; default: auto.",
        rich_help_panel=options.PLACE,
        autocompletion=completion.offer_choices(("auto", "on", "off")),
    ),
]
Graph = Annotated[
    bool,
    typer.Option(
        "--graph/--no-graph", help="On CUDA, replay the step as one graph.", rich_help_panel=options.PLACE
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", help="CPU threads; default: as measured at the start.", rich_help_panel=options.PLACE
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        help="How many seeds train at the same time; default: one a core, on a GPU one.",
        rich_help_panel=options.PLACE,
    ),
]
Together = Annotated[
    bool | None,
    typer.Option(
        "--together/--one-by-one",
        help="Train the seeds at once, in one process; default: on CUDA.",
        rich_help_panel=options.PLACE,
        show_default=False,
    ),
]


On = Annotated[
    str | None,
    typer.Option(
        "--on",
        help="Train on a cluster: slurm, or the NAME of a [cluster.NAME] in the config; local is a rehearsal; here is not.",
        rich_help_panel=options.PLACE,
        show_default=False,
    ),
]


def runtime_of(
    device: str | None = None, deterministic: bool = False, precision: str | None = None, compile_: str | None = None,
    graph: bool = True, threads: int | None = None, profile: bool = False, keep: int = 2,
) -> Runtime:  # fmt: skip
    """How the machine is used: as these flags say, else the settings, else the defaults."""
    from tuitrain.training.runtime import Runtime

    return Runtime(
        device=config.setting("device", device),
        deterministic=deterministic,
        precision=config.setting("precision", precision),
        compile=config.setting("compile", compile_),
        graph=graph,
        threads=config.setting("threads", threads) or None,
        profile=profile,
        keep=keep,
    )
