"""One training step as a list of terms: what is worked out in which order, in symbols and with the numbers put in.

A formula is a text with its quantities in braces, as in `{w1}·{i1} + {w2}·{i2}`; they are the names of
`backprop.work_out`. Terminal, command line and spreadsheet are all written from these formulas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tuitrain.lessons.backprop import WAYS_BACK, Variant

#: Parts of the chains that are a quantity by another name: `do1/dw5`, what w5 is multiplied with, is a_h1.
SAME_AS = {
    **{f"dh{k}/dw{w}": f"i{i}" for k, w, i in ((1, 1, 1), (1, 2, 2), (2, 3, 1), (2, 4, 2))},
    **{f"do{k}/dw{w}": f"a_h{h}" for k, w, h in ((1, 5, 1), (1, 6, 2), (2, 7, 1), (2, 8, 2))},
    **{f"do{k}/da_h{h}": f"w{w}" for k, w, h in ((1, 5, 1), (1, 6, 2), (2, 7, 1), (2, 8, 2))},
}
SECTIONS = ("Forward pass", "Error", "Backward: output layer", "Backward: hidden layer", "Update")
#: For terminals without these characters.
ASCII = str.maketrans(
    {"∂": "d", "σ": "s", "·": "*", "−": "-", "²": "^2", "…": "..."}
    | dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True))
)

Piece = tuple[str, str]  # a text, and the quantity that it stands for, or nothing


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is worked out.

    Attributes:
        quantity: its name.
        section: one of `SECTIONS`.
        formula: what it is, in quantities that are known by then.
        why: what it means, in a sentence or two.
        chain: the chain rule behind it, or nothing.
        mistake: what the published sheet got wrong here, or nothing.
    """

    quantity: str
    section: str
    formula: str
    why: str
    chain: str = ""
    mistake: str = ""

    @property
    def uses(self) -> tuple[str, ...]:
        """The quantities that it is worked out from, each once; those of its chain too, where that is the formula's."""
        text = self.formula if self.mistake else self.chain + self.formula
        names = (SAME_AS.get(name, name) for name in _NAMES.findall(text))
        return tuple(dict.fromkeys(names))


_NAMES = re.compile(r"\{([^}]+)\}")


def symbol(quantity: str) -> str:
    """How a quantity is written: `∂E/∂w5`, `a_h1`, `E`."""
    if "/d" in quantity:
        above, _, below = quantity.partition("/d")
        return f"∂{above[1:]}/∂{below}"
    return {"E_total": "E"}.get(quantity, quantity)


def number_text(value: float, digits: int = 6) -> str:
    """A number in so many digits that matter: `0.593270`, `−0.04246`, `1.9e-07`, `not finite`."""
    if value - value != 0:
        return "not finite"
    text = f"{abs(value):.{digits}g}".replace("e-0", "e-").replace("e+", "e")
    return f"−{text}" if value < 0 else text


def in_symbols(formula: str) -> list[Piece]:
    """A formula as pieces, each quantity by its symbol."""
    return [(symbol(text), name) if name else (text, "") for text, name in _pieces(formula)]


def in_numbers(formula: str, values: Mapping[str, float], digits: int = 6) -> list[Piece]:
    """A formula as pieces, each quantity by its value; a negative one in parentheses but at the beginning of a sum."""
    out: list[Piece] = []
    for text, name in _pieces(formula):
        if not name:
            out.append((text, ""))
            continue
        number = number_text(values[SAME_AS.get(name, name)], digits)
        before = out[-1][0] if out else "("
        out.append((f"({number})" if number[0] == "−" and not before.endswith("(") else number, name))
    return out


def as_text(pieces: Sequence[Piece]) -> str:
    """Pieces one after the other."""
    return "".join(text for text, _ in pieces)


def _pieces(formula: str) -> list[Piece]:
    parts = _NAMES.split(formula)
    return [(text, text if at % 2 else "") for at, text in enumerate(parts) if text]


@cache
def terms(variant: Variant = "corrected") -> tuple[Term, ...]:
    """All terms of one training step in the order in which they are worked out."""
    return (*_forward(), *_errors(), *_output_layer(), *_hidden_layer(variant), *_update())


def _forward() -> list[Term]:
    section, out = SECTIONS[0], []
    sums = {
        "h1": "{w1}·{i1} + {w2}·{i2}", "h2": "{w3}·{i1} + {w4}·{i2}",
        "o1": "{w5}·{a_h1} + {w6}·{a_h2}", "o2": "{w7}·{a_h1} + {w8}·{a_h2}",
    }  # fmt: skip
    for name, formula in sums.items():
        hidden, k = name[0] == "h", name[1]
        what = "the inputs" if hidden else "what the hidden neurons say"
        whose = f"{'Hidden' if hidden else 'Output'} neuron {k}"
        said = (
            f"This is output {k} of the network." if not hidden else f"This is what hidden neuron {k} says."
        )
        out += [
            Term(name, section, formula, f"{whose} sums {what}, each times the weight of its edge."),
            Term(f"a_{name}", section, f"σ({{{name}}})",
                 f"The logistic function σ(x) = 1/(1 + e^−x) brings the sum between 0 and 1. {said}"),
        ]  # fmt: skip
    return out


def _errors() -> list[Term]:
    section = SECTIONS[1]
    out = [
        Term(f"E{k}", section, f"({{t{k}}} − {{a_o{k}}})²/2",
             f"Half the square of how far output {k} is from its target. The half cancels the 2 of the derivative.")
        for k in "12"
    ]  # fmt: skip
    why = "What training makes smaller. The question of the way back: how does it change with each weight?"
    return [*out, Term("E_total", section, "{E1} + {E2}", why)]


def _output_layer() -> list[Term]:
    section, out = SECTIONS[2], []
    for k, first in (("1", 5), ("2", 7)):
        out += [
            Term(f"dE/da_o{k}", section, f"{{a_o{k}}} − {{t{k}}}",
                 f"The derivative of (t{k} − a_o{k})²/2: above zero where output {k} is too large, below where too small."),
            Term(f"da_o{k}/do{k}", section, f"{{a_o{k}}}·(1 − {{a_o{k}}})",
                 "The slope of σ, from its own value: at most 1/4, and next to nothing near 0 and 1, where learning is slow."),
            Term(f"dE/do{k}", section, f"{{dE/da_o{k}}}·{{da_o{k}/do{k}}}",
                 f"Both factors together: how the error changes with the sum o{k}. All that lies before o{k} needs it.",
                 f"{{dE/da_o{k}}} · {{da_o{k}/do{k}}}"),
        ]  # fmt: skip
        for weight, h in ((first, 1), (first + 1, 2)):
            chain = f"{{dE/da_o{k}}} · {{da_o{k}/do{k}}} · {{do{k}/dw{weight}}}"
            formula = f"({{a_o{k}}} − {{t{k}}}) · {{a_o{k}}}·(1 − {{a_o{k}}}) · {{a_h{h}}}"
            why = f"w{weight} acts on the error by o{k} alone, where it is multiplied with a_h{h}: so ∂o{k}/∂w{weight} is a_h{h}."
            out.append(Term(f"dE/dw{weight}", section, formula, why, chain))
    return out


def _hidden_layer(variant: Variant) -> list[Term]:
    section, out = SECTIONS[3], []
    for k, first in (("1", 1), ("2", 3)):
        right, taken = WAYS_BACK["corrected"][f"h{k}"], WAYS_BACK[variant][f"h{k}"]
        for output, way, used in zip("12", right, taken, strict=True):
            mistake = ""
            if way != used:
                ends = f"{used} is the edge from h{'12'[int(used[1]) % 2 == 0]} to o{'12'[int(used[1]) > 6]}"
                mistake = f"The published sheet takes {used} here. {ends}; error {output} comes back to h{k} by {way}."
            out.append(
                Term(f"dE{output}/da_h{k}", section, f"{{dE/do{output}}}·{{{used}}}",
                     f"The part of error {output} that comes back to hidden neuron {k}, by the edge that it went: {way}.",
                     f"{{dE/do{output}}} · {{do{output}/da_h{k}}}" if way == used else "", mistake)
            )  # fmt: skip
        out += [
            Term(f"dE/da_h{k}", section, f"{{dE1/da_h{k}}} + {{dE2/da_h{k}}}",
                 f"a_h{k} acts on both outputs, so what comes back from both is added."),
            Term(f"da_h{k}/dh{k}", section, f"{{a_h{k}}}·(1 − {{a_h{k}}})", "The slope of σ again, here at the hidden neuron."),
            Term(f"dE/dh{k}", section, f"{{dE/da_h{k}}}·{{da_h{k}/dh{k}}}",
                 f"How the error changes with the sum h{k}: the last factor that both its weights share.",
                 f"{{dE/da_h{k}}} · {{da_h{k}/dh{k}}}"),
        ]  # fmt: skip
        back = f"({{dE/do1}}·{{{taken[0]}}} + {{dE/do2}}·{{{taken[1]}}})"
        for weight, i in ((first, 1), (first + 1, 2)):
            chain = f"({{dE/do1}}·{{do1/da_h{k}}} + {{dE/do2}}·{{do2/da_h{k}}}) · {{da_h{k}/dh{k}}} · {{dh{k}/dw{weight}}}"
            formula = f"{back} · {{a_h{k}}}·(1 − {{a_h{k}}}) · {{i{i}}}"
            why = f"w{weight} is multiplied with i{i}, so ∂h{k}/∂w{weight} is i{i}: a small input means a small step."
            wrong = "" if taken == right else _wrong_sum(k, right, taken)
            out.append(Term(f"dE/dw{weight}", section, formula, why, chain, wrong))
    return out


def _wrong_sum(k: str, right: tuple[str, str], taken: tuple[str, str]) -> str:
    return f"The published sheet goes back to h{k} by {' and '.join(taken)}; its edges are {' and '.join(right)}."


def _update() -> list[Term]:
    why = "A step against the slope, as long as the learning rate says; all eight weights change at once."
    return [
        Term(f"w{w}'", SECTIONS[4], f"{{w{w}}} − {{lr}}·{{dE/dw{w}}}", why) for w in range(1, 9)
    ]  # fmt: skip


@cache
def written_out(quantity: str, variant: Variant = "corrected") -> str:
    """The formula of a quantity in the 31 columns and the learning rate alone."""
    from tuitrain.lessons.backprop import COLUMNS

    of = {term.quantity: term.formula for term in terms(variant)}

    def whole(match: re.Match[str]) -> str:
        name = SAME_AS.get(match[1], match[1])
        return f"{{{name}}}" if name in COLUMNS or name == "lr" else f"({_NAMES.sub(whole, of[name])})"

    return _NAMES.sub(whole, of[quantity])


Kind = Literal["input", "weight", "hidden", "output", "error", "slope", "rate"]


def kind(quantity: str) -> Kind:
    """What a quantity belongs to, which gives it its colour: a slope is any derivative that the way back works out."""
    name = SAME_AS.get(quantity, quantity)
    if "/d" in name:
        return "slope"
    if name == "lr":
        return "rate"
    kinds: dict[str, Kind] = {
        "i": "input",
        "w": "weight",
        "h": "hidden",
        "o": "output",
        "t": "error",
        "E": "error",
    }
    return kinds[name.removeprefix("a_")[0]]
