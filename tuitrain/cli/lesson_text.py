"""The lesson as coloured lines of text, for a terminal without its screen and for a pipe."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.text import Text

from tuitrain.errors import visible
from tuitrain.figures import sparkline
from tuitrain.lessons.backprop import GRADIENTS, WEIGHTS, work_out
from tuitrain.lessons.check import EQUAL, checks
from tuitrain.lessons.lesson import Lesson
from tuitrain.lessons.terms import (
    Piece,
    Term,
    as_text,
    in_numbers,
    in_symbols,
    kind,
    number_text,
    symbol,
    terms,
)

#: Rich's colours of what a quantity belongs to.
COLOURS = {
    "input": "green", "weight": "bold", "hidden": "cyan", "output": "yellow", "error": "red", "slope": "magenta",
    "rate": "bold",
}  # fmt: skip
NEXT_STEPS = 6  # that the text shows


def lesson_lines(shown: Lesson) -> Iterator[Text]:
    """The whole lesson for a terminal or a pipe."""
    yield Text(
        "Backpropagation by hand: two inputs, two hidden and two output neurons, 8 weights", style="bold"
    )
    yield Text(
        f"{visible(shown.sheet.title)}, {shown.variant} gradients, learning rate {shown.lr:g}, "
        f"step {shown.step} of 0 to {shown.rows - 1}"
    )
    yield from _terms(shown)
    yield from _derivatives(shown)
    yield from _steps(shown)
    yield from _curves(shown)
    yield from _mistake(shown)
    yield from _figures(shown)


def _heading(title: str) -> Iterator[Text]:
    yield Text()
    yield Text(title, style="bold underline")


def _coloured(pieces: Sequence[Piece], width: int = 0) -> Text:
    text = Text()
    for part, name in pieces:
        text.append(part, COLOURS[kind(name)] if name else "")
    text.append(" " * (width - len(text.plain)))
    return text


def _terms(shown: Lesson) -> Iterator[Text]:
    values, section = shown.values, ""
    every = terms(shown.variant)
    short = [term for term in every if not term.chain]
    wide = (
        max(len(as_text(in_symbols(term.formula))) for term in short),
        max(len(as_text(in_numbers(term.formula, values))) for term in short),
    )

    def head(term: Term) -> Text:
        return _coloured([("  ", ""), (symbol(term.quantity), term.quantity)], 14)

    for term in every:
        if term.section != section:
            section = term.section
            yield from _heading(section)
        result = [(number_text(values[term.quantity]), term.quantity)]
        symbols, put_in = in_symbols(term.formula), in_numbers(term.formula, values)
        if term.chain:
            lines: list[Sequence[Piece]] = [in_symbols(term.chain)]
            lines += [] if as_text(symbols).replace("·", " · ") == as_text(lines[0]) else [symbols]
            for number, pieces in enumerate([*lines, put_in, result]):
                yield (Text(" " * 14) if number else head(term)).append("= ").append_text(_coloured(pieces))
        else:
            line = head(term).append("= ").append_text(_coloured(symbols, wide[0])).append(" = ")
            yield line.append_text(_coloured(put_in, wide[1])).append(" = ").append_text(_coloured(result))
        if term.mistake:
            yield Text(f"{' ' * 14}! {term.mistake}", style="yellow")


def _derivatives(shown: Lesson) -> Iterator[Text]:
    yield from _heading("The derivatives, checked")
    yield Text(f"  {'':8}{'chain rule':>14}{'measured':>14}{'published':>14}   off by", style="dim")
    at = [shown.values[name] for name in WEIGHTS]
    right, wrong = (work_out(shown.sheet.start, at, shown.lr, one) for one in ("corrected", "published"))
    off = [*shown.mistake(), *[0.0] * 4]
    for name, measured, share in zip(GRADIENTS, shown.measured(), off, strict=True):
        numbers = (right[name], measured, wrong[name])
        line = Text(f"  {symbol(name):8}").append("".join(f"{number_text(one):>14}" for one in numbers))
        if right[name] != wrong[name] and math.isfinite(share):
            line.append(f"   {100 * share:+.1f} %".replace("-", "−"), "yellow")
        yield line
    yield Text("  Measured: the error with each weight a little larger and a little smaller, no chain rule.")


def _steps(shown: Lesson) -> Iterator[Text]:
    steps = range(shown.step, min(shown.step + NEXT_STEPS, shown.rows))
    if len(steps) < 2:
        return
    yield from _heading("The next steps" if shown.step else "The first steps")
    columns = ("E_total", "a_o1", "a_o2", *WEIGHTS)
    heads = "".join(f"{'E' if name == 'E_total' else name:>10}" for name in columns)
    yield Text(f"  {'step':>5}{heads}", style="dim")
    for step in steps:
        values = shown.table()[step]
        yield Text(f"  {step:5}" + "".join(f"{number_text(values[name], 5):>10}" for name in columns))


def _curves(shown: Lesson) -> Iterator[Text]:
    last = shown.rows - 1
    steps = [step for step in (0, 1, 5, 20, 50, 100, 150) if step < last] + [last]
    yield from _heading(f"The error E by learning rate, {shown.variant} gradients")
    yield Text(f"  {'lr':>8}" + "".join(f"{f'step {step}':>11}" for step in steps), style="dim")
    for lr in shown.sheet.learning_rates:
        losses = shown.losses(lr)
        line = Text(f"  {lr:8g}" + "".join(f"{number_text(losses[step], 4):>11}" for step in steps))
        size = max(1, math.ceil(len(losses) / 24))
        yield line.append("  ").append(sparkline([*losses[::size]]), "cyan")


def _mistake(shown: Lesson) -> Iterator[Text]:
    last = shown.rows - 1
    yield from _heading("What the published sheet got wrong")
    for said in (
        "  On the way back to h1 it takes w5 and w6, where the chain rule needs w5 and w7, the edges that leave h1;",
        "  to h2 it takes w7 and w8 for w6 and w8. So ∂E/∂w1 to ∂E/∂w4 are wrong, and with them every step from 1 on.",
    ):
        yield Text(said)
    yield Text(f"  {'lr':>8}{'published':>14}{'corrected':>14}   E at step {last}", style="dim")
    for lr in shown.sheet.learning_rates:
        wrong, right = shown.losses(lr, "published")[last], shown.losses(lr, "corrected")[last]
        line = Text(f"  {lr:8g}{number_text(wrong):>14}{number_text(right):>14}")
        if right and math.isfinite(wrong / right):
            line.append(f"   {100 * (wrong / right - 1):+.2f} %".replace("-", "−"), "yellow")
        yield line


def _figures(shown: Lesson) -> Iterator[Text]:
    found = checks(shown.sheet)
    if found:
        yield from _heading("The figures in the sheet")
    for one in found:
        line = f"  {one.variant}: {one.equal:,} of {one.count:,} are equal to {EQUAL:g}"
        if one.first is not None:
            at = one.first
            line += f"; the first that is not: {symbol(at.column)} at step {at.step}, learning rate {at.lr:g}"
        yield Text(f"{line}; largest difference {one.worst:.1e}.")
