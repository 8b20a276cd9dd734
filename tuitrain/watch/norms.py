"""How far a step moves each layer's weights, and where that is far from what training bears well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuitrain.errors import visible
from tuitrain.training.events import EpochFinished

#: An update over the weights' norm that training is well with, as a rule of thumb; and what is far from it.
HEALTHY, TOO_FAR, TOO_LITTLE = 1e-3, 0.1, 1e-6
IN_A_ROW = 3  # epochs


@dataclass(frozen=True, slots=True)
class LayerNorms:
    """Of a layer's weights at an epoch's last step; NaN where a number is not known.

    Attributes:
        name: of the layer, as in `conv2`.
        weight: the norm of the weights.
        gradient: the norm of their gradient.
        update: how far the step moved them, over their norm.
    """

    name: str
    weight: float
    gradient: float
    update: float

    @property
    def far_off(self) -> int:
        """1 where the step moved them far too far, -1 where hardly at all, else 0."""
        return (self.update > TOO_FAR) - (self.update < TOO_LITTLE)


def layer_norms(epoch: EpochFinished | None) -> dict[str, LayerNorms]:
    """What was measured in an epoch, by layer; empty where nothing was."""
    out = {}
    for parameter, values in (epoch.norms if epoch is not None else {}).items():
        if len(values) == 3:
            weight, gradient, update = (
                float(value) if isinstance(value, int | float) else math.nan for value in values
            )
            name = visible(parameter.removesuffix(".weight"))
            out[name] = LayerNorms(name, weight, gradient, update)
    return out


def update_text(update: float) -> str:
    """`1.2e-3`; a dash where it is not known."""
    if not math.isfinite(update):
        return "–"
    return "0" if update == 0 else f"{update:.1e}".replace("e-0", "e-").replace("e+0", "e")


def far_off(epochs: Sequence[EpochFinished]) -> tuple[int, str]:
    """1 or -1 and a sentence where some layer's updates were far off in each of the last epochs; else 0 and nothing."""
    last = [layer_norms(epoch) for epoch in epochs[-IN_A_ROW:]]
    if len(last) < IN_A_ROW:
        return 0, ""
    for way, what in ((1, "too far"), (-1, "hardly at all")):
        named = [name for name in last[-1] if all(n[name].far_off == way for n in last if name in n)]
        if named:
            updates = [last[-1][name].update for name in named]
            most = update_text(max(updates) if way > 0 else min(updates))
            who = (
                f"{named[0]} {what}: {most} of its"
                if len(named) == 1
                else f"{len(named)} layers {what}: {most} of their"
            )
            return way, f"steps move {who} norm"
    return 0, ""
