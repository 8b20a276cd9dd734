"""Rows of the table, and what one measurement of a row came to."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.bench import Bench


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, in words, and whether it is what the table wants."""

    ok: bool
    text: str


Measure = Callable[["Bench", int], Figure]


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        key: short name.
        what: what is done to the product.
        wanted: the figure that the table asks for.
        quick: repetitions in the normal test command; 0 where it is not measured there.
        whole: repetitions in the whole count.
        measure: takes a bench and a number of repetitions.
        teeth: protection (see `protections*.py`) -> what is taken out; each must make the row fail.
        teeth_times: repetitions with a protection taken out.
        needs: "data" (genuine MNIST), "root", "terminal", "gpu" or "slurm".
    """

    key: str
    what: str
    wanted: str
    quick: int
    whole: int
    measure: Measure
    teeth: dict[str, str] = field(default_factory=dict)
    teeth_times: int = 0
    needs: tuple[str, ...] = ()


ROWS: dict[str, Row] = {}
MODULES = (
    "rows_kills", "rows_training", "rows_long", "rows_disk", "rows_prefixes", "rows_data", "rows_hostile",
    "rows_strangers", "rows_users", "rows_runs", "rows_terminal", "rows_text", "rows_answers", "rows_studies",
)  # fmt: skip


def row(
    key: str,
    what: str,
    wanted: str,
    *,
    quick: int,
    whole: int,
    teeth: dict[str, str],
    teeth_times: int = 0,
    needs: tuple[str, ...] = (),
) -> Callable[[Measure], Measure]:
    """Makes a function that measures into a row of the table."""

    def register(measure: Measure) -> Measure:
        assert key not in ROWS
        ROWS[key] = Row(key, what, wanted, quick, whole, measure, teeth, teeth_times or quick, needs)
        return measure

    return register


def load_rows() -> dict[str, Row]:
    """Every row, in the order of the table."""
    for name in MODULES:
        importlib.import_module(f"harness.{name}")
    return ROWS
