"""`tuitrain draw`: a field to draw a digit on, and what a run's network says of it."""

from __future__ import annotations

from typing import Annotated

import typer

from tuitrain import config
from tuitrain.cli import completion, lab, options


def draw(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run: its name, a unique part of it, its path, or latest; default: the newest with a network.",
            show_default=False,
            autocompletion=completion.offer_runs,
        ),
    ] = None,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    theme: lab.Theme = None,
    ascii_only: lab.Ascii = False,
    low_bandwidth: lab.LowBandwidth = False,
    no_mouse: lab.NoMouse = False,
) -> None:
    """Draw a digit and see what a run's network says of it.

    With mouse or keys; the probabilities follow each stroke. Of a run that still goes on, its newest checkpoint is asked.
    """
    from tuitrain.cli.opening import ScreenOptions, show_app
    from tuitrain.tui.terminal.launch import check_terminal

    folder, path = config.runs_dir(runs_dir), ""
    if run is not None:
        from tuitrain.cli.runs import run_directory

        path = str(run_directory(run, runs_dir).path)
    check_terminal("a field to draw on", "tuitrain predict RUN FILE")
    show_app(
        {"runs_dir": folder, "data_dir": config.data_dir(data_dir), "drawing": path},
        ScreenOptions(theme, ascii_only, low_bandwidth, not no_mouse),
    )
