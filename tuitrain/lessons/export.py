"""The table of the sheet as CSV and as XLSX, the latter with formulas like the published one's."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from tuitrain.errors import UsageError, visible
from tuitrain.lessons import xlsx
from tuitrain.lessons.backprop import COLUMNS, WEIGHTS, Values, Variant
from tuitrain.lessons.terms import written_out
from tuitrain.lessons.xlsx import Cell, column_letters

_EXCEL = str.maketrans({"·": "*", "−": "-", "²": "^2"})
#: Where the published sheet has them: the learning rate in F1, headings in row 2, step 0 in row 3.
_RATE, _FIRST_ROW = "$F$1", 3


def csv_text(table: Sequence[Values]) -> str:
    """A line of headings and one a step, each of 31 columns; every digit of a number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([repr(values[name]) for name in COLUMNS] for values in table)
    return out.getvalue()


def workbook(table: Sequence[Values], variant: Variant) -> bytes:
    """A workbook that works the table out itself, so that another learning rate or weight can be tried in it."""
    letters = {name: column_letters(at) for at, name in enumerate(COLUMNS)}

    def formula(template: str, row: int) -> str:
        text = re.sub(r"\{([^}]+)\}", lambda m: _RATE if m[1] == "lr" else f"{letters[m[1]]}{row}", template)
        return re.sub(r"σ\(([^)]*)\)", r"1/(1+EXP(-(\1)))", text.translate(_EXCEL)).replace(" ", "")

    rate: list[Cell] = [None, None, None, None, "LR=", table[0]["lr"], None, f"{variant} hidden gradients"]
    grid: list[list[Cell]] = [rate, list(COLUMNS)]
    for step, values in enumerate(table):
        row: list[Cell] = []
        for name in COLUMNS:
            given = name in COLUMNS[:4] or (name in WEIGHTS and not step)
            template = written_out(f"{name}'" if name in WEIGHTS else name, variant) if not given else ""
            if name in WEIGHTS:  # of the row above, with the derivative that stands there
                template = f"{{{name}}} − {{lr}}·{{dE/d{name}}}"
            here = _FIRST_ROW + step - (name in WEIGHTS)
            row.append(values[name] if given else (formula(template, here), values[name]))
        grid.append(row)
    return xlsx.write(grid, _FIRST_ROW - 1)


def write_file(path: Path, raw: bytes, *, force: bool = False) -> None:
    """Writes a file whole; one that is there only if forced.

    Raises:
        UsageError: it is there, or can't be written.
    """
    try:
        if force:
            temporary = path.with_name(f"{path.name}.tmp")
            temporary.write_bytes(raw)
            temporary.replace(path)
        else:
            with path.open("xb") as file:
                file.write(raw)
    except FileExistsError:
        raise UsageError(f"{visible(path)}: exists already; choose another name, or use --force.") from None
    except OSError as error:
        why = visible(error.strerror or error)
        raise UsageError(f"{visible(path)}: can't be written ({why}); choose another folder.") from None
