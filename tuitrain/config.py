"""Settings of a machine and folder: flag, then TUITRAIN_*, project tuitrain.toml, XDG config, default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuitrain import tomltext, trust
from tuitrain.errors import UsageError, visible
from tuitrain.paths import expand


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its kind, default and what it is for."""

    kind: type
    default: Any
    help: str


SETTINGS: dict[str, Setting] = {
    "runs_dir": Setting(str, "runs", "folder of the run directories"),
    "data_dir": Setting(str, "", "folder with the data files; empty for the XDG cache"),
    "dataset": Setting(str, "", "data set in place of the preset's"),
    "device": Setting(str, "auto", "auto, cpu, cuda, cuda:N or mps"),
    "budget": Setting(int, 0, "refuse networks with more parameters; 0 for none"),
    "precision": Setting(str, "fp32", "fp32, tf32 or bf16"),
    "compile": Setting(str, "auto", "auto, on or off"),
    "threads": Setting(int, 0, "CPU threads; 0 measures them at the start"),
    "theme": Setting(str, "", "theme of the terminal app"),
    "refresh_hz": Setting(float, 4.0, "screen updates a second"),
    "low_bandwidth": Setting(bool, False, "at most 1 KB/s of screen"),
    "ascii": Setting(bool, False, "draw with ASCII only"),
    "mouse": Setting(bool, True, "let the app have the mouse; false leaves it to the terminal"),
    "notify": Setting(bool, True, "let the terminal tell when a run of more than half a minute ends"),
    "on_finish": Setting(str, "", "shell command for the end of each run and study, with its JSON on stdin"),
}
#: A folder that one only works in, a fresh clone say, has no say in these: they run commands.
PERSONAL = ("on_finish",)


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it came from."""

    value: Any
    origin: str


def user_config_file() -> Path:
    """The user's file, in the XDG config folder."""
    return expand(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "tuitrain" / "config.toml"


def _files() -> list[Path]:
    project = Path("tuitrain.toml")
    return [*([project] if trust.obeyed(project) else []), user_config_file()]


def read_config_file(path: Path) -> dict[str, Any]:
    """The tables of a config file; empty where there is none.

    Raises:
        UsageError: unreadable or not TOML.
    """
    try:
        if not path.is_file():
            return {}
        return tomltext.read_tables(path)
    except OSError as error:
        raise UsageError(f"{visible(path)}: can't be read ({visible(error)}); fix or remove it.") from None
    except ValueError as error:
        raise UsageError(f"{visible(path)}: {visible(error)}.") from None


def _parse(name: str, value: Any, origin: str) -> Any:
    kind = SETTINGS[name].kind
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    try:
        if kind is bool:
            return value if isinstance(value, bool) else words[str(value).lower()]
        if kind is str:
            if not isinstance(value, str) or "\0" in value:
                raise ValueError
            return value
        if isinstance(value, bool):
            raise ValueError
        if kind is int and int(value) < 0:
            raise ValueError
        return kind(value)
    except (ValueError, KeyError, TypeError, OverflowError):
        expected = {bool: "true or false", int: "a whole number, 0 or more", float: "a number", str: "text"}[
            kind
        ]
        raise UsageError(f"{origin}: {name} is {visible(value)!r}; use {expected}.") from None


def resolve_setting(name: str, flag: Any = None) -> Value:
    """The value of a setting by precedence.

    Raises:
        UsageError: a file or variable holds something unusable.
    """
    if flag is not None:
        return Value(flag, "flag")
    env = f"TUITRAIN_{name.upper()}"
    if os.environ.get(env):
        return Value(_parse(name, os.environ[env], env), env)
    for path in _files():
        data = read_config_file(path)
        if name in data and name in PERSONAL and not (path == user_config_file() and trust.obeyed(path)):
            trust.refuse(
                f"{path.absolute()} {name}",
                f"{visible(path)}: {name} runs a command and is obeyed only in {visible(user_config_file())} of your own.",
            )
        elif name in data:
            return Value(_parse(name, data[name], visible(path)), visible(path))
    return Value(SETTINGS[name].default, "default")


def setting(name: str, flag: Any = None) -> Any:
    """The value alone."""
    return resolve_setting(name, flag).value


def runs_dir(flag: Path | None = None) -> Path:
    """The folder of the run directories."""
    return expand(setting("runs_dir", flag))


def data_dir(flag: Path | None = None) -> Path | None:
    """The folder with the data files, or None for the XDG cache."""
    value = setting("data_dir", flag)
    return expand(value) if value and str(value) else None


def personal_tables(name: str) -> tuple[dict[str, dict[str, Any]], str]:
    """The tables `[name.X]` of the user's own config, by X, and that file; those of a project's file are not obeyed.

    Raises:
        UsageError: a file can't be read, or has something else there.
    """
    own, out = user_config_file(), dict[str, dict[str, Any]]()
    for path in _files():
        tables = read_config_file(path).get(name)
        if tables is None:
            continue
        if not (path == own and trust.obeyed(path)):
            trust.refuse(
                f"{path.absolute()} {name}",
                f"{visible(path)}: {name} runs commands and is obeyed only in {visible(own)} of your own.",
            )
        elif isinstance(tables, dict) and all(isinstance(table, dict) for table in tables.values()):
            out = tables
        else:
            raise UsageError(f"{visible(path)}: {name} holds tables; write [{name}.slurm] above its lines.")
    return out, visible(own)


def misspelt() -> list[tuple[Path, str]]:
    """The keys of the config files that are no setting, each with its file."""
    known = {*SETTINGS, "keys", "cluster"}
    return [(path, key) for path in _files() for key in read_config_file(path) if key not in known]


def keymap() -> dict[str, str]:
    """The `[keys]` tables of the config files: binding id to keys, the project's file first."""
    out: dict[str, str] = {}
    for path in reversed(_files()):
        keys = read_config_file(path).get("keys", {})
        if isinstance(keys, dict):
            out |= {str(k): str(v) for k, v in keys.items()}
    return out
