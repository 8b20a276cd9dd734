"""`tuitrain diff`: two presets or runs, layer by layer and setting by setting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.errors import PresetError, RunDirectoryError, UsageError, visible
from tuitrain.figures import shape_text

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.spec.preset import Preset
    from tuitrain.spec.table import NetworkTable
    from tuitrain.tui.paint.text import Parts
    from tuitrain.watch.network_diff import LayerDifference, LayerFacts

#: A mark and a style for what became of a layer.
_MARKS = {"same": (" ", "dim"), "changed": ("~", "warn"), "added": ("+", "good"), "removed": ("−", "bad")}
_TITLES, _PARAMETERS, _FIELD = (12, 28), 20, 9  # cells for a layer, least and most, and for the figures


def _argument(name: str) -> Any:
    return typer.Argument(
        metavar=name,
        help="A preset (also with changes: step11+dropout=0.05), a TOML file, or a run.",
        show_default=False,
        autocompletion=completion.offer_presets_and_runs,
    )


def diff(
    first: Annotated[str, _argument("A")],
    second: Annotated[str, _argument("B")],
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Compare two networks layer by layer, and their settings."""
    from tuitrain.spec.preset import differences
    from tuitrain.watch.comparison import setting_lines
    from tuitrain.watch.network_diff import layer_differences

    (name, old), (name_new, new) = (preset_or_run(wanted, runs_dir) for wanted in (first, second))
    found, tables = layer_differences(old, new), (old.table(), new.table())
    outside = (
        {key: value for key, value in preset.to_dict().items() if key != "model"} for preset in (old, new)
    )
    settings = setting_lines(list(outside))
    if json:
        emit_json({
            "a": _total(name, tables[0]), "b": _total(name_new, tables[1]),
            "layers": [
                {
                    "status": one.status, "a": _layer(one.old), "b": _layer(one.new),
                    "changes": [{"setting": c.label, "a": c.old, "b": c.new} for c in one.changes],
                }
                for one in found
            ],
            "settings": [
                {"key": key, "a": a, "b": b} for key, (a, b) in differences(old, new).items()
                if not key.startswith("model.")
            ],
        })  # fmt: skip
        return
    from tuitrain.cli.painted import show_lines, show_wrapped
    from tuitrain.tui.paint.text import fit

    least, most = _TITLES
    title = max(least, min(most, (stdout().width - 5 - _PARAMETERS - _FIELD) // 2))
    show_lines(_network(found, tables, (name, name_new), title))
    if not any(one.status != "same" for one in found):
        show_wrapped((("the networks are the same", "good"),))
    show_lines([()])
    if not settings:
        show_wrapped((("all settings are the same", "good"),))
        return
    label = max(18, *(len(line.label) for line in settings))
    show_lines(
        [((f"{'settings that differ':{label + 4}}{fit(name, 28)}  {fit(name_new, 28)}".rstrip(), "dim"),)]
    )
    for line in settings:
        show_lines([((f"  {line.label:{label}}  ", ""), (f"{line.values[0]:28}  {line.values[1]}", "bold"))])


def preset_or_run(wanted: str, runs_dir: Path | None) -> tuple[str, Preset]:
    """The preset of a name, with changes where it has such (`step11+dropout=0.05`), or that of a run; what it is called.

    A run by its whole name or its path goes before a preset, as in `tuitrain compare`; by a part of its name it does not.

    Raises:
        PresetError: it is neither, or damaged.
        RunDirectoryError: several runs may be meant.
        UsageError: the run's network is one in Python.
    """
    from tuitrain.cli.runs import run_directory
    from tuitrain.paths import expand
    from tuitrain.runs.names import looks_like_run, run_names
    from tuitrain.study.sides import changed_preset

    folder = config.runs_dir(runs_dir)
    if (
        wanted == "latest"
        or wanted in run_names(folder)
        or ("/" in wanted and looks_like_run(expand(wanted)))
    ):
        return _of_run(run_directory(wanted, runs_dir))
    try:
        preset = changed_preset(wanted)
    except PresetError as error:
        try:
            directory = run_directory(wanted, runs_dir)
        except RunDirectoryError as of_runs:
            if "may be" in str(of_runs):
                raise
            sentence = str(error).removeprefix("no preset ")
            raise PresetError(
                f"no preset or run {sentence}" if sentence != str(error) else sentence
            ) from None
        return _of_run(directory)
    return wanted if "+" in wanted else preset.name or wanted, preset


def _of_run(directory: RunDirectory) -> tuple[str, Preset]:
    from tuitrain.runs.history import History

    history = History.of(directory.events())
    name = visible(directory.name)
    if history.user_network is not None:
        raise UsageError(
            f"run {name} trained a network in Python ({visible(history.user_network)}), whose layers are not known; "
            f"`tuitrain runs show {name}` has its figures."
        )
    if history.preset is None:
        raise PresetError(
            f"the preset of run {name} can't be read; look at {visible(directory.path / 'preset.toml')}."
        )
    return directory.name, history.preset


def _total(name: str, table: NetworkTable) -> dict[str, Any]:
    return {
        "name": name, "parameters": table.parameters, "mult_adds": table.mult_adds,
        "receptive_field": table.receptive_field,
    }  # fmt: skip


def _layer(facts: LayerFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {
        "path": facts.path, "title": facts.title, "parameters": facts.parameters,
        "output_shape": list(facts.output_shape), "receptive_field": facts.receptive_field,
    }  # fmt: skip


def _network(
    found: list[LayerDifference],
    tables: tuple[NetworkTable, NetworkTable],
    names: tuple[str, str],
    title: int,
) -> list[Parts]:
    """A line a layer, and below a changed one what was changed."""
    from tuitrain.tui.paint.text import Line, fit

    columns = " ".join(fit(visible(name), title) for name in names)
    heading = f"   {columns} {'parameters':>{_PARAMETERS}}{'field':>{_FIELD}}"
    lines: list[Parts] = [((heading, "dim"),)]
    for one in found:
        mark, style = _MARKS[one.status]
        line = Line().add(f" {mark} ", style)
        for facts in (one.old, one.new):
            line.add(facts.title if facts else "–", style if one.status != "changed" else "", title).add(" ")
        line.add(_pair(one, lambda facts: f"{facts.parameters:,}"), "", _PARAMETERS, right=True)
        line.add(_pair(one, lambda facts: facts.field_text), "dim", _FIELD, right=True)
        lines.append(line)
        lines += [Line().to(5).add(f"{change}", style) for change in one.changes if change.label != "width"]
        if one.old and one.new and one.old.output_shape[1:] != one.new.output_shape[1:]:
            shapes = f"maps {shape_text(one.old.output_shape)} → {shape_text(one.new.output_shape)}"
            lines.append(Line().to(5).add(shapes, "dim"))
    before, after = tables
    total = Line().add("   total".ljust(5 + 2 * title), "bold")
    total.add(f"{before.parameters:,} → {after.parameters:,}", "bold", _PARAMETERS, right=True)
    total.add(f"{before.rows[-1].field_text} → {after.rows[-1].field_text}", "bold", _FIELD, right=True)
    lines.append(total)
    change = after.parameters - before.parameters
    work = f"{before.mult_adds:,} → {after.mult_adds:,} multiply-adds"
    lines.append((
        (f"   {f'{change:+,}'.replace('-', '−')} parameters, {work}" if change else f"   as many parameters, {work}", ""),
    ))  # fmt: skip
    return lines


def _pair(one: LayerDifference, text: Any) -> str:
    """The figure of both, or one of them where they are equal or there is but one."""
    known = [text(facts) for facts in (one.old, one.new) if facts is not None]
    return known[0] if len(set(known)) == 1 else " → ".join(known)
