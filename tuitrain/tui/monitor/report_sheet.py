"""A run's `report.md` on the screen: its headings, sentences and tables, and what its pictures are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tuitrain.tui.paint.text import HeadedLines, Line, Part, Parts, cells, cut, wrap

_PICTURE = re.compile(r"!\[(.*)\]\(([^)]*)\)")
_ESCAPED = re.compile(r"\\(.)")
#: Two spaces between columns.
_GAP = 2


def report_sheet(lines: Sequence[str], width: int) -> HeadedLines:
    """The lines of a Markdown file as they are drawn in so many columns."""
    rows: list[Parts] = []
    table: list[str] = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            table.append(line)
            continue
        if table:
            rows += _table(table, width)
            table = []
        if line.startswith("```"):
            continue
        if picture := _PICTURE.fullmatch(line):
            rows += wrap(((f" {picture[2]}: {_plain(picture[1])}", "dim"),), width, 1)
            continue
        if line.startswith("#"):
            rows.append(((f" {_plain(line.lstrip('# '))}", "bold"),))
        elif line or (rows and rows[-1]):
            indent = 3 if line.startswith("- ") else 1
            rows += wrap(tuple(_parts(f" {line}")), width, indent) if line else [()]
    while rows and not rows[-1]:
        rows.pop()
    return ((" report.md (enter closes it)", "dim underline"),), rows


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _parts(text: str) -> Iterable[Part]:
    """What is between pairs of asterisks is emphasised."""
    for n, part in enumerate(text.rstrip().split("**")):
        if part:
            yield _plain(part), "bold" if n % 2 else ""


def _table(lines: Sequence[str], width: int) -> list[Parts]:
    """A table in columns that are as wide as their widest cell; the second line tells which are aligned right."""
    cells_of = [[_plain(cell.strip(" ")) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    head, marks, *body = cells_of if len(cells_of) > 1 else [*cells_of, []]
    right = [mark.endswith(":") for mark in marks] + [False] * len(head)
    wide = [
        max(cells(((row[n] if n < len(row) else "", ""),)) for row in (head, *body)) for n in range(len(head))
    ]
    out: list[Parts] = []
    for row in (head, *body):
        drawn = Line().add(" ")
        for n, cell in enumerate(row[: len(head)]):
            drawn.add(cell, "dim" if row is head else "", wide[n], right=right[n]).add(" " * _GAP)
        out.append(cut(drawn, width))
    return out
