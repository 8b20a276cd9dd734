"""What the screens need to know about the person, the terminal and the folders. No textual."""

from __future__ import annotations

import locale
import os
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from tuitrain.errors import UsageError, visible

REFRESH_HZ = 4.0
LOW_BANDWIDTH_HZ = 1.0


@dataclass
class Settings:
    """Settings of one session of the app; flags first, then the config file, then defaults."""

    runs_dir: Path
    data_dir: Path | None = None
    refresh_hz: float = REFRESH_HZ
    low_bandwidth: bool = False
    ascii_only: bool = False
    theme: str | None = None
    keys: dict[str, str] = field(default_factory=dict)


def config_file() -> Path:
    """`config.toml` in the user's configuration folder (XDG_CONFIG_HOME/tuitrain on Linux)."""
    import platformdirs

    return Path(platformdirs.user_config_dir("tuitrain", appauthor=False)) / "config.toml"


def log_file() -> Path:
    """Where stray output goes while no run is there to take it (XDG_STATE_HOME/tuitrain/log.txt)."""
    import platformdirs

    return Path(platformdirs.user_state_dir("tuitrain", appauthor=False)) / "log.txt"


def read_config(path: Path | None = None) -> tuple[dict[str, str], str | None]:
    """`[keys]` (binding id to keys) and `theme` of the config file; empty where there is none.

    Raises:
        UsageError: the file is there and can't be used.
    """
    path = path or config_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}, None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{visible(path)}: can't be read ({visible(error)}); mend or remove it") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{visible(path)}: not TOML: {visible(error)}; mend or remove it") from None
    keys = data.get("keys", {})
    if not isinstance(keys, dict) or not all(isinstance(value, str) for value in keys.values()):
        raise UsageError(f'{visible(path)}: [keys] takes lines like quit = "ctrl+x"; mend it')
    theme = data.get("theme")
    if theme is not None and not isinstance(theme, str):
        raise UsageError(f"{visible(path)}: theme is not a text; name one of the themes in quotes")
    return {str(name): value for name, value in keys.items()}, theme


def speaks_utf8() -> bool:
    """Whether the locale can show more than ASCII."""
    encoding = locale.getpreferredencoding(False) or "ascii"
    if sys.flags.utf8_mode:  # python's own coercion of the C locale says nothing about the terminal
        encoding = _declared_encoding()
    return encoding.lower().replace("-", "") in {"utf8", "cp65001"}


def _declared_encoding() -> str:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return value.partition(".")[2].partition("@")[0] or "ascii"
    return "utf-8"
