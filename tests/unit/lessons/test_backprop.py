"""The lesson's arithmetic: held to autograd, to central differences, and to every figure of the published sheet."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuitrain.lessons.backprop import (
    COLUMNS,
    GRADIENTS,
    VARIANTS,
    WEIGHTS,
    Start,
    Variant,
    losses,
    measured_gradients,
    sigmoid,
    table,
    work_out,
)
from tuitrain.lessons.terms import SAME_AS, as_text, in_numbers, in_symbols, symbol, terms, written_out

numbers = st.floats(-3, 3)
starts = st.builds(
    lambda x: Start(tuple(x[:2]), tuple(x[2:4]), tuple(x[4:])), st.lists(numbers, min_size=12, max_size=12)
)
START = Start((0.05, 0.1), (0.01, 0.99), (0.15, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55))


def autograd(start: Start) -> tuple[float, list[float]]:
    w = torch.tensor(start.weights, dtype=torch.float64, requires_grad=True)
    x, t = (torch.tensor(pair, dtype=torch.float64) for pair in (start.inputs, start.targets))
    hidden = torch.sigmoid(w[:4].reshape(2, 2) @ x)
    out = torch.sigmoid(w[4:].reshape(2, 2) @ hidden)
    loss = ((t - out) ** 2 / 2).sum()
    loss.backward()
    return loss.item(), w.grad.tolist()


@given(starts)
@settings(max_examples=60, deadline=None)
def test_loss_and_derivatives_are_those_of_autograd_and_of_central_differences(start: Start) -> None:
    values = work_out(start, start.weights, 0.5)
    loss, gradients = autograd(start)
    assert values["E_total"] == pytest.approx(loss, abs=1e-14)
    assert [values[name] for name in GRADIENTS] == pytest.approx(gradients, abs=1e-14)
    assert measured_gradients(start, start.weights) == pytest.approx(gradients, abs=2e-9)
    wrong = work_out(start, start.weights, 0.5, "published")
    assert [wrong[name] for name in GRADIENTS[4:]] == pytest.approx(gradients[4:], abs=1e-14)


def test_the_published_hidden_gradients_are_not_those_of_autograd() -> None:
    wrong = work_out(START, START.weights, 10, "published")
    _, gradients = autograd(START)
    assert all(
        abs(wrong[name] / true - 1) > 0.2 for name, true in zip(GRADIENTS[:4], gradients, strict=False)
    )


def test_two_hundred_steps_equal_those_of_torchs_sgd() -> None:
    w = torch.nn.Parameter(torch.tensor(START.weights, dtype=torch.float64))
    x, t = (torch.tensor(pair, dtype=torch.float64) for pair in (START.inputs, START.targets))
    optimizer = torch.optim.SGD([w], lr=10)
    for values in table(START, 10, 200):
        optimizer.zero_grad()
        out = torch.sigmoid(w[4:].reshape(2, 2) @ torch.sigmoid(w[:4].reshape(2, 2) @ x))
        loss = ((t - out) ** 2 / 2).sum()
        assert values["E_total"] == pytest.approx(loss.item(), abs=1e-13)
        assert [values[name] for name in WEIGHTS] == pytest.approx(w.tolist(), abs=1e-12)
        loss.backward()
        optimizer.step()


def evaluated(formula: str, values: dict[str, float]) -> float:
    """The value of a formula, by Python's own reading of it."""
    code = re.sub(r"\{([^}]+)\}", lambda m: f"v[{SAME_AS.get(m[1], m[1])!r}]", formula)
    code = code.replace("·", "*").replace("−", "-").replace("²", "**2").replace("σ", "s")
    return eval(code, {"v": values, "s": sigmoid})


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_term_says_how_its_number_comes_about(variant: Variant) -> None:
    values = work_out(START, START.weights, 10, variant)
    known = {*COLUMNS[:8], *COLUMNS[12:16], "lr"}
    for term in terms(variant):
        assert set(term.uses) <= known, f"{term.quantity} comes before what it is made of"
        known.add(term.quantity)
        forms = [
            term.formula,
            written_out(term.quantity, variant),
            *([term.chain] if not term.mistake else []),
        ]
        for formula in filter(None, forms):
            assert evaluated(formula, values) == pytest.approx(values[term.quantity], rel=1e-13), term
        assert term.why.endswith((".", "?"))
    assert known == set(values)
    assert {term.quantity for term in terms(variant) if term.mistake} == (
        set() if variant == "corrected" else {"dE2/da_h1", "dE1/da_h2", *GRADIENTS[:4]}
    )


def test_a_formula_is_shown_in_symbols_and_with_numbers() -> None:
    values = work_out(START, START.weights, 10)
    of = {term.quantity: term for term in terms()}
    seven, one = of["dE/dw7"], of["dE/dw1"]
    assert symbol(seven.quantity) == "∂E/∂w7"
    assert as_text(in_symbols(seven.chain)) == "∂E/∂a_o2 · ∂a_o2/∂o2 · ∂o2/∂w7"
    assert as_text(in_symbols(seven.formula)) == "(a_o2 − t2) · a_o2·(1 − a_o2) · a_h1"
    assert as_text(in_numbers(seven.formula, values, 4)) == "(0.6305 − 0.99) · 0.6305·(1 − 0.6305) · 0.5069"
    assert as_text(in_symbols(one.chain)) == "(∂E/∂o1·∂o1/∂a_h1 + ∂E/∂o2·∂o2/∂a_h1) · ∂a_h1/∂h1 · ∂h1/∂w1"
    assert as_text(in_symbols(one.formula)) == "(∂E/∂o1·w5 + ∂E/∂o2·w7) · a_h1·(1 − a_h1) · i1"
    assert (
        as_text(in_numbers(one.formula, values, 3))
        == "(0.142·0.4 + (−0.0838)·0.5) · 0.507·(1 − 0.507) · 0.05"
    )
    assert {name for _, name in in_symbols(one.formula)} == {"", "dE/do1", "w5", "dE/do2", "w7", "a_h1", "i1"}


def test_rates_and_sums_that_are_too_large_are_no_error() -> None:
    assert (sigmoid(-math.inf), sigmoid(0), sigmoid(math.inf), sigmoid(-800)) == (0, 0.5, 1, 0)
    assert math.isnan(sigmoid(math.nan))
    wild = Start((1e200, -1e200), (0, 1), (1e200,) * 8)
    assert len(losses(wild, 1e300, 20)) == 20
    shown = as_text(in_numbers("{h1} + {o1}", work_out(wild, wild.weights, 1), 3))
    assert "not finite" in shown
