"""`user.json`: what a person wrote on a run, its tags and its note."""

from __future__ import annotations

import json
from pathlib import Path

from tuitrain.runs import durable
from tuitrain.runs.directory import unwritable

USER_FILE = "user.json"
_MAX_BYTES = 1 << 16
_MAX_NOTE = 4000
_MAX_TAGS = 32


def read_user(path: Path) -> tuple[tuple[str, ...], str]:
    """A run's tags and note; none where they can't be read."""
    try:
        with durable.open_plain(path / USER_FILE) as file:
            data = json.loads(file.read(_MAX_BYTES))
        tags = tuple(str(tag) for tag in data.get("tags", [])[:_MAX_TAGS])
        return tags, str(data.get("note", ""))[:_MAX_NOTE]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return (), ""


def write_user(path: Path, tags: tuple[str, ...] | None = None, note: str | None = None) -> None:
    """Set a run's tags, its note, or both.

    Raises:
        RunDirectoryError: it can't be written.
    """
    old_tags, old_note = read_user(path)
    cleaned = dict.fromkeys(tag.strip()[:64] for tag in (old_tags if tags is None else tags) if tag.strip())
    data = {"tags": list(cleaned)[:_MAX_TAGS], "note": (old_note if note is None else note)[:_MAX_NOTE]}
    text = json.dumps(data, ensure_ascii=True)
    try:
        durable.replace(path / USER_FILE, text.encode())
    except OSError as error:
        raise unwritable(path / USER_FILE, error) from None
