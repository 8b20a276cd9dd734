"""A sheet: inputs, targets, weights and learning rates of a lesson, and figures that somebody worked out with them.

The published one is `published.json` beside this file. Others are read from TOML or JSON with the same keys, from the
record of a system as its source lists it (`hyper`), and from CSV or XLSX with the sheet's own columns.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuitrain import tomltext
from tuitrain.errors import UsageError, shortened, suggest, visible
from tuitrain.lessons import xlsx
from tuitrain.lessons.backprop import COLUMNS, GIVEN, GRADIENTS, WEIGHTS, Start, Variant
from tuitrain.lessons.xlsx import Grid

MAX_FILE_BYTES = 8 << 20
MOST_ROWS = 10_000
ROWS = 200
#: Of the published sheet, then those of the course; what a sheet gets that names none.
RATES = (10.0, 0.1, 0.2, 0.5, 0.8, 1.0, 2.0)
_KEYS = (
    "title", "inputs", "targets", "weights", "learning_rates", "rows", "first_row_gradients", "loss_checkpoints",
)  # fmt: skip
_OTHER_NAMES = {
    "weights_init": "weights",
    "learning_rates_published": "learning_rates",
    "lr": "learning_rates",
}
_VARIANTS: dict[str, Variant] = {
    "published": "published", "sheet": "published", "corrected": "corrected", "correct": "corrected",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that somebody worked out: the value of a column at a step with a learning rate.

    Attributes:
        variant: with whose hidden gradients; None where nobody says.
    """

    lr: float
    step: int
    column: str
    value: float
    variant: Variant | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A lesson's numbers. The first learning rate is its own, the others are for comparison."""

    title: str
    start: Start
    learning_rates: tuple[float, ...] = RATES
    rows: int = ROWS
    figures: tuple[Figure, ...] = ()


def published() -> Sheet:
    """The published sheet with all its figures."""
    return read_sheet(Path(__file__).with_name("published.json"))


def read_sheet(path: Path) -> Sheet:
    """The sheet of a file.

    Raises:
        UsageError: it can't be read, or a number is missing, none, not finite, or one too many.
    """
    try:
        return _read(path)
    except ValueError as error:
        said = shortened(visible(error), 300)
        raise UsageError(f"{visible(path)}: {said}{'' if said.endswith('?') else '.'}") from None


def _read(path: Path) -> Sheet:
    kind = path.suffix.lower()
    if path.is_dir():
        raise ValueError("is a folder; name a file in it")
    if kind not in (".toml", ".json", ".csv", ".tsv", ".xlsx"):
        raise ValueError("is of no known kind; use a .toml, .json, .csv or .xlsx file")
    if not path.is_file():
        raise ValueError("no such sheet; check the path")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror}); check its permissions") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES >> 20} MiB; a sheet is a small file")
    if kind == ".xlsx":
        return _of_grid(xlsx.read(raw), path.stem)
    text = tomltext.decoded(raw)
    if kind in (".csv", ".tsv"):
        return _of_grid(_csv_grid(text), path.stem)
    return _of_record(tomltext.tables(text) if kind == ".toml" else _json(text), path.stem)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON: {str(error) or 'nested too deeply'}; fix that place") from None


# ------------------------------------------------------------------------------- TOML and JSON


def _of_record(data: Any, name: str) -> Sheet:
    if isinstance(data, list):  # many systems: the one of this kind
        data = next((one for one in data if isinstance(one, dict) and one.get("kind") == "backprop"), data)
    if not isinstance(data, dict):
        raise ValueError("is no table of keys; give inputs, targets and weights")
    hyper = data.get("hyper")
    if isinstance(hyper, dict):
        data = {key: value for key, value in {**data, **hyper}.items() if _OTHER_NAMES.get(key, key) in _KEYS}
    data = {_OTHER_NAMES.get(key, key): value for key, value in data.items()}
    for key in data:
        if key not in _KEYS:
            raise ValueError(f"{key} is not a key of a sheet{suggest(key, list(_KEYS))}")
    for key, form in (("inputs", "[i1, i2]"), ("targets", "[t1, t2]"), ("weights", "[w1, ..., w8]")):
        if key not in data:
            raise ValueError(f"the key {key} is missing; give it as {form}")
    title = data.get("title", name)
    if not isinstance(title, str):
        raise ValueError("title is not a text; put it in quotes")
    start = Start(
        _pair("inputs", ("i1", "i2"), data["inputs"]),
        _pair("targets", ("t1", "t2"), data["targets"]),
        numbers("weights", WEIGHTS, data["weights"]),
    )
    rates = data.get("learning_rates", list(RATES))
    rates = beside_others(learning_rates("learning_rates", rates if isinstance(rates, list) else [rates]))
    figures = (
        *_gradients(data.get("first_row_gradients", {}), rates[0]),
        *_losses(data.get("loss_checkpoints", {})),
    )
    return Sheet(title, start, rates, row_count("rows", data.get("rows", ROWS)), figures)


def number(name: str, value: Any) -> float:
    """A finite number.

    Raises:
        ValueError: it is none, in a sentence that names it.
    """
    if value is None:
        raise ValueError(f"{name} is missing; use a number such as 0.15")
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = value if isinstance(value, str) else json.dumps(value, default=str)
        raise ValueError(f"{name} is '{shown[:40]}', no number; use one such as 0.15")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"{name} is not finite; use a number such as 0.15")
    return found


def numbers(what: str, names: Sequence[str], value: Any) -> tuple[float, ...]:
    """As many numbers as there are names, from a list or from a table with these names.

    Raises:
        ValueError: other ones.
    """
    if isinstance(value, Mapping):
        for name in names:
            if name not in value:
                raise ValueError(f"{what}.{name} is missing; give {names[0]} to {names[-1]}")
        for name in value:
            if name not in names:
                raise ValueError(f"{what}.{name} is unknown; give {names[0]} to {names[-1]}")
        return tuple(number(f"{what}.{name}", value[name]) for name in names)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{what} is no list of numbers; give {len(names)}, {names[0]} to {names[-1]}")
    if len(value) != len(names):
        count = f"{len(value)} number{'s' * (len(value) != 1)}"
        raise ValueError(f"{what} has {count}; give {len(names)}, {names[0]} to {names[-1]}")
    return tuple(number(f"{what}, {name},", one) for name, one in zip(names, value, strict=True))


def _pair(what: str, names: tuple[str, str], value: Any) -> tuple[float, float]:
    first, second = numbers(what, names, value)
    return first, second


def learning_rates(what: str, value: Sequence[Any]) -> tuple[float, ...]:
    """Learning rates above zero, each once.

    Raises:
        ValueError: there is none, one is no number, or not above zero.
    """
    rates = tuple(dict.fromkeys(number(what, one) for one in value))
    if not rates or min(rates) <= 0:
        raise ValueError(
            f"{what} is {f'{min(rates):g}' if rates else 'empty'}; use a number above 0, such as 0.5"
        )
    return rates


def beside_others(rates: tuple[float, ...]) -> tuple[float, ...]:
    """Learning rates whose curves are compared: a single one beside those of the course."""
    return rates if len(rates) > 1 else tuple(dict.fromkeys((*rates, *RATES)))


def row_count(what: str, value: Any) -> int:
    """How many steps a table has.

    Raises:
        ValueError: no whole number from 1 to `MOST_ROWS`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ROWS:
        raise ValueError(
            f"{what} is {json.dumps(value, default=str)}; use a whole number from 1 to {MOST_ROWS}"
        )
    return value


def _variants(what: str, data: Any) -> list[tuple[Variant, Any]]:
    if not isinstance(data, dict):
        raise ValueError(f"{what} is no table; give it a table 'published' and one 'corrected'")
    for name in data:
        if name not in _VARIANTS:
            raise ValueError(f"{what}.{name} is unknown; use 'published' or 'corrected'")
    return [(_VARIANTS[name], value) for name, value in data.items()]


def _gradients(data: Any, lr: float) -> list[Figure]:
    what = "first_row_gradients"
    return [
        Figure(lr, 0, name, one, variant)
        for variant, values in _variants(what, data)
        for name, one in zip(GRADIENTS, numbers(f"{what}.{variant}", GRADIENTS, values), strict=True)
    ]


def _losses(data: Any) -> list[Figure]:
    out = []
    for variant, by_rate in _variants("loss_checkpoints", data):
        for rate, by_step in (by_rate if isinstance(by_rate, dict) else {"": None}).items():
            what = f"loss_checkpoints.{variant}.{rate}"
            if not isinstance(by_step, dict):
                raise ValueError(f"{what} is no table; give losses by step by learning rate")
            for step, loss in by_step.items():
                if not (step.isdecimal() and len(step) < 8 and int(step) < MOST_ROWS):
                    raise ValueError(f"{what}: '{step}' is no step; count them from 0")
                out.append(
                    Figure(_rate(what, rate), int(step), "E_total", number(f"{what}.{step}", loss), variant)
                )
    return out


def _rate(what: str, text: str) -> float:
    try:
        return learning_rates(what, [float(text)])[0]
    except ValueError:
        raise ValueError(f"{what}: '{text}' is no learning rate; use a number above 0") from None


# ----------------------------------------------------------------------------------- CSV and XLSX


def _csv_grid(text: str) -> Grid:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        return [[_cell(cell) for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as error:
        raise ValueError(f"not valid CSV: {error}; fix that place") from None


def _cell(text: str) -> str | float | None:
    text = text.strip()
    try:
        return float(text)
    except ValueError:
        return text or None


def _column(cell: object) -> str:
    """The column that a heading means: `E_TOTAL`, `dw1` and `∂E/∂w1` are known too."""
    name = cell.strip().replace("∂", "d") if isinstance(cell, str) else ""
    name = {column.lower(): column for column in COLUMNS}.get(name.lower(), name)
    return f"dE/{name}" if f"dE/{name}" in GRADIENTS else name


def _of_grid(grid: Grid, name: str) -> Sheet:
    at, heads = next(
        (
            (at, heads)
            for at, row in enumerate(grid[:50])
            if {"w1", "i1"} & set(heads := [_column(c) for c in row])
        ),
        (0, [""]),
    )
    for column in GIVEN:
        if column not in heads:
            raise ValueError(
                f"the column {column} is missing; name t1, t2, i1, i2 and w1 to w8 in one row of headings"
            )
    place = {column: heads.index(column) for column in (*COLUMNS, "lr") if column in heads}
    rows = list(itertools.takewhile(lambda row: _at(row, place["w1"]) is not None, grid[at + 1 :]))
    if not rows:
        raise ValueError("there is no row below the headings; give the numbers of step 0 there")
    begin = {column: number(f"{column} in row {at + 2}", _at(rows[0], place[column])) for column in GIVEN}
    start = Start(
        (begin["i1"], begin["i2"]), (begin["t1"], begin["t2"]), tuple(begin[name] for name in WEIGHTS)
    )
    given = _rate_beside(grid[:at]) if "lr" not in place else _at(rows[0], place["lr"])
    lr = (
        learning_rates("the learning rate", [given])[0]
        if given is not None
        else _rate_of_first_step(rows, place)
    )
    count = min(len(rows), MOST_ROWS)
    figures = tuple(
        Figure(lr or RATES[0], step, column, value)
        for step, row in enumerate(rows[: count if lr else 1])
        for column in COLUMNS
        if column in place
        and column not in (COLUMNS[:4] if step else GIVEN)
        and isinstance(value := _at(row, place[column]), float)
        and math.isfinite(value)
    )
    rates = beside_others((lr or RATES[0],))
    return Sheet(name, start, rates, count if count > 1 else ROWS, figures)


def _at(row: Sequence[Any], place: int) -> Any:
    return row[place] if place < len(row) else None


def _rate_beside(rows: Grid) -> Any:
    """The cell to the right of one that says `LR=` or `learning rate`."""
    for row in rows:
        for left, right in itertools.pairwise(row):
            if isinstance(left, str) and left.strip(" =:").lower().replace("_", " ") in (
                "lr",
                "learning rate",
            ):
                return right
    return None


def _rate_of_first_step(rows: Grid, place: Mapping[str, int]) -> float | None:
    """By what w5 changed in the first step over its derivative, to nine digits; None where the sheet does not say."""
    if len(rows) < 2 or "dE/dw5" not in place:
        return None
    cells = (_at(rows[0], place["w5"]), _at(rows[1], place["w5"]), _at(rows[0], place["dE/dw5"]))
    before, after, slope = (cell if isinstance(cell, float) else math.nan for cell in cells)
    lr = (before - after) / slope if slope else math.nan
    return float(f"{lr:.9g}") if math.isfinite(lr) and lr > 0 else None
