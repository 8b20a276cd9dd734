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
GRADIENTS = tuple(f"dE/d{name}" for name in WEIGHTS)
#: The columns of the sheet, in its order.
COLUMNS = (
    "t1", "t2", "i1", "i2", "w1", "w2", "w3", "w4", "h1", "a_h1", "h2", "a_h2", "w5", "w6", "w7", "w8",
    "o1", "a_o1", "o2", "a_o2", "E1", "E2", "E_total", *GRADIENTS,
)  # fmt: skip
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
    v: Values = dict(zip(("i1", "i2", "t1", "t2"), (*start.inputs, *start.targets), strict=True))
    v |= zip(WEIGHTS, weights, strict=True)
    v["lr"] = lr
    v["h1"] = v["i1"] * v["w1"] + v["i2"] * v["w2"]
    v["h2"] = v["i1"] * v["w3"] + v["i2"] * v["w4"]
    v["a_h1"], v["a_h2"] = sigmoid(v["h1"]), sigmoid(v["h2"])
    v["o1"] = v["a_h1"] * v["w5"] + v["a_h2"] * v["w6"]
    v["o2"] = v["a_h1"] * v["w7"] + v["a_h2"] * v["w8"]
    v["a_o1"], v["a_o2"] = sigmoid(v["o1"]), sigmoid(v["o2"])
    for k in "12":
        away = v[f"t{k}"] - v[f"a_o{k}"]
        v[f"E{k}"] = away * away / 2
    v["E_total"] = v["E1"] + v["E2"]

    for k, (first, second) in (("1", ("w5", "w6")), ("2", ("w7", "w8"))):
        v[f"dE/da_o{k}"] = v[f"a_o{k}"] - v[f"t{k}"]
        v[f"da_o{k}/do{k}"] = v[f"a_o{k}"] * (1 - v[f"a_o{k}"])
        v[f"dE/do{k}"] = v[f"dE/da_o{k}"] * v[f"da_o{k}/do{k}"]
        v[f"dE/d{first}"], v[f"dE/d{second}"] = v[f"dE/do{k}"] * v["a_h1"], v[f"dE/do{k}"] * v["a_h2"]
    for k, (first, second) in (("1", ("w1", "w2")), ("2", ("w3", "w4"))):
        for output, way in zip("12", WAYS_BACK[variant][f"h{k}"], strict=True):
            v[f"dE{output}/da_h{k}"] = v[f"dE/do{output}"] * v[way]
        v[f"dE/da_h{k}"] = v[f"dE1/da_h{k}"] + v[f"dE2/da_h{k}"]
        v[f"da_h{k}/dh{k}"] = v[f"a_h{k}"] * (1 - v[f"a_h{k}"])
        v[f"dE/dh{k}"] = v[f"dE/da_h{k}"] * v[f"da_h{k}/dh{k}"]
        v[f"dE/d{first}"], v[f"dE/d{second}"] = v[f"dE/dh{k}"] * v["i1"], v[f"dE/dh{k}"] * v["i2"]
    for name in WEIGHTS:
        v[f"{name}'"] = v[name] - lr * v[f"dE/d{name}"]
    return v


def weights_after(values: Mapping[str, float]) -> tuple[float, ...]:
    """w1 to w8 after the step."""
    return tuple(values[f"{name}'"] for name in WEIGHTS)


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
    return [values["E_total"] for values in table(start, lr, rows, variant)]


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
