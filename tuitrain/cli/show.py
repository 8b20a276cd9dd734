"""`tuitrain show`: what a network costs, from the closed forms and so at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.errors import UsageError, visible
from tuitrain.figures import shape_text, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from tuitrain.spec.challenge import Point
    from tuitrain.spec.preset import Preset
    from tuitrain.spec.table import NetworkTable


def show(
    preset: Annotated[
        str,
        typer.Argument(
            help="Preset name or TOML file.", show_default=False, autocompletion=completion.offer_presets
        ),
    ] = "",
    preset_flag: Annotated[
        str,
        typer.Option(
            "--preset",
            "-p",
            help="The same, as a flag.",
            show_default=False,
            autocompletion=completion.offer_presets,
        ),
    ] = "",
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    lr: options.Lr = None,
    dropout: options.Dropout = None,
    rotation: options.Rotation = None,
    optimizer: options.Optimizer = None,
    schedule: options.Schedule = None,
    seed: options.Seed = None,
    dataset: options.DatasetFlag = None,
    val_split: options.ValSplit = None,
    set_: options.Set = None,
    budget: options.Budget = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print the resolved preset as TOML.")] = False,
    torchinfo: Annotated[
        bool, typer.Option("--torchinfo", help="Print torchinfo's summary of the real module.")
    ] = False,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Write a picture of the network there; - is stdout.", show_default=False),
    ] = None,
    json: options.Json = False,
) -> None:
    """Show a preset: parameter table, budget, challenge, claims.

    Layers are counted from 0, as TOML's lists are: the number before a layer is the one that
    --set model.layers[0].conv=12 takes, and the "path" in --json.
    """
    flags = dict(locals())
    name = preset or preset_flag
    if not name:
        raise UsageError("name a preset, such as `tuitrain show step13`; `tuitrain presets` lists them.")
    if preset and preset_flag:
        raise UsageError(
            f"two presets are named, {visible(preset)} and --preset {visible(preset_flag)}; leave one out."
        )
    if sum((toml, torchinfo, json, str(svg) == "-")) > 1:
        raise UsageError("--json, --toml, --torchinfo and --svg - all want stdout; use one of them.")
    base, changed = options.changed_preset(name, flags)
    table = changed.table()
    limit = budget or changed.challenge.max_parameters
    if svg is not None:
        _write_svg(svg, changed, table)
    if str(svg) == "-":
        return
    if json:
        emit_json(preset_json(changed, table, limit))
    elif toml:
        stdout().out(changed.to_toml(), end="", highlight=False)
    elif torchinfo:
        from tuitrain.training.model import torchinfo_summary

        stdout().out(torchinfo_summary(changed), highlight=False)
    else:
        stdout().print(preset_picture(base, changed, table, limit))


def _write_svg(path: Path, preset: Preset, table: NetworkTable) -> None:
    """Writes the picture of the network.

    Raises:
        UsageError: it can't be written there.
    """
    import sys

    from tuitrain.report.architecture import architecture_svg

    text = architecture_svg(preset.title or preset.name, table)
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(
            f"--svg {visible(path)} can't be written: {visible(error.strerror)}; name another file."
        ) from None


def preset_json(preset: Preset, table: NetworkTable, budget: int | None) -> dict[str, Any]:
    """The machine form; keys as the README documents them."""
    from tuitrain.spec.challenge import check_challenge

    return {
        "name": preset.name,
        "title": preset.title,
        "family": preset.family,
        "parameters": table.parameters,
        "budget": budget,
        "mult_adds": table.mult_adds,
        "receptive_field": table.receptive_field,
        "forward_backward_bytes": table.forward_backward_bytes,
        "parameter_bytes": table.parameter_bytes,
        "layers": [
            {
                "path": row.path,
                "layer": row.layer,
                "kind": row.kind,
                "label": row.label,
                "kernel": row.kernel or None,
                "output_shape": list(row.output_shape),
                "parameters": row.parameters,
                "mult_adds": row.mult_adds,
                "receptive_field": row.receptive_field,
                "receptive_field_sides": list(row.field),
                "dropout": row.dropout,
            }
            for row in table.rows
        ],
        "challenge": [
            {"point": p.point, "wanted": p.wanted, "got": p.got, "met": p.met}
            for p in check_challenge(preset, table)
        ],
        "claims": preset.to_dict().get("claims", {}),
        "train": preset.to_dict()["train"],
    }


def preset_picture(base: Preset, preset: Preset, table: NetworkTable, limit: int | None) -> RenderableType:
    """Table, budget, challenge, claims and story for a terminal.

    Beside each layer stands its index, as `--set model.layers[1].conv=11` takes it.
    """
    from rich.console import Group
    from rich.text import Text

    from tuitrain.spec.describe import preset_changes

    changed = ", ".join(map(str, preset_changes(base, preset)))
    head = Text.assemble((preset.name, "bold"), f"  {visible(preset.title)}" if preset.title else "")
    parts: list[RenderableType] = [head, Text()]
    if changed:
        parts.insert(1, Text.assemble(("changed ", "dim"), changed))
    parts += [_layers(table, limit), Text(), _budget(table, preset.challenge.min_parameters, limit)]
    parts += [
        _memory(table),
        Text(),
        *_training(preset),
        *checklist(_challenge_points(preset, table)),
        *_claims(preset),
        *_story(preset),
    ]
    return Group(*parts)


def _challenge_points(preset: Preset, table: NetworkTable) -> list[Point]:
    from tuitrain.spec.challenge import check_challenge

    return check_challenge(preset, table)


def _layers(table: NetworkTable, limit: int | None) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for title, justify in (
        ("", "right"), ("layer", "left"), ("output", "right"), ("parameters", "right"),
        ("of budget" if limit else "share", "left"), ("mult-adds", "right"), ("field", "right"),
    ):  # fmt: skip
        grid.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    whole = limit or table.parameters or 1
    own = table.layer_parameters()
    largest = max(own.values(), default=1) or 1
    for row in table.rows:
        share = own[row.layer]
        bar = ""
        if not row.is_op and share:
            bar = f"{'━' * max(1, round(10 * share / largest)):<10} {share / whole:6.1%}"
        grid.add_row(
            Text("" if row.is_op else f"[{row.layer}]", style="dim"),
            Text(f"  {row.label}" if row.is_op else row.title, style="dim" if row.is_op else ""),
            "" if row.is_op else shape_text(row.output_shape),
            f"{row.parameters:,}" if row.parameters else "",
            bar,
            f"{row.mult_adds:,}" if row.mult_adds else "",
            "" if row.is_op else row.field_text,
        )
    grid.add_section()
    grid.add_row("", Text("total", style="bold"), "", Text(f"{table.parameters:,}", style="bold"), "",
                 f"{table.mult_adds:,}", table.rows[-1].field_text)  # fmt: skip
    return grid


def _budget(table: NetworkTable, low: int | None, limit: int | None) -> RenderableType:
    from rich.text import Text

    if not limit:
        return Text(f"{table.parameters:,} parameters, no budget")
    part = table.parameters / limit
    style = "green" if part <= 0.9 else ("yellow" if part <= 1 else "red")
    filled = min(30, round(30 * part))
    text = Text.assemble(
        ("━" * filled, style), ("━" * (30 - filled), "dim"), f" {table.parameters:,} of {limit:,}, {part:.1%}"
    )
    if part > 1:
        text.append(f"  over by {table.parameters - limit:,}", style="bold red")
    elif low and table.parameters < low:
        text.append(f"  {low - table.parameters:,} short of the least, {low:,}", style="bold red")
    return text


def _memory(table: NetworkTable) -> RenderableType:
    from rich.text import Text

    return Text(
        f"memory of one image: input {size_text(table.input_bytes)}, forward and backward "
        f"{size_text(table.forward_backward_bytes)}, parameters {size_text(table.parameter_bytes)}",
        style="dim",
    )


def _training(preset: Preset) -> list[RenderableType]:
    from rich.text import Text

    from tuitrain.spec.train import Train

    train = preset.to_dict()["train"]
    optimizer, schedule = dict(train["optimizer"]), dict(train["schedule"])
    words = [f"{preset.train.dataset}", f"{preset.train.epochs} epochs", f"batch {preset.train.batch_size}"]
    words += [
        " ".join(
            [optimizer.pop("name"), *(f"{k} {v}" for k, v in optimizer.items() if v not in (0.0, False))]
        )
    ]
    words += [" ".join([schedule.pop("name"), *(f"{k} {v}" for k, v in schedule.items())])]
    words += [f"dropout {preset.train.dropout:g}"] if preset.train.dropout else []
    words += _unusual(train, Train().model_dump(mode="json"))
    return [Text.assemble(("training  ", "bold"), ", ".join(words)), Text()]


def _unusual(train: dict[str, Any], usual: dict[str, Any]) -> list[str]:
    """The other settings that are not at their default: `rotation 5`, `warmup 2`, `early_stop patience 3`."""
    shown_above = {
        "dataset",
        "epochs",
        "batch_size",
        "optimizer",
        "schedule",
        "dropout",
        "normalize",
        "seed",
        "val_split",
    }
    out = []
    for key, value in train.items():
        if key in shown_above or value == usual[key]:
            continue
        if isinstance(value, dict):
            out += [f"{key} {part}" for part in _unusual(value, usual[key])]
        elif isinstance(value, list):
            out.append(f"{key} {' to '.join(f'{number:g}' for number in value)}")
        else:
            out.append(f"{key} {value:g}")
    return out


def checklist(points: Sequence[Point], title: str = "challenge") -> list[RenderableType]:
    """The challenge as a checklist: a glyph and a word, so that colour carries nothing alone."""
    from rich.text import Text

    from tuitrain.watch.verdict import NO_CHALLENGE

    if not points:
        return [Text(NO_CHALLENGE, style="dim"), Text()]
    out: list[RenderableType] = [Text(title, style="bold")]
    for p in points:
        glyph, style = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}[p.met]
        out.append(
            Text.assemble(
                f"  {glyph} ", (f"{p.point:<12}", ""), f" {p.wanted}", ("   " + p.got, "dim"), style=style
            )
        )
    return [*out, Text()]


def _claims(preset: Preset) -> list[RenderableType]:
    from rich.text import Text

    claims = preset.claims
    words = [f"{claims.parameters:,} parameters"] if claims.parameters else []
    words += [f"test {claims.test_accuracy:.2f} %"] if claims.test_accuracy else []
    words += [f"last test {claims.last_test_accuracy:.2f} %"] if claims.last_test_accuracy else []
    words += [f"train {claims.train_accuracy:.2f} %"] if claims.train_accuracy else []
    words += [visible(claims.note)] if claims.note else []
    return [Text.assemble(("claims  ", "bold"), ", ".join(words) or "none published")]


def _story(preset: Preset) -> list[RenderableType]:
    from rich.text import Text

    story = preset.story
    rows = [
        ("change", story.change),
        ("aim", story.aim),
        ("outcome", story.outcome),
        ("source", preset.source),
    ]
    if story.previous and story.change:
        rows[0] = (f"after {visible(story.previous)}", story.change)
    return [Text.assemble((f"{word}  ", "bold"), visible(text)) for word, text in rows if text]
