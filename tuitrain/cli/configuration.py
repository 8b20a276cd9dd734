"""`tuitrain config show`: every setting, its value, and where it came from."""

from __future__ import annotations

import typer

from tuitrain.cli import options
from tuitrain.cli.console import complain, emit_json, stdout
from tuitrain.config import SETTINGS, misspelt, resolve_setting, user_config_file
from tuitrain.errors import suggest, visible

app = typer.Typer(help="Settings of this machine and folder.", no_args_is_help=True)


@app.command("show")
def show(json: options.Json = False) -> None:
    """Show each setting, its value and where it came from."""
    values = {name: resolve_setting(name) for name in SETTINGS}
    for path, key in misspelt():
        complain(f"{visible(path)}: '{visible(key)}' is no setting{suggest(key, list(SETTINGS))}")
    if json:
        emit_json({name: {"value": v.value, "from": v.origin} for name, v in values.items()})
        return
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("setting", "value", "from", "what for"):
        grid.add_column(title)
    for name, value in values.items():
        grid.add_row(name, visible(value.value) or "–", value.origin, SETTINGS[name].help)
    stdout().print(grid)


@app.command("path")
def path() -> None:
    """Print the path of the user's config file."""
    stdout().out(str(user_config_file()), highlight=False)
