"""The figures as Markdown, for the terminal and for docs/HONEST_NUMBERS.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.honesty.limits import Limit, limits, percent

Figures = dict[str, Any]


def markdown(figures: Figures) -> str:
    """All tables, under headings of the third level."""
    cells, pairs = list(figures["cells"].values()), list(figures["pairs"].values())
    count = figures["draws"]
    parts = [
        f"Measured on {figures['date']} on {figures['machine']}; {count['duels']:,} duels a row, {count['fixed']:,} "
        f"draws of a fixed number of seeds, {count['slow']:,} with new images. {figures['minutes']:.0f} minutes.",
        "### What must be shown",
        _limits(limits(figures)),
        "### The pools",
        _pools(cells),
        "### Duels of A against A, with a look after every pair",
        _duels(cells),
        "### Duels in which B has a gain that was planted, settled pools",
        _planted([cell for cell in cells if cell["settled"]]),
        "### Duels that go on after \"undecided\"",
        _doubled(cells),
        "### Duels of settings that do differ",
        _true(pairs),
        "### A fixed number of seeds, on these images",
        _fixed([*cells, *pairs]),
        "### A fixed number of seeds, on new images",
        _new([*cells, *pairs]),
        "### The standard deviation between seeds",
        _spread(cells),
        "### The mean of one group",
        _mean(cells),
        "### Second opinions: how often they tell one setting from itself, p ≤ 0.05",
        _opinions(cells),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are as wide as their widest value."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def _limits(all_limits: list[Limit]) -> str:
    return table(
        ["figure", "wanted", "measured", "kept"],
        [[one.what, one.wanted, one.measured, "yes" if one.kept else "**no**"] for one in all_limits],
    )


def _pools(cells: list[Figures]) -> str:
    rows = []
    for cell in cells:
        pool = cell["pool"]
        low, high = pool["excess_low"], pool["excess_high"]
        rows.append([
            cell["title"], "yes" if cell["settled"] else "no", str(pool["seeds"]), f"{100 * pool['mean']:.2f}",
            f"{100 * pool['sd']:.3f}", f"{100 * pool['floor']:.3f}", f"{pool['excess']:.2f} ({low:.2f} to {high:.2f})",
            f"{pool['skewness']:+.1f}", f"{100 * pool['worst']:.2f}",
        ])  # fmt: skip
    head = [
        "pool",
        "settled",
        "seeds",
        "mean %",
        "sd",
        "noise floor",
        "excess (95 % interval)",
        "skew",
        "worst %",
    ]
    return table(head, rows)


def _duels(cells: list[Figures]) -> str:
    rows = []
    for cell in cells:
        for row in cell["duels"]:
            ended, peeked = row["ended"], row["peeked"]
            rows.append([
                cell["title"], str(row["pairs"]), row["how"], percent(ended["better"]), percent(ended["worse"]),
                percent(ended["wrong"]), f"{percent(peeked['better'])} / {percent(peeked['worse'])}",
            ])  # fmt: skip
    head = [
        "pool",
        "pairs",
        "replacement",
        "better",
        "worse",
        "interval ever wrong",
        "t at every look: better / worse",
    ]
    return table(head, rows)


def _planted(cells: list[Figures]) -> str:
    rows = []
    for cell in cells:
        for row in cell["planted"]:
            ended, absent = row["ended"], row["absent"]
            rows.append([
                cell["title"], str(row["pairs"]), f"+{row['points']:g}", f"{percent(ended['better'])}, {ended['pairs']:.1f}",
                f"{percent(absent['no_gain'])}, {absent['pairs']:.1f}", percent(row["denied"]),
            ])  # fmt: skip
    head = ["pool", "pairs at most", "gain, points", "there: found, after pairs on average",
            "not there: \"no such gain\", after pairs on average", "there, but \"no such gain\""]  # fmt: skip
    return table(head, rows)


def _doubled(cells: list[Figures]) -> str:
    rows = [
        [
            cell["title"], str(row["pairs"]), percent(row["ended"]["better"]), percent(row["ended"]["worse"]),
            percent(row["ended"]["wrong"]), percent(row["gain"]["better"]), percent(row["gain at once"]["better"]),
        ]
        for cell in cells
        for row in cell["doubled"]
    ]  # fmt: skip
    head = ["pool", "pairs so far", "better", "worse", "interval ever wrong", "a gain of 0.56 sd found",
            "found if planned so at once"]  # fmt: skip
    return table(head, rows)


def _true(pairs: list[Figures]) -> str:
    rows = [
        [
            pair["title"], f"{100 * pair['difference']:+.3f}", most, percent(ended["better"]), percent(ended["worse"]),
            percent(ended["wrong"]), f"{ended['pairs']:.1f}",
        ]
        for pair in pairs
        for most, ended in pair["duels"].items()
    ]  # fmt: skip
    head = [
        "A → B",
        "true gain, points",
        "pairs at most",
        "better",
        "worse",
        "interval ever wrong",
        "pairs on average",
    ]
    return table(head, rows)


def _fixed(groups: list[Figures]) -> str:
    rows = [
        [
            group["title"], seeds, percent(row["covered"]), f"{100 * row['half']:.3f}", percent(row["better"]),
            percent(row["worse"]), f"{percent(row['covered by t'])} ({100 * row['half of t']:.3f})",
            percent(row["covered by the floor"]),
        ]
        for group in groups
        for seeds, row in group["fixed"].items()
    ]  # fmt: skip
    head = ["pool, or A → B", "seeds each", "covered", "± points", "better", "worse", "t test of accuracies (± points)",
            "noise floor alone"]  # fmt: skip
    return table(head, rows)


def _new(groups: list[Figures]) -> str:
    rows = [
        [
            group["title"], seeds, percent(row["drawn"]["covered"]), f"{100 * row['drawn']['half']:.3f}",
            percent(row["drawn"]["covered by seeds alone"]), percent(row["halves"]["covered"]),
        ]
        for group in groups
        for seeds, row in group["new"].items()
    ]  # fmt: skip
    head = ["pool, or A → B", "seeds each", "covered", "± points", "by the interval for these images",
            "halves of the test set"]  # fmt: skip
    return table(head, rows)


def _spread(cells: list[Figures]) -> str:
    rows = []
    for cell in cells:
        for seeds, row in cell["spread"].items():
            each = [
                f"{100 * row[name]['bias']:+.0f} / {100 * row[name]['rmse']:.0f} % / {100 * row[name]['within 20 %']:.0f} %"
                for name in ("sd", "plain", "floor")
            ]
            rows.append([cell["title"], seeds, *each, percent(row["unsettled"])])
    head = ["pool", "seeds", "as shown: bias / rmse / within 20 %", "of the accuracies alone", "noise floor alone",
            "called unsettled"]  # fmt: skip
    return table(head, rows)


def _mean(cells: list[Figures]) -> str:
    rows = [
        [
            cell["title"], seeds, percent(row["covered"]), percent(row["too high"]), percent(row["too low"]),
            f"{100 * row['half']:.3f}",
        ]
        for cell in cells
        for seeds, row in cell["mean"].items()
    ]  # fmt: skip
    return table(["pool", "seeds", "covered", "lies too high", "lies too low", "± points"], rows)


def _opinions(cells: list[Figures]) -> str:
    rows = [
        [cell["title"], *(percent(share) for share in cell["permuted"].values()), percent(cell["told apart"])]
        for cell in cells
    ]
    return table(["pool", "permutation test, 4 each", "8 each", "McNemar, two single runs"], rows)
