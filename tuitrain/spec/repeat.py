"""The headless command that repeats a training exactly."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from tuitrain.errors import visible
from tuitrain.spec.preset import Preset, differences, toml_value

#: Flag of each key that has one; everything else goes through --set.
FLAGS = {
    "train.epochs": "--epochs",
    "train.batch_size": "--batch-size",
    "train.optimizer.lr": "--lr",
    "train.dropout": "--dropout",
    "train.rotation": "--rotation",
    "train.seed": "--seed",
    "train.dataset": "--dataset",
    "train.val_split": "--val-split",
    "train.early_stop.target_epochs": "--target-epochs",
    "train.early_stop.target_accuracy": "--target-accuracy",
    "train.early_stop.patience": "--patience",
    "train.early_stop.max_seconds": "--max-seconds",
}


def _kind(table: Mapping[str, Any]) -> str:
    settings = ",".join(
        f"{key}={toml_value(value)}".replace(" ", "") for key, value in table.items() if key != "name"
    )
    return f"{table['name']}:{settings}" if settings else str(table["name"])


def run_arguments(base: Preset, name: str, preset: Preset) -> list[str]:
    """The arguments of `tuitrain run` that turn the preset called `name` (which is `base`) into `preset`.

    The seed and the data set are always named, so that no environment changes them.
    """
    out = ["tuitrain", "run", "--preset", name]
    changed = differences(base, preset)
    data = preset.to_dict()
    for kind in ("optimizer", "schedule"):
        if f"train.{kind}.name" in changed:
            out += [f"--{kind}", _kind(data["train"][kind])]
            changed = {key: value for key, value in changed.items() if not key.startswith(f"train.{kind}.")}
    for key, (_, value) in changed.items():
        if key in ("train.seed", "train.dataset"):
            continue
        if key == "model.layers" or (key.startswith("model.") and value is None):
            continue
        if key in FLAGS:
            out += [FLAGS[key], toml_value(value) if not isinstance(value, str) else value]
        elif value is not None:
            out += ["--set", f"{key}={toml_value(value)}"]
    # A network of another length, or with a key taken away, can only be told as a whole.
    if "model.layers" in changed or any(k.startswith("model.") and v[1] is None for k, v in changed.items()):
        out = [a for i, a in enumerate(out) if not _about_model(out, i)]
        out += ["--set", f"model.layers={toml_value(data['model']['layers'])}"]
    return [*out, "--dataset", preset.train.dataset, "--seed", str(preset.train.seed)]


def _about_model(arguments: list[str], index: int) -> bool:
    value = arguments[index]
    following = arguments[index + 1] if index + 1 < len(arguments) else ""
    return value.startswith("model.") or (value == "--set" and following.startswith("model."))


def run_command(base: Preset, name: str, preset: Preset, extra: Mapping[str, Any] | None = None) -> str:
    """The same as one shell line; `extra` are further flags by name (None and False are left out)."""
    return command_line(run_arguments(base, name, preset), extra or {})


def command_line(words: Sequence[str], flags: Mapping[str, Any]) -> str:
    """A shell line of words and of flags by name.

    None and False are left out, True is the flag alone, and of a list each has the flag before it.
    """
    out = list(words)
    for flag, value in flags.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None and one is not False:
                out += [flag] if one is True else [flag, str(one)]
    return " ".join(map(quoted, out))


def quoted(argument: str) -> str:
    """An argument for a shell line; with characters that a terminal would obey as `$'…'`, which bash and zsh read."""
    if visible(argument) == argument:
        return shlex.quote(argument)
    plain = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "$'" + "".join(plain.get(char) or _escaped(char) for char in argument) + "'"


def _escaped(char: str) -> str:
    if visible(char) == char:
        return char
    if 0xDC80 <= ord(char) <= 0xDCFF:  # a byte of a name that is no UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\u{ord(char):04x}"
