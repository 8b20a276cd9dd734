"""What the screens need to know about the person, the terminal and the folders. No textual."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

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


def log_file() -> Path:
    """Where stray output goes while no run is there to take it (XDG_STATE_HOME/tuitrain/log.txt)."""
    import platformdirs

    return Path(platformdirs.user_state_dir("tuitrain", appauthor=False)) / "log.txt"


def speaks_utf8() -> bool:
    """Whether the locale asks for UTF-8; python's own coercion of an unset locale counts."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name, "")
        if value:
            encoding = value.partition(".")[2].partition("@")[0]
            return encoding.lower().replace("-", "") == "utf8"
    return True
