"""Backpropagation worked by hand: a 2-2-2 network of logistic neurons without biases, and its arithmetic.

    h1 = w1·i1 + w2·i2      a_h1 = σ(h1)      o1 = w5·a_h1 + w6·a_h2      a_o1 = σ(o1)      E1 = (t1 − a_o1)²/2
    h2 = w3·i1 + w4·i2      a_h2 = σ(h2)      o2 = w7·a_h1 + w8·a_h2      a_o2 = σ(o2)      E2 = (t2 − a_o2)²/2

Plain floats: with rates that are too large they become infinite or NaN, and no error is raised.

Source: nishantb06/MNIST-Drilldown-Backpropagation, Backpropagation.xlsx. Its hidden gradients are wrong
(`PUBLISHED`); the true ones are in `CORRECTED`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Variant = Literal["corrected", "published"]
VARIANTS: tuple[Variant, ...] = ("corrected", "published")

WEIGHTS = tuple(f"w{number}" for number in range(1, 9))
AFTER = tuple(f"{name}'" for name in WEIGHTS)  # the step
GRADIENTS = tuple(f"dE/d{name}" for name in WEIGHTS)
#: The columns of the sheet, in its order.
COLUMNS = (
    "t1", "t2", "i1", "i2", "w1", "w2", "w3", "w4", "h1", "a_h1", "h2", "a_h2", "w5", "w6", "w7", "w8",
    "o1", "a_o1", "o2", "a_o2", "E1", "E2", "E_total", *GRADIENTS,
)  # fmt: skip
GIVEN = (*COLUMNS[:8], *COLUMNS[12:16])  # to begin with; all others are worked out
#: For each hidden neuron the weights by which the errors of output 1 and of output 2 go back to it.
WAYS_BACK: dict[Variant, dict[str, tuple[str, str]]] = {
    "corrected": {"h1": ("w5", "w7"), "h2": ("w6", "w8")},
    "published": {"h1": ("w5", "w6"), "h2": ("w7", "w8")},  # the rows of the weight matrix for its columns
}

Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Start:
    """What a training begins with: the two inputs, the two targets and the weights w1 to w8."""

    inputs: tuple[float, float]
    targets: tuple[float, float]
    weights: tuple[float, ...]


def sigmoid(x: float) -> float:
    """The logistic function 1 / (1 + e^-x), for any x."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    part = math.exp(x)
    return part / (1 + part) if part == part else x


def work_out(start: Start, weights: Sequence[float], lr: float, variant: Variant = "corrected") -> Values:
    """Every quantity of one training step by its name.

    Args:
        start: inputs and targets; its weights are not looked at.
        weights: w1 to w8 before the step.
        lr: the learning rate.
        variant: whose hidden gradients.

    Returns:
        The 31 columns, what lies between them on the way back (`dE/do1`, `dE2/da_h1`, ...), the learning
        rate `lr`, and the weights after the step (`w1'` to `w8'`).
    """
    i1, i2, (t1, t2) = *start.inputs, start.targets
    w1, w2, w3, w4, w5, w6, w7, w8 = weights
    h1, h2 = i1 * w1 + i2 * w2, i1 * w3 + i2 * w4
    a_h1, a_h2 = sigmoid(h1), sigmoid(h2)
    o1, o2 = a_h1 * w5 + a_h2 * w6, a_h1 * w7 + a_h2 * w8
    a_o1, a_o2 = sigmoid(o1), sigmoid(o2)
    e1, e2 = (t1 - a_o1) * (t1 - a_o1) / 2, (t2 - a_o2) * (t2 - a_o2) / 2

    slope_o1, slope_o2 = a_o1 * (1 - a_o1), a_o2 * (1 - a_o2)
    d_o1, d_o2 = (a_o1 - t1) * slope_o1, (a_o2 - t2) * slope_o2
    back = {"w5": w5, "w6": w6, "w7": w7, "w8": w8}
    (way11, way21), (way12, way22) = (WAYS_BACK[variant][name] for name in ("h1", "h2"))
    e1_h1, e2_h1 = d_o1 * back[way11], d_o2 * back[way21]
    e1_h2, e2_h2 = d_o1 * back[way12], d_o2 * back[way22]
    slope_h1, slope_h2 = a_h1 * (1 - a_h1), a_h2 * (1 - a_h2)
    d_h1, d_h2 = (e1_h1 + e2_h1) * slope_h1, (e1_h2 + e2_h2) * slope_h2
    of_hidden = (d_h1 * i1, d_h1 * i2, d_h2 * i1, d_h2 * i2)
    gradients = (*of_hidden, d_o1 * a_h1, d_o1 * a_h2, d_o2 * a_h1, d_o2 * a_h2)
    return {
        "i1": i1, "i2": i2, "t1": t1, "t2": t2, "lr": lr, **dict(zip(WEIGHTS, weights, strict=True)),
        "h1": h1, "h2": h2, "a_h1": a_h1, "a_h2": a_h2, "o1": o1, "o2": o2, "a_o1": a_o1, "a_o2": a_o2,
        "E1": e1, "E2": e2, "E_total": e1 + e2,
        "dE/da_o1": a_o1 - t1, "da_o1/do1": slope_o1, "dE/do1": d_o1,
        "dE/da_o2": a_o2 - t2, "da_o2/do2": slope_o2, "dE/do2": d_o2,
        "dE1/da_h1": e1_h1, "dE2/da_h1": e2_h1, "dE/da_h1": e1_h1 + e2_h1, "da_h1/dh1": slope_h1, "dE/dh1": d_h1,
        "dE1/da_h2": e1_h2, "dE2/da_h2": e2_h2, "dE/da_h2": e1_h2 + e2_h2, "da_h2/dh2": slope_h2, "dE/dh2": d_h2,
        **dict(zip(GRADIENTS, gradients, strict=True)),
        **{after: w - lr * slope for after, w, slope in zip(AFTER, weights, gradients, strict=True)},
    }  # fmt: skip


def weights_after(values: Mapping[str, float]) -> tuple[float, ...]:
    """w1 to w8 after the step."""
    return tuple(values[name] for name in AFTER)


def steps(start: Start, lr: float, variant: Variant = "corrected") -> Iterator[Values]:
    """The quantities of step 0 (the untouched network), 1, 2 and so on, without end."""
    weights: tuple[float, ...] = start.weights
    while True:
        values = work_out(start, weights, lr, variant)
        yield values
        weights = weights_after(values)


def table(start: Start, lr: float, rows: int, variant: Variant = "corrected") -> list[Values]:
    """The first so many steps."""
    return [values for values, _ in zip(steps(start, lr, variant), range(rows), strict=False)]


def losses(start: Start, lr: float, rows: int, variant: Variant = "corrected") -> list[float]:
    """The total error at each of the first so many steps."""
    return [values["E_total"] for values, _ in zip(steps(start, lr, variant), range(rows), strict=False)]


def loss_at(start: Start, weights: Sequence[float]) -> float:
    """The total error with these weights."""
    return work_out(start, weights, 0.0)["E_total"]


def measured_gradients(start: Start, weights: Sequence[float], width: float = 1e-5) -> tuple[float, ...]:
    """The eight derivatives without any chain rule: central differences of the total error, to about 1e-10."""
    found = []
    for number in range(len(weights)):
        at = [list(weights), list(weights)]
        apart = width * max(1.0, abs(weights[number]))
        at[0][number] += apart
        at[1][number] -= apart
        found.append((loss_at(start, at[0]) - loss_at(start, at[1])) / (at[0][number] - at[1][number]))
    return tuple(found)
