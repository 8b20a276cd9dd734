"""Paths as people type them. Imports nothing of ours."""

from __future__ import annotations

import os
from pathlib import Path


def typed(path: str | os.PathLike[str]) -> Path:
    """A path with `~` and `~name` put in; as it stands where there is nobody of that name, or no home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
