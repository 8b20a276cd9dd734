"""What issue 13 says the figures must show, and whether they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: what is measured, what is wanted, what came out (the worst of all cells), and whether it is kept."""

    what: str
    wanted: str
    measured: str
    kept: bool


def limits(figures: Figures) -> list[Limit]:
    """All of them, from the figures of every cell; those without a cell are left out."""
    cells = list(figures["cells"].values())
    settled = [cell for cell in cells if cell["settled"]]
    pairs = [pair for pair in figures["pairs"].values() if pair["settled"]]
    rows = [(cell, row) for cell in cells for row in cell["duels"]]
    found = [
        _most("A against A: B is called better", rows, lambda row: row["ended"]["better"], 0.025),
        _most("A against A: B is called worse", rows, lambda row: row["ended"]["worse"], 0.025),
        _most(
            "A against A: the interval is wrong at any look", rows, lambda row: row["ended"]["wrong"], 0.05
        ),
        _most(
            'A against A, going on after "undecided" (16, 32, 64 pairs): the interval is wrong at any look',
            [(cell, row) for cell in cells for row in cell["doubled"]],
            lambda row: row["ended"]["wrong"],
            0.05,
        ),
        _least(
            "teeth: a t test after every pair in its place says that B is better",
            "more than 2.5 % in every cell",
            [(cell, row["peeked"]["better"]) for cell, row in rows],
            0.025,
        ),
        Limit(
            "duels that `decide` ends otherwise than the table",
            "0",
            f"{sum(row['unlike decide'] for _, row in rows)} of {20 * len(rows)}",
            not any(row["unlike decide"] for _, row in rows),
        ),
    ]
    if mnist := [cell for cell in settled if cell["pool"]["images"] == 10_000]:
        least = min(mnist, key=lambda cell: cell["asked"]["better"])
        slowest = max(cell["asked"]["pairs"] for cell in mnist)
        found.append(
            Limit(
                "a gain of 0.56 standard deviations (0.05 points where it is 0.09), 64 pairs, settled MNIST",
                "found in 75 %, after 43 pairs on average or fewer",
                f"{percent(least['asked']['better'])} ({least['title']}), {slowest:.1f} pairs at most",
                least["asked"]["better"] >= 0.75 and slowest <= 43,
            )
        )
    found += [
        _between(
            "coverage on these images, 4, 8 and 16 seeds, A against A, settled", _covered(settled, "fixed")
        ),
        _between("the same, unsettled", _covered([cell for cell in cells if not cell["settled"]], "fixed")),
        _between("coverage on these images, A against B that differ, both settled", _covered(pairs, "fixed")),
        _least(
            "coverage on new images, 4, 8 and 16 seeds, A against A",
            "at least 95 %",
            _covered(cells, "new"),
            0.95,
        ),
        _least(
            "coverage on new images, A against B that differ, both settled",
            "at least 95 %",
            _covered(pairs, "new"),
            0.95,
        ),
        _most(
            "noise floor from 4 seeds, settled: root mean square error",
            [(cell, cell["spread"]["4"]) for cell in settled],
            lambda row: row["sd"]["rmse"],
            0.2,
        ),
    ]
    return found


def percent(share: float) -> str:
    """A share in percent with one digit behind the point."""
    return f"{100 * share:.1f} %"


def _covered(cells: list[Figures], what: str) -> list[tuple[Figures, float]]:
    found = []
    for cell in cells:
        for seeds in ("4", "8", "16"):
            row = cell[what][seeds]
            found.append((cell, (row["drawn"] if what == "new" else row)["covered"]))
    return found


def _most(what: str, rows: list[tuple[Figures, Figures]], of: Any, most: float) -> Limit:
    value, cell = max(((of(row), cell) for cell, row in rows), key=lambda one: one[0])
    return Limit(
        what, f"at most {percent(most)}", f"at most {percent(value)} ({cell['title']})", value <= most
    )


def _least(what: str, wanted: str, rows: list[tuple[Figures, float]], least: float) -> Limit:
    if not rows:
        return Limit(what, wanted, "not measured", True)
    cell, value = min(rows, key=lambda one: one[1])
    return Limit(what, wanted, f"at least {percent(value)} ({cell['title']})", _shown(value) >= least)


def _between(what: str, rows: list[tuple[Figures, float]]) -> Limit:
    if not rows:
        return Limit(what, "94 to 97 %", "not measured", True)
    (low, least), (high, most) = (choose(rows, key=lambda one: one[1]) for choose in (min, max))
    return Limit(
        what,
        "94 to 97 %",
        f"{percent(least)} ({low['title']}) to {percent(most)} ({high['title']})",
        _shown(least) >= 0.94 and _shown(most) <= 0.97,
    )


def _shown(share: float) -> float:
    """As `percent` shows it, so that 95.0 % is at least 95 %."""
    return round(share, 3)
