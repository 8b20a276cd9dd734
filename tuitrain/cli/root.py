"""The commands and their groups; bare `tuitrain` opens the lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from tuitrain.cli import compare, completion, data, lab, lesson, options, presets, runs, steer
from tuitrain.cli.activations import activations
from tuitrain.cli.branch import branch
from tuitrain.cli.cluster import app as cluster_app
from tuitrain.cli.configuration import app as config_app
from tuitrain.cli.diff import diff
from tuitrain.cli.doctor import doctor
from tuitrain.cli.draw import draw
from tuitrain.cli.evaluate import evaluate
from tuitrain.cli.lr_find import lr_find
from tuitrain.cli.mistakes import confusion, mistakes
from tuitrain.cli.predict import predict
from tuitrain.cli.report import report
from tuitrain.cli.reproduce import reproduce
from tuitrain.cli.run import resume, run
from tuitrain.cli.search import search
from tuitrain.cli.show import show
from tuitrain.cli.study import study_app
from tuitrain.cli.sweep import sweep
from tuitrain.version import __version__

app = typer.Typer(
    name="tuitrain",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)

TRAIN, LOOK, INSIDE, STEER = "Train", "Look", "Look inside a run", "Steer a live run from any shell"


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tuitrain {__version__}")
        raise typer.Exit


def _shell_option(flag: str, callback: Callable[[str | None], None], text: str) -> Any:
    return typer.Option(
        flag,
        metavar="SHELL",
        callback=callback,
        is_eager=True,
        expose_value=False,
        help=f"{text}: {', '.join(completion.SHELLS)}; default: the current shell.",
        autocompletion=completion.offer_choices(completion.SHELLS),
        show_default=False,
    )


@app.callback()
def root(
    ctx: typer.Context,
    preset: lab.PresetFlag = None,
    dataset: options.DatasetFlag = None,
    set_: options.Set = None,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    theme: lab.Theme = None,
    ascii_only: lab.Ascii = False,
    low_bandwidth: lab.LowBandwidth = False,
    no_mouse: lab.NoMouse = False,
    plain: lab.Plain = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    show_completion: Annotated[
        str | None,
        _shell_option("--show-completion", completion.show_script, "Print the completion script of a shell"),
    ] = None,
    install_completion: Annotated[
        str | None,
        _shell_option("--install-completion", completion.install_script, "Install completion for a shell"),
    ] = None,
) -> None:
    """A terminal lab for training small image classifiers under a parameter budget.

    Without a command it opens the lab: choose a preset, tweak it, train it and watch.
    """
    if ctx.invoked_subcommand is not None:
        options.refuse_flags_before_command(ctx)
    else:
        looks = lab.ScreenOptions(theme, ascii_only, low_bandwidth, not no_mouse)
        lab.open_lab(preset, runs_dir, data_dir, looks, plain, lab.changes(preset, dataset, set_))


app.command(rich_help_panel=TRAIN)(run)
app.command(rich_help_panel=TRAIN)(resume)
app.command(rich_help_panel=TRAIN)(branch)
for command in lab.COMMANDS:
    app.command(rich_help_panel=TRAIN)(command)
app.command(rich_help_panel=TRAIN)(sweep)
app.command(rich_help_panel=TRAIN)(search)
app.command(rich_help_panel=TRAIN)(compare.duel)
app.command(name="lr-find", rich_help_panel=TRAIN)(lr_find)
app.command(rich_help_panel=TRAIN)(reproduce)
app.command(rich_help_panel=LOOK)(show)
app.command(rich_help_panel=LOOK)(compare.compare)
app.command(rich_help_panel=LOOK)(diff)
app.add_typer(presets.app, name="presets", rich_help_panel=LOOK)
app.add_typer(runs.runs_app, name="runs", rich_help_panel=LOOK)
app.add_typer(study_app, name="study", rich_help_panel=LOOK)
app.add_typer(data.app, name="data", rich_help_panel=LOOK)
app.add_typer(cluster_app, name="cluster", rich_help_panel=LOOK)
app.add_typer(lesson.app, name="lesson", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(doctor)
app.add_typer(config_app, name="config", rich_help_panel=LOOK)
app.command(rich_help_panel=INSIDE)(report)
app.command(rich_help_panel=INSIDE)(predict)
app.command(rich_help_panel=INSIDE)(draw)
app.command(rich_help_panel=INSIDE)(mistakes)
app.command(rich_help_panel=INSIDE)(confusion)
app.command(rich_help_panel=INSIDE)(evaluate)
app.command(rich_help_panel=INSIDE)(activations)
app.command(rich_help_panel=STEER)(steer.status)
app.command(rich_help_panel=STEER)(steer.pause)
app.command(rich_help_panel=STEER)(steer.stop)
app.command(rich_help_panel=STEER)(steer.tail)
app.command(rich_help_panel=STEER)(steer.steer)
