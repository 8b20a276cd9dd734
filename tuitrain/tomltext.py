"""TOML files as tables, with one sentence for what can't be read. Imports nothing of ours."""

from __future__ import annotations

import codecs
import re
import tomllib
from pathlib import Path
from typing import Any

#: Larger files are refused unread: a config, or the file of a study.
MAX_FILE_BYTES = 64 * 1024
#: Dotted parts of a key; the deepest that a preset has is of four.
MAX_PARTS = 16
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*"""
_TOO_DEEP = re.compile(rf"(?:^|[\[{{,])[ \t]*(?:{_PART}\.[ \t]*){{{MAX_PARTS}}}", re.MULTILINE)
_OTHER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def decoded(raw: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises:
        ValueError: another encoding, named where a byte order mark shows it.
    """
    for mark, name in _OTHER_MARKS:
        if raw.startswith(mark):
            raise ValueError(f"it is {name} text; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text at byte {error.start}; save it as UTF-8") from None


def tables(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ValueError: it is no TOML, or nested deeper than anything here.
    """
    deep = _TOO_DEEP.search(text)  # looked for first, because reading such a key takes tomllib seconds
    if deep:
        line = text.count("\n", 0, deep.start(0) + 1) + 1
        raise ValueError(
            f"not valid TOML: a key of more than {MAX_PARTS} parts in line {line}; fix that place"
        )
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ValueError(f"not valid TOML: {str(error) or 'nested too deeply'}; fix that place") from None


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of a small file.

    Raises:
        OSError: it can't be read.
        ValueError: it is too large, or no TOML in UTF-8.
    """
    with path.open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES // 1024} KiB; it is to be a small text file")
    return tables(decoded(raw))
