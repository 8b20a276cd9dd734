"""The commands and their groups."""

from __future__ import annotations

from typing import Annotated

import typer

from tuitrain import __version__
from tuitrain.cli import data, presets, runs
from tuitrain.cli.configuration import app as config_app
from tuitrain.cli.doctor import doctor
from tuitrain.cli.run import resume, run
from tuitrain.cli.show import show

app = typer.Typer(
    name="tuitrain",
    help="A terminal lab for training small image classifiers under a parameter budget.",
    no_args_is_help=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)

TRAIN = "Train"
LOOK = "Look"
STEER = "Steer a run from any shell"

app.command(rich_help_panel=TRAIN)(run)
app.command(rich_help_panel=TRAIN)(resume)
app.command(rich_help_panel=LOOK)(show)
app.add_typer(presets.app, name="presets", rich_help_panel=LOOK)
app.add_typer(runs.runs_app, name="runs", rich_help_panel=LOOK)
app.add_typer(data.app, name="data", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(doctor)
app.add_typer(config_app, name="config", rich_help_panel=LOOK)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tuitrain {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A terminal lab for training small image classifiers under a parameter budget."""
