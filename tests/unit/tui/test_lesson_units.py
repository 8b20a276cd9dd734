"""The lesson's drawing and formulas as data: sizes, what is known, what is lit, what fits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuitrain.lessons.backprop import VARIANTS, WEIGHTS, Start
from tuitrain.lessons.lesson import Lesson
from tuitrain.lessons.sheet import Sheet, published
from tuitrain.lessons.terms import number_text, symbol, terms
from tuitrain.tui.lesson.drawing import fitted, network
from tuitrain.tui.lesson.formula import formula_lines
from tuitrain.tui.paint.text import Parts, cells
from tuitrain.workbench.lesson_state import LessonState

numbers = st.one_of(st.floats(-9, 9), st.sampled_from([0.0, -0.0, 1e-9, -1e5, 1e200]))


def said(lines: list[Parts]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def state(at: int | str = 0, step: int = 0, variant: str = "corrected") -> LessonState:
    number = at if isinstance(at, int) else next(n for n, term in enumerate(terms()) if term.quantity == at)
    return LessonState(Lesson(published(), variant, step), number)  # type: ignore[arg-type]


@given(st.floats(allow_nan=True), st.integers(2, 12))
def test_a_number_fits_its_room(value: float, width: int) -> None:
    text = fitted(value, width)
    assert 0 < len(text) <= width
    if width >= 8 and 1e-3 < abs(value) < 1e5:
        assert float(text.replace("−", "-")) == pytest.approx(value, rel=0.06)
    assert [fitted(x, 6) for x in (-1e300, 1e-300, -1e-300, 0.0, -2e-4)] == [
        "−1e300",
        "1e-300",
        "−0",
        "0",
        "−2e-4",
    ]


@given(st.lists(numbers, min_size=12, max_size=12), st.data())
@settings(max_examples=80, deadline=None)
def test_the_drawing_fills_its_size_whatever_the_numbers(values: list[float], data: st.DataObject) -> None:
    start = Start((values[0], values[1]), (values[2], values[3]), tuple(values[4:]))
    lesson = Lesson(
        Sheet("x", start, (data.draw(st.sampled_from([0.1, 50.0, 1e300])),), 3),
        step=data.draw(st.integers(0, 2)),
    )
    shown = LessonState(lesson, data.draw(st.integers(0, 42)))
    width, height = data.draw(st.integers(60, 200)), data.draw(st.integers(9, 24))
    rows = network(shown, width, height)
    assert [cells(row) for row in rows] == [width] * height
    assert formula_lines(shown, data.draw(st.integers(30, 150)), height)
    for name in (*WEIGHTS, "h1", "o2"):
        assert name in said(rows)


def test_numbers_come_one_after_the_other_and_the_present_one_is_reversed() -> None:
    first = network(state("h1"), 80, 12)
    assert "h1   0.0275" in said(first) and "a_h1      ·" in said(first) and "∂w5" not in said(first)
    last = network(state("w8'"), 80, 12)
    assert "w8→0.9777" in said(last) and "∂w8 −0.04277" in said(last) and "E  0.2425" in said(last)
    for at, term in enumerate(terms()):
        lit = [text for row in network(state(at), 120, 17) for text, style in row if "reverse" in str(style)]
        assert lit, f"{term.quantity} is nowhere in the drawing"


def test_what_a_term_is_made_of_has_its_colour_in_the_drawing_and_in_the_formula() -> None:
    shown = state("dE/dw1")
    drawn = {(text, style) for row in network(shown, 80, 12) for text, style in row}
    written = {(text, style) for line in formula_lines(shown, 80, 12) for text, style in line}
    for name, style in (
        ("w5", "bold"),
        ("w7", "bold"),
        ("i1", "good"),
        ("a_h1", "primary"),
        ("∂E/∂o1", "violet"),
    ):
        assert (name, style) in written
        if name != "∂E/∂o1":
            assert any(name in text and str(look).startswith(style) for text, look in drawn), name
    wrong = state("dE/dw1", variant="published")
    drawn = {(text, style) for row in network(wrong, 80, 12) for text, style in row}
    assert ("w6 0.45", "warn bold") in drawn and ("w7 0.5", "dim") in drawn
    assert ("w6", "warn bold") in {part for line in formula_lines(wrong, 80, 12) for part in line}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("step", [0, 7, 199])
def test_every_term_fits_beside_the_curve_of_the_smallest_whole_screen(variant: str, step: int) -> None:
    for at, term in enumerate(terms(variant)):  # type: ignore[arg-type]
        shown = state(at, step, variant)
        lines = formula_lines(shown, 52, 9)
        text = " ".join(said(lines).split())
        assert len(lines) <= 9, term.quantity
        assert number_text(shown.values[term.quantity], 9) in text and f"{symbol(term.quantity)} = " in text
        assert (shown.mistake or term.why).split()[-1] in text, text


def test_where_there_is_room_the_other_terms_of_the_part_are_below() -> None:
    text = said(formula_lines(state("a_h2"), 74, 18))
    assert "▸ a_h2       = 0.510623" in text and "  o1                         w5·a_h1 + w6·a_h2" in text
    assert "E1" not in text


def test_in_ascii_products_are_stars() -> None:
    text = said(formula_lines(state("dE/dw1"), 60, 12, ascii_only=True))
    assert text.isascii() and "(dE/do1*w5 + dE/do2*w7)" in text


def test_the_way_through_the_terms_and_the_steps() -> None:
    shown = state()
    shown.go(-1)
    assert (shown.at, shown.lesson.step) == (0, 0)
    shown.go(43)
    assert (shown.at, shown.lesson.step) == (0, 1)
    shown.go(-1)
    assert (shown.at, shown.lesson.step) == (42, 0)
    parts = []
    shown.at = 0
    for _ in range(6):
        parts.append(shown.term.quantity)
        shown.go_to_section(1)
    assert parts == ["h1", "E1", "dE/da_o1", "dE1/da_h1", "w1'", "w1'"]
    shown.go_to_section(-1)
    assert shown.term.quantity == "dE1/da_h1"
    shown.go_to_step(10**9)
    shown.go(43)
    assert (shown.at, shown.lesson.step) == (42, 199)
    shown.turn_variant()
    assert shown.lesson.variant == "published" and shown.lesson.step == 199
    shown.take_start(Start((1, 2), (0, 1), (1.0,) * 8))
    assert shown.lesson.step == 0 and shown.lesson.sheet.figures == ()
    shown.begin_again()
    assert shown.lesson == Lesson(published())
