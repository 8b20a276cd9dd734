"""A term in symbols and with the numbers put in, each symbol coloured as in the drawing. No textual."""

from __future__ import annotations

from collections.abc import Sequence

from tuitrain.lessons.terms import ASCII, Piece, as_text, in_numbers, in_symbols, number_text, symbol
from tuitrain.tui.lesson.drawing import style_of
from tuitrain.tui.paint.text import Line, Parts, cut, wrap
from tuitrain.workbench.lesson_state import LessonState

KEPT = "(1\u00a0−\u00a0"  # no line is broken there
FEWEST = 4  # lines for the other terms


def formula_lines(state: LessonState, width: int, height: int, *, ascii_only: bool = False) -> list[Parts]:
    """The chain rule, the formula, the same with its numbers, the result, and what it means, as far as there is room.

    Where there is more room, the other terms of this part of the training step come below.

    Args:
        state: whose term is shown.
        width: cells of a line.
        height: lines; what it means gives way to a mistake, and both to the formula.
        ascii_only: write `*` and `d` for what ASCII has no character for.
    """
    term, lines = state.term, _forms(state, width)
    said = [*_paragraph(state.mistake, "warn", width), *_paragraph(term.why, "", width)]
    room = height - len(lines)
    lines += [(), *said[: room - 1]] if room > len(said) else said[: max(0, room)]
    room = height - len(lines) - 2
    if room >= FEWEST:
        lines += [(), *_part(state, width, room)]
    return (
        [[(text.translate(ASCII), style) for text, style in line] for line in lines] if ascii_only else lines
    )


def _forms(state: LessonState, width: int) -> list[Parts]:
    term, values = state.term, state.values
    head = f" {symbol(term.quantity)} "
    symbols, room = in_symbols(term.formula), width - len(head) - 2
    with_digits = [in_numbers(term.formula, values, digits) for digits in (6, 5, 4)]
    numbers = next((form for form in with_digits if len(as_text(form)) <= room), with_digits[-1])
    result = [(number_text(values[term.quantity], 9), term.quantity)]
    forms: list[Sequence[Piece]] = [symbols, numbers, result]
    chain = in_symbols(term.chain)
    if chain and as_text(chain) != as_text(symbols).replace("·", " · "):
        forms.insert(0, chain)
    lines: list[Parts] = []
    for number, pieces in enumerate(forms):
        line = (
            Line()
            .add("" if number else head, style_of(term.quantity) + " bold")
            .to(len(head))
            .add("= ", "dim")
        )
        for text, name in pieces:
            style = "warn bold" if name in state.wrong else style_of(name)
            line.add(text, f"{style} bold reverse" if pieces is result else style)
        kept = [(text.replace("(1 − ", KEPT), style) for text, style in line]
        broken = wrap(kept, width, len(head) + 2)
        lines += [[(text.replace(KEPT, "(1 − "), style) for text, style in row] for row in broken]
    return lines


def _part(state: LessonState, width: int, room: int) -> list[Parts]:
    """The terms of the same part, those around the present one; what is not worked out yet without its value."""
    every = [(at, term) for at, term in enumerate(state.terms) if term.section == state.term.section]
    here = next(number for number, (at, _) in enumerate(every) if at == state.at)
    first = max(0, min(here - room // 2, len(every) - room))
    out: list[Parts] = []
    for at, term in every[first : first + room]:
        done = at <= state.at
        line = Line().add(" ▸ " if at == state.at else "   ", "accent")
        line.add(symbol(term.quantity), style_of(term.quantity) if done else "faint", 11)
        line.add(f"= {number_text(state.values[term.quantity])}" if done else "", "", 15)
        line.add(f" {as_text(in_symbols(term.formula))}", "dim" if done else "faint")
        out.append(cut(line, width))
    return out


def _paragraph(text: str, style: str, width: int) -> list[Parts]:
    return wrap(((f" {text}", style),), width - 1, 1) if text else []
