"""Painted text as data: pieces of text, each with the name of a style. No textual."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.style import Style

Part = tuple[str, str | Style]  # text, and the name of one of STYLES or a style of its own
Parts = tuple[Part, ...]
HeadedLines = tuple[Parts, list[Parts]]  # a heading, and the lines below it

#: The styles that the monitor's widgets know, from the theme.
STYLES = ("dim", "bold", "good", "bad", "warn", "accent", "best", "fill", "track", "test", "train", "ghost",
          "earlier", "target", "head", "mark")  # fmt: skip


def cells(parts: Parts) -> int:
    """Cells that the parts take."""
    return sum(cell_len(text) for text, _ in parts)


def fit(parts: Parts, width: int) -> Parts:
    """The parts, cut with an ellipsis where they take more cells than there are."""
    if cells(parts) <= width:
        return parts
    out: list[Part] = []
    room = width - 1
    for text, style in parts:
        size = cell_len(text)
        if size > room:
            out.append((set_cell_size(text, max(0, room)) + "…" * (width > 0), style))
            break
        out.append((text, style))
        room -= size
    return tuple(out)


def wrap(parts: Parts, width: int, indent: int = 0) -> list[Parts]:
    """The parts broken into lines at spaces; words longer than a line are cut."""
    lines: list[list[Part]] = [[]]
    used = 0
    for text, style in parts:
        for word in _words(text):
            size = cell_len(word)
            if used and used + cell_len(word.rstrip()) > width:
                lines.append([(" " * indent, "")] if indent else [])
                used = indent
                word = word.lstrip()
                size = cell_len(word)
            if size > width - used:
                word = set_cell_size(word, max(0, width - used))
                size = cell_len(word)
            lines[-1].append((word, style))
            used += size
    return [tuple(line) for line in lines]


def _words(text: str) -> list[str]:
    out: list[str] = []
    word = ""
    for char in text:
        if char != " " and word.endswith(" "):
            out.append(word)
            word = ""
        word += char
    return [*out, word] if word else out
