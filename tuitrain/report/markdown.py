"""Text and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from tuitrain.errors import visible

#: An underscore within a word means nothing.
_SPECIAL = re.compile(r"([\\`*\[\]<>#|~&@]|^[+-]|(?<![^\W_])_|_(?![^\W_]))")


def escaped(text: str) -> str:
    """Text that Markdown shows as it stands, in a cell of a table too."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], left: Collection[str]) -> str:
    """A table; cells are escaped, all columns but those of `left` aligned right."""
    marks = ["---" if name in left else "---:" for name in head]
    out = [f"| {' | '.join(map(escaped, head))} |", f"|{'|'.join(marks)}|"]
    out += [f"| {' | '.join(map(escaped, cells))} |" for cells in rows]
    return "\n".join(out) + "\n"


def fenced(text: str, language: str = "") -> str:
    """Text as a block of code, whatever is in it."""
    fence = "`" * (2 + max(map(len, re.findall("`+", text)), default=1))
    lines = "\n".join(map(visible, text.splitlines()))
    return f"{fence}{language}\n{lines}\n{fence}\n"
