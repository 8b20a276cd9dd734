"""The flags that several commands share, and how they change a preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain.cli import completion
from tuitrain.config import setting
from tuitrain.errors import PresetError, UsageError, nearest, visible
from tuitrain.spec.assignment import KEYS, dotted, value_of
from tuitrain.spec.choices import DATASETS, OPTIMIZERS, SCHEDULES

if TYPE_CHECKING:
    from tuitrain.spec.preset import Preset

TWEAK = "What to change"
PLACE = "Where and how"
OUTPUT = "Output"
PRESETS = "default: the preset's"

PresetName = Annotated[
    str,
    typer.Option(
        "--preset",
        "-p",
        help="Preset name or TOML file; default: step13.",
        show_default=False,
        autocompletion=completion.offer_presets,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", "-e", help=f"Passes over the training set; {PRESETS}.", rich_help_panel=TWEAK),
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", "-b", help=f"Images per step; {PRESETS}.", rich_help_panel=TWEAK)
]
Lr = Annotated[float | None, typer.Option("--lr", help=f"Learning rate; {PRESETS}.", rich_help_panel=TWEAK)]
Dropout = Annotated[
    float | None,
    typer.Option(
        "--dropout",
        help=f"Dropout probability, where a layer sets none of its own; {PRESETS}.",
        rich_help_panel=TWEAK,
    ),
]
Rotation = Annotated[
    str | None,
    typer.Option(
        "--rotation",
        metavar="DEGREES",
        help=f"Random rotation, degrees each way, or from,to: -7,3; {PRESETS}.",
        rich_help_panel=TWEAK,
    ),
]
TargetEpochs = Annotated[
    int | None,
    typer.Option(
        "--target-epochs",
        help="Stop early when this many epochs in a row have reached the target.",
        rich_help_panel=TWEAK,
    ),
]
TargetAccuracy = Annotated[
    float | None,
    typer.Option(
        "--target-accuracy",
        help="That target in percent; default: the challenge's.",
        rich_help_panel=TWEAK,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        help="Stop early after this many epochs without a new best accuracy.",
        rich_help_panel=TWEAK,
    ),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        "--max-seconds",
        help="Stop early at the end of an epoch, after this many seconds; the result then depends on the machine's speed.",
        rich_help_panel=TWEAK,
    ),
]
Optimizer = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        help=f"{', '.join(OPTIMIZERS)}; with settings: sgd:momentum=0.9,nesterov=true; {PRESETS}.",
        rich_help_panel=TWEAK,
        autocompletion=completion.offer_choices(OPTIMIZERS),
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        help=f"{', '.join(SCHEDULES)}; with settings: step:step_size=7,gamma=0.1; {PRESETS}.",
        rich_help_panel=TWEAK,
        autocompletion=completion.offer_choices(SCHEDULES),
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", "-s", help=f"Seed of everything random; {PRESETS}.", rich_help_panel=TWEAK),
]
DatasetFlag = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        help=f"{', '.join(DATASETS)}; {PRESETS}.",
        rich_help_panel=TWEAK,
        autocompletion=completion.offer_choices(DATASETS),
    ),
]
ValSplit = Annotated[
    int | None,
    typer.Option(
        "--val-split",
        help=f"Hold out this many training images and judge by them; {PRESETS}.",
        rich_help_panel=TWEAK,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Any other setting, by key: train.l1=1e-4, model.layers[1].conv=11",
        rich_help_panel=TWEAK,
    ),
]
Budget = Annotated[
    int | None,
    typer.Option(
        "--budget", min=1, help="Refuse a network with more parameters; default: none.", rich_help_panel=PLACE
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder with the data files [TUITRAIN_DATA_DIR]; default: a cache folder.",
        rich_help_panel=PLACE,
    ),
]
RunsDir = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir",
        help="Folder of the run directories [TUITRAIN_RUNS_DIR]; default: runs.",
        rich_help_panel=PLACE,
    ),
]
Seeds = Annotated[
    str,
    typer.Option(
        "--seeds", help="Seeds of each: a number of them, or which (3,7,11 or 20-29).", rich_help_panel=TWEAK
    ),
]
StudyName = Annotated[str | None, typer.Option("--name", help="Name of the study.", rich_help_panel=PLACE)]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, train nothing.", rich_help_panel=OUTPUT)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=OUTPUT)]

Ema = Annotated[
    bool, typer.Option("--ema", help="Use the averaged weights of a run that keeps them (train.ema).")
]

RunName = Annotated[
    str,
    typer.Argument(
        help="A run: its name, a unique part of it, its path, or latest.",
        autocompletion=completion.offer_runs,
    ),
]


def refuse_flags_before_command(context: typer.Context) -> None:
    """Refuses flags that stand before a command: they would be heard by nobody.

    Raises:
        UsageError: with the place where they belong.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            flag, command = (
                max(parameter.opts, key=len),
                f"{context.command_path} {context.invoked_subcommand}",
            )
            raise UsageError(f"{flag} must come after the command: `{command} {flag} ...`.")


def _kind(flag: str, text: str, kinds: Sequence[str], keep: Mapping[str, Any]) -> dict[str, Any]:
    """`sgd:momentum=0.9,nesterov=true` as a table; the same kind keeps the preset's other settings."""

    name, _, rest = text.partition(":")
    if name not in kinds:
        close = nearest(name, kinds)
        hint = f"did you mean '{close}'?" if close else f"use one of: {', '.join(kinds)}."
        raise UsageError(f"{flag}: there is no '{visible(name)}'; {hint}")
    table: dict[str, Any] = dict(keep) if keep.get("name") == name else {"name": name}
    depth, part, parts = 0, "", []
    for char in rest + ",":
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += char
    if depth:
        raise UsageError(f"{flag}: '{visible(text)}' has a bracket without its other half; add it.")
    for item in filter(None, parts):
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"{flag}: '{visible(item)}' is no setting; write it as {name}:key=value.")
        if key.strip() == "name":
            raise UsageError(
                f"{flag}: the kind stands before the colon; write it as {flag} {visible(value.strip())}."
            )
        table[key.strip()] = value_of(value.strip())
    return table


def named_by_flag(sentence: str) -> str:
    """An error about a setting, told by its flag where it has one."""
    for flag, key in KEYS.items():
        if sentence.startswith(f"{key} "):
            return f"--{flag.replace('_', '-')} {sentence.removeprefix(key + ' ')}"
    return sentence


def flag_changes(preset: Preset, flags: Mapping[str, Any], *, settings: bool = True) -> dict[str, Any]:
    """The values that flags (a command's `locals()`) replace in a preset, by dotted key.

    `settings`: whether the user's settings (the data set) speak where no flag does.

    Raises:
        UsageError: a flag can't be read.
    """
    out: dict[str, Any] = {}
    train = preset.to_dict()["train"]
    if flags.get("optimizer"):
        out["train.optimizer"] = _kind("--optimizer", flags["optimizer"], OPTIMIZERS, train["optimizer"])
    if flags.get("schedule"):
        out["train.schedule"] = _kind("--schedule", flags["schedule"], SCHEDULES, train["schedule"])
    for flag, key in KEYS.items():
        value = flags.get(flag)
        if flag == "dataset" and settings:
            value = setting("dataset", value) or None
        if flag == "rotation" and value is not None:
            value = value_of(f"[{value}]" if "," in value and "[" not in value else value)
        if value is not None:
            out[key] = value
    for text in flags.get("set_") or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set '{visible(text)}': write it as key=value, such as train.l1=1e-4.")
        key = dotted(key.strip())
        if key == "name":
            raise UsageError("--set name: a preset's name is its file's; use --name to name the run.")
        out[key] = value_of(value.strip())
    return out


def changed_preset(name: str, flags: Mapping[str, Any]) -> tuple[Preset, Preset]:
    """The preset of a name, and the same with the flags applied.

    Raises:
        PresetError: no such preset, or a value is refused.
        UsageError: a flag can't be read.
    """
    from tuitrain.spec.preset import override
    from tuitrain.spec.preset_files import load_preset

    base = load_preset(name)
    replaced = flag_changes(base, flags)
    if not replaced:
        return base, base
    try:
        return base, override(base, replaced, "the flags")
    except PresetError as error:
        error.args = (named_by_flag(str(error).removeprefix("the flags: ")),)
        raise
