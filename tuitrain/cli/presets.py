"""`tuitrain presets`: list, validate, schema, new."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tuitrain.cli import completion, options
from tuitrain.cli.console import complain, emit_json, stderr, stdout
from tuitrain.errors import ExitCode, PresetError, visible
from tuitrain.paths import expand

app = typer.Typer(help="List, check and make presets.", invoke_without_command=True)


@app.callback()
def presets(ctx: typer.Context, json: options.Json = False) -> None:
    """List the presets: built in, of this folder, your own, and those of installed packages."""
    if ctx.invoked_subcommand:
        options.refuse_flags_before_command(ctx)
        return
    from tuitrain.spec import installed
    from tuitrain.spec.preset_files import list_presets, load_preset

    rows, broken = [], installed.preset_folders()[1]
    for entry in list_presets():
        try:
            preset = load_preset(str(entry.path))
            rows.append((entry, preset, preset.table()))
        except PresetError as error:
            broken.append(str(error))
    if json:
        emit_json([
            {
                "name": entry.name, "family": entry.family, "origin": entry.origin, "path": str(entry.path),
                "title": preset.title, "parameters": table.parameters, "epochs": preset.train.epochs,
                "budget": preset.challenge.max_parameters, "target_accuracy": preset.challenge.target_accuracy,
                "claimed_test_accuracy": preset.claims.test_accuracy,
            }
            for entry, preset, table in rows
        ])  # fmt: skip
    else:
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("preset", "parameters", "epochs", "claim", "title"):
            grid.add_column(
                title, justify="left" if title in ("preset", "title") else "right", no_wrap=title != "title"
            )
        family = None
        for entry, preset, table in rows:
            if entry.family != family:
                if family is not None:
                    grid.add_row()
                family = entry.family
                where = "" if entry.builtin else f"  ({entry.origin})"
                heading = Text(f"{visible(family)}{where}", style="bold")
                grid.add_row(heading, "", "", "", Text(entry.family_title, style="bold"))
            claim = preset.claims.test_accuracy
            title = visible(preset.title)
            head, _, rest = title.partition(" parameters, ")
            grid.add_row(
                f"  {visible(entry.name)}", f"{table.parameters:,}", str(preset.train.epochs),
                f"{claim:.2f}" if claim else "–", rest if rest and head else title,
            )  # fmt: skip
        for number, point in enumerate(installed.entry_points_of(installed.NETWORKS)):
            if not number:
                grid.add_row()
                grid.add_row(Text("networks in Python, by --model", style="bold"))
            whose = f"package {installed.package_name(point)}, {visible(point.value)}"
            grid.add_row(f"  {visible(point.name)}", "", "", "", whose)
        stdout().print(grid)
    for message in broken:
        complain(message)


@app.command()
def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Preset files or names.", metavar="FILE...", autocompletion=completion.offer_presets
        ),
    ],
) -> None:
    """Check presets; the exit code is 2 if one is not valid."""
    from tuitrain.spec.preset_files import load_preset

    bad = 0
    for name in files:
        try:
            preset = load_preset(name)
            stdout().out(f"{visible(name)}: valid, {preset.table().parameters:,} parameters", highlight=False)
        except PresetError as error:
            bad += 1
            complain(error)
    if bad:
        raise typer.Exit(ExitCode.USAGE)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a preset, for editors."""
    from tuitrain.spec.json_schema import preset_schema

    emit_json(preset_schema())


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the new preset, or a path ending in .toml.")],
    from_: Annotated[
        str, typer.Option("--from", help="Preset to start from.", autocompletion=completion.offer_presets)
    ] = "step13",
    force: Annotated[bool, typer.Option("--force", help="Replace a preset of that name.")] = False,
) -> None:
    """Write a preset of your own, starting from another."""
    from tuitrain.spec.preset import preset_from_dict, slug
    from tuitrain.spec.preset_files import list_presets, load_preset, save_preset

    base = load_preset(from_)
    path = expand(name) if name.endswith(".toml") or "/" in name else None
    stem = path.stem if path else name
    if not path and stem != slug(stem):
        raise PresetError(
            f"'{visible(stem)}' can't name a preset; use lower-case letters, digits, '.', '_' and '-', such as '{slug(stem)}'."
        )
    if not path and any(entry.builtin and entry.name == stem for entry in list_presets()):
        raise PresetError(f"'{visible(stem)}' is the name of a built-in preset; choose another.")
    data = base.to_dict() | {"name": slug(stem), "family": ""}
    data.pop("claims", None)
    data["title"] = f"From {base.name}"
    data["source"] = f"made from {base.name}"
    data["story"] = {"previous": base.name}
    saved = save_preset(preset_from_dict(data, name), path.parent if path else None, overwrite=force)
    stderr().print(
        f"wrote {visible(saved)}; edit it, then: tuitrain run --preset {visible(saved if path else stem)}",
        soft_wrap=True,  # a command is for copying
    )
    sys.stdout.write(f"{saved}\n")
