"""`tuitrain cluster check`: whether a cluster can train studies, in sentences."""

from __future__ import annotations

from typing import Annotated

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.errors import ExitCode, visible

app = typer.Typer(help="Clusters that train studies (--on).", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Clusters that train studies (--on)."""


@app.command()
def check(
    on: Annotated[str, typer.Option("--on", help="slurm, local, or the NAME of a [cluster.NAME] in the config.")] = "slurm",
    wait: Annotated[float, typer.Option("--wait", min=1, help="Seconds to wait for a worker.")] = 120.0,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Say what is right and what is wrong with a cluster.

    Asks Parsl, the scheduler and the runs folder, then runs a pilot job with a small call in it.
    """
    from rich.text import Text

    from tuitrain.study.cluster_check import checks
    from tuitrain.study.site import the_site

    site = the_site(on)
    found, code = [], ExitCode.DONE
    for one in checks(site, config.runs_dir(runs_dir), wait):
        found.append({"what": one.what, "ok": one.ok, "says": one.says})
        code = code or (ExitCode.DONE if one.ok else one.code)
        if not json:
            glyph, style = ("✓", "green") if one.ok else ("✗", "red")
            stdout().print(Text.assemble((glyph, style), f" {one.what}: {visible(one.says)}"), soft_wrap=True)
    if json:
        emit_json(found)
    raise typer.Exit(code)
