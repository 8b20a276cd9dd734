"""The TOML file in which a user says what a study is to train: of a sweep, or the space of a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuitrain import tomltext
from tuitrain.errors import UsageError, suggest, visible


def read_study_file(path: Path, keys: Sequence[str], where: str) -> dict[str, Any]:
    """The tables of a file.

    Args:
        path: the file.
        keys: that it may have.
        where: how an error calls it.

    Raises:
        UsageError: it can't be read, is no TOML, or has a key that is none.
    """
    try:
        data = tomltext.read_tables(path)
    except OSError as error:
        raise UsageError(f"{where} can't be read: {visible(error.strerror)}.") from None
    except ValueError as error:
        raise UsageError(f"{where}: {visible(error)}.") from None
    for key in data:
        if key not in keys:
            hint = suggest(key, list(keys))
            raise UsageError(
                f"{where}: there is no '{visible(key)}'{hint}{'' if hint.endswith('?') else '.'}"
            )
    return data
